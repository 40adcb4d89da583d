//! Parses request heads, and determines where the body of a request ends.
//!
//! `conf/reference/refusals.md` lists the refusals and their reasons; the tests here check that
//! table.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Uri, Version};
use httparse::{ParserConfig, Status};

use super::Refusal;
use super::fields::{FieldList, HeadLimits, offset, with_room};
use super::framing::BodyFraming;
use super::names::KeepNames;
use crate::wire::content_length::{self, Lists};
use crate::wire::{preface, target};

/// How many bytes of empty lines may precede a request: RFC 9112 §2.2 asks for one line, and old
/// clients send a few after a body.
pub const BLANK_BYTES_MAX: usize = 64;

/// The longest target that [`Uri`] holds.
const TARGET_BYTES_MAX: usize = u16::MAX as usize - 1;

/// Room that is left in the map of a request, because some fields are added to most requests.
const ADDED_FIELDS: usize = 4;

/// The head of a request.
#[derive(Debug)]
pub struct RequestHead {
    /// Its method, target and fields.
    pub request: Request<()>,
    /// Where its body ends.
    pub framing: BodyFraming,
    /// Whether the client allows another request on the connection.
    pub keep_alive: bool,
    /// Whether the client accepts trailers (`TE: trailers`, RFC 9110 §10.1.4).
    pub takes_trailers: bool,
}

/// Parses request heads.
#[derive(Debug, Default)]
pub struct RequestParser {
    fields: FieldList,
    /// A map for the next head, with memory that is already allocated.
    spare: HeaderMap,
}

/// Where the parts of a request line are.
struct RequestLine {
    method: Method,
    target: usize,
    target_length: usize,
    version: Version,
}

/// The result of the fields for the connection and for the end of the body.
#[derive(Debug, Default)]
struct Seen {
    has_length: bool,
    has_coding: bool,
    is_chunked: bool,
    says_close: bool,
    says_keep_alive: bool,
    takes_trailers: bool,
}

impl RequestParser {
    /// Takes the head at the beginning of `bytes` out of them; `None`: it has not arrived completely.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: the head is malformed, over `limits`, or ambiguous about the end of its body.
    /// `bytes` are unchanged.
    pub fn parse(
        &mut self,
        bytes: &mut BytesMut,
        limits: HeadLimits,
        keep_names: KeepNames,
    ) -> Result<Option<RequestHead>, Refusal> {
        match self.parse_as_is(bytes, limits, keep_names) {
            Err(Refusal::RequestLine) => self.parse_escaped(bytes, limits, keep_names),
            parsed => parsed,
        }
    }

    /// Parses a head whose target contains bytes that httparse does not accept: they are not UTF-8.
    #[cold]
    fn parse_escaped(
        &mut self,
        bytes: &mut BytesMut,
        limits: HeadLimits,
        keep_names: KeepNames,
    ) -> Result<Option<RequestHead>, Refusal> {
        let mut escaped = with_escapes(bytes).ok_or(Refusal::RequestLine)?;
        let head = self.parse_as_is(&mut escaped, limits, keep_names)?;
        if head.is_some() {
            *bytes = escaped;
        }
        Ok(head)
    }

    fn parse_as_is(
        &mut self,
        bytes: &mut BytesMut,
        limits: HeadLimits,
        keep_names: KeepNames,
    ) -> Result<Option<RequestHead>, Refusal> {
        let (line, length) = match self.find_fields(bytes, limits)? {
            Some(found) => found,
            None if bytes.len() >= limits.bytes => return Err(Refusal::HeadTooLarge),
            None => return Ok(None),
        };
        if length > limits.bytes {
            return Err(Refusal::HeadTooLarge);
        }
        let head = bytes.split_to(length).freeze();
        let built = self.build(line, &head, keep_names);
        if built.is_err() {
            put_back(&head, bytes);
        }
        built.map(Some)
    }

    /// Uses the memory of `headers` for the next head.
    pub fn reuse(&mut self, mut headers: HeaderMap) {
        headers.clear();
        self.spare = headers;
    }

    /// Parses the first line, notes where the fields are, and returns the line and the length of the head.
    fn find_fields(
        &mut self,
        bytes: &[u8],
        limits: HeadLimits,
    ) -> Result<Option<(RequestLine, usize)>, Refusal> {
        with_room(limits, |room| {
            let mut parsed = httparse::Request::new(&mut []);
            let outcome =
                ParserConfig::default().parse_request_with_uninit_headers(&mut parsed, bytes, room);
            let length = match outcome.map_err(refusal_of)? {
                Status::Complete(length) => length,
                Status::Partial => return Ok(None),
            };
            self.fields.note(parsed.headers, bytes);
            let method = parsed.method.unwrap_or_default();
            let target = parsed.path.unwrap_or_default();
            let line = RequestLine {
                method: Method::from_bytes(method.as_bytes()).map_err(|_| Refusal::RequestLine)?,
                target: offset(target.as_bytes(), bytes),
                target_length: target.len(),
                version: match parsed.version {
                    Some(0) => Version::HTTP_10,
                    _ => Version::HTTP_11,
                },
            };
            Ok(Some((line, length)))
        })
    }

    fn build(
        &mut self,
        line: RequestLine,
        head: &Bytes,
        keep_names: KeepNames,
    ) -> Result<RequestHead, Refusal> {
        let mut headers = std::mem::take(&mut self.spare);
        headers.reserve(self.fields.len() + ADDED_FIELDS);
        let mut seen = Seen::default();
        self.fields.collect(head, &mut headers, |name, value| {
            if *name == header::CONTENT_LENGTH {
                seen.has_length = true;
            } else if *name == header::TRANSFER_ENCODING {
                seen.has_coding = true;
                // The last coding of the last field ends the body.
                seen.is_chunked = tokens(value)
                    .last()
                    .is_some_and(|coding| is(coding, b"chunked"));
            } else if *name == header::CONNECTION {
                seen.says_close |= tokens(value).any(|token| is(token, b"close"));
                seen.says_keep_alive |= tokens(value).any(|token| is(token, b"keep-alive"));
            } else if *name == header::TE {
                seen.takes_trailers |= tokens(value).any(|token| is(token, b"trailers"));
            }
            Ok(())
        })?;
        let target = head.slice(line.target..line.target + line.target_length);
        let mut request = Request::new(());
        *request.uri_mut() = uri_of(target)?;
        *request.method_mut() = line.method;
        *request.version_mut() = line.version;
        *request.headers_mut() = headers;
        self.fields
            .note_names(head, keep_names, request.extensions_mut());
        let is_ambiguous = seen.has_coding && seen.has_length;
        let framing = framing_of(&mut request, &seen)?;
        let keep_alive = match line.version {
            Version::HTTP_10 => seen.says_keep_alive && !seen.says_close,
            // RFC 9112 §6.3: a length beside a coding may be an attempt at request smuggling.
            _ => !seen.says_close && !is_ambiguous,
        };
        Ok(RequestHead {
            request,
            framing,
            keep_alive,
            takes_trailers: seen.takes_trailers,
        })
    }
}

/// How many bytes of empty lines `bytes` begin with. A CR alone does not count: its line has not come whole.
pub fn blank_bytes(bytes: &[u8]) -> usize {
    let mut blank = 0;
    loop {
        match &bytes[blank..] {
            [b'\n', ..] => blank += 1,
            [b'\r', b'\n', ..] => blank += 2,
            _ => return blank,
        }
    }
}

/// Whether `bytes` begin with the head of a request, or the preface of HTTP/2; `None`: more bytes decide.
pub fn begins_request(bytes: &[u8]) -> Option<bool> {
    if preface::version(bytes)? == preface::Version::H2 {
        return Some(true);
    }
    /// More do not matter here: the head begins like one of a request.
    const MOST_PARSED_FIELDS: usize = 100;
    let mut request = httparse::Request::new(&mut []);
    let mut fields = [const { MaybeUninit::uninit() }; MOST_PARSED_FIELDS];
    let parsed =
        ParserConfig::default().parse_request_with_uninit_headers(&mut request, bytes, &mut fields);
    match parsed {
        Ok(Status::Complete(_)) | Err(httparse::Error::TooManyHeaders) => Some(true),
        Ok(Status::Partial) => None,
        Err(_) => Some(false),
    }
}

/// Where the body of `request` ends. Leaves at most one `Content-Length` field, and none beside a
/// coding.
fn framing_of(request: &mut Request<()>, seen: &Seen) -> Result<BodyFraming, Refusal> {
    let mut length = None;
    if seen.has_length {
        let headers = request.headers_mut();
        length = content_length::settle(headers, Lists::Refused).map_err(|_| Refusal::Length)?;
    }
    if !seen.has_coding {
        return Ok(BodyFraming::Length(length.unwrap_or(0)));
    }
    if request.version() == Version::HTTP_10 {
        return Err(Refusal::CodingInHttp10);
    }
    if !seen.is_chunked {
        return Err(Refusal::Coding);
    }
    request.headers_mut().remove(header::CONTENT_LENGTH);
    Ok(BodyFraming::Chunked)
}

/// The target, with escapes for characters that [`Uri`] cannot hold.
fn uri_of(target: Bytes) -> Result<Uri, Refusal> {
    if target.len() > TARGET_BYTES_MAX {
        return Err(Refusal::TargetTooLong);
    }
    let target = match target::escaped(&target) {
        None => target,
        Some(escaped) if escaped.len() > TARGET_BYTES_MAX => return Err(Refusal::TargetTooLong),
        Some(escaped) => escaped.into(),
    };
    Uri::from_maybe_shared(target).map_err(|_| Refusal::Target)
}

/// `bytes` with escapes in the target of their first line; `None`: no escape is needed.
fn with_escapes(bytes: &[u8]) -> Option<BytesMut> {
    let line = bytes.split(|&byte| byte == b'\n').next()?;
    let space = |from: usize| Some(from + memchr::memchr(b' ', &line[from..])?);
    let begin = space(0)? + 1;
    let end = space(begin)?;
    let target = target::escaped(&line[begin..end])?;
    let parts = [&bytes[..begin], &target, &bytes[end..]];
    Some(BytesMut::from(&parts.concat()[..]))
}

/// Puts `head` back before `bytes`.
#[cold]
fn put_back(head: &[u8], bytes: &mut BytesMut) {
    let mut whole = BytesMut::with_capacity(head.len() + bytes.len());
    whole.extend_from_slice(head);
    whole.extend_from_slice(bytes);
    *bytes = whole;
}

/// The elements of a list.
fn tokens(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let elements = value.as_bytes().split(|&byte| byte == b',');
    elements.map(<[u8]>::trim_ascii)
}

fn is(token: &[u8], word: &[u8]) -> bool {
    token.eq_ignore_ascii_case(word)
}

fn refusal_of(error: httparse::Error) -> Refusal {
    match error {
        httparse::Error::HeaderName | httparse::Error::HeaderValue => Refusal::Field,
        httparse::Error::TooManyHeaders => Refusal::TooManyFields,
        httparse::Error::Version => Refusal::Version,
        httparse::Error::NewLine | httparse::Error::Status | httparse::Error::Token => {
            Refusal::RequestLine
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::names::OriginalNames;
    use super::*;

    const LIMITS: HeadLimits = HeadLimits {
        bytes: 1000,
        fields: 5,
    };

    fn parse(text: &str) -> Result<Option<RequestHead>, Refusal> {
        parse_bytes(text.as_bytes(), LIMITS)
    }

    fn parse_bytes(text: &[u8], limits: HeadLimits) -> Result<Option<RequestHead>, Refusal> {
        RequestParser::default().parse(&mut BytesMut::from(text), limits, KeepNames::No)
    }

    fn whole(text: &str) -> RequestHead {
        parse(text).expect("it is understood").expect("it is whole")
    }

    #[test]
    fn a_head_is_taken_out_of_the_bytes_and_what_follows_stays() {
        let mut bytes = BytesMut::from("POST /a?b HTTP/1.1\r\nHost: c\r\nX-D:  e f \r\n\r\nbody");
        let mut parser = RequestParser::default();
        let head = parser.parse(&mut bytes, LIMITS, KeepNames::Yes);
        let request = head.expect("understood").expect("whole").request;
        assert_eq!(&bytes[..], b"body");
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.uri(), "/a?b");
        assert_eq!(request.version(), Version::HTTP_11);
        assert_eq!(request.headers()["host"], "c");
        assert_eq!(request.headers()["x-d"], "e f");
        assert!(request.extensions().get::<OriginalNames>().is_some());
    }

    #[test]
    fn the_memory_of_one_head_serves_for_the_next() {
        let mut parser = RequestParser::default();
        for host in ["a", "b"] {
            let text = format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n");
            let mut bytes = BytesMut::from(&*text);
            let head = parser.parse(&mut bytes, LIMITS, KeepNames::No);
            let request = head.expect("understood").expect("whole").request;
            let fields = request.headers();
            assert_eq!(fields.len(), 1);
            assert_eq!(fields["host"], host);
            parser.reuse(request.into_parts().0.headers);
        }
    }

    #[test]
    fn the_end_of_a_body_is_known_by_one_rule() {
        let cases = [
            ("", BodyFraming::Length(0)),
            ("content-length: 0\r\n", BodyFraming::Length(0)),
            ("content-length: 05\r\n", BodyFraming::Length(5)),
            (
                "content-length: 5\r\ncontent-length: 5\r\n",
                BodyFraming::Length(5),
            ),
            (
                "content-length: 9223372036854775807\r\n",
                BodyFraming::Length(i64::MAX as u64),
            ),
            ("transfer-encoding: Chunked\r\n", BodyFraming::Chunked),
            // Admission refuses it, with its own status.
            ("transfer-encoding: gzip, chunked\r\n", BodyFraming::Chunked),
            (
                "content-length: 5\r\ntransfer-encoding: chunked\r\n",
                BodyFraming::Chunked,
            ),
        ];
        for (fields, framing) in cases {
            let head = whole(&format!("POST / HTTP/1.1\r\n{fields}\r\n"));
            assert_eq!(head.framing, framing, "{fields:?}");
            let lengths = head.request.headers().get_all(header::CONTENT_LENGTH);
            assert!(lengths.iter().count() <= 1, "{fields:?}");
        }
    }

    #[test]
    fn beside_a_coding_no_length_is_left_and_no_request_follows() {
        let head =
            whole("POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n");
        assert!(!head.request.headers().contains_key(header::CONTENT_LENGTH));
        assert!(!head.keep_alive);
    }

    #[test]
    fn another_request_follows_if_the_version_or_the_client_allows_it() {
        let cases = [
            ("HTTP/1.1", "", true),
            ("HTTP/1.1", "connection: close\r\n", false),
            ("HTTP/1.1", "connection: te, Close\r\n", false),
            ("HTTP/1.1", "connection: closed\r\n", true),
            (
                "HTTP/1.1",
                "connection: keep-alive\r\nconnection: close\r\n",
                false,
            ),
            ("HTTP/1.0", "", false),
            ("HTTP/1.0", "connection: Keep-Alive\r\n", true),
            ("HTTP/1.0", "connection: keep-alive, close\r\n", false),
        ];
        for (version, fields, keep_alive) in cases {
            let head = whole(&format!("GET / {version}\r\n{fields}\r\n"));
            assert_eq!(head.keep_alive, keep_alive, "{version} {fields:?}");
        }
    }

    #[test]
    fn a_client_announces_that_it_accepts_trailers() {
        let takes =
            |field: &str| whole(&format!("GET / HTTP/1.1\r\n{field}\r\n\r\n")).takes_trailers;
        assert!(takes("te: gzip, Trailers"));
        assert!(!takes("te: gzip"));
        assert!(!takes("x: trailers"));
    }

    #[test]
    fn characters_that_a_target_cannot_hold_are_escaped() {
        let head = whole("GET /a\"b<c>`?q=\"<>`{|}\\^é[] HTTP/1.1\r\nx: \"<é>\"\r\n\r\n");
        let target = head.request.uri().path_and_query().map(ToString::to_string);
        let escaped = "/a%22b%3Cc%3E%60?q=%22%3C%3E%60{|}\\^%C3%A9[]";
        assert_eq!(target.as_deref(), Some(escaped));
        assert_eq!(head.request.headers()["x"], "\"<é>\"".as_bytes());
        let head = parse_bytes(b"GET /\xff HTTP/1.1\r\n\r\n", LIMITS);
        let head = head.expect("understood").expect("whole");
        assert_eq!(head.request.uri().path(), "/%FF");
    }

    #[test]
    fn each_row_of_the_table_is_refused() {
        let field = |field: &str| format!("GET / HTTP/1.1\r\n{field}\r\n\r\n");
        let line = |line: &str| format!("{line}\r\nhost: a\r\n\r\n");
        let cases = [
            (line("hello"), Refusal::RequestLine),
            (line("GET /"), Refusal::RequestLine),
            (line("GET"), Refusal::RequestLine),
            (line(" GET / HTTP/1.1"), Refusal::RequestLine),
            (line("GET  / HTTP/1.1"), Refusal::RequestLine),
            (line("GET / HTTP/1.1 "), Refusal::RequestLine),
            (line("GET /  HTTP/1.1"), Refusal::Version),
            (line("G@T / HTTP/1.1"), Refusal::RequestLine),
            (line("GÉT / HTTP/1.1"), Refusal::RequestLine),
            (line("GET / HTTP/1.2"), Refusal::Version),
            (line("GET / HTTP/0.9"), Refusal::Version),
            (line("GET / HTTP/2.0"), Refusal::Version),
            (line("GET / http/1.1"), Refusal::Version),
            (line("GET /a b HTTP/1.1"), Refusal::Version),
            (line("GET /a\x7fb HTTP/1.1"), Refusal::RequestLine),
            (line("GET /a\0b HTTP/1.1"), Refusal::RequestLine),
            (line("GET /a\tb HTTP/1.1"), Refusal::RequestLine),
            (line("GET / HTTP/1.1\rx: y"), Refusal::RequestLine),
            (line("\rGET / HTTP/1.1"), Refusal::RequestLine),
            (line("GET a/b HTTP/1.1"), Refusal::Target),
            (line("GET http:// HTTP/1.1"), Refusal::Target),
            (field("x : y"), Refusal::Field),
            (field(" x: y"), Refusal::Field),
            (field("x: y\r\n z"), Refusal::Field),
            (field("x: y\r\n\tz"), Refusal::Field),
            (field("x y: z"), Refusal::Field),
            (field("x\0: y"), Refusal::Field),
            (field("é: y"), Refusal::Field),
            (field(": y"), Refusal::Field),
            (field("x"), Refusal::Field),
            (field("x: a\0b"), Refusal::Field),
            (field("x: a\rb"), Refusal::Field),
            (field("x: a\x07b"), Refusal::Field),
            (field("x: a\x7fb"), Refusal::Field),
            (
                field("content-length: 5\r\ncontent-length: 6"),
                Refusal::Length,
            ),
            (field("content-length: 5, 5"), Refusal::Length),
            (field("content-length: +5"), Refusal::Length),
            (field("content-length: -5"), Refusal::Length),
            (field("content-length: 0x5"), Refusal::Length),
            (field("content-length:"), Refusal::Length),
            (
                field("content-length: 9223372036854775808"),
                Refusal::Length,
            ),
            (
                field("content-length: 99999999999999999999"),
                Refusal::Length,
            ),
            (
                field("transfer-encoding: chunked\r\ncontent-length: x"),
                Refusal::Length,
            ),
            (field("transfer-encoding: gzip"), Refusal::Coding),
            (field("transfer-encoding: chunked, gzip"), Refusal::Coding),
            (field("transfer-encoding:"), Refusal::Coding),
            (
                field("transfer-encoding: chunked\r\ntransfer-encoding: gzip"),
                Refusal::Coding,
            ),
            (
                "GET / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
                Refusal::CodingInHttp10,
            ),
            (
                field("a:\r\nb:\r\nc:\r\nd:\r\ne:\r\nf:"),
                Refusal::TooManyFields,
            ),
            (
                field(&format!("x: {}", "y".repeat(1000))),
                Refusal::HeadTooLarge,
            ),
            (format!("GET /{}", "y".repeat(1000)), Refusal::HeadTooLarge),
        ];
        for (text, refusal) in cases {
            let mut bytes = BytesMut::from(&*text);
            let refused = RequestParser::default().parse(&mut bytes, LIMITS, KeepNames::No);
            assert_eq!(refused.map(|_| ()), Err(refusal), "{text:?}");
            assert_eq!(bytes, text.as_bytes(), "it is left for the log");
        }
    }

    #[test]
    fn a_head_may_be_as_large_as_the_limit() {
        let text = "GET / HTTP/1.1\r\na: b\r\nc: d\r\n\r\n";
        let limits = |bytes, fields| HeadLimits { bytes, fields };
        let bytes = text.len();
        assert!(parse_bytes(text.as_bytes(), limits(bytes, 2)).is_ok());
        let refused = |limits| parse_bytes(text.as_bytes(), limits).expect_err("one past it");
        assert_eq!(refused(limits(bytes - 1, 2)), Refusal::HeadTooLarge);
        assert_eq!(refused(limits(bytes, 1)), Refusal::TooManyFields);
        // More fields than fit on the stack.
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(150));
        let head = parse_bytes(many.as_bytes(), limits(10_000, 150)).expect("understood");
        assert_eq!(head.expect("whole").request.headers().len(), 150);
    }

    #[test]
    fn a_target_that_cannot_be_held_is_too_long() {
        let limits = HeadLimits {
            bytes: 1 << 20,
            fields: 5,
        };
        let target = |text: String| {
            let text = format!("GET /{text} HTTP/1.1\r\n\r\n");
            parse_bytes(text.as_bytes(), limits).map(|_| ())
        };
        assert_eq!(target("x".repeat(TARGET_BYTES_MAX - 1)), Ok(()));
        let long = Err(Refusal::TargetTooLong);
        assert_eq!(target("x".repeat(TARGET_BYTES_MAX)), long);
        assert_eq!(target("<".repeat(TARGET_BYTES_MAX / 2)), long);
    }

    #[test]
    fn lines_may_end_with_lf_alone() {
        let head = whole("GET / HTTP/1.1\nhost: a\n\n");
        assert_eq!(head.request.headers()["host"], "a");
    }

    #[test]
    fn empty_lines_before_a_request_are_counted() {
        let cases = [
            ("", 0),
            ("GET", 0),
            ("\r\nGET", 2),
            ("\n\r\n\nGET", 4),
            ("\r", 0),
            ("\r\n\r", 2),
            ("\rGET", 0),
        ];
        for (text, blank) in cases {
            assert_eq!(blank_bytes(text.as_bytes()), blank, "{text:?}");
        }
    }

    #[test]
    fn a_head_that_comes_byte_by_byte_is_the_same() {
        let text = "GET / HTTP/1.1\r\nhost: a\r\n\r\nx";
        let mut parser = RequestParser::default();
        let mut bytes = BytesMut::new();
        let came_whole = text.bytes().position(|byte| {
            bytes.extend_from_slice(&[byte]);
            let head = parser.parse(&mut bytes, LIMITS, KeepNames::No);
            head.expect("understood").is_some()
        });
        assert_eq!(came_whole, Some(text.len() - 2));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = parse_bytes(&bytes, LIMITS);
        }

        #[test]
        fn no_head_panics(text in "(GET|P@) [/*a<é]{1,3} HTTP/1.[012]\r?\n((host|content-length|transfer-encoding|te|connection): ?(5|chunked|x|,)\r?\n){0,4}\r?\n") {
            let _ = parse(&text);
        }
    }
}
