//! One try of an exchange at one server, and the server as an exchange knows it: by its name and
//! its counters.
//!
//! `forward` writes the facts of an attempt, `observe` counts them when the exchange is over.

use std::rc::Rc;
use std::sync::Arc;

use crate::base::Name;
use crate::base::clock::Duration;
use crate::exchange::Reason;
use crate::exchange::counters::{
    Appeared, Counter, Histogram, HistogramSum, ReasonCounters, Shards, StatusCounters, each_status,
};

/// One try of an exchange at one server.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Where it was tried.
    pub server: Rc<TriedServer>,
    /// To open the connection; `None`: one from the pool, or it could not be opened.
    pub connect: Option<Duration>,
    /// From a connection being ready to the response head; `None`: no head came.
    pub response: Option<Duration>,
    /// The server's status; 0: no head came.
    pub status: u16,
    /// Why it failed.
    pub reason: Option<Reason>,
}

/// A server, as the exchanges of one worker know it. They hold it by `Rc`, which costs no shared
/// counter, and as long as they like: it holds nothing of a configuration.
#[derive(Debug)]
pub struct TriedServer {
    /// Its name.
    pub name: Name,
    /// Its counters.
    pub metrics: Arc<ServerMetrics>,
}

impl Attempt {
    /// One that has just begun.
    pub fn at(server: Rc<TriedServer>) -> Self {
        Self {
            server,
            connect: None,
            response: None,
            status: 0,
            reason: None,
        }
    }
}

/// The counters of one server.
///
/// Owned by the server's live state: they go on over reloads, also when the address changes, and
/// end with the server. Workers write through their `WorkerObserver`; a scrape reads.
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
