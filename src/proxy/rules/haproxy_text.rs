//! The texts that HAProxy has for the errors that it makes: `haproxy = true` of an error page.
//!
//! Scripts look for these bodies, byte for byte. Pure: a status in, a text out.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header, response};

/// The title and the sentence for each status.
const TEXTS: &[(u16, &str, &str)] = &[
    (400, "Bad request", "Your browser sent an invalid request."),
    (
        401,
        "Unauthorized",
        "You need a valid user and password to access this content.",
    ),
    (
        403,
        "Forbidden",
        "Request forbidden by administrative rules.",
    ),
    (404, "Not Found", "The resource could not be found."),
    (
        405,
        "Method Not Allowed",
        "A request was made of a resource using a request method not supported by that resource",
    ),
    (
        407,
        "Unauthorized",
        "You need a valid user and password to access this content.",
    ),
    (
        408,
        "Request Time-out",
        "Your browser didn't send a complete request in time.",
    ),
    (
        410,
        "Gone",
        "The resource is no longer available and will not be available again.",
    ),
    (
        413,
        "Payload Too Large",
        "The request entity exceeds the maximum allowed.",
    ),
    (
        421,
        "Misdirected Request",
        "Request sent to a non-authoritative server.",
    ),
    (
        422,
        "Unprocessable Content",
        "The server cannot process the contained instructions.",
    ),
    (425, "Too Early", "Your browser sent early data."),
    (
        429,
        "Too Many Requests",
        "You have sent too many requests in a given amount of time.",
    ),
    (
        500,
        "Internal Server Error",
        "An internal server error occurred.",
    ),
    (
        501,
        "Not Implemented",
        ".The server does not support the functionality required to fulfill the request.",
    ),
    (
        502,
        "Bad Gateway",
        "The server returned an invalid or incomplete response.",
    ),
    (
        503,
        "Service Unavailable",
        "No server is available to handle this request.",
    ),
    (
        504,
        "Gateway Time-out",
        "The server didn't respond in time.",
    ),
];

/// Gives `head` HAProxy's status and fields, and returns its body; `usual` is returned for a status that has none.
///
/// HAProxy answers every head that it cannot read with 400, also one that is too long.
pub(super) fn put(head: &mut response::Parts, usual: Bytes) -> Bytes {
    if matches!(head.status.as_u16(), 414 | 431) {
        head.status = StatusCode::BAD_REQUEST;
    }
    let status = head.status.as_u16();
    let Some((_, title, sentence)) = TEXTS.iter().find(|(known, ..)| *known == status) else {
        return usual;
    };
    let no_cache = HeaderValue::from_static("no-cache");
    head.headers.insert(header::CACHE_CONTROL, no_cache);
    let html = HeaderValue::from_static("text/html");
    head.headers.insert(header::CONTENT_TYPE, html);
    let text = format!("<html><body><h1>{status} {title}</h1>\n{sentence}\n</body></html>\n");
    Bytes::from(text)
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    fn of(status: u16) -> (u16, String) {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        let (mut head, ()) = response.into_parts();
        let body = put(&mut head, Bytes::from_static(b"usual"));
        let body = String::from_utf8(body.to_vec()).expect("text");
        (head.status.as_u16(), body)
    }

    #[test]
    fn a_status_has_its_text_and_a_long_head_is_a_bad_request() {
        let (status, body) = of(503);
        assert_eq!(status, 503);
        assert_eq!(
            body,
            "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n"
        );
        assert_eq!(of(431), of(400));
        assert_eq!(of(414), of(400));
        assert_eq!(of(418), (418, "usual".to_owned()));
    }
}
