//! The first line of a malformed HTTP/1 request, for the log.

use http::Version;

use crate::exchange::{LoggedRequest, RequestTexts};

/// How much of a target is kept: less than of a request that is served.
const TARGET_BYTES_MAX: usize = 2 << 10;

/// The log entry for a head that begins with `bytes`; `None`: no byte has come.
pub fn logged_line(bytes: &[u8]) -> Option<LoggedRequest> {
    let begin = bytes
        .iter()
        .position(|byte| !matches!(byte, b'\r' | b'\n'))?;
    let line = bytes[begin..]
        .split(|byte| matches!(byte, b'\r' | b'\n'))
        .next()?;
    let mut words = line.split(|&byte| byte == b' ');
    let method = words.next().filter(|word| !word.is_empty())?;
    let target = words.next().filter(|word| !word.is_empty());
    let version = match target.and_then(|_| words.next()) {
        Some(b"HTTP/1.0") => Some(Version::HTTP_10),
        Some(b"HTTP/1.1") => Some(Version::HTTP_11),
        _ => None,
    };
    let request = LoggedRequest::of(&RequestTexts {
        method: Some(method),
        target: target.map(|target| &target[..target.len().min(TARGET_BYTES_MAX)]),
        version,
        ..RequestTexts::default()
    });
    Some(request.with_target_of(target.map_or(0, <[u8]>::len)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exchange::LoggedField;

    #[test]
    fn the_log_has_as_much_of_the_line_as_was_read() {
        let cases = [
            ("", "- - None"),
            ("\r\n", "- - None"),
            (" GET", "- - None"),
            ("GE", "GE - None"),
            ("\r\nGET /a", "GET /a None"),
            ("GET /a b HTTP/1.1\r\n", "GET /a None"),
            ("GET  /a HTTP/1.1\r\n", "GET - None"),
            ("hello\r\nx: y", "hello - None"),
            ("GET /a HTTP/1.0\r\n", "GET /a Some(HTTP/1.0)"),
            ("GET /a HTTP/1.1\r\nx", "GET /a Some(HTTP/1.1)"),
        ];
        for (bytes, expected) in cases {
            let logged = logged_line(bytes.as_bytes());
            let logged = logged.as_ref();
            let [method, target] = [LoggedField::Method, LoggedField::Target].map(|field| {
                let text = logged.and_then(|logged| logged.text(field));
                let text = text.map_or(&b"-"[..], |text| text.bytes);
                String::from_utf8_lossy(text).into_owned()
            });
            let version = logged.and_then(LoggedRequest::version);
            assert_eq!(
                format!("{method} {target} {version:?}"),
                expected,
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn the_logged_part_is_bounded() {
        let long = [b"GET /".as_slice(), &[b'x'; 60_000], b" HTTP/1.1\r\n"].concat();
        let logged = logged_line(&long).expect("it was read");
        let target = logged.text(LoggedField::Target).expect("it was read");
        assert_eq!(target.whole_bytes, 60_001);
        assert_eq!(target.bytes.len(), TARGET_BYTES_MAX);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            logged_line(&bytes);
        }
    }
}
