//! One try of an exchange at one server.

use std::future::poll_fn;
use std::task::Poll;

use crate::base::clock::{self, Duration, Instant};
use crate::base::turn;
use crate::exchange::{Fault, Reason};
use crate::net::Dialer;
use crate::proxy::backend::Lease;
use crate::proxy::io::ActiveAttempt;
use crate::proxy::upstream::{
    Answer, ConnectParams, Connection, Destination, Leftover, RequestEnd, Unanswered, Wanted, send,
};

use super::answered::Answered;
use super::judge::{first_cause, note_answer, wait_for_answer};
use super::proxy_header_pools::{ProxyHeaderPools, SelectedPool};
use super::schedule::Left;
use super::sending::Sending;

/// An attempt that failed; its slot is still held.
pub(super) struct Failed {
    pub(super) fault: Fault,
    pub(super) lease: Lease,
}

impl Failed {
    /// The attempt `active` ends because of `fault`.
    pub(super) fn of(active: ActiveAttempt, fault: Fault, lease: Lease) -> Self {
        active.stamp(|attempt| attempt.reason = Some(fault.reason));
        Self { fault, lease }
    }
}

/// Sends the request to the server of `lease`, on an open connection or on a new one.
///
/// A server may close a reused connection in the moment in which we take it. If the connection ends
/// without an answer, the request is sent once more on a new connection to the same server,
/// provided that nothing was written or that the request is idempotent. A server may also report
/// that it did not process the request; then it is sent again as well.
pub(super) fn attempt(
    mut lease: Lease,
    sending: &mut Sending,
    proxy_header_pools: &ProxyHeaderPools,
    dialer: &Dialer,
    retries_left: &mut RetriesLeft,
    mut active: ActiveAttempt,
) -> impl Future<Output = Result<Answered, Failed>> {
    retries_left.begin_attempt();
    lease.hold(proxy_header_pools.held());
    let selected = proxy_header_pools.select(&lease, &active.exchange().record, || sending.host());
    let mut wanted = Wanted::Any;
    // A block: arguments would have a second place in the future.
    async move {
        loop {
            let began = clock::now();
            let connected = connect(&lease, &selected, wanted, dialer, &active).await;
            let (connection, ready) = match connected {
                Ok(connected) => connected,
                Err(fault) => return Err(Failed::of(active, fault, lease)),
            };
            let sent = sent(connection, ready, &lease, &selected, sending, &active).await;
            let (fault, end) = match sent {
                Ok(answer) => return Ok(Answered::new(answer, lease, active)),
                Err(unanswered) => unanswered,
            };
            if sending.left() == Left::Nothing || !retries_left.allows(end) {
                return Err(Failed::of(active, fault, lease));
            }
            if end != RequestEnd::Refused {
                wanted = Wanted::OpenedSince(began);
            }
            lease.count_retried(fault.reason);
            active = active.again(fault.reason, &lease.server().tried);
        }
    }
}

/// Sends the request on `connection`, which is ready since `began`, and judges the head of the
/// answer.
async fn sent(
    connection: Connection,
    began: Instant,
    lease: &Lease,
    selected: &SelectedPool,
    sending: &mut Sending,
    active: &ActiveAttempt,
) -> Result<Answer, (Fault, RequestEnd)> {
    let Some((head, body)) = sending.take(active.exchange(), connection.was_used()) else {
        // `attempt` checks this before it sends again.
        return Err((Fault::new(Reason::ServerResponseEmpty), RequestEnd::Other));
    };
    let server = lease.server();
    let destination = Destination {
        address: &server.shared.address,
        settings: &server.settings,
        pool: &selected.pool,
    };
    wait_for_answer(began, lease, active);
    let outcome = send(connection, head, body, destination, active).await;
    active.deadlines().server_came();
    match outcome {
        Ok(mut answer) => match note_answer(&answer.head, began, active) {
            Ok(()) => Ok(answer),
            Err(fault) => {
                sending.take_back(Leftover::seen(answer.body.take_request()));
                Err((fault, RequestEnd::Other))
            }
        },
        Err(unanswered) => {
            let Unanswered { fault, end, left } = first_cause(unanswered, active.exchange());
            sending.take_back(left);
            Err((fault, end))
        }
    }
}

/// How often a server is tried again within an attempt.
pub(super) struct RetriesLeft {
    /// In this attempt: each server has connections of its own.
    stale: u32,
    /// In the whole exchange.
    refused: u32,
    /// In the whole exchange.
    left_out: u32,
}

impl Default for RetriesLeft {
    /// A refusal means a server that is busy: asking often would make it busier. A GOAWAY only
    /// concerns the connection, and if a server allows few requests on each connection, a request
    /// may meet several in a row.
    fn default() -> Self {
        Self {
            stale: 0,
            refused: 1,
            left_out: 10,
        }
    }
}

impl RetriesLeft {
    fn begin_attempt(&mut self) {
        self.stale = 1;
    }

    fn allows(&mut self, end: RequestEnd) -> bool {
        let left = match end {
            RequestEnd::Stale => &mut self.stale,
            RequestEnd::Refused => &mut self.refused,
            RequestEnd::LeftOut => &mut self.left_out,
            RequestEnd::Other => return false,
        };
        let allows = *left > 0;
        *left = left.saturating_sub(1);
        allows
    }
}

/// A connection, and when it became ready.
async fn connect(
    lease: &Lease,
    selected: &SelectedPool,
    wanted: Wanted,
    dialer: &Dialer,
    active: &ActiveAttempt,
) -> Result<(Connection, Instant), Fault> {
    let plan = &lease.backend().shared.plan;
    let settings = &lease.server().settings;
    let began = clock::now();
    // Only some connections can be upgraded to another protocol.
    let is_upgrade = active.exchange().upgrade().is_some();
    if !is_upgrade {
        let open =
            poll_fn(|cx| Poll::Ready(selected.pool.take(settings, &plan.pool, wanted, began, cx)));
        // If the turn is over, the check would seem pending, and a closed connection would be taken
        // for open.
        if let Some(connection) = turn::uncounted(open).await {
            match connection.was_used() {
                true => note_reused(lease, active),
                // Opened a moment ago by another exchange: this one counts it.
                false => note_opened(Duration::ZERO, lease, active),
            }
            return Ok((connection, began));
        }
    }
    // Boxed: most attempts find an open connection.
    Box::pin(open(lease, selected, wanted, dialer, active, began)).await
}

/// A connection that was not open at `began`, and when it became ready.
async fn open(
    lease: &Lease,
    selected: &SelectedPool,
    wanted: Wanted,
    dialer: &Dialer,
    active: &ActiveAttempt,
    began: Instant,
) -> Result<(Connection, Instant), Fault> {
    let plan = &lease.backend().shared.plan;
    let deadlines = active.deadlines();
    let timeout = active
        .exchange()
        .timeout(plan.timeout.connect, |set| set.connect);
    let params = ConnectParams {
        dialer,
        claim: dialer.descriptors().claim(lease.held()),
        address: &lease.server().shared.address,
        preamble: &selected.preamble,
        settings: &lease.server().settings,
        limits: &plan.pool,
        timeout,
    };
    // Boxed: `while_connecting` has more than one place for it.
    let connection = if active.exchange().upgrade().is_some() {
        let opening = Box::pin(selected.pool.open_for_upgrade(&params, wanted));
        deadlines.while_connecting(timeout, opening).await
    } else {
        let opening = Box::pin(selected.pool.open(&params, wanted));
        deadlines.while_connecting(timeout, opening).await
    };
    let connection = connection??;
    let ready = clock::now();
    match connection.was_used() {
        // Of the exchanges that waited for this connection, another one has opened and counted it.
        true => note_reused(lease, active),
        false => note_opened(ready.saturating_duration_since(began), lease, active),
    }
    Ok((connection, ready))
}

/// Notes that a connection was opened for the attempt.
pub(super) fn note_opened(took: Duration, lease: &Lease, active: &ActiveAttempt) {
    active.stamp(|attempt| {
        attempt.is_connected = true;
        attempt.connect = Some(took);
    });
    lease.opened(took);
}

/// Notes that the attempt found an open connection.
fn note_reused(lease: &Lease, active: &ActiveAttempt) {
    active.stamp(|attempt| attempt.is_connected = true);
    lease.reused();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_attempts_give_servers_that_refuse_no_more_requests() {
        let mut left = RetriesLeft::default();
        let mut asked_again = [0; 3];
        for _attempt in 0..10 {
            left.begin_attempt();
            let ends = [RequestEnd::Stale, RequestEnd::Refused, RequestEnd::LeftOut];
            for (index, end) in ends.into_iter().enumerate() {
                while left.allows(end) {
                    asked_again[index] += 1;
                }
            }
        }
        // Each server has old connections of its own.
        assert_eq!(asked_again, [10, 1, 10]);
    }
}
