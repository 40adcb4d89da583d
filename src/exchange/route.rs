//! A route as exchanges see it: its name and its counter.

use std::sync::Arc;

use crate::base::Name;
use crate::exchange::counters::{Counter, Shards};

/// A route, as the exchanges of one worker see it that took it. They hold it by `Rc`, which costs
/// no shared counter, for any time: it holds no part of a configuration.
#[derive(Debug)]
pub struct TakenRoute {
    /// Its name.
    pub name: Name,
    /// Its counter.
    pub metrics: Arc<RouteMetrics>,
}

/// The counter of one route: the exchanges that took it.
///
/// It belongs to the frontend's name and the route's: it continues over reloads and ends with the
/// route. Workers write through their `WorkerObserver`, a scrape reads, `control` carries it from
/// snapshot to snapshot.
#[derive(Debug)]
pub struct RouteMetrics {
    shards: Shards<Counter>,
}

impl RouteMetrics {
    /// Zero counters for workers `0..workers`.
    pub fn new(workers: usize) -> Self {
        Self {
            shards: Shards::new(workers),
        }
    }

    #[inline]
    pub(crate) fn finished(&self, worker: usize) {
        self.shards.of(worker).add(1);
    }

    pub(crate) fn requests(&self) -> u64 {
        self.shards.sum(Counter::read)
    }
}
