//! Writes request heads for servers.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;

/// How the body of a request is written (RFC 9112 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFraming {
    /// This many bytes; 0: there is no body.
    Length(u64),
    /// In chunks.
    Chunked,
}

/// How field names are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum NameCase {
    /// `content-length`
    #[default]
    Lower,
    /// `Content-Length`
    Title,
}

/// Appends `head` and the empty line after it to `out`.
///
/// `host` becomes the `Host` field; it must be `None` if `head` has one. The fields that frame the body are
/// written from `framing`, not from `head`. Without a body, `Content-Length: 0` is written only if `head`
/// has a length.
pub(crate) fn write_head(
    head: &Parts,
    host: Option<&HeaderValue>,
    framing: BodyFraming,
    case: NameCase,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(head.method.as_str().as_bytes());
    out.push(b' ');
    write_target(head, out);
    out.extend_from_slice(b" HTTP/1.1\r\n");
    if let Some(host) = host {
        write_field(&header::HOST, host, case, out);
    }
    let says_length = head.headers.contains_key(header::CONTENT_LENGTH);
    write_fields(&head.headers, case, out);
    match framing {
        BodyFraming::Length(0) if !says_length => {}
        BodyFraming::Length(length) => {
            let mut digits = itoa::Buffer::new();
            write_name(&header::CONTENT_LENGTH, case, out);
            out.extend_from_slice(digits.format(length).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        BodyFraming::Chunked => {
            write_name(&header::TRANSFER_ENCODING, case, out);
            out.extend_from_slice(b"chunked\r\n");
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// The target in origin form, or `*`.
fn write_target(head: &Parts, out: &mut Vec<u8>) {
    match head.uri.path_and_query() {
        Some(target) => out.extend_from_slice(target.as_str().as_bytes()),
        None => out.push(b'/'),
    }
}

/// All fields but those that frame the body.
fn write_fields(fields: &HeaderMap, case: NameCase, out: &mut Vec<u8>) {
    for (name, value) in fields {
        if *name != header::CONTENT_LENGTH && *name != header::TRANSFER_ENCODING {
            write_field(name, value, case, out);
        }
    }
}

fn write_field(name: &HeaderName, value: &HeaderValue, case: NameCase, out: &mut Vec<u8>) {
    write_name(name, case, out);
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn write_name(name: &HeaderName, case: NameCase, out: &mut Vec<u8>) {
    let name = name.as_str().as_bytes();
    let begin = out.len();
    out.extend_from_slice(name);
    if case == NameCase::Title {
        let mut is_first = true;
        for byte in &mut out[begin..] {
            if is_first {
                byte.make_ascii_uppercase();
            }
            is_first = *byte == b'-';
        }
    }
    out.extend_from_slice(b": ");
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn written(
        build: http::request::Builder,
        host: Option<&HeaderValue>,
        framing: BodyFraming,
        case: NameCase,
    ) -> String {
        let (head, ()) = build.body(()).expect("a request").into_parts();
        let mut out = Vec::new();
        write_head(&head, host, framing, case, &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_head_is_written_with_what_frames_its_body_and_nothing_else_that_does() {
        let lower = NameCase::Lower;
        let get = || {
            Request::get("/a?b=c")
                .header("host", "h")
                .header("x-y", "z")
        };
        assert_eq!(
            written(get(), None, BodyFraming::Length(0), lower),
            "GET /a?b=c HTTP/1.1\r\nhost: h\r\nx-y: z\r\n\r\n"
        );
        assert_eq!(
            written(
                get().header("transfer-encoding", "chunked"),
                None,
                BodyFraming::Chunked,
                lower
            ),
            "GET /a?b=c HTTP/1.1\r\nhost: h\r\nx-y: z\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        assert_eq!(
            written(
                get().header("content-length", "7"),
                None,
                BodyFraming::Length(5),
                lower
            ),
            "GET /a?b=c HTTP/1.1\r\nhost: h\r\nx-y: z\r\ncontent-length: 5\r\n\r\n"
        );
        assert_eq!(
            written(
                get().header("content-length", "0"),
                None,
                BodyFraming::Length(0),
                lower
            ),
            "GET /a?b=c HTTP/1.1\r\nhost: h\r\nx-y: z\r\ncontent-length: 0\r\n\r\n"
        );
    }

    #[test]
    fn a_host_is_said_and_names_are_written_as_wanted() {
        let host = HeaderValue::from_static("10.0.0.1:80");
        let options = Request::options("*").header("x-forwarded-for", "a");
        assert_eq!(
            written(options, Some(&host), BodyFraming::Chunked, NameCase::Title),
            "OPTIONS * HTTP/1.1\r\nHost: 10.0.0.1:80\r\nX-Forwarded-For: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
    }
}
