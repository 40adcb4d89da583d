//! The live state of a frontend: what must survive a reload.
//!
//! It belongs to the frontend's name. `listen` counts connections in it, `http` writes its metrics,
//! `control` carries it from snapshot to snapshot and sets its limit.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::base::Name;
use crate::observe::FrontendMetrics;
use crate::tables::PerSecond;

/// The live state of a frontend.
#[derive(Debug)]
pub struct Frontend {
    /// Its identity.
    pub name: Name,
    /// Its metrics.
    pub metrics: FrontendMetrics,
    /// Its open client connections, and their limit.
    pub gate: Gate,
    /// Its requests of the last second, for expressions.
    pub requests: PerSecond,
    /// Its open tunnels. Written by each tunnel as it begins and ends; read by metrics. `Relaxed`: it
    /// orders nothing.
    tunnels: AtomicU64,
    /// Whether it was removed from the configuration. Written by `control`, read by each connection
    /// that it wakes. `Relaxed`: the wake-up orders it.
    removed: AtomicBool,
    /// Its index in the latest snapshot. Written by `control` as it assembles one; read when a
    /// connection looks up its frontend. Only a hint, so `Relaxed`: a reader that finds another
    /// frontend there searches.
    index_hint: AtomicU32,
}

/// Counts connections, or handshakes, and holds more back at the limit.
#[derive(Debug)]
pub struct Gate {
    /// Written by each connection that enters or leaves, on every worker; read by metrics.
    open: AtomicU64,
    /// Written by `control`; read by each connection that enters.
    limit: AtomicU64,
    /// Notified when a connection leaves a full gate.
    left: Notify,
}

impl Frontend {
    /// A frontend without connections.
    pub fn new(name: Name, workers: usize) -> Self {
        Self {
            name,
            metrics: FrontendMetrics::new(workers),
            gate: Gate::new(u64::MAX),
            requests: PerSecond::default(),
            tunnels: AtomicU64::new(0),
            removed: AtomicBool::new(false),
            index_hint: AtomicU32::new(0),
        }
    }

    /// Notes its index in the snapshot that is assembled.
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

    /// Whether its connections must end.
    pub fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Relaxed)
    }

    /// Notes that it was removed from the configuration.
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

    /// How many have entered and not left.
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Changes the limit, and returns the previous one; connections that have entered stay.
    pub fn set_limit(&self, limit: u64) -> u64 {
        let before = self.limit.swap(limit, Ordering::SeqCst);
        self.left.notify_waiters();
        before
    }

    /// Lets one more in if fewer than the limit are in.
    pub fn try_enter(&self) -> bool {
        // SeqCst, with `leave`: either the one that leaves sees the full gate, or the one that
        // enters sees the room.
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
    /// If the wait is dropped, the connection is not counted.
    pub async fn enter(&self) {
        loop {
            let mut left = std::pin::pin!(self.left.notified());
            // Registered first: room that appears between the check and the wait is not missed.
            left.as_mut().enable();
            if self.try_enter() {
                return;
            }
            left.await;
        }
    }

    /// One leaves.
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
    async fn a_waiter_is_admitted_when_one_leaves_or_the_limit_rises() {
        let gate = Gate::new(1);
        gate.enter().await;
        tokio::join!(gate.enter(), async { gate.leave() });
        tokio::join!(gate.enter(), async { gate.set_limit(2) });
        assert_eq!(gate.open(), 2);
    }
}
