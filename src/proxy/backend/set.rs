//! The present servers of a backend, and which of them take traffic.
//!
//! The list and the data for choosing are one immutable value. The control plane makes a new one
//! when servers are added, removed or change their weight, and when one comes up or goes down, and
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
    /// All servers. The same list as before if only their states changed.
    servers: Arc<[Arc<Server>]>,
    /// The servers that take traffic.
    pub(super) members: Box<[Member]>,
    /// The data of the balancing method.
    pub(super) selector: Selector,
}

/// The data of a balancing method beside the list.
#[derive(Debug)]
pub(super) enum Selector {
    /// The turns, as indices of the members.
    InTurn(Turns),
    /// None: the servers count their exchanges in flight.
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

/// The present set.
#[derive(Debug)]
pub(super) struct CurrentSet {
    /// Written on the control thread alone, which reads, changes and stores it without an await in
    /// between.
    set: ArcSwap<ServerSet>,
    /// The version of `set`. Written after it; a worker that reads the new number with `Acquire`
    /// finds the new set.
    ///
    /// `SeqCst` with a fence, together with the queue's counter: either an exchange that joins the
    /// queue and then looks sees the new set, or the control plane sees it in the queue and wakes
    /// it.
    version: AtomicU64,
}

impl ServerSet {
    pub(super) fn new(version: u64, servers: Arc<[Arc<Server>]>, balance: Balance) -> Self {
        let mut members = members(&servers, |server| !server.is_backup());
        if members.is_empty() {
            members = self::members(&servers, Server::is_backup);
        }
        note_members(&servers, &members);
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

/// Writes at each server whether it is one of `members`, which are in the order of `servers`.
fn note_members(servers: &[Arc<Server>], members: &[Member]) {
    let mut members = members.iter().peekable();
    for (index, server) in servers.iter().enumerate() {
        let member = members.next_if(|member| member.index == index);
        server.set_balanced(member.is_some());
    }
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

    /// The version of the present set.
    #[inline]
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Makes a set of `servers` in their present states, and stores it. The caller makes waiting
    /// exchanges look again.
    pub(super) fn store(&self, servers: Arc<[Arc<Server>]>, balance: Balance) {
        let next = ServerSet::new(self.set.load().version + 1, servers, balance);
        let version = next.version;
        self.set.store(Arc::new(next));
        self.version.store(version, Ordering::SeqCst);
        // Before the check of the queue that follows: see `version`.
        fence(Ordering::SeqCst);
    }
}
