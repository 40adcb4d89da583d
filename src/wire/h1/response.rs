//! Parses response heads, and finds out where the body of a response ends.

use bytes::BytesMut;
use http::header::{self, HeaderMap};
use http::{Method, Response, StatusCode, Version};
use httparse::{ParserConfig, Status};
use hyper::ext::ReasonPhrase;

use super::Refusal;
use super::fields::{FieldList, HeadLimits, offset, with_room};
use super::names::KeepNames;
use crate::wire::content_length::{self, Lists};

/// There is room for at least this many fields: a map that grows while fields are added, or when it
/// is used for the next request, costs more.
const ROOM_FIELDS: usize = 12;

/// The first bytes of every response (RFC 9112 §4).
const BEGINNING: &[u8] = b"HTTP/1.";

/// Where a body ends (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// After this many bytes.
    Length(u64),
    /// With the last chunk.
    Chunked,
    /// When the connection ends.
    UntilEnd,
    /// At once, although the head announces a body that this response cannot have. If a body comes after
    /// all, it stands where the next response is expected: the connection must not be used again.
    Contradicted,
    /// Nowhere: after a 101 the connection carries another protocol.
    Tunnel,
}

/// The head of a response.
#[derive(Debug)]
pub struct ResponseHead {
    /// Its status and its fields. An unusual reason phrase is an extension of it: [`ReasonPhrase`].
    pub response: Response<()>,
    /// Where its body ends. An interim response (1xx) has no body: `Length(0)`.
    pub framing: Framing,
    /// How many bytes the head had.
    pub head_bytes: usize,
}

/// Parses response heads. Of a head that has not arrived completely, it remembers what it has searched.
#[derive(Debug, Default)]
pub struct ResponseParser {
    /// Where the fields of the head are. The memory is used again for the next head.
    fields: FieldList,
    /// How many bytes have been searched without finding the end of a head; 0: none.
    searched: usize,
    keep_names: KeepNames,
}

impl ResponseParser {
    /// A parser that keeps the field names as received if `keep_names` is `Yes`.
    pub fn new(keep_names: KeepNames) -> Self {
        Self {
            keep_names,
            ..Self::default()
        }
    }

    /// Takes the head at the beginning of `bytes` out of them; `None`: it has not arrived completely.
    /// `method` is that of the request, on which the end of the body depends.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: the head is malformed, over `limits`, or does not say where its body ends.
    pub fn parse(
        &mut self,
        bytes: &mut BytesMut,
        method: &Method,
        limits: HeadLimits,
    ) -> Result<Option<ResponseHead>, Refusal> {
        let known = bytes.len().min(BEGINNING.len());
        if bytes[..known] != BEGINNING[..known] {
            return Err(Refusal::NotHttp);
        }
        if self.searched > 0 && !self.may_have_come_whole(bytes) {
            return self.wait(bytes, limits);
        }
        let Some((line, length)) = self.find_fields(bytes, limits)? else {
            return self.wait(bytes, limits);
        };
        if length > limits.bytes {
            return Err(Refusal::HeadTooLarge);
        }
        self.searched = 0;
        let head = bytes.split_to(length).freeze();
        let mut response = Response::new(());
        *response.status_mut() = line.status;
        *response.version_mut() = line.version;
        let mut headers = HeaderMap::with_capacity(self.fields.len().max(ROOM_FIELDS));
        let mut seen = Seen::default();
        self.fields.collect(&head, &mut headers, |name, _| {
            seen.has_length |= *name == header::CONTENT_LENGTH;
            seen.has_coding |= *name == header::TRANSFER_ENCODING;
            Ok(())
        })?;
        *response.headers_mut() = headers;
        self.fields
            .note_names(&head, self.keep_names, response.extensions_mut());
        if let Some((at, length)) = line.unusual_reason
            && let Ok(reason) = ReasonPhrase::try_from(head.slice(at..at + length))
        {
            response.extensions_mut().insert(reason);
        }
        let framing = framing_of(&mut response, seen, method)?;
        Ok(Some(ResponseHead {
            response,
            framing,
            head_bytes: length,
        }))
    }

    /// Forgets what it has searched, and frees its memory.
    pub fn clear(&mut self) {
        *self = Self::new(self.keep_names);
    }

    /// `None`, unless more bytes cannot make a head of `bytes`.
    fn wait(
        &mut self,
        bytes: &BytesMut,
        limits: HeadLimits,
    ) -> Result<Option<ResponseHead>, Refusal> {
        if bytes.len() >= limits.bytes {
            return Err(Refusal::HeadTooLarge);
        }
        // The last three bytes may be the beginning of the line ends that end the head.
        self.searched = bytes.len().saturating_sub(3).max(1);
        Ok(None)
    }

    /// Whether an empty line is among the bytes that have not been searched yet. Without this question, a
    /// head that arrives byte by byte would be parsed once for each byte.
    fn may_have_come_whole(&self, bytes: &[u8]) -> bool {
        let new = &bytes[self.searched.min(bytes.len())..];
        memchr::memchr_iter(b'\n', new).any(|at| {
            let after = &new[at + 1..];
            after.starts_with(b"\n") || after.starts_with(b"\r\n")
        })
    }

    /// Parses the first line, notes the positions of the fields, and returns the line and the
    /// length of the head.
    fn find_fields(
        &mut self,
        bytes: &[u8],
        limits: HeadLimits,
    ) -> Result<Option<(StatusLine, usize)>, Refusal> {
        with_room(limits, |room| {
            let mut parsed = httparse::Response::new(&mut []);
            let outcome = ParserConfig::default().parse_response_with_uninit_headers(
                &mut parsed,
                bytes,
                room,
            );
            let length = match outcome.map_err(refusal_of)? {
                Status::Complete(length) => length,
                Status::Partial => return Ok(None),
            };
            self.fields.note(parsed.headers, bytes);
            let code = parsed.code.unwrap_or_default();
            let status = StatusCode::from_u16(code).map_err(|_| Refusal::StatusLine)?;
            let reason = parsed.reason.unwrap_or_default();
            let is_usual = reason.is_empty() || Some(reason) == status.canonical_reason();
            let line = StatusLine {
                status,
                version: match parsed.version {
                    Some(0) => Version::HTTP_10,
                    _ => Version::HTTP_11,
                },
                unusual_reason: (!is_usual)
                    .then(|| (offset(reason.as_bytes(), bytes), reason.len())),
            };
            Ok(Some((line, length)))
        })
    }
}

/// Which of the fields that frame a body a head has: looking up each of them in the map costs more.
#[derive(Clone, Copy, Default)]
struct Seen {
    has_length: bool,
    has_coding: bool,
}

/// The first line of an answer.
struct StatusLine {
    status: StatusCode,
    version: Version,
    /// The offset and the length of the reason phrase.
    unusual_reason: Option<(usize, usize)>,
}

fn refusal_of(error: httparse::Error) -> Refusal {
    match error {
        httparse::Error::HeaderName | httparse::Error::HeaderValue => Refusal::Field,
        httparse::Error::TooManyHeaders => Refusal::TooManyFields,
        httparse::Error::NewLine
        | httparse::Error::Status
        | httparse::Error::Token
        | httparse::Error::Version => Refusal::StatusLine,
    }
}

/// Where the body of `response`, to a request with `method`, ends. Leaves one `Content-Length` field at
/// most, with one number.
fn framing_of(
    response: &mut Response<()>,
    seen: Seen,
    method: &Method,
) -> Result<Framing, Refusal> {
    let (status, version) = (response.status(), response.version());
    let headers = response.headers_mut();
    let is_chunked = seen.has_coding && is_chunked(headers)?;
    if is_chunked && version == Version::HTTP_10 {
        return Err(Refusal::CodingInHttp10);
    }
    if is_chunked && seen.has_length {
        return Err(Refusal::LengthBesideCoding);
    }
    let length = match seen.has_length {
        true => content_length::settle(headers, Lists::Allowed),
        false => Ok(None),
    };
    let has_length = length != Ok(None) && length != Ok(Some(0));
    if status.is_informational() {
        // A body here would be read as the response itself. Some servers write fields of the later
        // response into a 103, its length too, and no body.
        let is_tunnel = status == StatusCode::SWITCHING_PROTOCOLS;
        return match is_chunked {
            true => Err(Refusal::InterimBody),
            false if is_tunnel => Ok(Framing::Tunnel),
            false if has_length => Ok(Framing::Contradicted),
            false => Ok(Framing::Length(0)),
        };
    }
    if status == StatusCode::NO_CONTENT {
        return Ok(match is_chunked || has_length {
            true => Framing::Contradicted,
            false => Framing::Length(0),
        });
    }
    let length = length.map_err(|_| Refusal::Length)?;
    if *method == Method::HEAD {
        return Ok(Framing::Length(0));
    }
    if status == StatusCode::NOT_MODIFIED {
        return Ok(match is_chunked {
            true => Framing::Contradicted,
            false => Framing::Length(0),
        });
    }
    Ok(match length {
        _ if is_chunked => Framing::Chunked,
        Some(length) => Framing::Length(length),
        None => Framing::UntilEnd,
    })
}

/// Whether the body is chunked. Any other coding is refused: it would have to be decoded here,
/// because the field is not passed on, and the client would take the coded bytes for the content.
fn is_chunked(headers: &HeaderMap) -> Result<bool, Refusal> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(false),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(true),
        _ => Err(Refusal::Coding),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: HeadLimits = HeadLimits {
        bytes: 1000,
        fields: 5,
    };

    fn parse(text: &str) -> Result<Option<ResponseHead>, Refusal> {
        parse_to(text, &Method::GET)
    }

    fn parse_to(text: &str, method: &Method) -> Result<Option<ResponseHead>, Refusal> {
        ResponseParser::default().parse(&mut BytesMut::from(text), method, LIMITS)
    }

    fn framing(text: &str, method: &Method) -> Framing {
        let answer = parse_to(text, method).expect("it is understood");
        answer.expect("it is whole").framing
    }

    #[test]
    fn a_head_is_taken_out_of_the_bytes_and_what_follows_stays() {
        let mut bytes = BytesMut::from("HTTP/1.1 200 OK\r\nServer: a\r\nX-B:  c d \r\n\r\nbody");
        let mut parser = ResponseParser::default();
        let answer = parser.parse(&mut bytes, &Method::GET, LIMITS);
        let answer = answer.expect("understood").expect("whole");
        let ResponseHead {
            response,
            framing,
            head_bytes,
        } = answer;
        assert_eq!(head_bytes, 42);
        assert_eq!(&bytes[..], b"body");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.version(), Version::HTTP_11);
        assert_eq!(response.headers()["server"], "a");
        assert_eq!(response.headers()["x-b"], "c d");
        assert_eq!(response.extensions().get::<ReasonPhrase>(), None);
        assert_eq!(framing, Framing::UntilEnd);
    }

    #[test]
    fn a_reason_phrase_of_its_own_is_kept() {
        let answer = parse("HTTP/1.1 404 Gone Fishing\r\n\r\n").expect("understood");
        let response = answer.expect("whole").response;
        let reason = response.extensions().get::<ReasonPhrase>();
        assert_eq!(
            reason.map(ReasonPhrase::as_bytes),
            Some(&b"Gone Fishing"[..])
        );
    }

    #[test]
    fn the_end_of_a_body_is_known_by_one_rule() {
        let (get, head) = (Method::GET, Method::HEAD);
        let cases = [
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
                &get,
                Framing::Length(5),
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 05, 5\r\n\r\n",
                &get,
                Framing::Length(5),
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
                &head,
                Framing::Length(0),
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n",
                &get,
                Framing::Chunked,
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
                &head,
                Framing::Length(0),
            ),
            ("HTTP/1.1 200 OK\r\n\r\n", &get, Framing::UntilEnd),
            ("HTTP/1.0 200 OK\r\n\r\n", &get, Framing::UntilEnd),
            (
                "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n",
                &get,
                Framing::Contradicted,
            ),
            (
                "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
                &get,
                Framing::Length(0),
            ),
            (
                "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n",
                &get,
                Framing::Length(0),
            ),
            (
                "HTTP/1.1 204 No Content\r\ncontent-length: x\r\n\r\n",
                &head,
                Framing::Contradicted,
            ),
            (
                "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n",
                &get,
                Framing::Contradicted,
            ),
            (
                "HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n",
                &get,
                Framing::Contradicted,
            ),
            (
                "HTTP/1.1 103 Early Hints\r\ncontent-length: 5\r\n\r\n",
                &get,
                Framing::Contradicted,
            ),
            (
                "HTTP/1.1 103 Early Hints\r\ncontent-length: 0\r\n\r\n",
                &get,
                Framing::Length(0),
            ),
            ("HTTP/1.1 103 Early Hints\r\n\r\n", &get, Framing::Length(0)),
            (
                "HTTP/1.1 101 Switching Protocols\r\n\r\n",
                &get,
                Framing::Tunnel,
            ),
        ];
        for (text, method, expected) in cases {
            assert_eq!(framing(text, method), expected, "{text:?} to {method}");
        }
    }

    #[test]
    fn ambiguous_text_is_refused() {
        let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(1000));
        let cases = [
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
                Refusal::Length,
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\n",
                Refusal::Length,
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
                Refusal::LengthBesideCoding,
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
                Refusal::Coding,
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
                Refusal::Coding,
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\n",
                Refusal::Coding,
            ),
            (
                "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
                Refusal::CodingInHttp10,
            ),
            ("HTTP/1.1 200 OK\r\nx : y\r\n\r\n", Refusal::Field),
            ("HTTP/1.1 200 OK\r\nx: y\r\n z\r\n\r\n", Refusal::Field),
            ("HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n", Refusal::Field),
            ("HTTP/1.1 200 OK\r\nx: a\rb\r\n\r\n", Refusal::Field),
            ("HTTP/1.1 200 OK\r\nx y\r\n\r\n", Refusal::Field),
            ("HTTP/1.1 99 OK\r\n\r\n", Refusal::StatusLine),
            ("HTTP/1.1 099 OK\r\n\r\n", Refusal::StatusLine),
            ("HTTP/1.2 200 OK\r\n\r\n", Refusal::StatusLine),
            ("HTTP/2 200\r\n\r\n", Refusal::NotHttp),
            ("SSH-2.0-OpenSSH_9", Refusal::NotHttp),
            ("\x15\x03\x01\0\x02\x02", Refusal::NotHttp),
            ("\r\nHTTP/1.1 200 OK\r\n\r\n", Refusal::NotHttp),
            ("\r", Refusal::NotHttp),
            (
                "HTTP/1.1 100 X\r\ntransfer-encoding: chunked\r\n\r\n",
                Refusal::InterimBody,
            ),
            (
                "HTTP/1.1 101 X\r\ntransfer-encoding: chunked\r\n\r\n",
                Refusal::InterimBody,
            ),
            (&long, Refusal::HeadTooLarge),
            (long.trim_end(), Refusal::HeadTooLarge),
            (
                "HTTP/1.1 200 OK\r\na:\r\nb:\r\nc:\r\nd:\r\ne:\r\nf:\r\n\r\n",
                Refusal::TooManyFields,
            ),
        ];
        for (text, refusal) in cases {
            let refused = parse(text).expect_err(text);
            assert_eq!(refused, refusal, "{text:?}");
        }
    }

    #[test]
    fn a_head_that_comes_byte_by_byte_is_the_same() {
        let text = "HTTP/1.1 200 OK
server: a

x";
        let mut parser = ResponseParser::default();
        let mut bytes = BytesMut::new();
        let came_whole = text.bytes().position(|byte| {
            bytes.extend_from_slice(&[byte]);
            let answer = parser.parse(&mut bytes, &Method::GET, LIMITS);
            answer.expect("understood").is_some()
        });
        assert_eq!(came_whole, Some(text.len() - 2));
    }

    #[test]
    fn more_fields_than_usual_are_read_if_they_are_allowed() {
        let fields = "a: b\r\n".repeat(150);
        let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        let limits = HeadLimits {
            bytes: 10_000,
            fields: 150,
        };
        let mut bytes = BytesMut::from(&*text);
        let answer = ResponseParser::default().parse(&mut bytes, &Method::GET, limits);
        let response = answer.expect("understood").expect("whole").response;
        assert_eq!(response.headers().len(), 150);
    }

    proptest! {
        #[test]
        fn the_result_does_not_depend_on_how_the_bytes_are_split(
            text in "HTTP/1\\.[012] [0-9]{3} ?(OK|é)?\r?\n((a|content-length|transfer-encoding): ?(5|chunked|x)\r?\n){0,3}\r?\n?.{0,5}",
            size in 1_usize..9,
        ) {
            let whole = parse(&text).map(|answer| answer.map(|answer| format!("{answer:?}")));
            let mut parser = ResponseParser::default();
            let mut bytes = BytesMut::new();
            let mut parts = Ok(None);
            for piece in text.as_bytes().chunks(size) {
                bytes.extend_from_slice(piece);
                parts = parser.parse(&mut bytes, &Method::GET, LIMITS)
                    .map(|answer| answer.map(|answer| format!("{answer:?}")));
                if !matches!(parts, Ok(None)) {
                    break;
                }
            }
            match (parts, whole) {
                // A mistake in a head may be found when it is complete, and not before.
                (Ok(None) | Err(_), Err(_)) => {}
                (parts, whole) => prop_assert_eq!(parts, whole),
            }
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let mut bytes = BytesMut::from(&bytes[..]);
            let _ = ResponseParser::default().parse(&mut bytes, &Method::GET, LIMITS);
        }
    }
}
