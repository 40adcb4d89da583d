//! Which fields may stand in trailers.
//!
//! A recipient may merge trailers into the head, so none of them may say how the message is framed, where it
//! goes, who sends it, what it asks for, or how its content is read (RFC 9110 §6.5.1). Those are removed on
//! their way in both directions, also in the spelling that CGI, WSGI, Rack and PHP take for the same
//! (`content_encoding`). What a server or a client invents, such as `grpc-status`, stays.
//!
//! `proxy::io` and the encoders of HTTP/1 use it.

use http::header::{HeaderMap, HeaderName};

use super::field_names::{is_plain, plain_form};

/// Fields that belong in a head, in the order of the alphabet; besides them all whose names begin with
/// `content-`.
const OF_HEADS: [&str; 44] = [
    "age",
    "authorization",
    "cache-control",
    "connection",
    "cookie",
    "date",
    "expect",
    "expires",
    "forwarded",
    "host",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "location",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "retry-after",
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "set-cookie",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-http-method-override",
];

/// Digests of the content, which its sender knows at its end (RFC 9530 §2).
const DIGESTS: [&str; 2] = ["content-digest", "content-md5"];

/// `trailers` without fields that belong in a head.
pub fn presentable(mut trailers: HeaderMap) -> HeaderMap {
    let of_head = trailers.keys().filter(|name| is_of_head(name.as_str()));
    let of_head: Vec<HeaderName> = of_head.cloned().collect();
    for name in of_head {
        trailers.remove(name);
    }
    trailers
}

fn is_of_head(name: &str) -> bool {
    match is_plain(name) {
        true => is_plain_of_head(name),
        false => is_plain_of_head(&plain_form(name)),
    }
}

fn is_plain_of_head(name: &str) -> bool {
    OF_HEADS.binary_search(&name).is_ok()
        || name.starts_with("content-") && !DIGESTS.contains(&name)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn every_field_in_the_list_is_found() {
        for name in OF_HEADS {
            assert!(is_of_head(name), "{name}");
        }
    }

    #[test]
    fn trailers_do_not_say_how_a_message_is_read() {
        let trailers = [
            "content-encoding",
            "content_encoding",
            "content-type",
            "content-digest",
            "grpc-status",
            "transfer.encoding",
            "set-cookie",
            "etag",
            "x_sum",
        ];
        let value = HeaderValue::from_static("1");
        let trailers = trailers.map(|name| (HeaderName::from_static(name), value.clone()));
        let kept = presentable(trailers.into_iter().collect());
        let mut kept: Vec<&str> = kept.keys().map(HeaderName::as_str).collect();
        kept.sort_unstable();
        assert_eq!(kept, ["content-digest", "etag", "grpc-status", "x_sum"]);
    }
}
