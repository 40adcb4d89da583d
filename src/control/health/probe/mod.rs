//! One check of one server: connect, ask, judge the answer, close.
//!
//! Always on a connection of its own: a check on a pooled connection would prove that an old
//! connection works, not that a new one would be accepted. Knows nothing of rise, fall or
//! intervals.
//!
//! It uses the protocols of exchanges (TLS, HTTP/2, a PROXY header), connects by the same code,
//! `proxy/upstream`, and reads HTTP/1 by the same parser, `wire/h1`.
//!
//! A server's bytes are bounded ([`HEAD_BOUND`], [`BODY_BOUND`], the timeout), and no answer can do
//! more than fail the check.

mod ask;
mod driven;
mod http1;
mod judge;
mod progress;
mod target;
#[cfg(test)]
mod tests;
mod words;

use crate::base::clock::{self, Duration};
use crate::net::Network;
use crate::plan::Probe;

pub(super) use progress::Outcome;
pub(super) use target::Target;

use progress::Progress;

/// The most bytes of a body that are searched: enough for a health page, and a bound for an endless
/// body.
const BODY_BOUND: usize = 64 << 10;

/// The most bytes of a head; also the most that is buffered at all.
const HEAD_BOUND: usize = 32 << 10;

/// The reason of a failed check with too many interim responses.
const TOO_MUCH: &str = "more than 64 KiB of interim responses (1xx), and no response";

/// How long we stay after the verdict to read the rest and close in order: closing a connection
/// with unread bytes resets it, and the server would log an error for each check.
const LINGER: Duration = Duration::from_millis(200);

/// Checks a server once; within `timeout`.
///
/// # Cancel safety
///
/// The connection is closed when it is dropped.
pub(super) async fn probe(
    network: &Network,
    target: &Target<'_>,
    probe: &Probe,
    timeout: Duration,
) -> Outcome {
    let progress = Progress::new();
    // Both ways of ending leave the verdict in `progress`: a timeout while we close the connection
    // must not change it.
    let _ = clock::within(timeout, ask::ask(network, target, probe, &progress)).await;
    progress.into_outcome(timeout)
}
