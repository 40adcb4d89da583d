//! A `Host` field, or the authority of a target: its host and port.
//!
//! `http::admit` refuses malformed ones and compares the two; the router gets the host in the
//! normal form, and `config` brings the hosts of routes into the same form.
//!
//! RFC 9110 §7.2, RFC 3986 §3.2.2. Stricter than the grammar, as nginx is: a name has no empty
//! label, a bracket holds an IPv6 address and nothing else, and there is no user information.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;

/// A host with an optional port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// In lower case, without the dot that may end a name; an IPv6 address in brackets, in the
    /// form of RFC 5952. Never empty. Escapes of a name stay escapes.
    pub host: Cow<'a, str>,
    /// `None` also when nothing follows the colon.
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Reads `text`, which has no space around it. Allocates only when the host is not yet in its
    /// form.
    ///
    /// # Errors
    ///
    /// [`MalformedHost`] also for an empty text: RFC 9112 §3.2 has a client send an empty field when
    /// the target has no authority, and no target that we take is without one.
    pub fn parse(text: &'a [u8]) -> Result<Self, MalformedHost> {
        if text.first() == Some(&b'[') {
            return Self::parse_bracketed(text);
        }
        let (name, port) = match text.iter().position(|&byte| byte == b':') {
            Some(colon) => (&text[..colon], parse_port(&text[colon + 1..])?),
            None => (text, None),
        };
        let host = parse_name(name)?;
        Ok(Self { host, port })
    }

    /// Whether both name the same host and port, if the port is `default_port` by default.
    pub fn is_same(&self, other: &Authority<'_>, default_port: u16) -> bool {
        self.host == other.host
            && self.port.unwrap_or(default_port) == other.port.unwrap_or(default_port)
    }

    fn parse_bracketed(text: &'a [u8]) -> Result<Self, MalformedHost> {
        let text = str::from_utf8(text).map_err(|_| MalformedHost)?;
        let end = text.find(']').ok_or(MalformedHost)?;
        // A zone (`%25eth0`) means nothing to the other side, and RFC 3986 requires us to refuse a
        // future version (`v1.x`): the library accepts neither as an address.
        let address: Ipv6Addr = text[1..end].parse().map_err(|_| MalformedHost)?;
        let port = match text.as_bytes()[end + 1..].split_first() {
            None => None,
            Some((b':', digits)) => parse_port(digits)?,
            Some(_) => return Err(MalformedHost),
        };
        let written = &text[..=end];
        let host = match BracketedText::of(address) {
            canonical if canonical.as_str() == written => Cow::Borrowed(written),
            canonical => Cow::Owned(canonical.as_str().to_owned()),
        };
        Ok(Self { host, port })
    }
}

/// Not a host with an optional port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedHost;

impl fmt::Display for MalformedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a host with an optional port")
    }
}

impl std::error::Error for MalformedHost {}

/// An address in brackets, written without allocating.
struct BracketedText {
    bytes: [u8; Self::LONGEST],
    len: usize,
}

impl BracketedText {
    /// Eight groups of four, seven colons, two brackets; an address that ends in an IPv4 one
    /// (`::ffff:255.255.255.255`) is shorter.
    const LONGEST: usize = 41;

    fn of(address: Ipv6Addr) -> Self {
        let mut text = Self {
            bytes: [0; Self::LONGEST],
            len: 0,
        };
        fmt::write(&mut text, format_args!("[{address}]")).expect("it is as long as the longest");
        text
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.len]).expect("only whole strings were written")
    }
}

impl fmt::Write for BracketedText {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = self.len + part.len();
        let room = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
        room.copy_from_slice(part.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// The kind of a byte in a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Unreserved or a sub-delimiter, and no capital letter.
    Plain,
    /// `A` to `Z`.
    Capital,
    Dot,
    Forbidden,
}

/// RFC 3986 §3.2.2: `reg-name`, without escapes. No DNS name has one, and servers differ about
/// them: some would read `ex%61mple.com` as the host of another route.
const KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Forbidden; 256];
    let plain = b"abcdefghijklmnopqrstuvwxyz0123456789-_~!$&'()*+,;=";
    let mut index = 0;
    while index < plain.len() {
        kinds[plain[index] as usize] = Kind::Plain;
        index += 1;
    }
    let mut capital = b'A';
    while capital <= b'Z' {
        kinds[capital as usize] = Kind::Capital;
        capital += 1;
    }
    kinds[b'.' as usize] = Kind::Dot;
    kinds
};

fn parse_name(name: &[u8]) -> Result<Cow<'_, str>, MalformedHost> {
    let name = name.strip_suffix(b".").unwrap_or(name);
    let mut has_capital = false;
    // As after a dot: an empty name is an empty label too.
    let mut previous = Kind::Dot;
    for &byte in name {
        let kind = KINDS[usize::from(byte)];
        match kind {
            Kind::Plain => {}
            Kind::Capital => has_capital = true,
            Kind::Dot if previous != Kind::Dot => {}
            Kind::Dot | Kind::Forbidden => return Err(MalformedHost),
        }
        previous = kind;
    }
    if previous == Kind::Dot {
        return Err(MalformedHost);
    }
    let name = str::from_utf8(name).map_err(|_| MalformedHost)?;
    Ok(if has_capital {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    })
}

/// RFC 3986 §3.2.3: any number of digits, also none.
fn parse_port(digits: &[u8]) -> Result<Option<u16>, MalformedHost> {
    if digits.is_empty() {
        return Ok(None);
    }
    // Not `str::parse`: it takes a plus sign.
    let mut port: u16 = 0;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return Err(MalformedHost);
        }
        port = port
            .checked_mul(10)
            .and_then(|port| port.checked_add(u16::from(digit - b'0')))
            .ok_or(MalformedHost)?;
    }
    Ok(Some(port))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Option<(String, Option<u16>)> {
        let authority = Authority::parse(text.as_bytes()).ok()?;
        Some((authority.host.into_owned(), authority.port))
    }

    fn is_same(one: &str, other: &str) -> bool {
        let one = Authority::parse(one.as_bytes()).expect("a host");
        let other = Authority::parse(other.as_bytes()).expect("a host");
        one.is_same(&other, 80)
    }

    #[test]
    fn hosts_are_read_with_and_without_a_port() {
        let cases = [
            ("example.com", "example.com", None),
            ("example.com:8080", "example.com", Some(8080)),
            ("example.com:", "example.com", None),
            ("10.0.0.1:80", "10.0.0.1", Some(80)),
            ("[::1]", "[::1]", None),
            ("[::1]:65535", "[::1]", Some(65535)),
            ("[::1]:", "[::1]", None),
            ("my_app", "my_app", None),
            ("a:0", "a", Some(0)),
            ("a:00080", "a", Some(80)),
        ];
        for (text, host, port) in cases {
            assert_eq!(parse(text), Some((host.to_owned(), port)), "{text}");
        }
    }

    #[test]
    fn an_invalid_host_is_refused() {
        let cases = [
            "",
            ".",
            "..",
            ":80",
            "a..b",
            ".a",
            "a..",
            "a b",
            "a/b",
            "a?b",
            "a#b",
            "user@a",
            "a:b",
            "a:65536",
            "a:99999999999999999999",
            "a:+80",
            "a:-1",
            "a:80:80",
            "a, b",
            "a\\b",
            "ü",
            "a%",
            "a%2",
            "a%zz",
            "a%20b",
            "ex%61mple.com",
            "[",
            "[]",
            "[::1",
            "::1",
            "[::1]80",
            "[::1]x",
            "[::1]:x",
            "[1.2.3.4]",
            "[fe80::1%25eth0]",
            "[v1.x]",
            "[::1].",
            "a\0",
            "a\x7f",
            "a\t",
            "<a>",
            "\"a\"",
        ];
        for text in cases {
            assert_eq!(parse(text), None, "{text:?}");
        }
        assert!(Authority::parse(b"a\xff").is_err());
    }

    #[test]
    fn case_and_the_last_dot_of_a_name_do_not_count() {
        assert_eq!(parse("EXAMPLE.com.:80"), parse("example.com:80"));
        assert_eq!(parse("[2001:DB8:0:0:0:0:0:1]"), parse("[2001:db8::1]"));
    }

    #[test]
    fn a_host_in_its_form_is_borrowed() {
        for text in ["example.com", "example.com.:80", "[2001:db8::1]:80"] {
            let authority = Authority::parse(text.as_bytes()).expect("a host");
            assert!(matches!(authority.host, Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn the_longest_address_has_room() {
        let longest = "[1111:2222:3333:4444:5555:6666:7777:8888]";
        assert_eq!(parse(longest), Some((longest.to_owned(), None)));
        let mapped = "[::ffff:255.255.255.255]";
        assert_eq!(parse(mapped), Some((mapped.to_owned(), None)));
    }

    #[test]
    fn a_port_that_is_not_written_is_the_default() {
        assert!(is_same("a", "A.:80"));
        assert!(is_same("a:", "a"));
        assert!(is_same("[::1]:80", "[0::1]"));
        assert!(!is_same("a:81", "a"));
        assert!(!is_same("a:443", "a"));
        assert!(!is_same("a", "b"));
    }

    proptest! {
        #[test]
        fn the_form_reads_back_as_itself(text in "[a-zA-Z0-9.%~_\\-]{1,20}(:[0-9]{0,5})?") {
            if let Ok(first) = Authority::parse(text.as_bytes()) {
                let second = Authority::parse(first.host.as_bytes()).expect("it was a host");
                prop_assert_eq!(&second.host, &first.host);
                prop_assert_eq!(second.port, None);
            }
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = Authority::parse(&bytes);
        }
    }
}
