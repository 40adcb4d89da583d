//! Proxies before us: reads and writes `X-Forwarded-For` and `Forwarded`.
//!
//! `http::hop` writes them for servers; `handle` calls [`client_of`] for the client of a request if
//! its peer is a trusted proxy. The caller decides which addresses are trusted.
//!
//! `X-Forwarded-For` has no standard; RFC 7239 §7.4 describes it. `Forwarded` is RFC 7239.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderValue;

use crate::base::address::Dotted;

/// The most elements of a list that [`client_of`] reads. A chain of real proxies has a handful; a
/// longer list was made to waste our time.
const MOST_HOPS: usize = 64;

/// A field in which proxies name the client of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Addresses.
    XForwardedFor,
    /// Elements with a `for=` (RFC 7239 §4).
    Forwarded,
}

/// The address that a request comes from, by the lines of `field`, if the peer that sent them is
/// trusted: the rightmost one that `is_trusted` denies, or the leftmost if it denies none. `None`:
/// the lines have no address.
///
/// The peer wrote the last element, the address in it wrote the one before, and so on: an element
/// counts only if its writer is trusted. Reading ends at an element without an address (`unknown`,
/// a name), and after 64 elements: then the last address that was read is the best one. A port
/// beside an address is dropped.
pub fn client_of<'a, L>(
    field: Field,
    lines: L,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Option<IpAddr>
where
    L: IntoIterator<Item = &'a HeaderValue>,
    L::IntoIter: DoubleEndedIterator,
{
    let lines = lines.into_iter().rev();
    match field {
        Field::XForwardedFor => {
            let elements = lines.flat_map(|line| line.as_bytes().rsplit(|&byte| byte == b','));
            rightmost(elements, parse_address, is_trusted)
        }
        Field::Forwarded => {
            let elements = lines.flat_map(|line| split_unquoted(line.as_bytes(), b',').into_iter());
            rightmost(elements, address_in_element, is_trusted)
        }
    }
}

fn rightmost<'a>(
    elements: impl Iterator<Item = &'a [u8]>,
    parse: impl Fn(&[u8]) -> Option<IpAddr>,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Option<IpAddr> {
    let mut client = None;
    for element in elements.take(MOST_HOPS) {
        let element = element.trim_ascii();
        if element.is_empty() {
            // RFC 9110 §5.6.1.2: empty elements of a list are ignored.
            continue;
        }
        let Some(address) = parse(element) else {
            break;
        };
        client = Some(address);
        if !is_trusted(address) {
            break;
        }
    }
    client
}

/// The parts of `text` between `separator`s outside of quotes, the last part first.
fn split_unquoted(text: &[u8], separator: u8) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut is_quoted = false;
    let mut is_escaped = false;
    for (index, &byte) in text.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            byte if byte == separator && !is_quoted => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.reverse();
    parts
}

/// The address in the `for=` of an element of `Forwarded`.
fn address_in_element(element: &[u8]) -> Option<IpAddr> {
    let parameters = split_unquoted(element, b';');
    let mut values = parameters.iter().filter_map(|parameter| {
        let (name, value) = parameter.trim_ascii().split_at_checked(4)?;
        name.eq_ignore_ascii_case(b"for=").then_some(value)
    });
    let value = values.next()?;
    if values.next().is_some() {
        // RFC 7239 §4: each parameter once. A server behind us may use the other one.
        return None;
    }
    // No address needs an escape within its quotes.
    let unquoted = value
        .strip_prefix(b"\"")
        .map_or(Some(value), |value| value.strip_suffix(b"\""))?;
    let is_bare_v6 =
        !unquoted.starts_with(b"[") && unquoted.iter().filter(|b| **b == b':').count() > 1;
    if is_bare_v6 {
        // RFC 7239 §6: in brackets.
        return None;
    }
    parse_address(unquoted)
}

/// The value of `X-Forwarded-For` after `peer`: the received lines, then the address of `peer`.
/// Without received lines, a new field. `None`: there is neither.
pub fn x_forwarded_for<'a>(
    received: impl IntoIterator<Item = &'a HeaderValue>,
    peer: Option<IpAddr>,
) -> Option<HeaderValue> {
    let mut list = List::of(received);
    if let Some(peer) = peer {
        list.begin_element();
        match peer.to_canonical() {
            IpAddr::V4(peer) => list.bytes.put_slice(Dotted::of(peer).as_bytes()),
            IpAddr::V6(peer) => list.push_display(peer),
        }
    }
    (!list.bytes.is_empty()).then(|| list.into_value())
}

/// The value of `Forwarded` after this hop: the received lines, then `element`.
pub fn forwarded<'a>(
    received: impl IntoIterator<Item = &'a HeaderValue>,
    element: &Element<'_>,
) -> HeaderValue {
    let mut list = List::of(received);
    list.begin_element();
    list.bytes.put_slice(b"for=");
    list.push_client(element.client);
    if let Some(host) = element.host {
        list.bytes.put_slice(b";host=");
        list.push_word(host.as_bytes());
    }
    list.bytes.put_slice(b";proto=");
    list.bytes.put_slice(element.proto.name());
    list.into_value()
}

/// The element of one hop about its request (RFC 7239 §4).
#[derive(Clone, Debug)]
pub struct Element<'a> {
    /// `for`: the client; `None`: not known, or without an address.
    pub client: Option<IpAddr>,
    /// `host`: the `Host` field as received.
    pub host: Option<&'a HeaderValue>,
    /// `proto`: the scheme by which it came.
    pub proto: Proto,
}

/// The scheme by which a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proto {
    /// `http`
    Http,
    /// `https`
    Https,
}

impl Proto {
    /// As it is written in `proto=` and in `X-Forwarded-Proto`.
    pub fn name(self) -> &'static [u8] {
        match self {
            Self::Http => b"http",
            Self::Https => b"https",
        }
    }
}

/// A field value that is being written.
struct List {
    /// Only bytes of other field values, visible ASCII and spaces.
    bytes: BytesMut,
}

impl List {
    /// The lines of a field as one (RFC 9110 §5.3), without empty ones.
    fn of<'a>(received: impl IntoIterator<Item = &'a HeaderValue>) -> Self {
        let mut list = Self {
            // Room for the usual size: one address, or a few.
            bytes: BytesMut::with_capacity(64),
        };
        for line in received.into_iter().filter(|line| !line.is_empty()) {
            list.begin_element();
            list.bytes.put_slice(line.as_bytes());
        }
        list
    }

    fn begin_element(&mut self) {
        if !self.bytes.is_empty() {
            self.bytes.put_slice(b", ");
        }
    }

    fn push_display(&mut self, what: impl std::fmt::Display) {
        std::fmt::write(&mut self.bytes, format_args!("{what}")).expect("the buffer grows");
    }

    /// RFC 7239 §6.
    fn push_client(&mut self, client: Option<IpAddr>) {
        match client.map(|client| client.to_canonical()) {
            Some(IpAddr::V4(addr)) => self.bytes.put_slice(Dotted::of(addr).as_bytes()),
            // Colons and brackets are no token characters: quoted.
            Some(IpAddr::V6(addr)) => self.push_display(format_args!("\"[{addr}]\"")),
            None => self.bytes.put_slice(b"unknown"),
        }
    }

    /// `word` as a token if it is one, else quoted (RFC 9110 §5.6.4).
    fn push_word(&mut self, word: &[u8]) {
        if !word.is_empty() && word.iter().copied().all(is_token_byte) {
            self.bytes.put_slice(word);
            return;
        }
        self.bytes.put_u8(b'"');
        for &byte in word {
            if matches!(byte, b'"' | b'\\') {
                self.bytes.put_u8(b'\\');
            }
            self.bytes.put_u8(byte);
        }
        self.bytes.put_u8(b'"');
    }

    fn into_value(self) -> HeaderValue {
        HeaderValue::from_maybe_shared::<Bytes>(self.bytes.freeze())
            .expect("it is made of field values and visible ASCII")
    }
}

/// RFC 9110 §5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The address in an element: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`,
/// `[2001:db8::1]:4711`. All of these are in use.
fn parse_address(element: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(element).ok()?;
    if let Some(bracketed) = text.strip_prefix('[') {
        let (inner, after) = bracketed.split_once(']')?;
        let ends_well = after.is_empty() || after.strip_prefix(':').is_some_and(is_port);
        let addr: Ipv6Addr = inner.parse().ok()?;
        return ends_well.then(|| IpAddr::V6(addr).to_canonical());
    }
    if let Some((before, port)) = text.split_once(':')
        && !port.contains(':')
    {
        let addr: Ipv4Addr = before.parse().ok()?;
        return is_port(port).then_some(IpAddr::V4(addr));
    }
    let addr: IpAddr = text.parse().ok()?;
    Some(addr.to_canonical())
}

fn is_port(text: &str) -> bool {
    (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn value(text: &str) -> HeaderValue {
        HeaderValue::from_str(text).expect("a field value")
    }

    /// The client of a request from 10.0.0.1 with `lines`, if 10.0.0.0/8 is trusted.
    fn client(lines: &[&str]) -> String {
        let lines: Vec<HeaderValue> = lines.iter().map(|line| value(line)).collect();
        let is_trusted = |addr: IpAddr| match addr {
            IpAddr::V4(addr) => addr.octets()[0] == 10,
            IpAddr::V6(_) => false,
        };
        named(client_of(Field::XForwardedFor, &lines, is_trusted))
    }

    fn named(client: Option<IpAddr>) -> String {
        client.map_or("10.0.0.1".to_owned(), |client| client.to_string())
    }

    #[test]
    fn the_client_is_the_last_address_that_is_not_trusted() {
        let cases: [(&[&str], &str); 8] = [
            (&[], "10.0.0.1"),
            (&["192.0.2.1"], "192.0.2.1"),
            (&["192.0.2.1, 10.0.0.2"], "192.0.2.1"),
            (&["192.0.2.1", "10.0.0.2,10.0.0.3"], "192.0.2.1"),
            (&["192.0.2.9, 192.0.2.1, 10.0.0.2"], "192.0.2.1"),
            (&["10.0.0.9, 10.0.0.2"], "10.0.0.9"),
            (&[" 192.0.2.1 ,, \t10.0.0.2 ,"], "192.0.2.1"),
            (&["", "192.0.2.1", ""], "192.0.2.1"),
        ];
        for (lines, expected) in cases {
            assert_eq!(client(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn forwarded_has_the_client_too() {
        let client = |lines: &[&str]| {
            let lines: Vec<HeaderValue> = lines.iter().map(|line| value(line)).collect();
            let is_trusted = |addr: IpAddr| addr.to_string().starts_with("10.");
            named(client_of(Field::Forwarded, &lines, is_trusted))
        };
        let cases: [(&[&str], &str); 17] = [
            (&["for=192.0.2.1"], "192.0.2.1"),
            (&["For=192.0.2.1 ; proto=https"], "192.0.2.1"),
            (&["proto=https;for=\"[2001:db8::1]:4711\""], "2001:db8::1"),
            (&["for=\"192.0.2.1:80\""], "192.0.2.1"),
            (&["for=192.0.2.9, for=192.0.2.1, for=10.0.0.2"], "192.0.2.1"),
            (&["for=192.0.2.1", "for=10.0.0.2"], "192.0.2.1"),
            (
                &["for=192.0.2.1, host=\"a,for=192.0.2.9\";for=10.0.0.2"],
                "192.0.2.1",
            ),
            (
                &["for=192.0.2.1, host=\"a\\\",for=192.0.2.9\";for=10.0.0.2"],
                "192.0.2.1",
            ),
            // The last proxy does not name its client.
            (&["for=192.0.2.1, for=unknown"], "10.0.0.1"),
            (&["for=192.0.2.1, for=_hidden"], "10.0.0.1"),
            (&["for=192.0.2.1, proto=https"], "10.0.0.1"),
            (&["for=192.0.2.1;for=192.0.2.2"], "10.0.0.1"),
            (&["for=2001:db8::1"], "10.0.0.1"),
            (&["for=\"192.0.2.1"], "10.0.0.1"),
            (&["for=\"192.0.2.1\"x"], "10.0.0.1"),
            (&["192.0.2.1"], "10.0.0.1"),
            (&[""], "10.0.0.1"),
        ];
        for (lines, expected) in cases {
            assert_eq!(client(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn garbage_ends_the_list() {
        for garbage in [
            "unknown",
            "a.example",
            "_hidden",
            "\"10.0.0.3\"",
            "10.0.0.3:",
            "10.0.0.3:x",
            "10.0.0.3:123456",
            "[10.0.0.3]",
            "[::1",
            "[::1]80",
            "::1]",
            "1.2.3",
            "fe80::1%eth0",
        ] {
            let list = format!("192.0.2.1, {garbage}, 10.0.0.2");
            assert_eq!(client(&[&list]), "10.0.0.2", "{garbage}");
        }
        let lines = [HeaderValue::from_bytes(b"192.0.2.1, \xff").expect("a field value")];
        assert_eq!(client_of(Field::XForwardedFor, &lines, |_| true), None);
    }

    #[test]
    fn an_address_may_have_brackets_and_a_port() {
        let cases = [
            ("192.0.2.1:4711", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:DB8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
        ];
        for (element, expected) in cases {
            assert_eq!(client(&[element]), expected, "{element}");
        }
    }

    #[test]
    fn a_list_is_read_up_to_its_bound() {
        let at_bound = format!("192.0.2.1{}", ", 10.0.0.2".repeat(MOST_HOPS - 1));
        assert_eq!(client(&[&at_bound]), "192.0.2.1");
        let past_it = format!("192.0.2.1{}", ", 10.0.0.2".repeat(MOST_HOPS));
        assert_eq!(client(&[&past_it]), "10.0.0.2");
        let empty = format!("192.0.2.1{}", ",".repeat(100_000));
        assert_eq!(client(&[&empty]), "10.0.0.1");
    }

    #[test]
    fn the_peer_is_appended_to_what_was_received() {
        let lines = [value("192.0.2.1, 192.0.2.2"), value(""), value("192.0.2.3")];
        assert_eq!(
            x_forwarded_for(&lines, Some(ip("2001:db8::1"))),
            Some(value("192.0.2.1, 192.0.2.2, 192.0.2.3, 2001:db8::1"))
        );
        assert_eq!(
            x_forwarded_for([], Some(ip("::ffff:192.0.2.1"))),
            Some(value("192.0.2.1"))
        );
    }

    #[test]
    fn a_peer_without_an_address_adds_nothing() {
        let line = value("192.0.2.1");
        assert_eq!(x_forwarded_for([&line], None), Some(line));
        assert_eq!(x_forwarded_for([], None), None);
    }

    #[test]
    fn an_element_of_forwarded_is_written_as_rfc_7239_says() {
        let host = value("example.com:8080");
        let element = Element {
            client: Some(ip("2001:db8::1")),
            host: Some(&host),
            proto: Proto::Http,
        };
        assert_eq!(
            forwarded([&value("for=192.0.2.43")], &element),
            "for=192.0.2.43, for=\"[2001:db8::1]\";host=\"example.com:8080\";proto=http"
        );
        let host = value("example.com");
        let element = Element {
            client: Some(ip("192.0.2.1")),
            host: Some(&host),
            proto: Proto::Https,
        };
        assert_eq!(
            forwarded([], &element),
            "for=192.0.2.1;host=example.com;proto=https"
        );
    }

    #[test]
    fn a_client_without_an_address_is_unknown() {
        let element = Element {
            client: None,
            host: None,
            proto: Proto::Http,
        };
        assert_eq!(forwarded([], &element), "for=unknown;proto=http");
    }

    #[test]
    fn a_host_cannot_write_another_parameter() {
        let host = value("a\";by=\\evil");
        let element = Element {
            client: None,
            host: Some(&host),
            proto: Proto::Http,
        };
        assert_eq!(
            forwarded([], &element),
            "for=unknown;host=\"a\\\";by=\\\\evil\";proto=http"
        );
    }

    proptest! {
        #[test]
        fn the_next_hop_reads_what_we_append(bytes: Vec<u8>, client: u128) {
            let client = IpAddr::V6(client.into()).to_canonical();
            if let Ok(line) = HeaderValue::from_bytes(&bytes) {
                let list = x_forwarded_for([&line], Some(client));
                let read = client_of(Field::XForwardedFor, &list, |_| false);
                prop_assert_eq!(read, Some(client));

                let element = Element {
                    client: Some(client),
                    host: Some(&line),
                    proto: Proto::Http,
                };
                let read = client_of(Field::Forwarded, [&forwarded([], &element)], |_| false);
                prop_assert_eq!(read, Some(client));
            }
        }
    }
}
