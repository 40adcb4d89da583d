//! A request with a body on its way to a server that takes it slowly.
//!
//! A server is late with its answer from the last byte of the request on. What was written for it may
//! be minutes away from it: as long as it takes that, its time begins anew.

use crate::base::clock;

use super::deadlines::Deadlines;
use super::gauge::{Gauge, PartLooks};

/// Looks whether the server takes the request, while the answer is waited for.
pub struct Uploading {
    gauge: Gauge,
    looks: PartLooks,
}

impl Uploading {
    /// Of a request that is to be written on the connection of `gauge`; `deadlines` say since when
    /// its answer is waited for.
    pub fn begin(gauge: Gauge, deadlines: &Deadlines) -> Self {
        let looks = PartLooks::default();
        let wait = deadlines.server_wait();
        deadlines.look_at(wait.map(|(since, patience)| looks.due(since, patience)));
        Self { gauge, looks }
    }

    /// Looks, if it is time, on a connection of its own.
    pub fn poll(&mut self, deadlines: &Deadlines) {
        self.poll_part(deadlines, self.gauge.written());
    }

    /// Looks, if it is time. `given`: how much of the request was given to the connection.
    pub fn poll_part(&mut self, deadlines: &Deadlines, given: u64) {
        if !deadlines.takes_look() {
            return;
        }
        let now = clock::now();
        if self.looks.has_taken(now, &self.gauge, given) {
            deadlines.server_moved();
        }
        let Some((since, patience)) = deadlines.server_wait() else {
            return;
        };
        // While it is the client that is waited for, the server's time does not run.
        let since = if deadlines.is_waiting_for_client() {
            now
        } else {
            since
        };
        let next = self.looks.due(since, patience);
        deadlines.look_at(Some(next).filter(|&next| next > now));
    }
}
