//! What is counted of one server, from the attempts of exchanges.
//!
//! Owned by the server's live state: it goes on over reloads, also when the address changes, and
//! ends with the server. Workers write through their `WorkerObserver`; `exposition` reads.

use crate::exchange::{Attempt, Reason};
use crate::observe::metrics::shard::{
    Appeared, Counter, Histogram, HistogramSum, ReasonCounters, Shards, StatusCounters, each_status,
};

/// The counters of one server.
#[derive(Debug)]
pub struct ServerMetrics {
    shards: Shards<Shard>,
    has_appeared: Appeared,
}

/// What one worker counts.
#[derive(Debug, Default)]
struct Shard {
    statuses: StatusCounters,
    faults: ReasonCounters,
    response: Histogram,
    connect: Histogram,
    reused: Counter,
}

impl ServerMetrics {
    /// Nothing counted yet, for workers `0..workers`.
    pub fn new(workers: usize) -> Self {
        Self {
            shards: Shards::new(workers),
            has_appeared: Appeared::default(),
        }
    }

    /// Whether a scrape shows its numbers, when `in_flight` exchanges hold one of its slots: they have
    /// moved at some time.
    pub(crate) fn is_shown(&self, in_flight: u64) -> bool {
        let has_counted = self.shards.all().next().is_some();
        self.has_appeared.or(in_flight > 0 || has_counted)
    }

    #[inline]
    pub(crate) fn attempted(&self, worker: usize, attempt: &Attempt) {
        let shard = self.shards.of(worker);
        if attempt.status != 0 {
            shard.statuses.add(attempt.status);
        }
        if let Some(response) = attempt.response {
            shard.response.observe(response);
        }
        match attempt.connect {
            Some(connect) => shard.connect.observe(connect),
            None if was_sent(attempt) => shard.reused.add(1),
            None => {}
        }
        if let Some(reason) = attempt.reason {
            shard.faults.add(reason);
        }
    }

    pub(crate) fn each_status(&self, each: impl FnMut(u16, u64)) {
        each_status(self.shards.all().map(|shard| &shard.statuses), each);
    }

    pub(crate) fn faults(&self, reason: Reason) -> u64 {
        self.shards.sum(|shard| shard.faults.read(reason))
    }

    pub(crate) fn response(&self) -> HistogramSum {
        HistogramSum::of(self.shards.all().map(|shard| &shard.response))
    }

    /// Its count is the number of connections that were opened.
    pub(crate) fn connect(&self) -> HistogramSum {
        HistogramSum::of(self.shards.all().map(|shard| &shard.connect))
    }

    pub(crate) fn reused(&self) -> u64 {
        self.shards.sum(|shard| shard.reused.read())
    }
}

/// Whether the attempt had a connection: a head came, or it failed in a way that needs one.
/// Without this an attempt that never got its connection would count as a reuse.
fn was_sent(attempt: &Attempt) -> bool {
    attempt.response.is_some()
        || attempt.status != 0
        || matches!(
            attempt.reason,
            Some(
                Reason::ServerResponseEmpty
                    | Reason::ServerResponseMalformed
                    | Reason::ServerResponseTimeout
            )
        )
}
