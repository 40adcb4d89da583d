//! One try of an exchange at one server.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Version, header, request};
use http_body::Body;

use crate::base::clock::{self, Instant};
use crate::exchange::{Fault, Reason};
use crate::net::Network;
use crate::proxy::backend::Lease;
use crate::proxy::io::{Course, RequestBody, Switch};
use crate::proxy::upstream::{Connection, Failure, ResponseHead};

use super::judge::Left;
use super::server_body::{Reuse, ServerBody};

/// A request on its way, as far as it can still be sent.
pub struct Sending {
    state: State,
}

#[expect(
    clippy::large_enum_variant,
    reason = "one lives at a time, on the stack of its exchange, and a box would be an allocation each"
)]
enum State {
    /// Not a byte of it was written.
    Whole(Request<RequestBody>),
    /// It was written, and has no body and does the same when done twice: the head is enough.
    Head(Box<request::Parts>),
    /// It was written, and cannot be sent again.
    Spent,
}

/// An attempt failed; its slot is still held.
pub(super) struct Failed {
    pub(super) fault: Fault,
    pub(super) lease: Lease,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    PoolOrFresh,
    Fresh,
}

impl Sending {
    /// The whole of `request`.
    pub fn new(request: Request<RequestBody>) -> Self {
        Self {
            state: State::Whole(request),
        }
    }

    /// What is left to send.
    pub(super) fn left(&self) -> Left {
        match self.state {
            State::Whole(_) => Left::Whole,
            State::Head(_) => Left::Copy,
            State::Spent => Left::Nothing,
        }
    }

    /// The request, to be written. `keep_head`: it may have to be written once more.
    fn take(&mut self, course: &Rc<Course>, keep_head: bool) -> Option<Request<RequestBody>> {
        match std::mem::replace(&mut self.state, State::Spent) {
            State::Whole(request) => {
                if keep_head && is_repeatable(&request) {
                    let (head, body) = request.into_parts();
                    self.state = State::Head(Box::new(head.clone()));
                    return Some(Request::from_parts(head, body));
                }
                Some(request)
            }
            State::Head(head) => {
                let body = RequestBody::none(Rc::clone(course));
                Some(Request::from_parts(*head, body))
            }
            State::Spent => None,
        }
    }

    fn put_back(&mut self, request: Request<RequestBody>) {
        self.state = State::Whole(request);
    }
}

/// Idempotent (RFC 9110 §9.2.2) and without a body: doing it twice does the same, and the head is
/// all there is to send.
fn is_repeatable(request: &Request<RequestBody>) -> bool {
    request.method().is_idempotent() && request.body().is_end_stream()
}

/// Sends the request to the server of `lease`, on a connection from the pool or on a fresh one.
///
/// A connection from the pool may have been closed by the server in the moment in which it was
/// taken. When it dies without an answer, the request is sent once more on a fresh connection to the
/// same server, if nothing was written or if doing it twice does the same.
pub(super) async fn attempt(
    lease: Lease,
    sending: &mut Sending,
    network: &Network,
    course: &Rc<Course>,
) -> Result<Response<ServerBody>, Failed> {
    let mut source = Source::PoolOrFresh;
    loop {
        let (mut connection, ready) = match connect(&lease, source, network, course).await {
            Ok(connection) => connection,
            Err(fault) => return Err(Failed { fault, lease }),
        };
        let is_old = connection.was_used();
        match send(&mut connection, ready, &lease, sending, course).await {
            Ok(response) => {
                let reuse = reuse_after(&response, course);
                return Ok(response.map(|incoming| {
                    ServerBody::new(incoming, connection, reuse, lease, Rc::clone(course))
                }));
            }
            Err(fault) => {
                let died = fault.reason == Reason::ServerResponseEmpty;
                if died && is_old && sending.left() != Left::Nothing {
                    source = Source::Fresh;
                    course.exchange.try_server_again(fault.reason);
                    continue;
                }
                return Err(Failed { fault, lease });
            }
        }
    }
}

/// A connection, and since when it could be used.
async fn connect(
    lease: &Lease,
    source: Source,
    network: &Network,
    course: &Course,
) -> Result<(Connection, Instant), Fault> {
    let local = lease.backend();
    let plan = &local.shared.plan;
    let began = clock::now();
    if source == Source::PoolOrFresh {
        let pool = local.pool(lease.index());
        let pooled =
            poll_fn(|cx| Poll::Ready(pool.take(&plan.pool, &local.settings, began, cx))).await;
        if let Some(connection) = pooled {
            return Ok((connection, began));
        }
    }
    let deadlines = &course.deadlines;
    deadlines.wait_for_server(plan.timeout.connect, Reason::ServerConnectTimeout);
    let opening = Connection::open(network, lease.server().address, &local.settings);
    // Boxed: most attempts find a connection in the pool.
    let connection = deadlines.unless_due(Box::pin(opening)).await;
    deadlines.server_came();
    // Once fired, a deadline stays: a connect that took too long may still be tried elsewhere.
    if deadlines.fired() == Some(Reason::ServerConnectTimeout) {
        deadlines.forgive();
    }
    let connection = connection??;
    let ready = clock::now();
    let took = ready.saturating_duration_since(began);
    course
        .exchange
        .stamp_attempt(|attempt| attempt.connect = Some(took));
    Ok((connection, ready))
}

async fn send(
    connection: &mut Connection,
    began: Instant,
    lease: &Lease,
    sending: &mut Sending,
    course: &Rc<Course>,
) -> Result<ResponseHead, Fault> {
    let Some(mut request) = sending.take(course, connection.was_used()) else {
        // `attempt` asks before it sends again.
        return Err(Fault::new(Reason::ServerResponseEmpty));
    };
    let has_host = request.headers().contains_key(header::HOST);
    if !has_host {
        let address = lease.server().address.to_string();
        if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(address)) {
            request.headers_mut().insert(header::HOST, value);
        }
    }
    let patience = lease.backend().shared.plan.timeout.response;
    course
        .deadlines
        .wait_for_server_since(began, patience, Reason::ServerResponseTimeout);
    let outcome = connection.exchange(request, &course.deadlines).await;
    course.deadlines.server_came();
    match outcome {
        Ok(response) if !can_be_passed_on(&response, course) => {
            Err(Fault::new(Reason::ServerResponseMalformed))
        }
        Ok(response) => {
            let took = clock::now().saturating_duration_since(began);
            course.exchange.stamp_attempt(|attempt| {
                attempt.response = Some(took);
                attempt.status = response.status().as_u16();
            });
            Ok(response)
        }
        Err(Failure { fault, unsent }) => {
            if let Some(mut request) = unsent {
                if !has_host {
                    // The next server has another address.
                    request.headers_mut().remove(header::HOST);
                }
                sending.put_back(*request);
            }
            // The client broke off or sent nonsense, and the server's end of it is only what follows.
            match course.exchange.reason.get() {
                Some(reason) => Err(Fault { reason, ..fault }),
                None => Err(fault),
            }
        }
    }
}

/// Whether the connection may carry another request. On one to a server of HTTP/1.0 hyper would
/// write it in that version, and a body of unknown length would be lost. After a wish to go on in
/// another protocol, what the server takes the next bytes for is a matter of opinion.
fn reuse_after(response: &ResponseHead, course: &Course) -> Reuse {
    let says_close = response
        .headers()
        .get(header::CONNECTION)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
    if response.version() == Version::HTTP_11 && !says_close && course.switch().is_none() {
        Reuse::Allowed
    } else {
        Reuse::Forbidden
    }
}

/// Whether the client would understand what the server means: no protocol that nobody asked for,
/// and no transfer coding but the one that is taken off here. hyper reads `gzip, chunked` as
/// chunked; without the field, the client would take what is compressed for what was meant.
fn can_be_passed_on(response: &ResponseHead, course: &Course) -> bool {
    let mut codings = response.headers().get_all(header::TRANSFER_ENCODING).iter();
    let is_framed = match codings.next() {
        None => true,
        Some(coding) => {
            coding.as_bytes().eq_ignore_ascii_case(b"chunked") && codings.next().is_none()
        }
    };
    let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let is_agreed = |switch: &Switch| switch.is_agreed_in(response);
    is_framed && (!switches || course.switch().is_some_and(is_agreed))
}
