//! Fields of one hop, and our own fields: removed and added.
//!
//! RFC 9110 §7.6.1: the fields that `Connection` names are for the next hop, which is us. They are
//! removed first, so that a client cannot have the fields removed that are added here.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Response, StatusCode, Version, request};
use http_body::Body;

use crate::base::Peer;
use crate::exchange::RequestId;
use crate::plan::{Forwarding, RequestIds};
use crate::proxy::io::FieldRules;
use crate::proxy::rules::OriginalHost;
use crate::wire::forwarded::{Element, Proto, forwarded, x_forwarded_for};

use super::seen::Seen;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// How `Via` names us (RFC 9110 §7.6.3).
const VIA: HeaderValue = HeaderValue::from_static("1.1 evenkeel");

/// How many fields are added to most requests: `X-Forwarded-For`, `-Host` and `-Proto`, the id, and the
/// `Host` of a request that came by HTTP/2.
const FIELDS_ADDED: usize = 5;

/// The sender of a request, for the fields about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender<'a> {
    /// The connection's peer.
    pub(super) peer: Peer,
    /// The scheme of its connection.
    pub(super) proto: Proto,
    /// Whether its fields about its own clients are trusted.
    pub(super) is_trusted: bool,
    /// `X-Forwarded-For` of a peer that is not trusted; the same for each request of a connection.
    /// `None`: the peer has no address.
    pub(super) forwarded_for: Option<&'a HeaderValue>,
}

/// Whether a body follows the head, and whether its length is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyKind {
    /// No bytes.
    None,
    /// As many bytes as in `Content-Length`. It stays also if an HTTP/2 client sends trailers, for
    /// which HTTP/1.1 then has no place (RFC 9112 §7.1.2): they may be left out (RFC 9110 §6.5.1),
    /// and not every server accepts a body of unknown length.
    Sized,
    /// Until they end.
    Chunked,
}

/// Removes fields in which an untrusted peer describes itself and proxies before it. Before a route
/// is looked up: a route for `x-forwarded-proto = "https"` must not be open to every client that
/// sends the field.
pub(super) fn remove_claims(headers: &mut HeaderMap, seen: Seen, rules: &FieldRules) {
    if seen.has(Seen::TRUSTED_ONLY) {
        rules.trusted_only().remove_from(headers);
    }
    if rules.passes_untrusted() {
        return;
    }
    if seen.has(Seen::FORWARDED) {
        headers.remove(header::FORWARDED);
    }
    if seen.has(Seen::X_FORWARDED) {
        for name in [X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO] {
            headers.remove(name);
        }
    }
}

/// Makes the head of a request the one for the server. Claims of an untrusted peer were removed
/// before ([`remove_claims`]).
pub(super) fn towards_server(
    head: &mut request::Parts,
    seen: Seen,
    body: BodyKind,
    sender: Sender<'_>,
    forwarding: &Forwarding,
) {
    // In one step; otherwise the map would grow for the first of them and again for the last.
    head.headers.reserve(FIELDS_ADDED);
    let takes_trailers = seen.has(Seen::TE) && te_has_trailers(&head.headers);
    strip_hop_fields(&mut head.headers, seen);
    if takes_trailers {
        // RFC 9110 §10.1.4: a sender of TE names it in Connection.
        head.headers
            .insert(header::TE, HeaderValue::from_static("trailers"));
        head.headers
            .insert(header::CONNECTION, HeaderValue::from_static("te"));
    }
    // RFC 9110 §10.1.1: it has no meaning without a body, nor in HTTP/1.0.
    let expects = body != BodyKind::None && head.version > Version::HTTP_10;
    if seen.has(Seen::EXPECT) && !expects {
        head.headers.remove(header::EXPECT);
    }
    // First, because the fields about the host are taken from it.
    into_origin_form(head);
    say_who_sent_it(head, sender, forwarding);
    if head.version == Version::HTTP_2 {
        join_cookies(&mut head.headers);
        if body == BodyKind::None && may_have_body(&head.method) {
            say_no_body(&mut head.headers);
        }
    }
    head.version = Version::HTTP_11;
}

/// Whether servers expect a body with `method`: without one, a request needs `Content-Length: 0`.
fn may_have_body(method: &Method) -> bool {
    !matches!(
        *method,
        Method::GET
            | Method::HEAD
            | Method::DELETE
            | Method::OPTIONS
            | Method::TRACE
            | Method::CONNECT
    )
}

/// In HTTP/2 the head itself shows that no body follows; some HTTP/1 servers answer 411 without a
/// length (RFC 9110 §8.6).
fn say_no_body(headers: &mut HeaderMap) {
    headers
        .entry(header::CONTENT_LENGTH)
        .or_insert(HeaderValue::from_static("0"));
}

/// An HTTP/2 client may send its cookies one by one, to compress them better; HTTP/1 has one field
/// for them (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(header::COOKIE).iter();
    if crumbs.nth(1).is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = headers
        .get_all(header::COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    let joined = crumbs.join(&b"; "[..]);
    if let Ok(joined) = HeaderValue::from_maybe_shared(Bytes::from(joined)) {
        headers.insert(header::COOKIE, joined);
    }
}

/// Makes the head of a response the one for the client.
pub(super) fn towards_client<B>(response: &mut Response<B>, forwarding: &Forwarding) {
    *response.version_mut() = Version::HTTP_11;
    let is_bodyless = response.status() == StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let seen = Seen::of(headers);
    if seen.has(Seen::TRANSFER_ENCODING) || is_bodyless {
        // The coding defines the end; a length beside it is false (RFC 9112 §6.3). And a 204 has
        // none (RFC 9110 §8.6).
        headers.remove(header::CONTENT_LENGTH);
    }
    remove_named_in_connection(headers, seen);
    strip_hop_fields(headers, seen);
    if forwarding.via {
        headers.append(header::VIA, VIA);
    }
}

/// Makes an interim answer (1xx) the one for the client.
pub(super) fn interim_towards_client(interim: &mut Response<()>, forwarding: &Forwarding) {
    towards_client(interim, forwarding);
    // RFC 9110 §8.6: there is no body that it could describe.
    interim.headers_mut().remove(header::CONTENT_LENGTH);
}

fn strip_hop_fields(headers: &mut HeaderMap, seen: Seen) {
    if !seen.has(Seen::OF_HOP) {
        return;
    }
    for (field, name) in [
        (Seen::CONNECTION, header::CONNECTION),
        (Seen::KEEP_ALIVE, KEEP_ALIVE),
        (Seen::PROXY_CONNECTION, PROXY_CONNECTION),
        (Seen::TE, header::TE),
        (Seen::TRANSFER_ENCODING, header::TRANSFER_ENCODING),
        (Seen::UPGRADE, header::UPGRADE),
        (Seen::HTTP2_SETTINGS, HTTP2_SETTINGS),
    ] {
        if seen.has(field) {
            headers.remove(name);
        }
    }
}

/// Removes the fields that `Connection` names; `Connection` itself stays. For a request, this is
/// done before a route is looked up, because routes see the request for the server, and before
/// rules add fields, which no client may remove. HAProxy and nginx choose by such a field as well,
/// but they pass it on.
pub(super) fn remove_named_in_connection(headers: &mut HeaderMap, seen: Seen) {
    if !seen.has(Seen::CONNECTION) {
        return;
    }
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        // The usual words name no field that is not removed anyway.
        .filter(|token| !is_usual(token))
        .filter_map(|token| HeaderName::from_bytes(token).ok())
        .filter(|name| !is_protected(name))
        .collect();
    for name in named {
        headers.remove(name);
    }
}

fn is_usual(token: &[u8]) -> bool {
    let usual = [b"keep-alive".as_slice(), b"close", b"te", b"upgrade"];
    // `admit` must see it, and it is always removed.
    let codings = [b"transfer-encoding".as_slice()];
    usual
        .iter()
        .chain(&codings)
        .any(|usual| token.eq_ignore_ascii_case(usual))
}

/// Fields that `Connection` cannot remove: without them the request would be another one.
fn is_protected(name: &HeaderName) -> bool {
    *name == header::HOST
        || *name == header::AUTHORIZATION
        || *name == header::COOKIE
        || name.as_str().starts_with("content-")
}

fn te_has_trailers(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::TE)
        .iter()
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
        .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

fn say_who_sent_it(head: &mut request::Parts, sender: Sender<'_>, forwarding: &Forwarding) {
    // The host that the client asked for, also if a rule changed it.
    let original = head.extensions.remove::<OriginalHost>();
    let headers = &mut head.headers;
    let host = match original {
        Some(OriginalHost(host)) => host,
        None => headers.get(header::HOST).cloned(),
    };
    if forwarding.forwarded {
        let element = Element {
            client: sender.peer.ip(),
            host: host.as_ref(),
            proto: sender.proto,
        };
        let value = forwarded(headers.get_all(header::FORWARDED), &element);
        headers.insert(header::FORWARDED, value);
    }
    if forwarding.x_forwarded {
        say_by_x_forwarded(headers, sender, host);
    }
    if forwarding.via {
        headers.append(header::VIA, VIA);
    }
}

fn say_by_x_forwarded(headers: &mut HeaderMap, sender: Sender<'_>, host: Option<HeaderValue>) {
    let proto = HeaderValue::from_static(match sender.proto {
        Proto::Http => "http",
        Proto::Https => "https",
    });
    if sender.is_trusted {
        let list = x_forwarded_for(headers.get_all(X_FORWARDED_FOR), sender.peer.ip());
        if let Some(list) = list {
            headers.insert(X_FORWARDED_FOR, list);
        }
        if !headers.contains_key(X_FORWARDED_PROTO) {
            headers.insert(X_FORWARDED_PROTO, proto);
        }
        if !headers.contains_key(X_FORWARDED_HOST)
            && let Some(host) = host
        {
            headers.insert(X_FORWARDED_HOST, host);
        }
        return;
    }
    match sender.forwarded_for {
        Some(client) => headers.insert(X_FORWARDED_FOR, client.clone()),
        None => headers.remove(X_FORWARDED_FOR),
    };
    headers.insert(X_FORWARDED_PROTO, proto);
    match host {
        Some(host) => headers.insert(X_FORWARDED_HOST, host),
        None => headers.remove(X_FORWARDED_HOST),
    };
}

/// The target for a server: path and query, as they were received.
fn into_origin_form(head: &mut request::Parts) {
    let Some(authority) = head.uri.authority() else {
        return;
    };
    if !head.headers.contains_key(header::HOST)
        && let Ok(host) =
            HeaderValue::from_maybe_shared(Bytes::copy_from_slice(authority.as_str().as_bytes()))
    {
        head.headers.insert(header::HOST, host);
    }
    let target = match head.uri.path_and_query() {
        Some(target) if target.as_str().starts_with('?') => with_path(target),
        Some(target) => target.clone(),
        None => PathAndQuery::from_static("/"),
    };
    head.uri = target.into();
}

/// Writes the id of the exchange into the field for servers.
pub(super) fn name_request(headers: &mut HeaderMap, ids: &RequestIds, id: &RequestId) {
    let RequestIds::Field(name) = ids else {
        return;
    };
    if let Ok(value) = HeaderValue::from_bytes(id.as_bytes()) {
        headers.insert(name.clone(), value);
    }
}

/// Adds `Connection: close` to `response`, for a request of `version`, if the HTTP/1 connection
/// ends with it: it `is_last`, because the connection is drained or the answer came before the end
/// of the request (the client's next bytes, the rest or another request, cannot be distinguished); or
/// the end of its body is the end of the connection.
pub(super) fn say_close<B: Body>(response: &mut Response<B>, version: Version, is_last: bool) {
    // HTTP/1.0 has no chunks.
    let ends_with_body =
        || version <= Version::HTTP_10 && response.body().size_hint().exact().is_none();
    if version < Version::HTTP_2 && (is_last || ends_with_body()) {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

/// A query with its path (RFC 9110 §4.2.3).
fn with_path(query: &PathAndQuery) -> PathAndQuery {
    let target = Bytes::from(format!("/{}", query.as_str()));
    // It is a byte longer than the admitted target, which also has an authority.
    PathAndQuery::from_maybe_shared(target).unwrap_or_else(|_| query.clone())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use http::Request;

    use super::*;

    const FOR: HeaderValue = HeaderValue::from_static("192.0.2.1");

    fn sent(build: http::request::Builder, is_trusted: bool) -> request::Parts {
        let (mut head, ()) = build.body(()).expect("a request").into_parts();
        let sender = Sender {
            peer: SocketAddr::from(([192, 0, 2, 1], 4711)).into(),
            proto: Proto::Http,
            is_trusted,
            forwarded_for: Some(&FOR),
        };
        let seen = Seen::of(&head.headers);
        let forwarding = Forwarding::default();
        if !is_trusted {
            remove_claims(&mut head.headers, seen, &FieldRules::default());
        }
        remove_named_in_connection(&mut head.headers, seen);
        towards_server(&mut head, seen, BodyKind::None, sender, &forwarding);
        head
    }

    fn text(head: &request::Parts, name: &str) -> Option<String> {
        let values: Vec<&str> = head
            .headers
            .get_all(name)
            .iter()
            .map(|value| value.to_str().expect("text"))
            .collect();
        (!values.is_empty()).then(|| values.join(" | "))
    }

    #[test]
    fn fields_named_by_connection_are_not_passed_on() {
        let head = sent(
            Request::get("/")
                .header("host", "a")
                .header("connection", "close, X-Secret")
                .header("connection", "keep-alive")
                .header("x-secret", "1")
                .header("keep-alive", "5")
                .header("proxy-connection", "close"),
            false,
        );
        for gone in ["connection", "x-secret", "keep-alive", "proxy-connection"] {
            assert_eq!(text(&head, gone), None, "{gone}");
        }
    }

    #[test]
    fn connection_cannot_remove_fields_that_make_the_request() {
        let head = sent(
            Request::get("/")
                .header("host", "a")
                .header(
                    "connection",
                    "host, authorization, cookie, content-length, x-forwarded-for",
                )
                .header("authorization", "b")
                .header("cookie", "c")
                .header("content-length", "0"),
            false,
        );
        for kept in ["host", "authorization", "cookie", "content-length"] {
            assert!(text(&head, kept).is_some(), "{kept}");
        }
        assert_eq!(text(&head, "x-forwarded-for").as_deref(), Some("192.0.2.1"));
    }

    #[test]
    fn fields_of_an_untrusted_client_about_others_are_not_kept() {
        let head = sent(
            Request::get("/")
                .header("host", "a")
                .header("x-forwarded-for", "203.0.113.9")
                .header("x-forwarded-proto", "https")
                .header("x-forwarded-host", "evil")
                .header("forwarded", "for=203.0.113.9"),
            false,
        );
        assert_eq!(text(&head, "x-forwarded-for").as_deref(), Some("192.0.2.1"));
        assert_eq!(text(&head, "x-forwarded-proto").as_deref(), Some("http"));
        assert_eq!(text(&head, "x-forwarded-host").as_deref(), Some("a"));
        assert_eq!(text(&head, "forwarded"), None);
    }

    #[test]
    fn a_trusted_proxy_is_added_to() {
        let head = sent(
            Request::get("/")
                .header("host", "a")
                .header("x-forwarded-for", "203.0.113.9")
                .header("x-forwarded-proto", "https"),
            true,
        );
        assert_eq!(
            text(&head, "x-forwarded-for").as_deref(),
            Some("203.0.113.9, 192.0.2.1")
        );
        assert_eq!(text(&head, "x-forwarded-proto").as_deref(), Some("https"));
    }

    #[test]
    fn trailers_are_asked_for_when_the_client_does() {
        let head = sent(
            Request::get("/")
                .header("host", "a")
                .header("te", "gzip, trailers"),
            false,
        );
        assert_eq!(text(&head, "te").as_deref(), Some("trailers"));
        assert_eq!(text(&head, "connection").as_deref(), Some("te"));
        let head = sent(
            Request::get("/").header("host", "a").header("te", "gzip"),
            false,
        );
        assert_eq!(text(&head, "te"), None);
    }

    #[test]
    fn an_absolute_target_becomes_one_in_origin_form() {
        let head = sent(
            Request::get("http://a:80/b%2F?c=%20").header("host", "a"),
            false,
        );
        assert_eq!(head.uri, "/b%2F?c=%20");
        let head = sent(Request::get("http://a").version(Version::HTTP_10), false);
        assert_eq!(head.uri, "/");
        assert_eq!(text(&head, "host").as_deref(), Some("a"));
        let head = sent(Request::get("http://a?b=c").header("host", "a"), false);
        let target = head.uri.path_and_query().map(PathAndQuery::as_str);
        assert_eq!(target, Some("/?b=c"));
    }

    #[test]
    fn a_post_of_http_2_without_a_body_has_a_length_of_zero() {
        let length = |method: &str, version: Version| {
            let request = Request::builder().method(method).uri("/").version(version);
            text(&sent(request.header("host", "a"), false), "content-length")
        };
        for method in ["POST", "PUT", "PATCH", "PROPFIND"] {
            assert_eq!(
                length(method, Version::HTTP_2).as_deref(),
                Some("0"),
                "{method}"
            );
            assert_eq!(length(method, Version::HTTP_11), None, "{method}");
        }
        for method in ["GET", "HEAD", "DELETE", "OPTIONS"] {
            assert_eq!(length(method, Version::HTTP_2), None, "{method}");
        }
    }

    #[test]
    fn cookies_of_http_2_become_one_field() {
        let request = Request::get("https://a/b")
            .version(Version::HTTP_2)
            .header("cookie", "a=1")
            .header("cookie", "b=2; c=3");
        let head = sent(request, false);
        assert_eq!(head.headers.get_all("cookie").iter().count(), 1);
        assert_eq!(text(&head, "cookie").as_deref(), Some("a=1; b=2; c=3"));
        assert_eq!(text(&head, "host").as_deref(), Some("a"));
        assert_eq!(head.uri, "/b");
    }

    #[test]
    fn a_length_beside_a_coding_is_not_passed_on() {
        let mut response = Response::builder()
            .header("transfer-encoding", "chunked")
            .header("content-length", "5")
            .body(())
            .expect("a response");
        towards_client(&mut response, &Forwarding::default());
        assert!(response.headers().is_empty(), "{:?}", response.headers());
    }
}
