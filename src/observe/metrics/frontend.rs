//! What is counted of one frontend.
//!
//! Owned by the frontend's live state, so that it goes on over reloads and goes away with the
//! frontend. Workers write through their `WorkerObserver`; `exposition` reads.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::clock::Duration;
use crate::exchange::Reason;
use crate::observe::metrics::shard::{
    Counter, Histogram, HistogramSum, Level, ReasonCounters, Shards, StatusCounters, each_status,
};

/// The counters of one frontend.
#[derive(Debug)]
pub struct FrontendMetrics {
    shards: Shards<Shard>,
    /// By [`PauseCause`]. Written by any worker's acceptor, seldom: shared, counted with `fetch_add`.
    /// Relaxed: it orders nothing.
    pauses: [AtomicU64; PauseCause::ALL.len()],
}

/// Why accepting paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseCause {
    /// The frontend's `max_connections`.
    FrontendLimit,
    /// The process's `max_connections`.
    ProcessLimit,
    /// No descriptor was free.
    Descriptors,
}

impl PauseCause {
    pub(crate) const ALL: [Self; 3] = [Self::FrontendLimit, Self::ProcessLimit, Self::Descriptors];

    /// Its label in metrics and events.
    pub fn code(self) -> &'static str {
        match self {
            Self::FrontendLimit => "frontend_limit",
            Self::ProcessLimit => "process_limit",
            Self::Descriptors => "descriptors",
        }
    }
}

/// What one worker counts.
#[derive(Debug, Default)]
struct Shard {
    statuses: StatusCounters,
    replies: ReasonCounters,
    duration: Histogram,
    accepted: Counter,
    parked: Level,
    body_bytes_in: Counter,
    body_bytes_out: Counter,
}

/// A client connection that is parked, for as long as this lives.
#[derive(Debug)]
pub struct Parked<'a>(&'a Level);

/// What is counted of one exchange that is over.
#[derive(Debug)]
pub(crate) struct Finished {
    /// `None`: of a connection in TCP mode.
    pub(crate) status: Option<u16>,
    pub(crate) reason: Option<Reason>,
    /// `None`: of a tunnel, which lasts for as long as its peers like.
    pub(crate) duration: Option<Duration>,
    pub(crate) body_bytes_in: u64,
    pub(crate) body_bytes_out: u64,
}

impl FrontendMetrics {
    /// Nothing counted yet, for workers `0..workers`.
    pub fn new(workers: usize) -> Self {
        Self {
            shards: Shards::new(workers),
            pauses: Default::default(),
        }
    }

    /// Counts a pause in accepting.
    pub fn accept_paused(&self, cause: PauseCause) {
        self.pauses[cause as usize].fetch_add(1, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn accepted(&self, worker: usize) {
        self.shards.of(worker).accepted.add(1);
    }

    pub(crate) fn parked(&self, worker: usize) -> Parked<'_> {
        let level = &self.shards.of(worker).parked;
        level.rise();
        Parked(level)
    }

    #[inline]
    pub(crate) fn finished(&self, worker: usize, finished: &Finished) {
        let shard = self.shards.of(worker);
        if let Some(status) = finished.status {
            shard.statuses.add(status);
        }
        if let Some(duration) = finished.duration {
            shard.duration.observe(duration);
        }
        shard.body_bytes_in.add(finished.body_bytes_in);
        shard.body_bytes_out.add(finished.body_bytes_out);
        if let Some(reason) = finished.reason {
            shard.replies.add(reason);
        }
    }

    pub(crate) fn each_status(&self, each: impl FnMut(u16, u64)) {
        each_status(self.shards.all().map(|shard| &shard.statuses), each);
    }

    pub(crate) fn replies(&self, reason: Reason) -> u64 {
        self.shards.sum(|shard| shard.replies.read(reason))
    }

    pub(crate) fn duration(&self) -> HistogramSum {
        HistogramSum::of(self.shards.all().map(|shard| &shard.duration))
    }

    pub(crate) fn connections(&self) -> u64 {
        self.shards.sum(|shard| shard.accepted.read())
    }

    pub(crate) fn parked_connections(&self) -> u64 {
        self.shards.sum(|shard| shard.parked.read())
    }

    pub(crate) fn body_bytes_in(&self) -> u64 {
        self.shards.sum(|shard| shard.body_bytes_in.read())
    }

    pub(crate) fn body_bytes_out(&self) -> u64 {
        self.shards.sum(|shard| shard.body_bytes_out.read())
    }

    pub(crate) fn pauses(&self, cause: PauseCause) -> u64 {
        self.pauses[cause as usize].load(Ordering::Relaxed)
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        self.0.fall();
    }
}
