//! Writes response heads for clients.

use std::ptr;

use http::header::{self, HeaderMap, HeaderName};
use http::{StatusCode, Version};

use super::names::{NameCase, NameWriter};

/// How the body of a response is framed (RFC 9112 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyEnd {
    /// The response has no body: the request was HEAD, or the status allows none (RFC 9110 §6.4.1). A
    /// number is the length that a GET would have received, for a head that does not contain it.
    NoBody(Option<u64>),
    /// After this many bytes.
    Length(u64),
    /// With the last chunk.
    Chunks,
    /// When the connection ends.
    Close,
}

/// An addition to the `Connection` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionField {
    /// Nothing.
    AsWritten,
    /// The field becomes `close`.
    Close,
    /// `keep-alive`, if there is no such field: for an HTTP/1.0 client.
    KeepAlive,
}

/// A response head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResponseHead<'a> {
    /// HTTP/1.0 or HTTP/1.1.
    pub(crate) version: Version,
    pub(crate) status: StatusCode,
    /// A reason phrase other than the usual one.
    pub(crate) reason: Option<&'a [u8]>,
    pub(crate) fields: &'a HeaderMap,
    pub(crate) body: BodyEnd,
    pub(crate) connection: ConnectionField,
    /// The `Date` of a head without one.
    pub(crate) date: Option<&'a [u8]>,
    pub(crate) case: NameCase<'a>,
}

/// What a written head announces about the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announced {
    /// Its fields contain `Connection: close`.
    Close,
    /// Nothing.
    Nothing,
}

/// Appends `head` and the empty line after it to `out`. The fields that frame the body are written
/// from `head.body`.
pub(crate) fn write_head(head: &ResponseHead<'_>, out: &mut Vec<u8>) -> Announced {
    write_status_line(head, out);
    let mut names = NameWriter::new(head.case);
    let mut last: Option<&HeaderName> = None;
    let (mut has_length, mut has_connection, mut has_date) = (false, false, false);
    let mut announced = Announced::Nothing;
    for (name, value) in head.fields {
        // The map returns one reference for all values of a name.
        let is_same = last.is_some_and(|last| ptr::eq(last, name));
        last = Some(name);
        let mut value = value.as_bytes();
        let mut digits = itoa::Buffer::new();
        if *name == header::CONTENT_LENGTH {
            match head.body {
                _ if has_length => continue,
                BodyEnd::NoBody(_) if has_no_length(head.status) => continue,
                BodyEnd::NoBody(_) => {}
                BodyEnd::Length(length) => value = digits.format(length).as_bytes(),
                BodyEnd::Chunks | BodyEnd::Close => continue,
            }
            has_length = true;
        } else if *name == header::TRANSFER_ENCODING {
            continue;
        } else if *name == header::CONNECTION {
            if head.connection == ConnectionField::Close {
                continue;
            }
            has_connection = true;
            if has_close(value) {
                announced = Announced::Close;
            }
        } else if *name == header::DATE {
            has_date = true;
        }
        names.write(name, is_same, out);
        end_field(value, out);
    }
    let mut write = |name: &HeaderName, value: &[u8]| {
        names.write(name, false, out);
        end_field(value, out);
    };
    let length = match head.body {
        BodyEnd::Length(length) => Some(length),
        BodyEnd::NoBody(length) => length,
        BodyEnd::Chunks | BodyEnd::Close => None,
    };
    if let Some(length) = length
        && !has_length
        && !has_no_length(head.status)
    {
        let mut digits = itoa::Buffer::new();
        write(&header::CONTENT_LENGTH, digits.format(length).as_bytes());
    }
    if head.body == BodyEnd::Chunks {
        write(&header::TRANSFER_ENCODING, b"chunked");
    }
    match head.connection {
        ConnectionField::Close => write(&header::CONNECTION, b"close"),
        ConnectionField::KeepAlive if !has_connection => write(&header::CONNECTION, b"keep-alive"),
        ConnectionField::KeepAlive | ConnectionField::AsWritten => {}
    }
    if let Some(date) = head.date
        && !has_date
    {
        write(&header::DATE, date);
    }
    out.extend_from_slice(b"\r\n");
    announced
}

/// Whether a response with `status` can have no length (RFC 9110 §8.6).
fn has_no_length(status: StatusCode) -> bool {
    status.is_informational() || status == StatusCode::NO_CONTENT
}

fn write_status_line(head: &ResponseHead<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(match head.version {
        Version::HTTP_10 => b"HTTP/1.0 ",
        _ => b"HTTP/1.1 ",
    });
    out.extend_from_slice(head.status.as_str().as_bytes());
    out.push(b' ');
    let usual = || {
        head.status
            .canonical_reason()
            .unwrap_or_default()
            .as_bytes()
    };
    out.extend_from_slice(head.reason.unwrap_or_else(usual));
    out.extend_from_slice(b"\r\n");
}

fn end_field(value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn has_close(value: &[u8]) -> bool {
    let mut tokens = value.split(|&byte| byte == b',');
    tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"close"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn fields(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    fn head<'a>(status: u16, fields: &'a HeaderMap, body: BodyEnd) -> ResponseHead<'a> {
        ResponseHead {
            version: Version::HTTP_11,
            status: StatusCode::from_u16(status).expect("a status"),
            reason: None,
            fields,
            body,
            connection: ConnectionField::AsWritten,
            date: None,
            case: NameCase::Lower,
        }
    }

    fn written(head: &ResponseHead<'_>) -> (String, Announced) {
        let mut out = Vec::new();
        let announced = write_head(head, &mut out);
        (String::from_utf8(out).expect("text"), announced)
    }

    #[test]
    fn a_head_has_the_framing_of_its_body_and_no_other_framing() {
        let none = fields(&[("x", "y")]);
        let both = fields(&[
            ("content-length", "7"),
            ("content-length", "8"),
            ("transfer-encoding", "chunked"),
            ("x", "y"),
        ]);
        let cases = [
            (
                200,
                &none,
                BodyEnd::Length(5),
                "x: y\r\ncontent-length: 5\r\n",
            ),
            (
                200,
                &both,
                BodyEnd::Length(5),
                "content-length: 5\r\nx: y\r\n",
            ),
            (
                200,
                &none,
                BodyEnd::Length(0),
                "x: y\r\ncontent-length: 0\r\n",
            ),
            (
                200,
                &both,
                BodyEnd::Chunks,
                "x: y\r\ntransfer-encoding: chunked\r\n",
            ),
            (200, &both, BodyEnd::Close, "x: y\r\n"),
            (
                200,
                &both,
                BodyEnd::NoBody(None),
                "content-length: 7\r\nx: y\r\n",
            ),
            (
                200,
                &both,
                BodyEnd::NoBody(Some(9)),
                "content-length: 7\r\nx: y\r\n",
            ),
            (
                200,
                &none,
                BodyEnd::NoBody(Some(9)),
                "x: y\r\ncontent-length: 9\r\n",
            ),
            (200, &none, BodyEnd::NoBody(None), "x: y\r\n"),
            (204, &both, BodyEnd::NoBody(Some(9)), "x: y\r\n"),
            (103, &both, BodyEnd::NoBody(None), "x: y\r\n"),
            (
                304,
                &both,
                BodyEnd::NoBody(None),
                "content-length: 7\r\nx: y\r\n",
            ),
        ];
        for (status, fields, body, expected) in cases {
            let (text, _) = written(&head(status, fields, body));
            let (_, rest) = text.split_once("\r\n").expect("a status line");
            assert_eq!(rest, format!("{expected}\r\n"), "{status} {body:?}");
        }
    }

    #[test]
    fn the_status_line_has_the_version_and_the_phrase_that_it_is_given() {
        let fields = HeaderMap::new();
        let head = head(404, &fields, BodyEnd::NoBody(None));
        let line = |head| written(&head).0;
        assert_eq!(line(head), "HTTP/1.1 404 Not Found\r\n\r\n");
        let old = ResponseHead {
            version: Version::HTTP_10,
            reason: Some(b"Gone Fishing"),
            ..head
        };
        assert_eq!(line(old), "HTTP/1.0 404 Gone Fishing\r\n\r\n");
        let status = StatusCode::from_u16(799).expect("a status");
        assert_eq!(
            line(ResponseHead { status, ..head }),
            "HTTP/1.1 799 \r\n\r\n"
        );
    }

    #[test]
    fn the_connection_ends_if_the_head_announces_it() {
        use ConnectionField::{AsWritten, Close, KeepAlive};
        let none = fields(&[]);
        let close = fields(&[("connection", "x, Close")]);
        let upgrade = fields(&[("connection", "upgrade")]);
        let cases = [
            (&none, AsWritten, "", Announced::Nothing),
            (&none, Close, "connection: close\r\n", Announced::Nothing),
            (
                &none,
                KeepAlive,
                "connection: keep-alive\r\n",
                Announced::Nothing,
            ),
            (
                &close,
                AsWritten,
                "connection: x, Close\r\n",
                Announced::Close,
            ),
            (&close, Close, "connection: close\r\n", Announced::Nothing),
            (
                &close,
                KeepAlive,
                "connection: x, Close\r\n",
                Announced::Close,
            ),
            (
                &upgrade,
                AsWritten,
                "connection: upgrade\r\n",
                Announced::Nothing,
            ),
        ];
        for (fields, connection, expected, expected_announced) in cases {
            let head = ResponseHead {
                connection,
                ..head(200, fields, BodyEnd::NoBody(None))
            };
            let (text, announced) = written(&head);
            assert_eq!(text, format!("HTTP/1.1 200 OK\r\n{expected}\r\n"));
            assert_eq!(announced, expected_announced, "{expected:?}");
        }
    }

    #[test]
    fn a_date_is_written_once_and_names_are_written_as_configured() {
        let (none, own) = (fields(&[]), fields(&[("date", "x")]));
        for (fields, expected) in [(&none, "Date: now\r\n"), (&own, "Date: x\r\n")] {
            let head = ResponseHead {
                date: Some(b"now"),
                case: NameCase::Title,
                ..head(200, fields, BodyEnd::NoBody(None))
            };
            assert_eq!(
                written(&head).0,
                format!("HTTP/1.1 200 OK\r\n{expected}\r\n")
            );
        }
    }
}
