//! One check of one server: ask, judge the answer, leave.
//!
//! Always on a connection of its own: a pooled one would say that an old connection still works,
//! not that a new client would be let in. Knows nothing of rise, fall or time between checks.
//!
//! It speaks what exchanges would speak (TLS, HTTP/2, a PROXY header), and is connected by the code that
//! connects them: `proxy/upstream`.
//!
//! What a server sends is held within bounds ([`HEAD_BOUND`], [`BODY_BOUND`], the timeout), and no
//! answer can do more than fail the check.

mod ask;
mod driven;
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

/// What is looked at of a body: enough for a health page, nothing for one that does not end.
const BODY_BOUND: usize = 64 << 10;

/// What a head may have; also the most that is buffered of anything.
const HEAD_BOUND: usize = 32 << 10;

/// Why a check fails whose answer does not come for all that is said before it.
const TOO_MUCH: &str = "more than 64 KiB of interim responses (1xx), and no response";

/// How long we stay after the verdict to read the rest and close in order: a connection that is
/// closed over unread bytes is reset, and the server would log an error for each check.
const LINGER: Duration = Duration::from_millis(200);

/// Checks a server once; takes `timeout` at most.
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
    // Both ways of ending leave what has been decided in `progress`: a timeout that strikes while
    // we are closing the connection must not take a verdict back.
    let _ = clock::within(timeout, ask::ask(network, target, probe, &progress)).await;
    progress.into_outcome(timeout)
}
