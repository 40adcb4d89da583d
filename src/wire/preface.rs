//! HTTP/1 or HTTP/2, told by the first bytes of a connection without TLS.
//!
//! A client with prior knowledge begins with a preface that is no request of HTTP/1 (RFC 9113 §3.3,
//! §3.4). `http::serve` asks with what has arrived so far.

/// What an HTTP/2 connection begins with (RFC 9113 §3.4).
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1, or something that it will refuse.
    H1,
    /// HTTP/2.
    H2,
}

/// What a connection that begins with `bytes` speaks; `None` when more are needed, which is never so
/// once there are 24.
pub fn version(bytes: &[u8]) -> Option<Version> {
    let mut both = bytes.iter().zip(PREFACE);
    if !both.all(|(byte, expected)| byte == expected) {
        return Some(Version::H1);
    }
    (bytes.len() >= PREFACE.len()).then_some(Version::H2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preface_is_needed_whole() {
        for length in 0..PREFACE.len() {
            assert_eq!(version(&PREFACE[..length]), None, "after {length} bytes");
        }
        assert_eq!(version(PREFACE), Some(Version::H2));
        assert_eq!(
            version(&[&PREFACE[..], b"\0\0"].concat()),
            Some(Version::H2)
        );
    }

    #[test]
    fn the_first_byte_that_differs_decides() {
        for place in 0..PREFACE.len() {
            let mut bytes = *PREFACE;
            bytes[place] ^= 0x20;
            assert_eq!(version(&bytes[..=place]), Some(Version::H1), "byte {place}");
        }
        for text in ["G", "PUT / HTTP/1.1", "POST", "PRI * HTTP/1.1", "\r\n"] {
            assert_eq!(version(text.as_bytes()), Some(Version::H1), "{text:?}");
        }
    }
}
