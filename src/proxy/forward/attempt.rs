//! One try of an exchange at one server.

use std::future::poll_fn;
use std::task::Poll;

use http::Response;

use crate::base::clock::{self, Duration, Instant};
use crate::base::turn;
use crate::exchange::{Fault, Reason};
use crate::net::Dialer;
use crate::proxy::backend::Lease;
use crate::proxy::io::ActiveAttempt;
use crate::proxy::upstream::{Answer, ConnectParams, Connection, StreamEnd, Wanted};

use super::answered::Answered;
use super::carried::Carried;
use super::judge::reuse_after;
use super::over_http1::over_http1;
use super::over_http2::over_http2;
use super::proxy_header_pools::{ProxyHeaderPools, SelectedPool};
use super::schedule::Left;
use super::sending::Sending;

/// An attempt failed; its slot is still held.
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
    retries_left: &mut RetriesLeft,
    mut active: ActiveAttempt,
) -> Result<Answered, Failed> {
    retries_left.begin_attempt();
    lease.hold(proxy_header_pools.held());
    let selected = proxy_header_pools.select(&lease, &active.exchange().record, || sending.host());
    let mut wanted = Wanted::Any;
    loop {
        let began = clock::now();
        let (connection, ready) = match connect(&lease, &selected, wanted, dialer, &active).await {
            Ok(connected) => connected,
            Err(fault) => return Err(Failed::of(active, fault, lease)),
        };
        let (fault, again) = match connection {
            Connection::Http1(mut connection) => {
                let is_old = connection.was_used();
                match over_http1(&mut connection, ready, &lease, sending, &active).await {
                    Ok(response) => {
                        let carried = Carried::Http1 {
                            reuse: reuse_after(&response, active.exchange()),
                            connection,
                            pool: selected.pool,
                        };
                        return Ok(Answered::new(response, carried, lease, active));
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
                let answering = Box::pin(over_http2(&permit, ready, &lease, sending, &active));
                match answering.await {
                    Ok(Answer { response, rest }) => {
                        let (head, body) = response.into_parts();
                        let carried = Carried::Http2 { body, rest, permit };
                        let response = Response::from_parts(head, ());
                        return Ok(Answered::new(response, carried, lease, active));
                    }
                    Err((fault, end)) => (fault, Again::after(end, permit.was_used())),
                }
            }
        };
        if sending.left() == Left::Nothing || !retries_left.allows(again) {
            return Err(Failed::of(active, fault, lease));
        }
        if again != Again::Refused {
            wanted = Wanted::OpenedSince(began);
        }
        lease.tried_in_vain(fault.reason);
        active = active.again(fault.reason, &lease.server().tried);
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
    fn after(end: StreamEnd, was_used: bool) -> Self {
        match end {
            StreamEnd::Refused => Self::Refused,
            StreamEnd::LeftOut => Self::LeftOut,
            StreamEnd::Died if was_used => Self::Stale,
            StreamEnd::Died | StreamEnd::Other => Self::No,
        }
    }
}

/// How often a server is asked again within an attempt.
pub(super) struct RetriesLeft {
    /// In this attempt: each server has connections of its own.
    stale: u32,
    /// In the whole exchange.
    refused: u32,
    /// In the whole exchange.
    left_out: u32,
}

impl Default for RetriesLeft {
    /// A refusal means a server that is busy: asking often would make it busier. A goodbye is the
    /// connection's matter, and with one that serves few requests on each connection a request can
    /// meet some of them in a row.
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

/// A connection, and since when it could be used.
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
    // Only some connections let an exchange go on in another protocol.
    let is_upgrade = active.exchange().upgrade().is_some();
    if !is_upgrade {
        let open =
            poll_fn(|cx| Poll::Ready(selected.pool.take(settings, &plan.pool, wanted, began, cx)));
        // A look that seems pending because the turn is over would take a closed one for open.
        if let Some(connection) = turn::uncounted(open).await {
            // Opened a moment ago for other exchanges, which wait for it: this one counts it.
            match &connection {
                Connection::Http2(permit) if !permit.was_used() => {
                    note_opened(Duration::ZERO, lease, active);
                }
                _ => lease.reused(),
            }
            return Ok((connection, began));
        }
    }
    let deadlines = active.deadlines();
    let timeout = plan.timeout.connect;
    let params = ConnectParams {
        dialer,
        claim: dialer.descriptors().claim(lease.held()),
        address: &lease.server().shared.address,
        preamble: &selected.preamble,
        settings,
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
    match is_first {
        true => note_opened(ready.saturating_duration_since(began), lease, active),
        false => lease.reused(),
    }
    Ok((connection, ready))
}

/// Notes that a connection was opened for the attempt.
pub(super) fn note_opened(took: Duration, lease: &Lease, active: &ActiveAttempt) {
    active.stamp(|attempt| attempt.connect = Some(took));
    lease.opened(took);
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
            for (index, again) in [Again::Stale, Again::Refused, Again::LeftOut]
                .into_iter()
                .enumerate()
            {
                while left.allows(again) {
                    asked_again[index] += 1;
                }
            }
        }
        // Each server has old connections of its own.
        assert_eq!(asked_again, [10, 1, 10]);
    }
}
