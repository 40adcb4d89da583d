//! A request with a body on its way to a server that takes it slowly.
//!
//! A server is late with its answer from the last byte of the request on. What was written for it may
//! be minutes away from it: as long as it takes that, its time begins anew.

use crate::base::clock;

use super::deadlines::Deadlines;
use super::tracked_socket::{SocketTracker, StreamProgressProbe};

/// Looks whether the server takes the request, while the answer is waited for.
pub struct Uploading {
    tracker: SocketTracker,
    probe: StreamProgressProbe,
}

impl Uploading {
    /// Of a request that is to be written on the connection of `tracker`; `deadlines` say since when
    /// its answer is waited for.
    pub fn begin(tracker: SocketTracker, deadlines: &Deadlines) -> Self {
        let probe = StreamProgressProbe::default();
        let wait = deadlines.server_wait();
        deadlines.look_at(wait.map(|(since, timeout)| probe.due(since, timeout)));
        Self { tracker, probe }
    }

    /// Looks, if it is time, on a connection of its own.
    pub fn poll(&mut self, deadlines: &Deadlines) {
        self.poll_part(deadlines, self.tracker.written());
    }

    /// Looks, if it is time. `given`: how much of the request was given to the connection.
    pub fn poll_part(&mut self, deadlines: &Deadlines, given: u64) {
        if !deadlines.takes_look() {
            return;
        }
        let now = clock::now();
        if self.probe.has_taken(now, &self.tracker, given) {
            deadlines.server_moved();
        }
        let Some((since, timeout)) = deadlines.server_wait() else {
            return;
        };
        // While it is the client that is waited for, the server's time does not run.
        let since = if deadlines.is_waiting_for_client() {
            now
        } else {
            since
        };
        let next = self.probe.due(since, timeout);
        deadlines.look_at(Some(next).filter(|&next| next > now));
    }
}
