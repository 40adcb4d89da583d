//! One try of an exchange at one server.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Version, header, request};
use http_body::Body;

use crate::base::clock::{self, Duration, Instant};
use crate::base::turn;
use crate::exchange::{Fault, Reason};
use crate::net::Dialer;
use crate::proxy::backend::Lease;
use crate::proxy::io::{Exchange, Proof, RequestBody, UpgradeRequest};
use crate::proxy::upstream::{
    Answer, ConnectParams, Connection, Failure, H1Connection, Outcome, StreamPermit, Unanswered,
    Wanted, ask_for_tunnel, head_of,
};
use crate::wire::content_length::{self, Lists};

use super::proxy_header_pools::{ProxyHeaderPools, SelectedPool};
use super::schedule::Left;
use super::server_body::{Carried, Reuse, ServerBody};

/// A request on its way, as far as it can still be sent.
pub(crate) struct Sending {
    head: request::Parts,
    state: State,
    /// Idempotent (RFC 9110 §9.2.2) and without a body: doing it twice does the same, and the head is all
    /// there is to send.
    is_repeatable: bool,
}

#[expect(
    clippy::large_enum_variant,
    reason = "one lives at a time, on the stack of its exchange, and a box would be an allocation each"
)]
enum State {
    /// Not a byte of it was written.
    Whole(RequestBody),
    /// It was written, and can be sent again: the head is enough.
    Written,
    /// It was written, and cannot be sent again.
    Spent,
}

/// An attempt failed; its slot is still held.
pub(super) struct Failed {
    pub(super) fault: Fault,
    pub(super) lease: Lease,
}

impl Sending {
    /// The whole of `request`.
    pub(crate) fn new(request: Request<RequestBody>) -> Self {
        let (head, body) = request.into_parts();
        Self {
            is_repeatable: head.method.is_idempotent() && body.is_end_stream(),
            head,
            state: State::Whole(body),
        }
    }

    /// What is left to send.
    pub(super) fn left(&self) -> Left {
        match self.state {
            State::Whole(_) => Left::Whole,
            State::Written => Left::Copy,
            State::Spent => Left::Nothing,
        }
    }

    /// The host that it is for, if it says so.
    pub(super) fn host(&self) -> Option<&HeaderValue> {
        self.head.headers.get(header::HOST)
    }

    /// Its head and its body, to be written on a connection that `was_used` before: if that has died, the
    /// request may be written once more.
    fn take(
        &mut self,
        exchange: &Rc<Exchange>,
        was_used: bool,
    ) -> Option<(&request::Parts, RequestBody)> {
        let state = match self.is_repeatable && was_used {
            true => State::Written,
            false => State::Spent,
        };
        let body = match std::mem::replace(&mut self.state, state) {
            State::Whole(body) => body,
            State::Written => RequestBody::none(Rc::clone(exchange)),
            State::Spent => return None,
        };
        Some((&self.head, body))
    }

    /// Nothing of it was written after all.
    fn put_back(&mut self, body: RequestBody) {
        self.state = State::Whole(body);
    }
}

/// Sends the request to the server of `lease`, on a connection that is open or on a fresh one.
///
/// A connection that was used before may have been closed by the server in the moment in which it
/// was taken. When it dies without an answer, the request is sent once more on a fresh connection to
/// the same server, if nothing was written or if doing it twice does the same. A server of HTTP/2
/// may say that it did nothing with the request; then it is sent again as well.
pub(super) async fn attempt(
    mut lease: Lease,
    sending: &mut Sending,
    proxy_header_pools: &ProxyHeaderPools,
    dialer: &Dialer,
    exchange: &Rc<Exchange>,
) -> Result<Response<ServerBody>, Failed> {
    lease.hold(proxy_header_pools.held());
    let selected = proxy_header_pools.select(&lease, &exchange.record, || sending.host());
    let mut wanted = Wanted::Any;
    let mut retries_left = RetriesLeft::default();
    loop {
        let began = clock::now();
        let (connection, ready) = match connect(&lease, &selected, wanted, dialer, exchange).await {
            Ok(connected) => connected,
            Err(fault) => return Err(Failed { fault, lease }),
        };
        let (fault, again) = match connection {
            Connection::Http1(mut connection) => {
                let is_old = connection.was_used();
                match over_http1(&mut connection, ready, &lease, sending, exchange).await {
                    Ok(response) => {
                        let carried = Carried::Http1 {
                            reuse: reuse_after(&response, exchange),
                            connection,
                            pool: selected.pool,
                        };
                        return Ok(passed_on(response, carried, lease, exchange));
                    }
                    Err(fault) => {
                        let died = is_old && fault.reason == Reason::ServerResponseEmpty;
                        (fault, if died { Again::Stale } else { Again::No })
                    }
                }
            }
            Connection::Http2(permit) => {
                // Boxed: the future is moved with each request, and those of HTTP/1 do not carry the
                // room for it.
                let answering = Box::pin(over_http2(&permit, ready, &lease, sending, exchange));
                match answering.await {
                    Ok(Answer { response, rest }) => {
                        let (head, body) = response.into_parts();
                        let carried = Carried::Http2 { body, rest, permit };
                        let response = Response::from_parts(head, ());
                        return Ok(passed_on(response, carried, lease, exchange));
                    }
                    Err((fault, outcome)) => (fault, Again::after(outcome, permit.was_used())),
                }
            }
        };
        if sending.left() == Left::Nothing || !retries_left.allows(again) {
            return Err(Failed { fault, lease });
        }
        if again != Again::Refused {
            wanted = Wanted::OpenedSince(began);
        }
        exchange.record.try_server_again(fault.reason);
    }
}

/// Whether the same server may be asked once more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    /// An old connection died.
    Stale,
    /// The server refused the stream.
    Refused,
    /// The server had not looked at the stream when it said goodbye to the connection.
    LeftOut,
    No,
}

impl Again {
    fn after(outcome: Outcome, was_used: bool) -> Self {
        match outcome {
            Outcome::Refused => Self::Refused,
            Outcome::LeftOut => Self::LeftOut,
            Outcome::Died if was_used => Self::Stale,
            Outcome::Died | Outcome::Other => Self::No,
        }
    }
}

/// How often the same server is asked again in one attempt.
struct RetriesLeft {
    stale: u32,
    refused: u32,
    left_out: u32,
}

impl Default for RetriesLeft {
    /// A refusal means a server that is busy: asking often would make it busier. A goodbye is the
    /// connection's matter, and with one that serves few requests on each connection a request can
    /// meet some of them in a row.
    fn default() -> Self {
        Self {
            stale: 1,
            refused: 1,
            left_out: 10,
        }
    }
}

impl RetriesLeft {
    fn allows(&mut self, again: Again) -> bool {
        let left = match again {
            Again::Stale => &mut self.stale,
            Again::Refused => &mut self.refused,
            Again::LeftOut => &mut self.left_out,
            Again::No => return false,
        };
        let allows = *left > 0;
        *left = left.saturating_sub(1);
        allows
    }
}

fn passed_on(
    response: Response<()>,
    carried: Carried,
    lease: Lease,
    exchange: &Rc<Exchange>,
) -> Response<ServerBody> {
    response.map(|()| ServerBody::new(carried, lease, Rc::clone(exchange)))
}

/// A connection, and since when it could be used.
async fn connect(
    lease: &Lease,
    selected: &SelectedPool,
    wanted: Wanted,
    dialer: &Dialer,
    exchange: &Exchange,
) -> Result<(Connection, Instant), Fault> {
    let local = lease.backend();
    let plan = &local.shared.plan;
    let began = clock::now();
    // Only some connections let an exchange go on in another protocol.
    let is_upgrade = exchange.upgrade().is_some();
    if !is_upgrade {
        let open = poll_fn(|cx| {
            Poll::Ready(
                selected
                    .pool
                    .take(&local.settings, &plan.pool, wanted, began, cx),
            )
        });
        // A look that seems pending because the turn is over would take a closed one for open.
        if let Some(connection) = turn::uncounted(open).await {
            // Opened a moment ago for other exchanges, which wait for it: this one counts it.
            if matches!(&connection, Connection::Http2(permit) if !permit.was_used()) {
                let took = Duration::ZERO;
                exchange
                    .record
                    .stamp_attempt(|attempt| attempt.connect = Some(took));
            }
            return Ok((connection, began));
        }
    }
    let deadlines = &exchange.deadlines;
    let timeout = plan.timeout.connect;
    let params = ConnectParams {
        dialer,
        claim: dialer.descriptors().claim(lease.held()),
        address: &lease.server().shared.address,
        preamble: &selected.preamble,
        settings: &local.settings,
        limits: &plan.pool,
        timeout,
    };
    // Boxed: most attempts find a connection that is open.
    let connection = if is_upgrade {
        let opening = Box::pin(selected.pool.open_for_upgrade(&params, wanted));
        deadlines.while_connecting(timeout, opening).await
    } else {
        let opening = Box::pin(selected.pool.open(&params, wanted));
        deadlines.while_connecting(timeout, opening).await
    };
    let connection = connection??;
    let ready = clock::now();
    // Of the exchanges that waited for the same connection, one opened it.
    let is_first = match &connection {
        Connection::Http1(connection) => !connection.was_used(),
        Connection::Http2(permit) => !permit.was_used(),
    };
    if is_first {
        let took = ready.saturating_duration_since(began);
        exchange
            .record
            .stamp_attempt(|attempt| attempt.connect = Some(took));
    }
    Ok((connection, ready))
}

async fn over_http1(
    connection: &mut H1Connection,
    began: Instant,
    lease: &Lease,
    sending: &mut Sending,
    exchange: &Rc<Exchange>,
) -> Result<Response<()>, Fault> {
    let Some((head, body)) = sending.take(exchange, connection.was_used()) else {
        // `attempt` asks before it sends again.
        return Err(Fault::new(Reason::ServerResponseEmpty));
    };
    let host = match head.headers.contains_key(header::HOST) {
        true => None,
        false => {
            let address = lease.server().shared.address.as_host();
            HeaderValue::from_maybe_shared(Bytes::from(address)).ok()
        }
    };
    wait_for_answer(began, lease, exchange);
    let deadlines = &exchange.deadlines;
    let outcome = connection.exchange(head, host.as_ref(), body, deadlines);
    let outcome = outcome.await;
    deadlines.server_came();
    match outcome {
        Ok(mut response) => {
            note_answer(&mut response, began, exchange)?;
            Ok(response)
        }
        Err(Failure { fault, unsent }) => {
            if let Some(body) = unsent {
                sending.put_back(body);
            }
            Err(first_cause(fault, exchange))
        }
    }
}

async fn over_http2(
    permit: &StreamPermit,
    began: Instant,
    lease: &Lease,
    sending: &mut Sending,
    exchange: &Rc<Exchange>,
) -> Result<Answer, (Fault, Outcome)> {
    let other = |fault| (fault, Outcome::Other);
    let Some((head, body)) = sending.take(exchange, permit.was_used()) else {
        // `attempt` asks before it sends again.
        return Err(other(Fault::new(Reason::ServerResponseEmpty)));
    };
    let settings = &lease.backend().settings;
    let authority = lease.server().shared.address.to_string();
    let Ok(mut converted) = head_of(head, settings.scheme(), &authority) else {
        return Err(other(Fault::new(Reason::RequestHostMalformed)));
    };
    if let Some(upgrade) = exchange.upgrade() {
        if matches!(upgrade.proof, Proof::Malformed) {
            // The server would not answer it.
            return Err(other(Fault::new(Reason::RequestUpgradeKey)));
        }
        ask_for_tunnel(&mut converted, upgrade);
    }
    wait_for_answer(began, lease, exchange);
    let outcome = permit.exchange(converted, body, &exchange.deadlines).await;
    exchange.deadlines.server_came();
    match outcome {
        Ok(answer) if answer.response.headers().len() > settings.max_fields() => {
            Err(other(Fault::new(Reason::ServerResponseMalformed)))
        }
        Ok(mut answer) => {
            note_answer(&mut answer.response, began, exchange).map_err(other)?;
            Ok(answer)
        }
        Err(Unanswered {
            fault,
            outcome,
            body,
        }) => {
            let did_nothing = matches!(outcome, Outcome::Refused | Outcome::LeftOut);
            if let Some(body) = body
                && did_nothing
            {
                sending.put_back(body);
            }
            Err((first_cause(fault, exchange), outcome))
        }
    }
}

fn wait_for_answer(began: Instant, lease: &Lease, exchange: &Exchange) {
    let timeout = lease.backend().shared.plan.timeout.response;
    exchange
        .deadlines
        .wait_for_server_since(began, timeout, Reason::ServerResponseTimeout);
}

fn note_answer<B>(
    response: &mut Response<B>,
    began: Instant,
    exchange: &Exchange,
) -> Result<(), Fault> {
    if !can_be_passed_on(response, exchange) || !has_one_length(response) {
        return Err(Fault::new(Reason::ServerResponseMalformed));
    }
    if looks_like_a_tunnel(response, exchange) {
        return Err(Fault::new(Reason::UpgradeUnsupported));
    }
    let took = clock::now().saturating_duration_since(began);
    exchange.record.stamp_attempt(|attempt| {
        attempt.response = Some(took);
        attempt.status = response.status().as_u16();
    });
    Ok(())
}

/// If the client broke off or sent nonsense, that is the cause, and the server's end of it is only
/// what follows.
fn first_cause(fault: Fault, exchange: &Exchange) -> Fault {
    match exchange.record.reason.get() {
        Some(reason) => Fault { reason, ..fault },
        None => fault,
    }
}

/// Whether the connection may carry another request. On one to a server of HTTP/1.0 hyper would
/// write it in that version, and a body of unknown length would be lost. After a request to go on in
/// another protocol, what the server takes the next bytes for is a matter of opinion.
fn reuse_after(response: &Response<()>, exchange: &Exchange) -> Reuse {
    let says_close = response
        .headers()
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
        .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"close"));
    if response.version() == Version::HTTP_11 && !says_close && exchange.upgrade().is_none() {
        Reuse::Allowed
    } else {
        Reuse::Forbidden
    }
}

/// Whether the client would understand what the server means: no protocol that was not asked for,
/// and no transfer coding but the one that is taken off here. hyper reads `gzip, chunked` as
/// chunked; without the field, the client would take what is compressed for what was meant.
fn can_be_passed_on<B>(response: &Response<B>, exchange: &Exchange) -> bool {
    let mut codings = response.headers().get_all(header::TRANSFER_ENCODING).iter();
    let is_framed = match codings.next() {
        None => true,
        Some(coding) => {
            coding.as_bytes().eq_ignore_ascii_case(b"chunked") && codings.next().is_none()
        }
    };
    let is_upgrade = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let is_agreed = |upgrade: &UpgradeRequest| upgrade.is_agreed_in(response);
    is_framed && (!is_upgrade || exchange.upgrade().is_some_and(is_agreed))
}

/// Whether the client would take an ordinary answer for a tunnel: to its extended CONNECT any 2xx is one (RFC
/// 8441 §5), and a server of HTTP/1.1 that goes on in the other protocol says 101.
fn looks_like_a_tunnel<B>(response: &Response<B>, exchange: &Exchange) -> bool {
    let asks_by_connect = exchange.record.opening.version == Version::HTTP_2;
    let is_ordinary = |upgrade: &UpgradeRequest| !upgrade.is_agreed_in(response);
    asks_by_connect && response.status().is_success() && exchange.upgrade().is_some_and(is_ordinary)
}

/// Makes the length of an answer the only one that it says, if it is one: hyper does not look where no
/// body follows, as in an answer to HEAD. Where the length means nothing, it is not passed on, and is
/// not looked at.
fn has_one_length<B>(response: &mut Response<B>) -> bool {
    let status = response.status();
    let headers = response.headers_mut();
    let means_nothing = status == StatusCode::NO_CONTENT
        || status == StatusCode::SWITCHING_PROTOCOLS
        || headers.contains_key(header::TRANSFER_ENCODING);
    means_nothing || content_length::settle(headers, Lists::Allowed).is_ok()
}
