//! Version 1: one line of text (§2.1).

use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::{Endpoints, Extras, Header, LONGEST_V1_BYTES, Malformed, OneFamily, in_one_family};

pub(super) const SIGNATURE: &[u8] = b"PROXY ";

/// Writes a line with `endpoints`, or with `UNKNOWN`: the line has no word for [`Endpoints::Own`]
/// nor for Unix sockets. Scopes of addresses are left out: they mean nothing to another host.
pub fn write_v1(endpoints: &Endpoints<'_>, out: &mut Vec<u8>) {
    let Endpoints::Ip {
        source,
        destination,
    } = endpoints
    else {
        out.extend_from_slice(b"PROXY UNKNOWN\r\n");
        return;
    };
    let (from, to) = (source.port(), destination.port());
    match in_one_family(*source, *destination) {
        OneFamily::V4(source, destination) => {
            write!(out, "PROXY TCP4 {source} {destination} {from} {to}\r\n")
        }
        OneFamily::V6(source, destination) => {
            write!(out, "PROXY TCP6 {source} {destination} {from} {to}\r\n")
        }
    }
    .expect("a Vec takes what is written to it");
}

/// Reads a line from `bytes`, which begin with [`SIGNATURE`] or are the beginning of it.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Header<'_>, usize)>, Malformed> {
    let line = &bytes[..bytes.len().min(LONGEST_V1_BYTES)];
    let Some(end) = line.iter().position(|&byte| byte == b'\n') else {
        return if line.len() == LONGEST_V1_BYTES {
            Err(Malformed::LineTooLong)
        } else {
            Ok(None)
        };
    };
    // "must not tolerate a single CR or LF character to end the line"
    let text = line[..end].strip_suffix(b"\r").ok_or(Malformed::Line)?;
    let text = str::from_utf8(text).map_err(|_| Malformed::Line)?;
    let endpoints = parse_line(text).ok_or(Malformed::Line)?;
    let header = Header {
        endpoints,
        extras: Extras::default(),
    };
    Ok(Some((header, end + 1)))
}

fn parse_line(line: &str) -> Option<Endpoints<'static>> {
    let rest = line.strip_prefix("PROXY ")?;
    if rest == "UNKNOWN" || rest.starts_with("UNKNOWN ") {
        // "the receiver must ignore anything presented before the CRLF"
        return Some(Endpoints::Unknown);
    }
    let (family, rest) = rest.split_once(' ')?;
    match family {
        "TCP4" => parse_addresses::<Ipv4Addr>(rest),
        "TCP6" => parse_addresses::<Ipv6Addr>(rest),
        _ => None,
    }
}

fn parse_addresses<A: FromStr + Into<std::net::IpAddr>>(text: &str) -> Option<Endpoints<'static>> {
    // Exactly one space between them: two make an empty field, which is invalid.
    let mut fields = text.split(' ');
    let source: A = fields.next()?.parse().ok()?;
    let destination: A = fields.next()?.parse().ok()?;
    let from = parse_port(fields.next()?)?;
    let to = parse_port(fields.next()?)?;
    fields.next().is_none().then(|| Endpoints::Ip {
        source: SocketAddr::new(source.into(), from),
        destination: SocketAddr::new(destination.into(), to),
    })
}

/// Decimal, without a sign and without leading zeros.
fn parse_port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let has_leading_zero = text.len() > 1 && text.starts_with('0');
    (is_plain && !has_leading_zero)
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::super::tests::{ip, is_read_incrementally};
    use super::*;

    fn written(endpoints: &Endpoints<'_>) -> String {
        let mut out = Vec::new();
        write_v1(endpoints, &mut out);
        String::from_utf8(out).expect("a line of text")
    }

    fn without_extras(endpoints: Endpoints<'_>) -> Header<'_> {
        Header {
            endpoints,
            extras: Extras::default(),
        }
    }

    #[test]
    fn lines_of_the_specification_are_read() {
        let cases = [
            (
                "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
                ip("192.168.0.1:56324", "192.168.0.11:443"),
            ),
            (
                "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
                ip("255.255.255.255:65535", "255.255.255.255:65535"),
            ),
            (
                "PROXY TCP6 2001:db8::1 ::1 0 443\r\n",
                ip("[2001:db8::1]:0", "[::1]:443"),
            ),
            ("PROXY UNKNOWN\r\n", Endpoints::Unknown),
            (
                "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
                 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
                Endpoints::Unknown,
            ),
        ];
        for (line, endpoints) in cases {
            is_read_incrementally(line.as_bytes(), &without_extras(endpoints));
        }
    }

    #[test]
    fn a_line_that_is_not_of_its_form_is_refused() {
        for line in [
            "PROXY \r\n",
            "PROXY TCP4\r\n",
            "PROXY UNKNOWNX\r\n",
            "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
            "PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4  2\r\n",
            "PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n",
            "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
            "PROXY TCP4 ::1 ::1 1 2\r\n",
            "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
            "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
            "PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
            "PROXY UNKNOWN\n",
        ] {
            assert_eq!(parse(line.as_bytes()), Err(Malformed::Line), "{line:?}");
        }
        assert_eq!(parse(b"PROXY TCP4 \xff\r\n"), Err(Malformed::Line));
    }

    #[test]
    fn a_line_has_its_end_within_the_bound() {
        let unknown = |padding: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(padding));
        let at_bound = unknown(LONGEST_V1_BYTES - 16);
        assert_eq!(at_bound.len(), LONGEST_V1_BYTES);
        is_read_incrementally(at_bound.as_bytes(), &without_extras(Endpoints::Unknown));
        let past_it = unknown(LONGEST_V1_BYTES - 15);
        assert_eq!(parse(past_it.as_bytes()), Err(Malformed::LineTooLong));
    }

    #[test]
    fn addresses_of_two_families_are_written_as_one() {
        assert_eq!(
            written(&ip("192.0.2.1:1", "[2001:db8::1]:2")),
            "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 1 2\r\n"
        );
        assert_eq!(
            written(&ip("[::ffff:192.0.2.1]:1", "192.0.2.2:2")),
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"
        );
        assert_eq!(
            written(&ip("[fe80::1%3]:1", "[fe80::2%3]:2")),
            "PROXY TCP6 fe80::1 fe80::2 1 2\r\n"
        );
    }

    #[test]
    fn endpoints_without_a_word_are_unknown() {
        assert_eq!(written(&Endpoints::Own), "PROXY UNKNOWN\r\n");
        let unix = Endpoints::Unix {
            source: b"",
            destination: b"/run/app.sock",
        };
        assert_eq!(written(&unix), "PROXY UNKNOWN\r\n");
    }
}
