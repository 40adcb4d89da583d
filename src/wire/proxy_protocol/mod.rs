//! The PROXY protocol: the real client of a connection, in its first bytes; read from a proxy
//! before us, written to servers.
//!
//! `listen` calls [`parse`] with the bytes that have arrived so far; `upstream` and the health
//! checks write with [`write_v1`] and [`write_v2`]. The caller decides which peers send a header:
//! the specification forbids guessing (§5), so this code never decides whether there is one.
//!
//! Source: HAProxy's `proxy-protocol.txt` (2020/03/05); sections below are its.

mod v1;
mod v2;

pub use v1::write_v1;
pub use v2::{Checksum, fields, write_v2};

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The longest header of version 1 with its line end (§2.1).
pub const LONGEST_V1_BYTES: usize = 107;

/// The longest header of version 2 that is accepted. The protocol allows 64 KiB; addresses take 216
/// bytes at most, and the fields that senders add in practice (names, an identifier, a client's
/// certificate) stay below 4 KiB.
pub const LONGEST_BYTES: usize = 8 * 1024;

/// The longest identifier of a connection (§2.2.5).
pub const LONGEST_UNIQUE_ID_BYTES: usize = 128;

/// The content of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The two ends of the connection.
    pub endpoints: Endpoints<'a>,
    /// The additional fields of version 2; empty if the endpoints are not given.
    pub extras: Extras<'a>,
}

/// The two ends of a connection, as the proxy before us saw them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoints<'a> {
    /// The connection is the sender's own, as in a health check: the addresses are the socket's.
    /// `LOCAL` in version 2.
    Own,
    /// The sender forwards a client whose address it does not know: the addresses are the socket's,
    /// too. `UNKNOWN` in version 1, `UNSPEC` in version 2.
    Unknown,
    /// Addresses of the Internet, of streams or of datagrams.
    Ip {
        /// The client.
        source: SocketAddr,
        /// Where the client connected to.
        destination: SocketAddr,
    },
    /// Unix sockets, without the zeros that fill them up. An abstract one begins with a zero.
    Unix {
        /// The client: mostly empty, as a client's socket has no name.
        source: &'a [u8],
        /// Where the client connected to.
        destination: &'a [u8],
    },
}

/// The fields beside the addresses (§2.2.1 to §2.2.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extras<'a> {
    /// The protocol that was negotiated (`h2`).
    pub alpn: Option<&'a [u8]>,
    /// The host name that the client asked for.
    pub authority: Option<&'a str>,
    /// The connection's identifier.
    pub unique_id: Option<&'a [u8]>,
    /// The client's TLS.
    pub tls: Option<Tls<'a>>,
}

/// How the client's connection is encrypted (§2.2.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls<'a> {
    /// Whether and when the client showed a certificate.
    pub client: ClientFlags,
    /// Whether the client's certificate was verified.
    pub verified: Verified,
    /// `TLSv1.3`.
    pub version: Option<&'a str>,
    /// The common name in the client's certificate.
    pub common_name: Option<&'a str>,
    /// The name of the cipher suite.
    pub cipher: Option<&'a str>,
    /// How our certificate was signed (`RSA-SHA256`).
    pub signature: Option<&'a str>,
    /// The kind of our key (`RSA2048`).
    pub key: Option<&'a str>,
}

/// The bits of `client` (§2.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientFlags(u8);

impl ClientFlags {
    /// The client connected over TLS.
    pub const TLS: Self = Self(0x01);
    /// It showed a certificate in this session.
    pub const CERTIFICATE_IN_SESSION: Self = Self(0x04);

    /// These bits and those of `other`.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The outcome of a client certificate's verification; 0 is success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified(pub u32);

impl Verified {
    /// The client showed a certificate that was verified.
    pub const YES: Self = Self(0);
    /// There was none, or it was not verified.
    pub const NO: Self = Self(1);
}

/// Why the first bytes of a connection are no valid header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// They begin like neither version.
    NoSignature,
    /// A line of version 1 without its end.
    LineTooLong,
    /// A malformed line of version 1.
    Line,
    /// A version or a command that does not exist.
    Command,
    /// A family or a transport that does not exist.
    Family,
    /// More than [`LONGEST_BYTES`].
    TooLong,
    /// The addresses do not fit into the length that is announced.
    Addresses,
    /// A field that is cut off, malformed, or occurs twice.
    Extra,
    /// The checksum is not that of the header.
    Checksum,
}

impl Malformed {
    /// All of them, in the order above.
    pub const ALL: [Self; 9] = [
        Self::NoSignature,
        Self::LineTooLong,
        Self::Line,
        Self::Command,
        Self::Family,
        Self::TooLong,
        Self::Addresses,
        Self::Extra,
        Self::Checksum,
    ];

    /// The stable word for it, for metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::NoSignature => "signature",
            Self::LineTooLong => "line_too_long",
            Self::Line => "line",
            Self::Command => "command",
            Self::Family => "family",
            Self::TooLong => "too_long",
            Self::Addresses => "addresses",
            Self::Extra => "extra",
            Self::Checksum => "checksum",
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSignature => "the connection does not begin with a PROXY header",
            Self::LineTooLong => "a PROXY line without an end",
            Self::Line => "a PROXY line that is not of its form",
            Self::Command => "a PROXY header of an unknown version or command",
            Self::Family => "a PROXY header of an unknown address family",
            Self::TooLong => "a PROXY header that is longer than we read",
            Self::Addresses => "a PROXY header that is too short for its addresses",
            Self::Extra => "a PROXY header with a malformed field (TLV)",
            Self::Checksum => "a PROXY header whose checksum is wrong",
        })
    }
}

impl std::error::Error for Malformed {}

/// Parses the header at the beginning of `bytes` and returns its length; `None`: more bytes are
/// needed, which never happens with [`LONGEST_BYTES`] or more.
///
/// # Errors
///
/// [`Malformed`], as early as possible.
pub fn parse(bytes: &[u8]) -> Result<Option<(Header<'_>, usize)>, Malformed> {
    if begins_like(bytes, v2::SIGNATURE) {
        return v2::parse(bytes);
    }
    if begins_like(bytes, v1::SIGNATURE) {
        return v1::parse(bytes);
    }
    Err(Malformed::NoSignature)
}

/// Whether `bytes` begin with `signature`, or are the beginning of it.
fn begins_like(bytes: &[u8], signature: &[u8]) -> bool {
    bytes
        .iter()
        .zip(signature)
        .all(|(byte, expected)| byte == expected)
}

/// Both addresses in one family: IPv4 when both are, else IPv6.
fn in_one_family(source: SocketAddr, destination: SocketAddr) -> OneFamily {
    match (source.ip().to_canonical(), destination.ip().to_canonical()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => OneFamily::V4(source, destination),
        (source, destination) => OneFamily::V6(to_v6(source), to_v6(destination)),
    }
}

enum OneFamily {
    V4(std::net::Ipv4Addr, std::net::Ipv4Addr),
    V6(std::net::Ipv6Addr, std::net::Ipv6Addr),
}

fn to_v6(ip: IpAddr) -> std::net::Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    pub(super) fn addr(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    pub(super) fn ip(source: &str, destination: &str) -> Endpoints<'static> {
        Endpoints::Ip {
            source: addr(source),
            destination: addr(destination),
        }
    }

    /// Every beginning needs more bytes and the whole is accepted, without the bytes after it.
    pub(super) fn is_read_incrementally(written: &[u8], expected: &Header<'_>) {
        for length in 0..written.len() {
            assert_eq!(parse(&written[..length]), Ok(None), "after {length} bytes");
        }
        let mut longer = written.to_vec();
        longer.extend_from_slice(b"GET / HTTP/1.1\r\n");
        let read = parse(&longer).expect("well-formed").expect("complete");
        assert_eq!(read, (expected.clone(), written.len()));
    }

    #[test]
    fn bytes_that_begin_like_neither_version_are_refused_at_once() {
        for bytes in [
            &b"G"[..],
            b"GET / HTTP/1.1\r\n",
            b"\x16\x03\x01",
            b"PRI * HTTP/2.0",
            b"PROXZ",
            b"\r\n\r\n\r",
            b"\r\n\r\n\0\r\nQUIX",
        ] {
            assert_eq!(parse(bytes), Err(Malformed::NoSignature), "{bytes:?}");
        }
        assert_eq!(parse(b""), Ok(None));
    }

    #[test]
    fn every_fault_has_a_word_and_a_message_of_its_own() {
        let all = Malformed::ALL;
        let words: HashSet<&str> = all.iter().map(|fault| fault.word()).collect();
        assert_eq!(words.len(), all.len());
        let messages: HashSet<String> = all.iter().map(Malformed::to_string).collect();
        assert_eq!(messages.len(), all.len());
    }

    fn any_endpoints() -> impl Strategy<Value = Endpoints<'static>> {
        let v4 =
            any::<([u8; 4], u16, [u8; 4], u16)>().prop_map(|(from, port, to, by)| Endpoints::Ip {
                source: SocketAddr::from((from, port)),
                destination: SocketAddr::from((to, by)),
            });
        let v6 = any::<([u8; 16], u16, [u8; 16], u16)>().prop_map(|(from, port, to, by)| {
            Endpoints::Ip {
                // With high bits of its own: never a mapped IPv4 address.
                source: SocketAddr::from((with_high_bits(from), port)),
                destination: SocketAddr::from((with_high_bits(to), by)),
            }
        });
        prop_oneof![
            Just(Endpoints::Own),
            Just(Endpoints::Unknown),
            v4,
            v6,
            Just(Endpoints::Unix {
                source: b"",
                destination: b"/run/app.sock",
            }),
            Just(Endpoints::Unix {
                source: b"\0peer",
                destination: &[b'x'; 108],
            }),
        ]
    }

    fn with_high_bits(mut ip: [u8; 16]) -> [u8; 16] {
        ip[0] |= 0x20;
        ip
    }

    proptest! {
        #[test]
        fn version_1_reads_back_as_written(endpoints in any_endpoints()) {
            let mut written = Vec::new();
            write_v1(&endpoints, &mut written);
            prop_assert!(written.len() <= LONGEST_V1_BYTES);
            let (header, length) = parse(&written).expect("well-formed").expect("complete");
            prop_assert_eq!(length, written.len());
            let expected = match endpoints {
                Endpoints::Ip { .. } => endpoints,
                // A line can contain no more about them.
                _ => Endpoints::Unknown,
            };
            prop_assert_eq!(header.endpoints, expected);
        }

        #[test]
        fn version_2_reads_back_as_written(
            endpoints in any_endpoints(),
            alpn: Option<[u8; 2]>,
            authority in proptest::option::of("[a-z.]{1,40}"),
            unique_id: Option<Vec<u8>>,
            tls: bool,
            version in proptest::option::of("TLSv1.[23]"),
            common_name in proptest::option::of("[a-zü ]{1,20}"),
            cipher in proptest::option::of("TLS_[A-Z0-9_]{1,20}"),
            signature in proptest::option::of("SHA[0-9]{1,3}"),
            key in proptest::option::of("RSA[0-9]{4}"),
            has_checksum: bool,
        ) {
            let header = Header {
                extras: match endpoints {
                    Endpoints::Own | Endpoints::Unknown => Extras::default(),
                    _ => Extras {
                        alpn: alpn.as_ref().map(|alpn| &alpn[..]),
                        authority: authority.as_deref(),
                        unique_id: unique_id.as_deref(),
                        tls: tls.then_some(Tls {
                            client: ClientFlags::TLS,
                            verified: Verified::NO,
                            version: version.as_deref(),
                            common_name: common_name.as_deref(),
                            cipher: cipher.as_deref(),
                            signature: signature.as_deref(),
                            key: key.as_deref(),
                        }),
                    },
                },
                endpoints,
            };
            let checksum = if has_checksum { Checksum::Written } else { Checksum::LeftOut };
            let mut written = Vec::new();
            write_v2(&header, checksum, &mut written);
            let read = parse(&written).expect("well-formed").expect("complete");
            prop_assert_eq!(read, (header, written.len()));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, is_v2: bool) {
            let mut text = if is_v2 { v2::SIGNATURE.to_vec() } else { v1::SIGNATURE.to_vec() };
            text.extend_from_slice(&bytes);
            let _ = parse(&text);
            let _ = parse(&bytes);
        }
    }
}
