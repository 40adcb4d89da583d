//! The live state of a frontend: what must survive a reload.
//!
//! It belongs to the frontend's name. `listen` counts connections in it, `http` writes its metrics,
//! `control` carries it from snapshot to snapshot and sets its limit.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    /// Its open client connections by address, where they are bounded.
    pub clients: Arc<Clients>,
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

/// Counts connections by the address of their client. Of an IPv6 address the first 64 bits count, which is
/// what one customer of a network has.
///
/// No more entries than connections are counted at a time. One lock for all workers: it is held for one
/// look-up, twice in the life of a connection, and only where connections are bounded.
#[derive(Debug, Default)]
pub struct Clients(Mutex<HashMap<IpAddr, u32>>);

/// One counted connection; leaves when dropped.
#[derive(Debug)]
pub struct Counted {
    clients: Arc<Clients>,
    ip: IpAddr,
}

impl Clients {
    /// Counts one more connection from `ip`; `None`: there are `most` already.
    pub fn enter(self: &Arc<Self>, ip: IpAddr, most: u32) -> Option<Counted> {
        let ip = network_of(ip);
        let mut counts = self.lock();
        let count = counts.entry(ip).or_insert(0);
        if *count >= most {
            return None;
        }
        *count += 1;
        let clients = Arc::clone(self);
        Some(Counted { clients, ip })
    }

    /// A panic under the lock leaves counts as they were: nothing else can be broken.
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.clients.lock();
        if let Entry::Occupied(mut entry) = counts.entry(self.ip) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

fn network_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => {
            let bits = ip.to_bits() & !u128::from(u64::MAX);
            Ipv6Addr::from_bits(bits).into()
        }
        v4 => v4,
    }
}

impl Frontend {
    /// A frontend without connections.
    pub fn new(name: Name, workers: usize) -> Self {
        Self {
            name,
            metrics: FrontendMetrics::new(workers),
            gate: Gate::new(u64::MAX),
            requests: PerSecond::default(),
            clients: Arc::default(),
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

    /// How many may be in; more are let in after a change of the limit.
    pub fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
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

    #[test]
    fn one_address_has_its_limit_and_others_have_theirs() {
        let clients = Arc::<Clients>::default();
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let first = clients.enter(ip("192.0.2.1"), 2).expect("there is room");
        let _second = clients
            .enter(ip("::ffff:192.0.2.1"), 2)
            .expect("the same address");
        assert!(clients.enter(ip("192.0.2.1"), 2).is_none());
        let _other = clients.enter(ip("192.0.2.2"), 2).expect("another address");
        drop(first);
        let again = clients.enter(ip("192.0.2.1"), 2);
        assert!(again.is_some() && clients.enter(ip("192.0.2.1"), 2).is_none());
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_client_and_nothing_is_kept_of_it() {
        let clients = Arc::<Clients>::default();
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let one = clients.enter(ip("2001:db8::1"), 1).expect("there is room");
        assert!(clients.enter(ip("2001:db8::2"), 1).is_none());
        let other = clients.enter(ip("2001:db8:0:1::1"), 1);
        assert!(other.is_some());
        drop((one, other));
        assert!(clients.lock().is_empty());
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
