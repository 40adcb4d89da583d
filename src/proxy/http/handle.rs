//! The life of a request, as a table of contents: the rooms in their order. Nothing is decided here.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use http::{HeaderValue, Request, Response, header};
use http_body::Body;
use hyper::body::Incoming;

use crate::base::clock;
use crate::exchange::{Fault, Opening, Reason, RequestId};
use crate::observe::event;
use crate::plan::{self, RequestIds};
use crate::proxy::backend::Local;
use crate::proxy::forward::forward;
use crate::proxy::io::{ContinueGate, Course, RequestBody};
use crate::proxy::reply::reply;
use crate::proxy::route;
use crate::proxy::snapshot::{Frontend, View};
use crate::wire::forwarded::client_of;

use super::admit::admit;
use super::body::{Own, ResponseBody};
use super::client::Client;
use super::hop::{self, BodyKind, Sender};
use super::seen::Seen;

/// Answers one request. Whatever happens, there is an answer, and the exchange is accounted for.
pub(super) async fn handle(
    client: Rc<Client>,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    let view = client.context.views.current();
    let Some(place) = client.frontend_in(&view) else {
        return Ok(gone(&client, &view, &request));
    };
    let plan = &view.snapshot.plan.frontends[place as usize];
    client.timeouts.set(plan.timeout);
    let is_trusted = is_trusted(plan, client.peer);
    let opening = opening(&client, &view, place, Some(plan), is_trusted, &request);
    let course = Rc::new(Course::begin(opening));
    client.open(Rc::clone(&course), Rc::clone(&view));
    let proceeding = proceed(&client, &view, place, is_trusted, request, &course);
    let outcome = caught(proceeding, |what| {
        client.context.metrics.panicked();
        event::exchange_panicked(&course.exchange.opening.id, what);
    })
    .await;
    let response = outcome.unwrap_or_else(|fault| answer(&fault, &course));
    course.exchange.status.set(response.status().as_u16());
    Ok(closing_if_leaving(response, &client, &course))
}

/// The frontend was removed in the moment in which the request came.
fn gone(
    client: &Rc<Client>,
    view: &Rc<View>,
    request: &Request<Incoming>,
) -> Response<ResponseBody> {
    let opening = opening(client, view, u32::MAX, None, false, request);
    let course = Rc::new(Course::begin(opening));
    client.open(Rc::clone(&course), Rc::clone(view));
    client.is_leaving.set(true);
    let response = answer(&Fault::new(Reason::ProxyStopped), &course);
    course.exchange.status.set(response.status().as_u16());
    closing_if_leaving(response, client, &course)
}

/// From an admitted head to a response head.
async fn proceed(
    client: &Rc<Client>,
    view: &Rc<View>,
    place: u32,
    is_trusted: bool,
    request: Request<Incoming>,
    course: &Rc<Course>,
) -> Result<Response<ResponseBody>, Fault> {
    let frontend = &view.snapshot.frontends[place as usize];
    let plan = &view.snapshot.plan.frontends[place as usize];
    if let Some(bound) = plan.timeout.exchange {
        course
            .deadlines
            .bound_exchange(course.exchange.opening.head_read + bound);
    }
    let body_kind = body_kind(request.body());
    course.request_complete.set(body_kind == BodyKind::None);
    let seen = Seen::of(request.headers());
    let admitted = admit(&request, seen, &plan.limits, body_kind != BodyKind::None)?;
    let backend = find_backend(frontend, view, &request, &admitted.host, course)?;

    let (mut head, incoming) = request.into_parts();
    let sender = Sender {
        peer: client.peer,
        is_trusted,
        forwarded_for: client.forwarded_for(),
    };
    hop::towards_server(&mut head, seen, body_kind, sender, &plan.forwarding);
    name_request(
        &mut head.headers,
        &plan.request_id,
        &course.exchange.opening.id,
    );
    if view.records_case && backend.shared.plan.header_case != plan::HeaderCase::Preserve {
        head.extensions.clear();
    }
    let mut body = RequestBody::new(incoming, Rc::clone(course), plan.timeout.body);
    let expects_continue = seen.has(Seen::EXPECT) && body_kind != BodyKind::None;
    let gate = expects_continue.then(ContinueGate::new);
    if let Some(gate) = &gate {
        body.hold_back(gate.clone());
    }
    let mut request = Request::from_parts(head, body);
    if let Some(gate) = gate {
        hyper::ext::on_informational(&mut request, move |response| {
            if response.status() == http::StatusCode::CONTINUE {
                gate.open();
            }
        });
    }

    let mut response = forward(request, &backend, &client.context.network, course).await?;
    hop::towards_client(&mut response, &plan.forwarding)?;
    if expects_continue && !course.request_complete.get() {
        // The client was never told to go on: what it sends next, a body or another request, nobody
        // can tell (RFC 9110 §10.1.1).
        client.is_leaving.set(true);
    }
    if view.records_case && plan.header_case != plan::HeaderCase::Preserve {
        response.extensions_mut().clear();
    }
    Ok(response.map(ResponseBody::Server))
}

/// The route that matches, and its backend.
fn find_backend(
    frontend: &Frontend,
    view: &View,
    request: &Request<Incoming>,
    host: &str,
    course: &Course,
) -> Result<Rc<Local>, Reason> {
    let question = route::Request {
        host,
        method: request.method(),
        path: request.uri().path(),
        query: request.uri().query(),
        headers: request.headers(),
    };
    let found = frontend
        .router
        .find(&question)
        .map_err(|route::Ambiguous| Reason::RequestPathAmbiguous)?;
    course.exchange.route.set(found.map(|route| route as u32));
    let backend = found
        .map(|route| frontend.route_backends[route])
        .or(frontend.default_backend)
        .ok_or(Reason::RouteNone)?;
    course.exchange.backend.set(Some(backend));
    Ok(Rc::clone(&view.backends[backend as usize]))
}

fn opening(
    client: &Client,
    view: &View,
    place: u32,
    plan: Option<&plan::Frontend>,
    is_trusted: bool,
    request: &Request<Incoming>,
) -> Opening {
    let head_read = clock::now();
    let began = client.head_began.take().unwrap_or(head_read);
    let taken = match plan.map(|plan| &plan.request_id) {
        Some(RequestIds::Field(name)) => request
            .headers()
            .get(name)
            .and_then(|value| RequestId::taken(value.as_bytes())),
        _ => None,
    };
    let mut address = client.peer;
    if let Some(plan) = plan.filter(|_| is_trusted) {
        let lines = request.headers().get_all("x-forwarded-for");
        let is_trusted = |ip| plan.trusted_proxies.iter().any(|net| net.contains(&ip));
        address.set_ip(client_of(client.peer.ip(), lines, is_trusted));
    }
    Opening {
        began,
        head_read,
        wall: client.context.anchor.get().wall_at(head_read),
        client: address,
        frontend: place,
        generation: view.snapshot.generation,
        method: request.method().clone(),
        target: request.uri().clone(),
        version: request.version(),
        id: taken.unwrap_or_else(|| RequestId::made(client.context.rng.next_u64())),
    }
}

fn is_trusted(plan: &plan::Frontend, peer: SocketAddr) -> bool {
    let ip = peer.ip().to_canonical();
    plan.trusted_proxies.iter().any(|net| net.contains(&ip))
}

fn body_kind(body: &Incoming) -> BodyKind {
    if body.is_end_stream() {
        BodyKind::None
    } else if body.size_hint().exact().is_some() {
        BodyKind::Sized
    } else {
        BodyKind::Chunked
    }
}

/// Puts the id of the exchange where the server looks for it.
fn name_request(headers: &mut header::HeaderMap, ids: &RequestIds, id: &RequestId) {
    let RequestIds::Field(name) = ids else {
        return;
    };
    if let Ok(value) = HeaderValue::from_bytes(id.as_bytes()) {
        headers.insert(name.clone(), value);
    }
}

/// Our own answer to a fault.
fn answer(fault: &Fault, course: &Rc<Course>) -> Response<ResponseBody> {
    course.exchange.blame(fault.reason);
    event::exchange_failed(&course.exchange.opening.id, fault);
    course.deadlines.clear();
    let reason = course.exchange.reason.get().unwrap_or(fault.reason);
    reply(reason, &course.exchange.opening.id)
        .map(|bytes| ResponseBody::Own(Own::new(bytes, Rc::clone(course))))
}

/// Says that the connection ends, when it does: it is drained, or a part of the request will never
/// be read.
fn closing_if_leaving(
    mut response: Response<ResponseBody>,
    client: &Client,
    course: &Course,
) -> Response<ResponseBody> {
    if client.is_leaving.get() || !course.request_complete.get() && is_own(&response) {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn is_own(response: &Response<ResponseBody>) -> bool {
    matches!(response.body(), ResponseBody::Own(_))
}

/// What `future` gives; a panic in it is one exchange's fault and not the worker's end.
async fn caught<T>(
    future: impl Future<Output = Result<T, Fault>>,
    tell: impl Fn(&str),
) -> Result<T, Fault> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        polled.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or(panic.downcast_ref::<&str>().copied());
            tell(text.unwrap_or("no message"));
            Poll::Ready(Err(Fault::new(Reason::ProxyPanic)))
        })
    })
    .await
}
