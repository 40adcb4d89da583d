//! Writes request heads for servers.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;

use super::framing::BodyFraming;
use super::names::{NameCase, NameWriter};

/// Appends `head` and the empty line after it to `out`.
///
/// `host` becomes the `Host` field; it must be `None` if `head` has one. The fields that frame the body are
/// written from `framing`, not from `head`. Without a body, `Content-Length: 0` is written only if `head`
/// has a length.
pub(crate) fn write_head(
    head: &Parts,
    host: Option<&HeaderValue>,
    framing: BodyFraming,
    case: NameCase<'_>,
    out: &mut Vec<u8>,
) {
    let mut names = NameWriter::new(case);
    out.extend_from_slice(head.method.as_str().as_bytes());
    out.push(b' ');
    write_target(head, out);
    out.extend_from_slice(b" HTTP/1.1\r\n");
    if let Some(host) = host {
        names.write(&header::HOST, false, out);
        out.extend_from_slice(host.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    let says_length = write_fields(&head.headers, &mut names, out);
    match framing {
        BodyFraming::Length(0) if !says_length => {}
        BodyFraming::Length(length) => {
            let mut digits = itoa::Buffer::new();
            names.write(&header::CONTENT_LENGTH, false, out);
            out.extend_from_slice(digits.format(length).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        BodyFraming::Chunked => {
            names.write(&header::TRANSFER_ENCODING, false, out);
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

/// Writes all fields except those that frame the body, and returns whether there is a length among
/// them.
fn write_fields(fields: &HeaderMap, names: &mut NameWriter<'_>, out: &mut Vec<u8>) -> bool {
    let mut last: Option<&HeaderName> = None;
    let mut says_length = false;
    for (name, value) in fields {
        if *name == header::CONTENT_LENGTH {
            says_length = true;
        } else if *name != header::TRANSFER_ENCODING {
            // The map returns one reference for all values of a name.
            let is_same = last.is_some_and(|last| std::ptr::eq(last, name));
            names.write(name, is_same, out);
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
            last = Some(name);
        }
    }
    says_length
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn written(
        build: http::request::Builder,
        host: Option<&HeaderValue>,
        framing: BodyFraming,
        case: NameCase<'_>,
    ) -> String {
        let (head, ()) = build.body(()).expect("a request").into_parts();
        let mut out = Vec::new();
        write_head(&head, host, framing, case, &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_request_head_has_the_framing_of_its_body_and_no_other_framing() {
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
    fn a_host_and_names_are_written_as_configured() {
        let host = HeaderValue::from_static("10.0.0.1:80");
        let options = Request::options("*").header("x-forwarded-for", "a");
        assert_eq!(
            written(options, Some(&host), BodyFraming::Chunked, NameCase::Title),
            "OPTIONS * HTTP/1.1\r\nHost: 10.0.0.1:80\r\nX-Forwarded-For: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
    }
}
