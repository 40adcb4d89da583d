//! What is made of a server's answer: whether the client would understand it, and what it says of the
//! connection.

use http::{Response, StatusCode, Version, header};

use crate::base::clock::{self, Instant};
use crate::exchange::{Fault, Reason};
use crate::proxy::backend::Lease;
use crate::proxy::io::{ActiveAttempt, Exchange, UpgradeRequest};
use crate::wire::content_length::{self, Lists};

use super::carried::Reuse;

/// From `began` on the attempt waits for the answer.
pub(super) fn wait_for_answer(began: Instant, lease: &Lease, attempt: &ActiveAttempt) {
    let timeout = lease.backend().shared.plan.timeout.response;
    attempt
        .deadlines()
        .wait_for_server_since(began, timeout, Reason::ServerResponseTimeout);
}

/// Notes that a server has answered.
///
/// # Errors
///
/// The answer cannot be passed on.
pub(super) fn note_answer<B>(
    response: &mut Response<B>,
    began: Instant,
    attempt: &ActiveAttempt,
) -> Result<(), Fault> {
    let exchange = attempt.exchange();
    if !can_be_passed_on(response, exchange) || !has_one_length(response) {
        return Err(Fault::new(Reason::ServerResponseMalformed));
    }
    if looks_like_a_tunnel(response, exchange) {
        return Err(Fault::new(Reason::UpgradeUnsupported));
    }
    let took = clock::now().saturating_duration_since(began);
    attempt.stamp(|attempt| {
        attempt.response = Some(took);
        attempt.status = response.status().as_u16();
    });
    Ok(())
}

/// If the client broke off or sent nonsense, that is the cause, and the server's end of it is only
/// what follows.
pub(super) fn first_cause(fault: Fault, exchange: &Exchange) -> Fault {
    match exchange.record.reason.get() {
        Some(reason) => Fault { reason, ..fault },
        None => fault,
    }
}

/// Whether the connection may carry another request. On one to a server of HTTP/1.0 hyper would
/// write it in that version, and a body of unknown length would be lost. After a request to go on in
/// another protocol, what the server takes the next bytes for is a matter of opinion.
pub(super) fn reuse_after(response: &Response<()>, exchange: &Exchange) -> Reuse {
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
