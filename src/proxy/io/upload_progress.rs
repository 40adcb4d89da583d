//! Notices that a slow server still takes the body of a request, so that it is not late with its answer.
//!
//! The response timeout counts from the last byte of the request. But bytes that were written to the
//! connection may wait for minutes in the buffers before the server. While the server takes some of them,
//! its timeout starts anew.

use crate::base::clock;

use super::deadlines::AttemptDeadlines;
use super::progress_probe::StreamProgressProbe;
use super::tracked_socket::SocketTracker;

/// Checks whether the server takes the request, while the exchange waits for the answer.
pub struct UploadProgress {
    tracker: SocketTracker,
    probe: StreamProgressProbe,
}

impl UploadProgress {
    /// For the next request on the connection of `tracker`; `deadlines` has since when the exchange
    /// waits for the answer.
    pub fn begin(tracker: SocketTracker, deadlines: AttemptDeadlines<'_>) -> Self {
        let probe = StreamProgressProbe::default();
        let wait = deadlines.server_wait();
        deadlines.look_at(wait.map(|(since, timeout)| probe.due(since, timeout)));
        Self { tracker, probe }
    }

    /// Checks, if it is due, on a connection that carries this request alone.
    pub fn poll(&mut self, deadlines: AttemptDeadlines<'_>) {
        self.poll_part(deadlines, self.tracker.written());
    }

    /// Checks, if it is due. `given`: how many bytes of the request the connection has got.
    pub fn poll_part(&mut self, deadlines: AttemptDeadlines<'_>, given: u64) {
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
        // While the exchange waits for the client, the timeout of the server does not run.
        let since = if deadlines.is_waiting_for_client() {
            now
        } else {
            since
        };
        let next = self.probe.due(since, timeout);
        deadlines.look_at(Some(next).filter(|&next| next > now));
    }
}
