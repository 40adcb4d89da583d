//! Judges a server's answer: whether the client would understand it.

use http::{Response, StatusCode, Version};

use crate::base::clock::{self, Instant};
use crate::exchange::{Fault, Reason};
use crate::proxy::backend::Lease;
use crate::proxy::io::{ActiveAttempt, Exchange, UpgradeRequest};
use crate::proxy::upstream::{RequestEnd, Unanswered};

/// From `began` on, the attempt waits for the answer.
pub(super) fn wait_for_answer(began: Instant, lease: &Lease, attempt: &ActiveAttempt) {
    let usual = lease.backend().shared.plan.timeout.response;
    let timeout = attempt.exchange().timeout(usual, |set| set.response);
    attempt
        .deadlines()
        .wait_for_server_since(began, timeout, Reason::ServerResponseTimeout);
}

/// Notes that a server has answered.
///
/// # Errors
///
/// The answer cannot be passed on.
pub(super) fn note_answer(
    response: &Response<()>,
    began: Instant,
    attempt: &ActiveAttempt,
) -> Result<(), Fault> {
    let exchange = attempt.exchange();
    if is_unasked_upgrade(response, exchange) {
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

/// If the client broke off or sent a malformed body, that is the cause, and the server's end only
/// follows from it.
pub(super) fn first_cause(unanswered: Unanswered, exchange: &Exchange) -> Unanswered {
    match exchange.record.reason.get() {
        Some(reason) => Unanswered {
            fault: Fault {
                reason,
                ..unanswered.fault
            },
            end: RequestEnd::Other,
            ..unanswered
        },
        None => unanswered,
    }
}

/// Whether the answer switches to a protocol that was not requested.
fn is_unasked_upgrade(response: &Response<()>, exchange: &Exchange) -> bool {
    let is_agreed = |upgrade: &UpgradeRequest| upgrade.is_agreed_in(response);
    response.status() == StatusCode::SWITCHING_PROTOCOLS
        && !exchange.upgrade().is_some_and(is_agreed)
}

/// Whether the client would take an ordinary answer for a tunnel: to its extended CONNECT any 2xx
/// opens one (RFC 8441 §5), and an HTTP/1.1 server that switches protocols sends 101.
fn looks_like_a_tunnel(response: &Response<()>, exchange: &Exchange) -> bool {
    let asks_by_connect = exchange.record.opening.version == Version::HTTP_2;
    let is_ordinary = |upgrade: &UpgradeRequest| !upgrade.is_agreed_in(response);
    asks_by_connect && response.status().is_success() && exchange.upgrade().is_some_and(is_ordinary)
}
