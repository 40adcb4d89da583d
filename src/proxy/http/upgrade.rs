//! Upgrades to another protocol: which requests are passed on and how, and the connection after the
//! server has accepted.
//!
//! An HTTP/1 client asks by `Upgrade` (RFC 9110 §7.8), an HTTP/2 client by a CONNECT with
//! `:protocol` (RFC 8441), and a server is asked by its own version. Only a 101, or a 2xx in
//! HTTP/2, opens a tunnel: until then the client's bytes are HTTP, and any other answer is an
//! ordinary one.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use h2::RecvStream;
use h2::ext::Protocol;
use http::header::{self, HeaderMap};
use http::{HeaderValue, Method, Request, StatusCode, Version, request, response};

use crate::base::clock::Duration;
use crate::base::rng::Rng;
use crate::exchange::Reason;
use crate::proxy::forward::Upgraded;
use crate::proxy::io::{End, Exchange, Proof, Relay, Spoken, UpgradeRequest};
use crate::proxy::tunnel::{Terms, Tunnel};
use crate::wire::websocket::Key;

use super::client::Client;
use super::seen::Seen;

/// The protocol whose frames and keys we know.
const WEBSOCKET: &str = "websocket";

/// A tunnel that the server has accepted; the client's end is still missing.
pub(super) struct OpenTunnel {
    pub(super) upgraded: Upgraded,
    /// The client's side of an HTTP/2 stream; an HTTP/1 connection is both sides.
    pub(super) from_client: Option<RecvStream>,
    /// How long it may last after the begin of a drain.
    pub(super) drain: Duration,
}

/// Whether `request` is a CONNECT that asks for a tunnel in another protocol (RFC 8441 §4).
pub(super) fn is_extended_connect<B>(request: &Request<B>) -> bool {
    request.method() == Method::CONNECT && request.extensions().get::<Protocol>().is_some()
}

/// The protocol that `request` asks for, if `allowed` has it.
///
/// # Errors
///
/// The request has no meaning without that protocol.
pub(super) fn upgrade_of<B>(
    request: &Request<B>,
    seen: Seen,
    allowed: &[String],
    rng: &Rng,
) -> Result<Option<UpgradeRequest>, Reason> {
    if request.method() == Method::CONNECT {
        let Some(protocol) = request.extensions().get::<Protocol>() else {
            return Ok(None);
        };
        let protocol = allowed_of(allowed, protocol.as_ref());
        let protocol = protocol.ok_or(Reason::RequestProtocolRefused)?;
        let proof = match protocol == WEBSOCKET {
            true => Proof::Ours(Key::made([rng.next_u64(), rng.next_u64()])),
            false => Proof::NotNeeded,
        };
        return Ok(Some(UpgradeRequest { protocol, proof }));
    }
    if !may_upgrade(request, seen) || !lists(request.headers(), header::CONNECTION, b"upgrade") {
        return Ok(None);
    }
    let mut tokens = tokens(request.headers(), header::UPGRADE);
    // RFC 6455 §4.1: a WebSocket is opened by GET. Another method gets an ordinary answer.
    let is_get = request.method() == Method::GET;
    let protocol = tokens.find_map(|token| {
        allowed_of(allowed, token).filter(|protocol| is_get || protocol != WEBSOCKET)
    });
    Ok(protocol.map(|protocol| UpgradeRequest {
        proof: match protocol == WEBSOCKET {
            true => proof_of(request.headers()),
            false => Proof::NotNeeded,
        },
        protocol,
    }))
}

/// Whether `Upgrade` has a meaning: not in HTTP/1.0 (RFC 9110 §7.8).
fn may_upgrade<B>(request: &Request<B>, seen: Seen) -> bool {
    seen.has(Seen::UPGRADE) && request.version() == Version::HTTP_11
}

/// Refuses an offer that would be passed on, beside a body: readers differ about whether the
/// following bytes are the body or the new protocol. Every other offer is removed.
///
/// # Errors
///
/// `request.upgrade.body`.
pub(super) fn refuse_body<B>(
    request: &Request<B>,
    seen: Seen,
    allowed: &[String],
) -> Result<(), Reason> {
    let is_allowed = |token: &[u8]| allowed_of(allowed, token).is_some();
    if may_upgrade(request, seen) && tokens(request.headers(), header::UPGRADE).any(is_allowed) {
        return Err(Reason::RequestUpgradeBody);
    }
    Ok(())
}

/// The proof that an HTTP/1 client needs. A client without a key, or with two, gets its error from
/// an HTTP/1 server.
fn proof_of(headers: &HeaderMap) -> Proof {
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    let key = keys.next().filter(|_| keys.next().is_none());
    let key = key.and_then(|key| Key::of(key.as_bytes().trim_ascii()));
    key.map_or(Proof::Malformed, Proof::Clients)
}

/// The one of `allowed` that is `token`.
fn allowed_of(allowed: &[String], token: &[u8]) -> Option<HeaderValue> {
    let same = |name: &&String| name.as_bytes().eq_ignore_ascii_case(token);
    HeaderValue::from_str(allowed.iter().find(same)?).ok()
}

fn lists(headers: &HeaderMap, name: header::HeaderName, wanted: &[u8]) -> bool {
    tokens(headers, name).any(|token| token.eq_ignore_ascii_case(wanted))
}

fn tokens(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &[u8]> {
    headers
        .get_all(name)
        .into_iter()
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
}

/// Turns a CONNECT that asks for a tunnel into the GET with `Upgrade` that means the same in
/// HTTP/1.
pub(super) fn into_get<B>(request: &mut Request<B>) {
    *request.method_mut() = Method::GET;
    let protocol = request.extensions().get::<Protocol>();
    let protocol = protocol.and_then(|one| HeaderValue::from_str(one.as_str()).ok());
    if let Some(protocol) = protocol {
        request.headers_mut().insert(header::UPGRADE, protocol);
    }
}

/// Adds the upgrade to a head that is otherwise complete. For an HTTP/2 server, `forward` makes a
/// CONNECT of it in the end.
pub(super) fn towards_server(head: &mut request::Parts, upgrade: &UpgradeRequest) {
    let headers = &mut head.headers;
    headers.remove(header::TE);
    // A tunnel follows. A server would take its first bytes for a body, or for more than was
    // announced.
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, upgrade.protocol.clone());
    let Proof::Ours(key) = &upgrade.proof else {
        return;
    };
    if let Ok(key) = HeaderValue::from_bytes(key.as_bytes()) {
        headers.insert(header::SEC_WEBSOCKET_KEY, key);
    }
    headers
        .entry(header::SEC_WEBSOCKET_VERSION)
        .or_insert(HeaderValue::from_static("13"));
}

/// Makes the answer that accepts the upgrade, in the client's version of HTTP.
pub(super) fn towards_client(
    head: &mut response::Parts,
    upgrade: &UpgradeRequest,
    open_tunnel: &OpenTunnel,
) {
    let headers = &mut head.headers;
    // The following bytes have no length (RFC 9110 §9.3.6, §15.2).
    headers.remove(header::CONTENT_LENGTH);
    if open_tunnel.from_client.is_some() {
        head.status = StatusCode::OK;
        // It answers a key that is not the client's (RFC 8441 §5).
        headers.remove(header::SEC_WEBSOCKET_ACCEPT);
        return;
    }
    head.status = StatusCode::SWITCHING_PROTOCOLS;
    if !open_tunnel.upgraded.server.has_seen_key
        && let Proof::Clients(key) = &upgrade.proof
        && let Ok(answer) = HeaderValue::from_maybe_shared(Bytes::from(key.answer()))
    {
        // The server has not seen the key; it accepted WebSocket by `:protocol`.
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, answer);
    }
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, upgrade.protocol.clone());
}

impl OpenTunnel {
    /// The tunnel of `exchange`. `client` is the client's end, with bytes that were read from it
    /// already.
    pub(super) fn tunnel(
        self,
        client: (End, Bytes),
        exchange: &Rc<Exchange>,
        session: &Client,
    ) -> Tunnel {
        let Upgraded { server, lease } = self.upgraded;
        let is_websocket = |upgrade: &UpgradeRequest| upgrade.protocol == WEBSOCKET;
        let spoken = match exchange.upgrade().is_some_and(is_websocket) {
            true => Spoken::WebSocket,
            false => Spoken::Anything,
        };
        Tunnel {
            relay: Relay::new(client, (server.end, server.read_already), spoken),
            lease,
            exchange: Rc::clone(exchange),
            frontend: Arc::clone(&session.live),
            terms: Terms {
                idle: exchange.timeout(session.timeouts().tunnel, |set| set.tunnel.map(Some)),
                drain: self.drain,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requested(fields: &[(&str, &str)], allowed: &[&str]) -> Option<String> {
        upgrade_in(Request::get("/"), fields, allowed)
    }

    fn upgrade_in(
        mut request: http::request::Builder,
        fields: &[(&str, &str)],
        allowed: &[&str],
    ) -> Option<String> {
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("a request");
        let allowed: Vec<String> = allowed.iter().map(|&token| token.to_owned()).collect();
        let seen = Seen::of(request.headers());
        let upgrade = upgrade_of(&request, seen, &allowed, &Rng::seeded(1)).expect("no CONNECT");
        upgrade.map(|upgrade| upgrade.protocol.to_str().expect("text").to_owned())
    }

    #[test]
    fn an_upgrade_counts_only_if_connection_names_it() {
        let upgrade = ("upgrade", "WebSocket");
        let both = [upgrade, ("connection", "keep-alive, Upgrade")];
        assert_eq!(
            requested(&both, &["websocket"]).as_deref(),
            Some("websocket")
        );
        assert_eq!(requested(&[upgrade], &["websocket"]), None);
        let other = [upgrade, ("connection", "keep-alive")];
        assert_eq!(requested(&other, &["websocket"]), None);
    }

    #[test]
    fn the_first_allowed_protocol_of_several_is_requested() {
        let fields = [
            ("upgrade", "h2c, x/2, websocket"),
            ("connection", "upgrade"),
        ];
        assert_eq!(
            requested(&fields, &["websocket", "x/2"]).as_deref(),
            Some("x/2")
        );
        assert_eq!(requested(&fields, &["x"]), None);
        assert_eq!(requested(&fields, &[]), None);
    }

    #[test]
    fn only_a_get_opens_a_websocket_and_only_in_http_1_1() {
        let fields = [("upgrade", "websocket, x"), ("connection", "upgrade")];
        for method in ["POST", "HEAD", "OPTIONS", "DELETE"] {
            let request = || Request::builder().method(method).uri("/");
            assert_eq!(
                upgrade_in(request(), &fields, &["websocket"]),
                None,
                "{method}"
            );
            let other = upgrade_in(request(), &fields, &["websocket", "x"]);
            assert_eq!(other.as_deref(), Some("x"), "{method}");
        }
        let old = Request::get("/").version(Version::HTTP_10);
        assert_eq!(upgrade_in(old, &fields, &["websocket", "x"]), None);
    }

    #[test]
    fn an_upgrade_request_has_no_body() {
        let refused = |upgrade: &str, version: Version| {
            let request = Request::post("/")
                .version(version)
                .header("upgrade", upgrade);
            let request = request.body(()).expect("a request");
            let seen = Seen::of(request.headers());
            refuse_body(&request, seen, &["websocket".to_owned()]).is_err()
        };
        assert!(refused("websocket", Version::HTTP_11));
        assert!(refused("h2c, WebSocket", Version::HTTP_11));
        for other in ["h2c", "TLS/1.2", "websockets", ""] {
            assert!(!refused(other, Version::HTTP_11), "{other}");
        }
        assert!(!refused("websocket", Version::HTTP_10));
    }
}
