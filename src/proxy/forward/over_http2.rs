//! One request on a stream of HTTP/2.

use crate::base::clock::Instant;
use crate::exchange::{Fault, Reason};
use crate::proxy::backend::Lease;
use crate::proxy::io::{ActiveAttempt, Proof};
use crate::proxy::upstream::{
    Answer, Leftover, StreamEnd, StreamPermit, Unanswered, ask_for_tunnel, check_framing, head_of,
};

use super::judge::{first_cause, note_answer, wait_for_answer};
use super::sending::Sending;

pub(super) async fn over_http2(
    permit: &StreamPermit,
    began: Instant,
    lease: &Lease,
    sending: &mut Sending,
    attempt: &ActiveAttempt,
) -> Result<Answer, (Fault, StreamEnd)> {
    let other = |fault| (fault, StreamEnd::Other);
    let exchange = attempt.exchange();
    let Some((head, body)) = sending.take(exchange, permit.was_used()) else {
        // `attempt` asks before it sends again.
        return Err(other(Fault::new(Reason::ServerResponseEmpty)));
    };
    let settings = &lease.server().settings;
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
    wait_for_answer(began, lease, attempt);
    let deadlines = attempt.deadlines();
    let outcome = permit.exchange(converted, body, deadlines).await;
    deadlines.server_came();
    match outcome {
        Ok(mut answer) => {
            let noted = match answer.response.headers().len() > settings.max_fields() {
                true => Err(Fault::new(Reason::ServerResponseMalformed)),
                false => check_framing(&mut answer.response)
                    .and_then(|()| note_answer(&answer.response, began, attempt)),
            };
            match noted {
                Ok(()) => Ok(answer),
                Err(fault) => {
                    sending.take_back(Leftover::seen(answer.rest.take_request()));
                    Err(other(fault))
                }
            }
        }
        Err(Unanswered { fault, end, left }) => {
            sending.take_back(left);
            Err((first_cause(fault, exchange), end))
        }
    }
}
