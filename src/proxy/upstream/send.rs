//! Sends a request on a connection and returns its answer, with either version of HTTP.
//!
//! `forward` passes a head in the form of HTTP/1, a body, and the attempt with its deadlines. It
//! gets the head of the answer with one type of body, or the facts of the unanswered request. The
//! differences between the protocols are handled here: the host, the head, the request for a
//! tunnel, and the framing of the answer.

use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderValue, Method, Request, Response, Uri, header, request};

use crate::base::Address;
use crate::exchange::{Fault, Reason};
use crate::proxy::io::{ActiveAttempt, Proof, RequestBody, UpgradeRequest};

use super::failure::Unanswered;
use super::h1::{H1Connection, Waiting};
use super::h2::{Call, StreamPermit, ask_for_tunnel, head_of};
use super::incoming::Incoming;
use super::server_pool::{Connection, Kind, ServerPool};
use super::settings::Settings;

/// The server that a request goes to.
#[derive(Clone, Copy)]
pub(crate) struct Destination<'a> {
    /// Its address, which is the host of a request without `Host`.
    pub(crate) address: &'a Address,
    /// The settings of its connections.
    pub(crate) settings: &'a Settings,
    /// The pool for connections that can carry another request.
    pub(crate) pool: &'a Rc<ServerPool>,
}

/// The answer of a server.
pub(crate) struct Answer {
    pub(crate) head: Response<()>,
    pub(crate) body: Incoming,
}

/// A request on its way.
enum Sent {
    /// The connection is `None` when the request is over.
    Http1(Option<H1Connection>, Waiting),
    /// `None`: it is over.
    Http2(Option<Box<Call>>),
    /// It was not sent, for this reason. Boxed, because it is rare.
    Not(Option<Box<Unanswered>>),
}

/// Sends a request for `attempt` on `connection` and returns its answer. A head without `Host` gets the address
/// of the server.
///
/// # Errors
///
/// [`Unanswered`]; a deadline that passes yields its reason.
///
/// # Cancel safety
///
/// Dropping it closes the connection, or resets the stream.
///
/// The fields of `head` are dropped when the request was sent and cannot be sent again.
// Begins at once, not when it is polled: the future would hold the body, which is large, more than
// once.
pub(crate) fn send<'a>(
    connection: Connection,
    head: &'a mut request::Parts,
    body: RequestBody,
    to: Destination<'a>,
    attempt: &'a ActiveAttempt,
) -> impl Future<Output = Result<Answer, Unanswered>> + use<'a> {
    let mut sent = match connection.0 {
        Kind::Http1(connection) => by_http1(connection, head, body, to, attempt),
        Kind::Http2(permit) => by_http2(permit, head, body, to, attempt),
    };
    poll_fn(move |cx| {
        let polled = sent.poll(cx, &head.method, to, attempt);
        let is_dropped = &attempt.exchange().is_head_dropped;
        if polled.is_pending() && !is_dropped.get() && sent.has_used_up_request() {
            // The method is small, and the parser of the answer asks for it.
            head.headers = HeaderMap::new();
            head.uri = Uri::default();
            head.extensions = Extensions::new();
            is_dropped.set(true);
        }
        polled
    })
}

fn by_http1(
    mut connection: H1Connection,
    head: &request::Parts,
    body: RequestBody,
    to: Destination<'_>,
    attempt: &ActiveAttempt,
) -> Sent {
    let host = match head.headers.contains_key(header::HOST) {
        true => None,
        false => HeaderValue::from_maybe_shared(Bytes::from(to.address.as_host())).ok(),
    };
    let waiting = connection.begin(head, host.as_ref(), body, attempt.deadlines());
    Sent::Http1(Some(connection), waiting)
}

fn by_http2(
    permit: StreamPermit,
    head: &request::Parts,
    body: RequestBody,
    to: Destination<'_>,
    attempt: &ActiveAttempt,
) -> Sent {
    let begun = match http2_head(head, to, attempt.exchange().upgrade()) {
        Ok(head) => Call::begin(permit, head, body, attempt.deadlines()),
        Err(reason) => Err(Unanswered::unsent(Fault::new(reason), body)),
    };
    match begun {
        // Boxed: the future is moved with each request, and HTTP/1 requests do not carry its state.
        Ok(call) => Sent::Http2(Some(Box::new(call))),
        Err(unanswered) => Sent::Not(Some(Box::new(unanswered))),
    }
}

fn http2_head(
    head: &request::Parts,
    to: Destination<'_>,
    upgrade: Option<&UpgradeRequest>,
) -> Result<Request<()>, Reason> {
    let authority = to.address.to_string();
    let mut converted = head_of(head, to.settings.scheme(), &authority)
        .map_err(|_| Reason::RequestHostMalformed)?;
    if let Some(upgrade) = upgrade {
        if matches!(upgrade.proof, Proof::Malformed) {
            // The server could not answer it.
            return Err(Reason::RequestUpgradeKey);
        }
        ask_for_tunnel(&mut converted, upgrade);
    }
    Ok(converted)
}

impl Sent {
    /// Whether the request can never be sent again, whatever happens to it.
    fn has_used_up_request(&self) -> bool {
        match self {
            Self::Http1(Some(connection), waiting) => connection.has_used_up_request(waiting),
            Self::Http2(Some(call)) => call.has_used_up_request(),
            Self::Http1(None, _) | Self::Http2(None) | Self::Not(_) => false,
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        method: &Method,
        to: Destination<'_>,
        attempt: &ActiveAttempt,
    ) -> Poll<Result<Answer, Unanswered>> {
        match self {
            Self::Http1(slot, waiting) => {
                let Some(mut connection) = slot.take() else {
                    return Poll::Pending;
                };
                let polled = connection.poll_answer(cx, waiting, method, attempt.deadlines());
                let Poll::Ready(outcome) = polled else {
                    *slot = Some(connection);
                    return Poll::Pending;
                };
                let exchange = attempt.exchange();
                Poll::Ready(outcome.map(|head| Answer {
                    body: Incoming::http1(connection, &head, exchange, Rc::clone(to.pool)),
                    head,
                }))
            }
            Self::Http2(slot) => {
                let Some(mut call) = slot.take() else {
                    return Poll::Pending;
                };
                let Poll::Ready(outcome) = call.poll(cx, attempt.deadlines()) else {
                    *slot = Some(call);
                    return Poll::Pending;
                };
                let answered = call.over(outcome, to.settings.max_fields());
                Poll::Ready(answered.map(|(head, incoming)| Answer {
                    head,
                    body: Incoming::http2(incoming),
                }))
            }
            Self::Not(unanswered) => match unanswered.take() {
                Some(unanswered) => Poll::Ready(Err(*unanswered)),
                None => Poll::Pending,
            },
        }
    }
}
