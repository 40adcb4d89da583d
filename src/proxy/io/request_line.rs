//! The first line of a request of HTTP/1, on its way to hyper.
//!
//! Two things that hyper does not do. It refuses some characters in a target that clients send and
//! that other proxies forward: they become escapes before hyper sees them. And it does not say what
//! it refused: the line is kept for the log.
//!
//! [`WatchedStream`](super::WatchedStream) finds the line, because bytes that arrive between two
//! exchanges begin a head. A request that is sent before the answer to the one before it (pipelining)
//! is not found in this way: hyper has its bytes already, and reads them by its own rules.

use http::Version;

use crate::exchange::{LoggedRequest, RequestTexts};
use crate::wire::target;

/// How much of a method and a target is kept. They are written only when the head was not read.
const KEPT_BYTES_MAX: usize = 2 << 10;

/// How much of a version is kept: more than the longest that is known.
const VERSION_BYTES_MAX: usize = 16;

/// A request line, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct RequestLine {
    part: Part,
    /// Method, target and version, one after another, each up to its bound.
    kept: Vec<u8>,
    /// Where in `kept` the method ends.
    method_end: usize,
    /// Where in `kept` the target ends.
    target_end: usize,
    /// How long the target is, as far as it was read.
    target_bytes: usize,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    /// The method, or line ends before it (RFC 9112 §2.2).
    #[default]
    Method,
    Target,
    Version,
    /// The fields, or the rest of what is no request line.
    Rest,
}

/// What the log has of a head that begins with `bytes`; `None`: nothing has come.
pub fn logged_line(bytes: &[u8]) -> Option<LoggedRequest> {
    let mut line = RequestLine::default();
    line.read(bytes);
    line.logged()
}

impl RequestLine {
    /// Forgets the line and expects another one.
    pub(super) fn clear(&mut self) {
        let mut kept = std::mem::take(&mut self.kept);
        kept.clear();
        *self = Self {
            kept,
            ..Self::default()
        };
    }

    /// Reads on in `bytes`. Gives what hyper is to see instead of them, if that is something else.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut instead = None;
        let mut place = 0;
        while place < bytes.len() && self.part != Part::Rest {
            let rest = &bytes[place..];
            let end = rest
                .iter()
                .position(|byte| matches!(byte, b' ' | b'\r' | b'\n'));
            let piece = &rest[..end.unwrap_or(rest.len())];
            self.keep(piece);
            let after = place + piece.len();
            // There is only one target in a line, so nothing was put in before this.
            if self.part == Part::Target
                && let Some(escaped) = target::escaped(piece)
            {
                instead = Some([&bytes[..place], &escaped, &bytes[after..]].concat());
            }
            if end.is_some() {
                self.part = self.next(bytes[after]);
            }
            place = after + 1;
        }
        instead
    }

    /// What is known of the request; `None`: nothing has come.
    pub(super) fn logged(&self) -> Option<LoggedRequest> {
        let (method, rest) = self.kept.split_at(self.method_end);
        let (target, version) = rest.split_at(self.target_end - self.method_end);
        let some = |text: &'_ [u8]| !text.is_empty();
        let request = LoggedRequest::of(&RequestTexts {
            method: Some(method).filter(|text| some(text)),
            target: Some(target).filter(|text| some(text)),
            version: match version {
                b"HTTP/1.0" => Some(Version::HTTP_10),
                b"HTTP/1.1" => Some(Version::HTTP_11),
                _ => None,
            },
            ..RequestTexts::default()
        });
        some(method).then(|| request.with_target_of(self.target_bytes))
    }

    /// Keeps what there is room for of `piece`, which belongs to the present part.
    fn keep(&mut self, piece: &[u8]) {
        let (begin, most) = match self.part {
            Part::Version => (self.target_end, VERSION_BYTES_MAX),
            _ => (0, KEPT_BYTES_MAX),
        };
        let room = most.saturating_sub(self.kept.len() - begin);
        self.kept.extend_from_slice(&piece[..piece.len().min(room)]);
        match self.part {
            Part::Method => {
                self.method_end = self.kept.len();
                self.target_end = self.kept.len();
            }
            Part::Target => {
                self.target_end = self.kept.len();
                self.target_bytes += piece.len();
            }
            Part::Version | Part::Rest => {}
        }
    }

    /// What follows when the present part is ended by `byte`.
    fn next(&self, byte: u8) -> Part {
        match (self.part, byte) {
            (Part::Method, b'\r' | b'\n') if self.method_end == 0 => Part::Method,
            (Part::Method, b' ') if self.method_end > 0 => Part::Target,
            (Part::Target, b' ') if self.target_bytes > 0 => Part::Version,
            _ => Part::Rest,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exchange::LoggedField;

    /// What hyper sees of `bytes` when they come in `pieces`, and what the log has.
    fn read(pieces: &[&[u8]]) -> (Vec<u8>, [Option<String>; 2], Option<Version>) {
        let mut line = RequestLine::default();
        let mut seen = Vec::new();
        for piece in pieces {
            match line.read(piece) {
                Some(instead) => seen.extend(instead),
                None => seen.extend_from_slice(piece),
            }
        }
        let logged = line.logged();
        let logged = logged.as_ref();
        let texts = [LoggedField::Method, LoggedField::Target].map(|field| {
            let text = logged.and_then(|logged| logged.text(field))?;
            Some(String::from_utf8_lossy(text.bytes).into_owned())
        });
        (seen, texts, logged.and_then(LoggedRequest::version))
    }

    #[test]
    fn what_a_client_should_have_escaped_is_escaped() {
        let line = "GET /a\"b<c>`?q=\"<>`{|}\\^é[] HTTP/1.1\r\nx: \"<é>\"\r\n\r\n";
        let (seen, [_, target], version) = read(&[line.as_bytes()]);
        let escaped =
            "GET /a%22b%3Cc%3E%60?q=%22%3C%3E%60{|}\\^%C3%A9[] HTTP/1.1\r\nx: \"<é>\"\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&seen), escaped);
        assert_eq!(target.as_deref(), Some("/a\"b<c>`?q=\"<>`{|}\\^é[]"));
        assert_eq!(version, Some(Version::HTTP_11));
    }

    #[test]
    fn nothing_but_the_target_is_touched() {
        for bytes in [
            &b"G<T / HTTP/1.1\r\n\r\n"[..],
            b"GET / HTTP/1.1\"\r\n\r\n",
            b" \"/ HTTP/1.1\r\n\r\n",
            b"GET  /\" HTTP/1.1\r\n\r\n",
            b"\"\r\nGET /\" HTTP/1.1\r\n\r\n",
            b"GET /\r\nx: a \"b\"\r\n\r\n",
            b"\x16\x03\x01\x80\xff",
        ] {
            assert_eq!(read(&[bytes]).0, bytes);
        }
    }

    #[test]
    fn the_log_has_as_much_of_the_line_as_was_read() {
        let cases: [(&[u8], Option<&str>, Option<&str>); 6] = [
            (b"", None, None),
            (b"\r\n", None, None),
            (b"GE", Some("GE"), None),
            (b"\r\nGET /a", Some("GET"), Some("/a")),
            (b"GET /a b HTTP/1.1\r\n", Some("GET"), Some("/a")),
            (b"hello\r\n", Some("hello"), None),
        ];
        for (bytes, method, target) in cases {
            let texts = read(&[bytes]).1;
            assert_eq!(
                texts.each_ref().map(Option::as_deref),
                [method, target],
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let long = [b"GET /".as_slice(), &[b'x'; 60_000], b" HTTP/1.1\r\n"].concat();
        let mut line = RequestLine::default();
        line.read(&long);
        let logged = line.logged().expect("it was read");
        let target = logged.text(LoggedField::Target).expect("it was read");
        assert_eq!(target.whole_bytes, 60_001);
        assert_eq!(target.bytes.len(), KEPT_BYTES_MAX - 3);
        assert_eq!(logged.version(), Some(Version::HTTP_11));
        assert!(line.kept.len() <= KEPT_BYTES_MAX + VERSION_BYTES_MAX);
        line.clear();
        assert!(line.logged().is_none());
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_come(
            bytes in "[\r\n]{0,2}[GET\" ]{0,5} [/a\"<é ]{0,9} HTTP/1.1[\r\n]{0,2}.{0,9}",
            size in 1_usize..9,
        ) {
            let whole = read(&[bytes.as_bytes()]);
            let pieces: Vec<&[u8]> = bytes.as_bytes().chunks(size).collect();
            prop_assert_eq!(read(&pieces), whole);
        }

        #[test]
        fn no_bytes_panic(pieces: Vec<Vec<u8>>) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            read(&pieces);
        }
    }
}
