//! One try of an exchange at one server, and the server as exchanges see it: its name and its
//! counters.
//!
//! `forward` writes the facts of an attempt, for the log. `Lease::settle` counts it when it is
//! over.

use std::rc::Rc;
use std::sync::Arc;

use crate::base::Name;
use crate::base::clock::Duration;
use crate::exchange::counters::{
    Appeared, Counter, Histogram, HistogramSum, ReasonCounters, Shards, StatusCounters, each_status,
};
use crate::exchange::{Outcome, Reason, Verdict};

/// One try of an exchange at one server.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The server of the attempt.
    pub server: Rc<TriedServer>,
    /// Whether there was a connection to the server.
    pub is_connected: bool,
    /// The time to open the connection; `None`: one from the pool, or it could not be opened.
    pub connect: Option<Duration>,
    /// The time from the connection being ready to the response head; `None`: no head came.
    pub response: Option<Duration>,
    /// The server's status; 0: no head came.
    pub status: u16,
    /// Why it failed.
    pub reason: Option<Reason>,
}

/// A server, as the exchanges of one worker see it. They hold it by `Rc`, which costs no shared
/// counter, for any time: it holds no part of a configuration.
#[derive(Debug)]
pub struct TriedServer {
    /// Its name.
    pub name: Name,
    /// Its counters.
    pub metrics: Arc<ServerMetrics>,
}

impl Attempt {
    /// An attempt that has just begun.
    pub fn at(server: Rc<TriedServer>) -> Self {
        Self {
            server,
            is_connected: false,
            connect: None,
            response: None,
            status: 0,
            reason: None,
        }
    }
}

/// The counters of one server.
///
/// Owned by the server's live state: they continue over reloads, also when the address changes, and
/// end with the server. Workers write through their `AttemptCounter`; a scrape reads.
#[derive(Debug)]
pub struct ServerMetrics {
    shards: Shards<Shard>,
    has_appeared: Appeared,
    queue_has_appeared: Appeared,
}

/// The counters of one worker.
#[derive(Debug, Default)]
struct Shard {
    statuses: StatusCounters,
    faults: ReasonCounters,
    response: Histogram,
    connect: Histogram,
    reused: Counter,
    client_left: Counter,
    cancelled: Counter,
}

impl ServerMetrics {
    /// Zero counters for workers `0..workers`.
    pub fn new(workers: usize) -> Self {
        Self {
            shards: Shards::new(workers),
            has_appeared: Appeared::default(),
            queue_has_appeared: Appeared::default(),
        }
    }

    /// Whether a scrape shows its numbers, when `in_flight` exchanges hold one of its slots: one of
    /// them has changed at some time.
    pub(crate) fn is_shown(&self, in_flight: u64) -> bool {
        let has_counted = self.shards.all().next().is_some();
        self.has_appeared.or(in_flight > 0 || has_counted)
    }

    /// Whether a scrape shows its queue, in which `queued` exchanges wait: some have waited at a scrape.
    pub(crate) fn queue_is_shown(&self, queued: u64) -> bool {
        self.queue_has_appeared.or(queued > 0)
    }

    /// Counts a connection that was opened for an attempt, which took `took`.
    #[inline]
    pub(crate) fn opened(&self, worker: usize, took: Duration) {
        self.shards.of(worker).connect.observe(took);
    }

    /// Counts an attempt that found a connection open.
    #[inline]
    pub(crate) fn reused(&self, worker: usize) {
        self.shards.of(worker).reused.add(1);
    }

    /// Counts an attempt that is over.
    #[inline]
    pub(crate) fn settled(&self, worker: usize, outcome: &Outcome) {
        let shard = self.shards.of(worker);
        if outcome.status != 0 {
            shard.statuses.add(outcome.status);
        }
        if let Some(latency) = outcome.latency {
            shard.response.observe(latency);
        }
        match outcome.verdict {
            Verdict::Answered => {}
            Verdict::Failed(reason) => shard.faults.add(reason),
            Verdict::ClientLeft => shard.client_left.add(1),
            Verdict::Cancelled => shard.cancelled.add(1),
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

    pub(crate) fn reuses(&self) -> u64 {
        self.shards.sum(|shard| shard.reused.read())
    }

    /// The number of attempts that ended with `verdict`, which proves nothing about the server.
    pub(crate) fn abandoned(&self, verdict: Verdict) -> u64 {
        self.shards.sum(|shard| match verdict {
            Verdict::ClientLeft => shard.client_left.read(),
            Verdict::Cancelled => shard.cancelled.read(),
            Verdict::Answered | Verdict::Failed(_) => 0,
        })
    }
}
