//! Recognises HTTP/1 or HTTP/2 by the first bytes of a connection without TLS.
//!
//! An HTTP/2 client with prior knowledge sends a preface first, which is not a valid HTTP/1 request
//! (RFC 9113 §3.3, §3.4). `http::serve` calls this with the bytes that have arrived so far.

/// The first bytes of an HTTP/2 connection (RFC 9113 §3.4).
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The version of HTTP that a client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1, or bytes that the HTTP/1 parser will refuse.
    H1,
    /// HTTP/2.
    H2,
}

/// The version of a connection that begins with `bytes`; `None`: more bytes are needed. 24 bytes are always
/// enough.
pub fn version(bytes: &[u8]) -> Option<Version> {
    let mut both = bytes.iter().zip(PREFACE);
    if !both.all(|(byte, expected)| byte == expected) {
        return Some(Version::H1);
    }
    (bytes.len() >= PREFACE.len()).then_some(Version::H2)
}

/// Whether the first line has arrived and is that of another protocol: three words, of which the
/// last is not a version of HTTP. Such a client gets no answer, which it would not understand; and
/// a wrong HTTP/2 preface must end the connection (RFC 9113 §3.4).
pub fn is_another_protocol(bytes: &[u8]) -> bool {
    let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
        return false;
    };
    let mut words = bytes[..end].split(|&byte| byte == b' ');
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some(_), Some(_), Some(version), None) => !version
            .get(..5)
            .is_some_and(|name| name.eq_ignore_ascii_case(b"HTTP/")),
        _ => false,
    }
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
        for index in 0..PREFACE.len() {
            let mut bytes = *PREFACE;
            bytes[index] ^= 0x20;
            assert_eq!(version(&bytes[..=index]), Some(Version::H1), "byte {index}");
        }
        for text in ["G", "PUT / HTTP/1.1", "POST", "PRI * HTTP/1.1", "\r\n"] {
            assert_eq!(version(text.as_bytes()), Some(Version::H1), "{text:?}");
        }
    }

    #[test]
    fn another_protocol_is_distinguished_from_bad_http() {
        assert!(is_another_protocol(b"INVALID CONNECTION PREFACE\r\n\r\n"));
        assert!(is_another_protocol(b"MAIL FROM:<a@b> SIZE=5\r\n"));
        for line in [
            "GET / HTTP/1.1\r\n",
            "GET / http/1.1\r\n",
            "GET / HTTP/3.7\r\n",
            "GET /\r\n",
            "nonsense\r\n\r\n",
            "GET /a b HTTP/1.1\r\n",
            // Its end may still come.
            "GET / HT",
        ] {
            assert!(!is_another_protocol(line.as_bytes()), "{line:?}");
        }
    }
}
