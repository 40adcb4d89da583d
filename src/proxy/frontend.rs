//! The live state of a frontend: what must survive a reload.
//!
//! It belongs to the frontend's name. `listen` counts connections in it, `http` writes its numbers,
//! `control` carries it from snapshot to snapshot and sets its limit.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::base::Name;
use crate::observe::FrontendMetrics;

/// A frontend, alive.
#[derive(Debug)]
pub struct Frontend {
    /// Its identity.
    pub name: Name,
    /// Its numbers.
    pub metrics: FrontendMetrics,
    /// Its open client connections, and how many there may be.
    pub gate: Gate,
    /// Its open tunnels. Written by each tunnel as it begins and ends; read by metrics. `Relaxed`: it
    /// orders nothing.
    tunnels: AtomicU64,
    /// Whether it has gone from the configuration. Written by `control`, read by each connection
    /// that it wakes. `Relaxed`: the wake-up orders it.
    removed: AtomicBool,
    /// Its index in the latest snapshot. Written by `control` as it assembles one; read where a
    /// connection looks for its frontend. Only a hint, so `Relaxed`: who finds another frontend there
    /// searches.
    index_hint: AtomicU32,
}

/// Counts connections, or handshakes, and holds others back while there are as many as may be.
#[derive(Debug)]
pub struct Gate {
    /// Written by each connection that enters or leaves, on every worker; read by metrics.
    open: AtomicU64,
    /// Written by `control`; read by each connection that enters.
    limit: AtomicU64,
    /// Told when a connection leaves a full gate.
    left: Notify,
}

impl Frontend {
    /// A frontend without connections.
    pub fn new(name: Name, workers: usize) -> Self {
        Self {
            name,
            metrics: FrontendMetrics::new(workers),
            gate: Gate::new(u64::MAX),
            tunnels: AtomicU64::new(0),
            removed: AtomicBool::new(false),
            index_hint: AtomicU32::new(0),
        }
    }

    /// Says that it has this index in the snapshot that is assembled.
    pub fn stands_at(&self, index: usize) {
        self.index_hint.store(index as u32, Ordering::Relaxed);
    }

    /// Its index in the latest snapshot that has it; in an older one it may have had another.
    pub fn index_hint(&self) -> usize {
        self.index_hint.load(Ordering::Relaxed) as usize
    }

    /// How many tunnels are open.
    pub fn tunnels(&self) -> u64 {
        self.tunnels.load(Ordering::Relaxed)
    }

    /// A tunnel has opened.
    pub fn tunnel_opened(&self) {
        self.tunnels.fetch_add(1, Ordering::Relaxed);
    }

    /// A tunnel has closed.
    pub fn tunnel_closed(&self) {
        self.tunnels.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether its connections shall end.
    pub fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Relaxed)
    }

    /// Says that it has gone from the configuration.
    pub fn remove(&self) {
        self.removed.store(true, Ordering::Relaxed);
    }
}

impl Gate {
    /// A gate for `limit` connections.
    pub fn new(limit: u64) -> Self {
        Self {
            open: AtomicU64::new(0),
            limit: AtomicU64::new(limit),
            left: Notify::new(),
        }
    }

    /// How many are in.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Changes how many may be in, and gives how many might before; connections that are in stay.
    pub fn set_limit(&self, limit: u64) -> u64 {
        let before = self.limit.swap(limit, Ordering::SeqCst);
        self.left.notify_waiters();
        before
    }

    /// Lets one more in, unless there are as many as may be.
    pub fn try_enter(&self) -> bool {
        // SeqCst, with `leave`: either who leaves sees the full gate, or who enters sees the place.
        let limit = self.limit.load(Ordering::SeqCst);
        self.open
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |open| {
                (open < limit).then_some(open + 1)
            })
            .is_ok()
    }

    /// Lets one more in as soon as there is room.
    ///
    /// # Cancel safety
    ///
    /// A connection whose wait is dropped is not counted.
    pub async fn enter(&self) {
        loop {
            let mut left = std::pin::pin!(self.left.notified());
            // Listening first: a place that becomes free between the look and the wait is not missed.
            left.as_mut().enable();
            if self.try_enter() {
                return;
            }
            left.await;
        }
    }

    /// One has left.
    pub fn leave(&self) {
        let before = self.open.fetch_sub(1, Ordering::SeqCst);
        if before >= self.limit.load(Ordering::SeqCst) {
            self.left.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_reached_and_not_passed() {
        let gate = Gate::new(2);
        assert!(gate.try_enter());
        assert!(gate.try_enter());
        assert!(!gate.try_enter());
        gate.leave();
        assert!(gate.try_enter());
        assert_eq!(gate.open(), 2);
    }

    #[tokio::test]
    async fn who_waits_is_let_in_when_one_leaves_or_the_limit_rises() {
        let gate = Gate::new(1);
        gate.enter().await;
        tokio::join!(gate.enter(), async { gate.leave() });
        tokio::join!(gate.enter(), async { gate.set_limit(2) });
        assert_eq!(gate.open(), 2);
    }
}
