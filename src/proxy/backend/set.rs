//! The servers that a backend has now, and which of them take traffic.
//!
//! The list and what choosing among it needs are one immutable value. The control plane makes a new
//! one when servers are added, removed or weighted anew and when one comes up or goes down, and
//! stores it whole: a choice never sees half of a change.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use arc_swap::ArcSwap;

use crate::plan::Balance;

use super::balance::round_robin::Turns;
use super::server::{Server, Wanted};

/// The servers of a backend at one moment.
#[derive(Debug)]
pub struct ServerSet {
    /// Rises by one with each change.
    version: u64,
    /// All of them. The same list as before when only their states changed.
    servers: Arc<[Arc<Server>]>,
    /// Those that take traffic.
    pub(super) members: Box<[Member]>,
    /// How one of them is chosen.
    pub(super) selector: Selector,
}

/// What choosing a server needs beside the list.
#[derive(Debug)]
pub(super) enum Selector {
    /// Whose turn it is, as indices of the members.
    InTurn(Turns),
    /// Nothing: the servers know what they have in flight.
    LeastLoaded,
}

/// One server that takes traffic.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    /// Its index in the set's servers.
    pub(super) index: usize,
    /// Never 0.
    pub(super) weight: u16,
}

/// The set that holds now.
#[derive(Debug)]
pub(super) struct CurrentSet {
    /// Written on the control thread alone, which reads, changes and stores without an await between.
    set: ArcSwap<ServerSet>,
    /// Of `set`. Written after it; a worker that reads the new number with `Acquire` finds the new set.
    ///
    /// `SeqCst` with a fence, together with the queue's counter: either an exchange that joins the
    /// queue and looks sees the new set, or the control plane sees that it waits and wakes it.
    version: AtomicU64,
}

impl ServerSet {
    pub(super) fn new(version: u64, servers: Arc<[Arc<Server>]>, balance: Balance) -> Self {
        let mut members = members(&servers, |server| !server.is_backup());
        if members.is_empty() {
            members = self::members(&servers, Server::is_backup);
        }
        let weights: Vec<u16> = members.iter().map(|member| member.weight).collect();
        Self {
            version,
            selector: match balance {
                Balance::RoundRobin => Selector::InTurn(Turns::new(&weights)),
                Balance::LeastConnections => Selector::LeastLoaded,
            },
            members: members.into(),
            servers,
        }
    }

    /// All servers, whether they take traffic or not.
    pub fn servers(&self) -> &Arc<[Arc<Server>]> {
        &self.servers
    }

    /// Whether it has these servers, in this order, with these settings.
    pub fn is(&self, wanted: &[Wanted]) -> bool {
        let mut pairs = self.servers.iter().zip(wanted);
        self.servers.len() == wanted.len()
            && pairs.all(|(server, wanted)| server.wanted() == *wanted)
    }

    /// How many servers take traffic.
    pub fn available(&self) -> usize {
        self.members.len()
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }
}

/// The servers of a kind that are usable and have a weight.
fn members(servers: &[Arc<Server>], is_of_kind: impl Fn(&Server) -> bool) -> Vec<Member> {
    let each = servers.iter().enumerate();
    each.filter(|(_, server)| is_of_kind(server) && server.is_usable())
        .map(|(index, server)| Member {
            index,
            weight: server.weight(),
        })
        .filter(|member| member.weight > 0)
        .collect()
}

impl CurrentSet {
    pub(super) fn new(servers: Arc<[Arc<Server>]>, balance: Balance) -> Self {
        let set = ServerSet::new(1, servers, balance);
        Self {
            version: AtomicU64::new(set.version),
            set: ArcSwap::from_pointee(set),
        }
    }

    pub(super) fn load(&self) -> Arc<ServerSet> {
        self.set.load_full()
    }

    /// The version of the set that holds now.
    #[inline]
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Makes `servers`, in their present states, the set that holds. The caller makes the exchanges that
    /// wait look again.
    pub(super) fn store(&self, servers: Arc<[Arc<Server>]>, balance: Balance) {
        let next = ServerSet::new(self.set.load().version + 1, servers, balance);
        let version = next.version;
        self.set.store(Arc::new(next));
        self.version.store(version, Ordering::SeqCst);
        // Before the look at the queue that follows: see `version`.
        fence(Ordering::SeqCst);
    }
}
