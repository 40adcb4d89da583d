//! What is counted of one route: the exchanges that took it.
//!
//! It belongs to the frontend's name and the route's: it goes on over reloads and ends with the
//! route. Workers write through their `WorkerObserver`, `exposition` reads, `control` carries it from
//! snapshot to snapshot.

use crate::observe::metrics::shard::{Counter, Shards};

/// The counter of one route.
#[derive(Debug)]
pub struct RouteMetrics {
    shards: Shards<Counter>,
}

impl RouteMetrics {
    /// Nothing counted yet, for workers `0..workers`.
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
