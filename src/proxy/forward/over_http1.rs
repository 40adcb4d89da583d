//! One request on a connection of HTTP/1.1.

use std::future::poll_fn;

use bytes::Bytes;
use http::{HeaderValue, Response, header};

use crate::base::clock::Instant;
use crate::exchange::{Fault, Reason};
use crate::proxy::backend::Lease;
use crate::proxy::io::ActiveAttempt;
use crate::proxy::upstream::{Failure, H1Connection, Leftover};

use super::judge::{first_cause, note_answer, wait_for_answer};
use super::sending::Sending;

pub(super) async fn over_http1(
    connection: &mut H1Connection,
    began: Instant,
    lease: &Lease,
    sending: &mut Sending,
    attempt: &ActiveAttempt,
) -> Result<Response<()>, Fault> {
    let Some((head, body)) = sending.take(attempt.exchange(), connection.was_used()) else {
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
    wait_for_answer(began, lease, attempt);
    let deadlines = attempt.deadlines();
    let mut waiting = connection.begin(head, host.as_ref(), body, deadlines);
    let outcome = poll_fn(|cx| connection.poll_answer(cx, &mut waiting, deadlines)).await;
    deadlines.server_came();
    match outcome {
        Ok(response) => match note_answer(&response, began, attempt) {
            Ok(()) => Ok(response),
            Err(fault) => {
                sending.take_back(Leftover::seen(connection.take_request()));
                Err(fault)
            }
        },
        Err(Failure { fault, left }) => {
            sending.take_back(left);
            Err(first_cause(fault, attempt.exchange()))
        }
    }
}
