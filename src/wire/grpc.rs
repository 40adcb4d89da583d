//! gRPC in fields of HTTP: recognising its requests, and writing its errors.
//!
//! `proxy::reply` answers a gRPC request that failed here with a gRPC status, because gRPC clients
//! understand little of an HTTP status. Messages, calls and streams pass as bodies and trailers
//! like any others.
//!
//! Source: gRPC's `PROTOCOL-HTTP2.md` and `http-grpc-status-mapping.md`.

use std::time::Duration;

use http::{HeaderValue, StatusCode};

use super::escape::escaped_byte;

/// A gRPC status code (`statuscodes.md`): those that a proxy needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// No other code fits.
    Unknown = 2,
    /// It took longer than the client allowed.
    DeadlineExceeded = 4,
    /// The client may not do this.
    PermissionDenied = 7,
    /// There is no such method.
    Unimplemented = 12,
    /// The request or the response is broken.
    Internal = 13,
    /// It may succeed another time.
    Unavailable = 14,
    /// The client has not authenticated itself.
    Unauthenticated = 16,
}

impl Code {
    /// The code for an HTTP status of ours.
    pub fn of(status: StatusCode) -> Self {
        match status {
            StatusCode::BAD_REQUEST => Self::Internal,
            StatusCode::UNAUTHORIZED => Self::Unauthenticated,
            StatusCode::FORBIDDEN => Self::PermissionDenied,
            StatusCode::NOT_FOUND => Self::Unimplemented,
            // Clients use another connection on their own.
            StatusCode::MISDIRECTED_REQUEST
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Self::Unavailable,
            _ => Self::Unknown,
        }
    }

    /// As it is written in `grpc-status`.
    pub fn value(self) -> HeaderValue {
        HeaderValue::from(self as u16)
    }
}

/// Whether a request with this `Content-Type` speaks gRPC: `application/grpc`, followed by `+proto`
/// or another form of message, and parameters. `application/grpc-web` is another protocol.
pub fn is_grpc(content_type: &[u8]) -> bool {
    const PLAIN: &[u8] = b"application/grpc";
    let Some((kind, rest)) = content_type.split_at_checked(PLAIN.len()) else {
        return false;
    };
    kind.eq_ignore_ascii_case(PLAIN) && matches!(rest, [] | [b'+' | b';' | b' ' | b'\t', ..])
}

/// `text` in the form of `grpc-message`: bytes that are not visible ASCII, and `%` itself, as
/// escapes of its octets in UTF-8.
pub fn message(text: &str) -> HeaderValue {
    let mut written = Vec::with_capacity(text.len());
    for &byte in text.as_bytes() {
        match byte {
            b'%' | 0..=0x1f | 0x7f.. => {
                written.push(b'%');
                written.push(HEX[usize::from(byte >> 4)]);
                written.push(HEX[usize::from(byte & 0xf)]);
            }
            _ => written.push(byte),
        }
    }
    HeaderValue::from_maybe_shared(bytes::Bytes::from(written)).expect("it is visible ASCII")
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// The text of a `grpc-message`. Never fails: "When decoding invalid values, implementations MUST
/// NOT error or throw away the message."
pub fn text_of(message: &[u8]) -> String {
    let mut octets = Vec::with_capacity(message.len());
    let mut rest = message;
    while let Some((&byte, behind)) = rest.split_first() {
        match escaped_byte(rest) {
            Some(octet) => {
                octets.push(octet);
                rest = &rest[3..];
            }
            None => {
                octets.push(byte);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// The time limit of a call, from `grpc-timeout`: at most eight digits and a unit. `None`: not of
/// that form.
pub fn timeout(value: &[u8]) -> Option<Duration> {
    let (&unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let amount = digits
        .iter()
        .fold(0, |amount, digit| amount * 10 + u64::from(digit - b'0'));
    Some(match unit {
        b'H' => Duration::from_secs(amount * 3600),
        b'M' => Duration::from_secs(amount * 60),
        b'S' => Duration::from_secs(amount),
        b'm' => Duration::from_millis(amount),
        b'u' => Duration::from_micros(amount),
        b'n' => Duration::from_nanos(amount),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_grpc_is_grpc() {
        for kind in [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc+json",
            "application/grpc;charset=utf-8",
            "application/grpc ; a=b",
            "Application/GRPC",
        ] {
            assert!(is_grpc(kind.as_bytes()), "{kind}");
        }
        for kind in [
            "",
            "application/grp",
            "application/grpc-web",
            "application/grpc-web+proto",
            "application/grpc-web-text",
            "application/grpcx",
            "application/json",
            " application/grpc",
        ] {
            assert!(!is_grpc(kind.as_bytes()), "{kind}");
        }
    }

    #[test]
    fn statuses_are_mapped_as_grpc_says() {
        let cases = [
            (400, 13),
            (401, 16),
            (403, 7),
            (404, 12),
            (413, 2),
            (429, 14),
            (500, 2),
            (502, 14),
            (503, 14),
            (504, 14),
        ];
        for (status, code) in cases {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(Code::of(status) as u16, code, "{status}");
        }
        assert_eq!(Code::Unavailable.value(), "14");
    }

    #[test]
    fn messages_are_escaped() {
        assert_eq!(message("queue.timeout"), "queue.timeout");
        assert_eq!(message("100 % of ü\n"), "100 %25 of %C3%BC%0A");
        assert_eq!(text_of(b"100 %25 of %c3%BC%0A"), "100 % of ü\n");
    }

    #[test]
    fn a_broken_message_is_still_one() {
        assert_eq!(text_of(b"%zz % %2"), "%zz % %2");
        assert_eq!(text_of(b"%FF\xfe"), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn timeouts_have_up_to_eight_digits_and_a_unit() {
        let cases = [
            ("1H", Duration::from_secs(3600)),
            ("2M", Duration::from_secs(120)),
            ("3S", Duration::from_secs(3)),
            ("4m", Duration::from_millis(4)),
            ("5u", Duration::from_micros(5)),
            ("6n", Duration::from_nanos(6)),
            ("0S", Duration::ZERO),
            ("99999999H", Duration::from_secs(99_999_999 * 3600)),
        ];
        for (text, expected) in cases {
            assert_eq!(timeout(text.as_bytes()), Some(expected), "{text}");
        }
        for text in [
            "",
            "S",
            "1",
            "1s",
            "1 S",
            "+1S",
            "-1S",
            "1.5S",
            "123456789S",
            "ü",
        ] {
            assert_eq!(timeout(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_message_reads_back_as_written(text: String) {
            prop_assert_eq!(text_of(message(&text).as_bytes()), text);
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = (is_grpc(&bytes), timeout(&bytes), text_of(&bytes));
        }
    }
}
