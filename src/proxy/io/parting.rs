//! How a connection ends whose peer did not get all, and can tell that by nothing but its end.
//!
//! A reset says so, but it overtakes: what lies in our socket is thrown away with it, and what lies
//! unread in the peer's on many systems. So the peer's system gets time to take what was sent before.
//! Under TLS no reset is needed: an end without `close_notify` is no end (RFC 8446 §6.1).

use crate::base::clock::{self, Duration};
use crate::net::Stream;

/// How long a peer's system may take for what was sent to it.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The first pause between two looks; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// The longest pause. The kernel says nothing when a peer has acknowledged all.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Closes `stream` so that its peer sees that it did not get all, once the peer's system has taken
/// what was sent, or after 5 s.
///
/// # Cancel safety
///
/// Dropping it closes the connection without a reset.
pub async fn reset_when_taken(stream: Stream) {
    let until = clock::now() + TIMEOUT;
    let mut pause = FIRST_PAUSE;
    while stream.send_queue().is_some_and(|bytes| bytes > 0) && clock::now() < until {
        clock::sleep(pause).await;
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
    match stream {
        Stream::Tls(tls) => drop(tls.into_below()),
        stream => stream.reset(),
    }
}
