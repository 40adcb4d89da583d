//! The facts of an exchange when its head has been read: the client, the time, the id, and the
//! parts of the request for the log.
//!
//! `handle` opens an exchange with it. Two things are decided here: which client a trusted proxy
//! speaks for, and whether the id that a request brings is kept.

use std::net::SocketAddr;
use std::rc::Rc;

use http::{HeaderMap, Request, Uri, header};

use crate::base::Peer;
use crate::base::clock::{self, Instant};
use crate::exchange::{LoggedRequest, Opening, RequestId, RequestTexts};
use crate::plan::{self, ClientField, RequestIds};
use crate::proxy::snapshot::View;
use crate::wire::forwarded::{Field, client_of};

use super::client::Client;

/// The opening facts of `request`, which `client` sent to the frontend at `index` and whose head
/// began at `began` if that is known; and whether the peer is a trusted proxy, which holds for all
/// that the request says of its client.
pub(super) fn opening<B>(
    client: &Client,
    view: &View,
    index: Option<u32>,
    request: &Request<B>,
    began: Option<Instant>,
) -> (Opening, bool) {
    let head_read = clock::now();
    let began = began.unwrap_or(head_read);
    let plan = index.and_then(|index| view.snapshot.plan.frontends.get(index as usize));
    let taken = match plan.map(|plan| &plan.request_id) {
        Some(RequestIds::Field(name)) => request
            .headers()
            .get(name)
            .and_then(|value| RequestId::taken(value.as_bytes())),
        _ => None,
    };
    let trusting = plan.filter(|plan| plan.trusted_proxies.have(client.peer));
    let opening = Opening {
        began,
        head_read,
        wall: client.context.anchor.get().wall_at(head_read),
        client: address_of(client.peer, trusting, request.headers()),
        local: client.local,
        tls: client.tls.clone(),
        frontend: index.map(|index| Rc::clone(&view.frontends[index as usize].name)),
        generation: view.snapshot.generation,
        version: request.version(),
        request: client
            .context
            .observer
            .is_logging()
            .then(|| logged(request)),
        wants_load: client.context.observer.wants_load(),
        first_bytes: None,
        id: taken.unwrap_or_else(|| RequestId::made(client.context.rng.next_u64())),
    };
    (opening, trusting.is_some())
}

/// The parts of a request for the log.
fn logged<B>(request: &Request<B>) -> LoggedRequest {
    let mut texts = RequestTexts {
        method: Some(request.method().as_str().as_bytes()),
        target: Some(target(request.uri()).as_bytes()),
        version: Some(request.version()),
        ..RequestTexts::default()
    };
    // Not `get`, which hashes each name: one walk over the head costs less.
    for (name, value) in request.headers() {
        let text = if name == header::HOST {
            &mut texts.host
        } else if name == header::USER_AGENT {
            &mut texts.user_agent
        } else if name == header::REFERER {
            &mut texts.referer
        } else {
            continue;
        };
        text.get_or_insert(value.as_bytes());
    }
    if let Some(authority) = request.uri().authority() {
        // Without user information, which may be a password.
        let text = authority.as_str();
        let host = text.rfind('@').map_or(text, |at| &text[at + 1..]);
        texts.host = Some(host.as_bytes());
    }
    LoggedRequest::of(&texts)
}

/// The target without scheme and host, which are part of it only in HTTP/1 (RFC 9112 §3.2).
fn target(uri: &Uri) -> &str {
    let authority = || uri.authority().map_or("", |authority| authority.as_str());
    uri.path_and_query()
        .map_or_else(authority, |target| target.as_str())
}

/// The client of a request of `peer`, which is a trusted proxy of the frontend `trusting`; `None`: the peer
/// itself is the client, whatever its forwarding fields say.
fn address_of(peer: Peer, trusting: Option<&plan::Frontend>, headers: &HeaderMap) -> Peer {
    let Some(plan) = trusting else {
        return peer;
    };
    let (field, lines) = match plan.client_field {
        ClientField::XForwardedFor => (Field::XForwardedFor, headers.get_all("x-forwarded-for")),
        ClientField::Forwarded => (Field::Forwarded, headers.get_all(header::FORWARDED)),
    };
    let is_trusted = |ip| plan.trusted_proxies.have(SocketAddr::new(ip, 0).into());
    match (client_of(field, lines, is_trusted), peer) {
        (None, peer) => peer,
        (Some(ip), Peer::Ip(peer)) => SocketAddr::new(ip, peer.port()).into(),
        (Some(ip), Peer::Unix) => SocketAddr::new(ip, 0).into(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Version;

    use super::*;
    use crate::exchange::LoggedField;

    fn texts(request: http::request::Builder) -> [Option<String>; 4] {
        let request = logged(&request.body(()).expect("a request"));
        use LoggedField::{Host, Referer, Target, UserAgent};
        [Target, Host, UserAgent, Referer].map(|field| {
            let text = request.text(field)?;
            Some(String::from_utf8_lossy(text.bytes).into_owned())
        })
    }

    fn all(texts: [&str; 4]) -> [Option<String>; 4] {
        texts.map(|text| (!text.is_empty()).then(|| text.to_owned()))
    }

    #[test]
    fn every_version_of_http_has_the_same_target_and_host_in_the_log() {
        let fields = |request: http::request::Builder| {
            request.header("user-agent", "a").header("referer", "b")
        };
        let h1 = fields(Request::get("/a?b").header("host", "example.com:8080"));
        let absolute =
            Request::get("http://example.com:8080/a?b").header("host", "example.com:8080");
        let h2 = Request::get("https://example.com:8080/a?b").version(Version::HTTP_2);
        let expected = all(["/a?b", "example.com:8080", "a", "b"]);
        for request in [h1, fields(absolute), fields(h2)] {
            assert_eq!(texts(request), expected);
        }
    }

    #[test]
    fn a_request_without_a_path_has_a_target() {
        let star = Request::options("*").header("host", "a");
        assert_eq!(texts(star), all(["*", "a", "", ""]));
        let connect = Request::connect("a:443");
        assert_eq!(texts(connect), all(["a:443", "a:443", "", ""]));
    }

    #[test]
    fn no_password_is_logged() {
        let request = Request::get("http://user:secret@a/b");
        assert_eq!(texts(request), all(["/b", "a", "", ""]));
    }

    #[test]
    fn the_first_of_two_equal_fields_is_logged() {
        let request = Request::get("/").header("host", "a").header("host", "b");
        assert_eq!(texts(request), all(["/", "a", "", ""]));
    }

    #[test]
    fn a_logged_request_does_not_keep_its_read_buffer() {
        let buffer = Bytes::from(b"/chat".to_vec());
        let uri = Uri::from_maybe_shared(buffer.clone()).expect("a target");
        let mut request = Request::new(());
        *request.uri_mut() = uri;
        let kept = logged(&request);
        drop(request);
        assert!(kept.text(LoggedField::Target).is_some() && buffer.is_unique());
    }
}
