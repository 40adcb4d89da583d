//! The life of a request, as a table of contents: the rooms in their order. Nothing is decided here.
//!
//! What needs no waiting happens before there is a future, so that the future is small: it is moved
//! once for each request.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use h2::RecvStream;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, Version, header};
use http_body::Body;

use crate::base::Peer;
use crate::base::clock::{self, Duration, Instant};
use crate::exchange::{Fault, LoggedRequest, Opening, Reason, RequestId, RequestTexts};
use crate::expr::ConnectionFacts;
use crate::observe::{Places, event};
use crate::plan::{self, ClientField, RequestIds};
use crate::proxy::backend::Local;
use crate::proxy::forward::{Sending, ServerBody, forward};
use crate::proxy::io::{ContinueGate, Exchange, ReceivedBody, RequestBody};
use crate::proxy::reply::{grpc_reply, reply};
use crate::proxy::route;
use crate::proxy::snapshot::{Frontend, Remembered, View};
use crate::wire::forwarded::{Field, Proto, client_of};
use crate::wire::grpc;

use super::admit::{admit, settle_length};
use super::body::{Own, ResponseBody};
use super::client::{Client, Open};
use super::hop::{self, BodyKind, Sender};
use super::identity;
use super::seen::Seen;
use super::upgrade::{self, OpenTunnel, is_extended_connect, upgrade_of};

/// A request whose head has been read, and what it runs under.
pub(super) struct ActiveRequest {
    client: Rc<Client>,
    exchange: Rc<Exchange>,
    view: Rc<View>,
    /// The place of the frontend in the plan; `None` when it has just been removed.
    place: Option<u32>,
    dialect: Dialect,
    /// Which of the fields that concern a hop its head has.
    seen: Seen,
}

/// What the client makes of an answer of ours.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Http,
    Grpc,
}

/// A request that may be sent to a server of a backend.
struct Outbound {
    sending: Sending,
    backend: Rc<Local>,
    /// What comes from the client instead of a body, when the request asks for a tunnel by HTTP/2.
    from_client: Option<RecvStream>,
}

impl ActiveRequest {
    /// Opens the exchange of a request that `client` sent, and whose head began at `began` if that
    /// is known.
    pub(super) fn open<B>(
        client: &Rc<Client>,
        request: &Request<B>,
        began: Option<Instant>,
    ) -> Self {
        let (view, place) = client.view();
        let rules = place.and_then(|place| view.field_rules.get(place as usize));
        let seen = match rules {
            Some(rules) => Seen::of_request(request.headers(), rules),
            None => Seen::of(request.headers()),
        };
        let opening = opening(client, &view, place, request, began);
        Self {
            client: Rc::clone(client),
            exchange: Rc::new(Exchange::begin(opening)),
            view,
            place,
            dialect: Dialect::of(request),
            seen,
        }
    }

    /// The exchange, for the connection to settle.
    pub(super) fn opened(&self) -> Open {
        Open {
            exchange: Rc::clone(&self.exchange),
            places: Rc::clone(&self.view) as Rc<dyn Places>,
        }
    }

    /// Whether the client waits to be told that its body is wanted (RFC 9110 §10.1.1).
    pub(super) fn asks_first(&self) -> bool {
        self.seen.has(Seen::EXPECT)
    }

    /// Answers the request. Whatever happens, there is an answer. `keep` is given the tunnel that the
    /// connection goes on as when the answer has been sent.
    pub(super) fn answer<K: FnOnce(OpenTunnel)>(
        self,
        request: Request<ReceivedBody>,
        keep: K,
    ) -> impl Future<Output = Result<Response<ResponseBody>, Infallible>> + use<K> {
        let outbound = self.caught(|| self.pass(request));
        async move {
            let outcome = match outbound {
                Ok(mut outbound) => {
                    let outcome = self.forwarded(&mut outbound).await;
                    outcome.and_then(|response| self.returned(response, outbound.from_client, keep))
                }
                Err(fault) => Err(fault),
            };
            Ok(self.answered(outcome))
        }
    }

    fn plan(&self) -> Option<&plan::Frontend> {
        plan_at(&self.view, self.place)
    }

    /// From a head that was read to a request that may be sent.
    fn pass(&self, mut request: Request<ReceivedBody>) -> Result<Outbound, Fault> {
        let (exchange, client, view) = (&self.exchange, &self.client, &self.view);
        let (Some(plan), Some(place)) = (self.plan(), self.place) else {
            // The frontend was removed in the moment in which the request came.
            client.is_leaving.set(true);
            return Err(Fault::new(Reason::ProxyStopped));
        };
        client.timeouts.set(plan.timeout);
        client.check_admission(view, place, exchange.record.opening.wall)?;
        if let Some(bound) = plan.timeout.exchange {
            let from = exchange.record.opening.head_read;
            exchange.deadlines.bound_exchange(from + bound);
        }
        if self.dialect == Dialect::Grpc {
            self.bound_call(request.headers(), plan.timeout.exchange);
        }
        let seen = self.seen;
        let rules = &view.field_rules[place as usize];
        if seen.has(Seen::ODD_NAME) {
            rules.clean(request.headers_mut())?;
        }
        let is_trusted = plan.trusted_proxies.have(client.peer);
        if !is_trusted {
            hop::remove_claims(request.headers_mut(), seen, rules);
        }
        identity::remove_certificate_fields(request.headers_mut(), &view.client_fields);
        settle_length(request.headers_mut(), seen)?;
        let upgrade = upgrade_of(&request, seen, &plan.upgrades, &client.context.rng)?;
        let body_kind = match is_extended_connect(&request) {
            // What follows is the tunnel.
            true => BodyKind::None,
            false => body_kind(request.body()),
        };
        exchange.request_complete.set(body_kind == BodyKind::None);
        hop::remove_named(request.headers_mut(), seen);
        let admitted = admit(&request, seen, &plan.limits)?;
        if body_kind != BodyKind::None {
            upgrade::refuse_body(&request, seen, &plan.upgrades)?;
        }
        let tls = client.tls.as_deref();
        identity::check_host(plan, tls, &admitted.host)?;
        let frontend = &view.snapshot.frontends[place as usize];
        let backend = find_backend(frontend, view, &request, &admitted.host, (client, exchange))?;
        if let Some(route) = exchange.record.route.get() {
            identity::check_certificate(&plan.routes[route as usize], tls)?;
        }

        let (mut head, incoming) = request.into_parts();
        let sender = Sender {
            peer: client.peer,
            proto: match tls {
                Some(_) => Proto::Https,
                None => Proto::Http,
            },
            is_trusted,
            forwarded_for: client.forwarded_for(),
        };
        hop::towards_server(&mut head, seen, body_kind, sender, &plan.forwarding);
        identity::say_certificate(&mut head.headers, &plan.forwarding.client_certificate, tls);
        let (incoming, from_client) = match (upgrade, incoming) {
            (None, incoming) => (Some(incoming), None),
            (Some(upgrade), incoming) => {
                upgrade::towards_server(&mut head, &upgrade);
                exchange.request_upgrade(upgrade);
                (None, incoming.into_stream())
            }
        };
        name_request(
            &mut head.headers,
            &plan.request_id,
            &exchange.record.opening.id,
        );
        if view.records_case && backend.shared.plan.header_case != plan::HeaderCase::Preserve {
            head.extensions.clear();
        }
        let body = match incoming {
            Some(incoming) => {
                RequestBody::new(incoming, Rc::clone(exchange), plan.timeout.body).with_rules(rules)
            }
            None => RequestBody::none(Rc::clone(exchange)),
        };
        let mut request = Request::from_parts(head, body);
        if seen.has(Seen::EXPECT) && request.headers().contains_key(header::EXPECT) {
            request.body_mut().hold_back(ContinueGate::new());
        }
        Ok(Outbound {
            sending: Sending::new(request),
            backend,
            from_client,
        })
    }

    /// A call of gRPC says how long its client waits; a server need not work for longer.
    fn bound_call(&self, headers: &header::HeaderMap, bound: Option<Duration>) {
        let timeout = headers.get("grpc-timeout");
        let timeout = timeout.and_then(|value| grpc::timeout(value.as_bytes()));
        if let Some(timeout) = timeout
            && bound.is_none_or(|bound| timeout < bound)
            && let Some(until) = self.exchange.record.opening.head_read.checked_add(timeout)
        {
            self.exchange.deadlines.bound_exchange(until);
        }
    }

    /// From a request that may be sent to a server's answer.
    async fn forwarded(&self, outbound: &mut Outbound) -> Result<Response<ServerBody>, Fault> {
        let Outbound {
            sending, backend, ..
        } = outbound;
        let dialer = &self.client.context.dialer;
        let mut forwarding = pin!(forward(
            sending,
            backend,
            &self.client.proxy_header_pools,
            dialer,
            &self.exchange
        ));
        poll_fn(|cx| {
            let polled = self.caught(|| match forwarding.as_mut().poll(cx) {
                Poll::Ready(outcome) => outcome.map(Some),
                Poll::Pending => Ok(None),
            });
            match polled {
                Ok(None) => Poll::Pending,
                Ok(Some(response)) => Poll::Ready(Ok(response)),
                Err(fault) => Poll::Ready(Err(fault)),
            }
        })
        .await
    }

    /// From a server's answer to one that the client may have.
    fn returned(
        &self,
        mut response: Response<ServerBody>,
        from_client: Option<RecvStream>,
        keep: impl FnOnce(OpenTunnel),
    ) -> Result<Response<ResponseBody>, Fault> {
        let Some(plan) = self.plan() else {
            return Err(Fault::new(Reason::ProxyStopped));
        };
        let upgrade = self.exchange.upgrade();
        let agreed = upgrade.filter(|upgrade| upgrade.is_agreed_in(&response));
        hop::towards_client(&mut response, &plan.forwarding);
        if self.view.records_case && plan.header_case != plan::HeaderCase::Preserve {
            response.extensions_mut().clear();
        }
        let Some(upgrade) = agreed else {
            return Ok(response.map(ResponseBody::Server));
        };
        let (mut head, body) = response.into_parts();
        let snapshot = &self.view.snapshot;
        let open_tunnel = OpenTunnel {
            upgraded: body.into_upgraded()?,
            from_client,
            drain: snapshot.plan.shutdown.tunnels,
            remembered: Remembered::of(&self.exchange.record, snapshot).map(Rc::new),
        };
        upgrade::towards_client(&mut head, upgrade, &open_tunnel);
        keep(open_tunnel);
        Ok(Response::from_parts(head, ResponseBody::Tunnel))
    }

    /// What the client is sent in the end.
    fn answered(&self, outcome: Result<Response<ResponseBody>, Fault>) -> Response<ResponseBody> {
        let response = outcome.unwrap_or_else(|fault| self.reply(&fault));
        self.exchange.record.status.set(response.status().as_u16());
        match response.body() {
            ResponseBody::Tunnel => response,
            _ => closing_if_leaving(response, &self.client, &self.exchange),
        }
    }

    /// Our own answer to a fault.
    fn reply(&self, fault: &Fault) -> Response<ResponseBody> {
        let exchange = &self.exchange;
        exchange.record.blame(fault.reason);
        event::exchange_failed(&exchange.record.opening.id, fault);
        exchange.deadlines.clear();
        let reason = exchange.record.reason.get().unwrap_or(fault.reason);
        let id = &exchange.record.opening.id;
        let response = match self.dialect {
            Dialect::Http => reply(reason, id),
            Dialect::Grpc => grpc_reply(reason, id),
        };
        response.map(|bytes| {
            // The client is gone and does not read it.
            let is_read = reason != Reason::ClientLeft;
            let bytes = if is_read { bytes } else { Bytes::new() };
            ResponseBody::Own(Own::new(bytes, Rc::clone(exchange)))
        })
    }

    /// What `work` gives; a panic in it is one exchange's fault and not the worker's end.
    fn caught<T>(&self, work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(outcome) => outcome,
            Err(panic) => Err(self.panicked(&*panic)),
        }
    }

    #[cold]
    fn panicked(&self, panic: &(dyn std::any::Any + Send)) -> Fault {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied());
        self.client.context.metrics.panicked();
        let id = &self.exchange.record.opening.id;
        event::exchange_panicked(id, text.unwrap_or("no message"));
        Fault::new(Reason::ProxyPanic)
    }
}

impl Dialect {
    /// gRPC is only spoken in HTTP/2, and only by POST.
    fn of<B>(request: &Request<B>) -> Self {
        let may_be_grpc = request.version() == Version::HTTP_2 && request.method() == Method::POST;
        let content_type = || request.headers().get(header::CONTENT_TYPE);
        if may_be_grpc && content_type().is_some_and(|kind| grpc::is_grpc(kind.as_bytes())) {
            Self::Grpc
        } else {
            Self::Http
        }
    }
}

/// The route that matches, and its backend.
fn find_backend(
    frontend: &Frontend,
    view: &View,
    request: &Request<ReceivedBody>,
    host: &str,
    (client, exchange): (&Client, &Exchange),
) -> Result<Rc<Local>, Reason> {
    let question = route::Request {
        host,
        method: request.method(),
        path: request.uri().path(),
        query: request.uri().query(),
        headers: request.headers(),
        evaluation: Some(route::Evaluation {
            connection: ConnectionFacts {
                client: exchange.record.opening.client,
                local: client.local,
                tls: client.tls.as_deref(),
                frontend: &client.live.name,
            },
            target: request.uri(),
            scratch: &client.context.scratch,
        }),
    };
    let found = frontend
        .router
        .find(&question)
        .map_err(|route::Ambiguous| Reason::RequestPathAmbiguous)?;
    exchange.record.route.set(found.map(|route| route as u32));
    let backend = found
        .map(|route| frontend.route_backends[route])
        .or(frontend.default_backend)
        .ok_or(Reason::RouteNone)?;
    exchange.record.backend.set(Some(backend));
    Ok(Rc::clone(&view.backends[backend as usize]))
}

fn opening<B>(
    client: &Client,
    view: &View,
    place: Option<u32>,
    request: &Request<B>,
    began: Option<Instant>,
) -> Opening {
    let head_read = clock::now();
    let began = began.unwrap_or(head_read);
    let plan = plan_at(view, place);
    let taken = match plan.map(|plan| &plan.request_id) {
        Some(RequestIds::Field(name)) => request
            .headers()
            .get(name)
            .and_then(|value| RequestId::taken(value.as_bytes())),
        _ => None,
    };
    Opening {
        began,
        head_read,
        wall: client.context.anchor.get().wall_at(head_read),
        client: address_of(client.peer, plan, request.headers()),
        local: client.local,
        tls: client.tls.clone(),
        // An index that no plan has: the log does not name another frontend for it.
        frontend: place.unwrap_or(u32::MAX),
        generation: view.snapshot.generation,
        version: request.version(),
        request: client
            .context
            .observer
            .is_logging()
            .then(|| logged(request)),
        first_bytes: None,
        id: taken.unwrap_or_else(|| RequestId::made(client.context.rng.next_u64())),
    }
}

/// What the log says of a request.
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
        // Without user information, which would be a password in the log.
        let text = authority.as_str();
        let host = text.rfind('@').map_or(text, |at| &text[at + 1..]);
        texts.host = Some(host.as_bytes());
    }
    LoggedRequest::of(&texts)
}

/// The target without scheme and host, which are its own in HTTP/1 alone (RFC 9112 §3.2).
fn target(uri: &Uri) -> &str {
    let authority = || uri.authority().map_or("", |authority| authority.as_str());
    uri.path_and_query()
        .map_or_else(authority, |target| target.as_str())
}

/// The client of a request of `peer`. The forwarding fields of an untrusted peer are not used.
fn address_of(peer: Peer, plan: Option<&plan::Frontend>, headers: &HeaderMap) -> Peer {
    let Some(plan) = plan.filter(|plan| plan.trusted_proxies.have(peer)) else {
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

fn plan_at(view: &View, place: Option<u32>) -> Option<&plan::Frontend> {
    view.snapshot.plan.frontends.get(place? as usize)
}

fn body_kind(body: &ReceivedBody) -> BodyKind {
    if body.is_end_stream() {
        BodyKind::None
    } else if body.size_hint().exact().is_some() {
        BodyKind::Sized
    } else {
        BodyKind::Chunked
    }
}

/// Puts the id of the exchange where the server looks for it.
fn name_request(headers: &mut HeaderMap, ids: &RequestIds, id: &RequestId) {
    let RequestIds::Field(name) = ids else {
        return;
    };
    if let Ok(value) = HeaderValue::from_bytes(id.as_bytes()) {
        headers.insert(name.clone(), value);
    }
}

/// Says that a connection of HTTP/1 ends, when it does: it is drained, or the end of the answer is the
/// end of the connection, or the answer came before the end of the request, and what the client sends
/// next may be the rest or another request.
fn closing_if_leaving(
    mut response: Response<ResponseBody>,
    client: &Client,
    exchange: &Exchange,
) -> Response<ResponseBody> {
    let version = exchange.record.opening.version;
    let is_leaving = client.is_leaving.get() || !exchange.request_complete.get();
    // HTTP/1.0 has no chunks: the end of such a body is the end of the connection.
    let ends_with_body =
        || version <= Version::HTTP_10 && response.body().size_hint().exact().is_none();
    if version < Version::HTTP_2 && (is_leaving || ends_with_body()) {
        if version <= Version::HTTP_10 {
            // hyper adds `keep-alive` for such a client to what it takes for an answer in HTTP/1.1.
            *response.version_mut() = Version::HTTP_10;
        }
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[cfg(test)]
mod tests {
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
    fn what_has_no_path_has_a_target_all_the_same() {
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
    fn of_a_field_that_is_there_twice_the_first_is_logged() {
        let request = Request::get("/").header("host", "a").header("host", "b");
        assert_eq!(texts(request), all(["/", "a", "", ""]));
    }

    #[test]
    fn what_is_logged_does_not_hold_the_buffer_that_it_was_read_into() {
        let buffer = Bytes::from(b"/chat".to_vec());
        let uri = Uri::from_maybe_shared(buffer.clone()).expect("a target");
        let mut request = Request::new(());
        *request.uri_mut() = uri;
        let kept = logged(&request);
        drop(request);
        assert!(kept.text(LoggedField::Target).is_some() && buffer.is_unique());
    }
}
