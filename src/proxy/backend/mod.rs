//! Chooses a server: the servers of a backend, which of them take traffic, and the slots at each.
//!
//! A [`Backend`] is part of a snapshot and has a [`ServerSet`], which changes while it runs. What must
//! outlive a snapshot (the [`Server`]s, the cursor, the queue) belongs to an identity and is carried
//! over. A [`Local`] is what one worker holds of it: the backend with the worker's own connections.

mod admission;
pub mod balance;
mod choose;
mod lease;
mod local;
mod pick;
mod queue;
mod server;
mod set;

pub use admission::{Admission, HeldBy};
pub use lease::{Held, Lease};
pub use local::{Local, LocalServer};
pub use pick::{NoSlot, Tried};
pub use server::{Health, Note, Server, ServerKey, Wanted};
pub use set::ServerSet;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::base::CachePadded;
use crate::observe::QueueAppeared;
use crate::plan::{self, OwnSettings, ServerTls};
use crate::proxy::upstream::{Tls, Transport};
use crate::tables::PerSecond;

use balance::least_connections::{Load, handicap_on_coming_up};
use queue::Queue;
use set::CurrentSet;

/// The TLS for each TLS setting.
pub type TlsBySettings = HashMap<ServerTls, Arc<Tls>>;

/// A backend in one snapshot: the plan's settings, and its present servers.
///
/// A change of its servers alone does not make a new one. If its settings change, the next one
/// starts with the same servers, and the set of this one does not change any more: exchanges that
/// began under the old settings end at the servers that they began with.
#[derive(Debug)]
pub struct Backend {
    /// Its settings, without servers: those are in the set.
    pub plan: plan::Backend,
    /// The TLS for each TLS setting of it, its servers and their checks. Written by `control`
    /// before the snapshot is swapped in.
    pub tls: TlsBySettings,
    /// Written by [`Backend::change`] and [`Backend::refresh`] on the control thread; read by workers
    /// when its version changed.
    set: CurrentSet,
    live: Arc<Live>,
    /// Different for each object that has this live state.
    number: u64,
}

/// What belongs to a backend's name and outlives a reload.
#[derive(Debug, Default)]
struct Live {
    /// The next turn. Written by every choice on every worker: round robin is exact because it is
    /// shared. On a cache line of its own: the queue is read as often, and hardly ever written.
    cursor: CachePadded<AtomicU64>,
    queue: Queue,
    /// Exchanges of the last second, for expressions.
    rate: PerSecond,
    queue_has_appeared: QueueAppeared,
}

impl Backend {
    /// A backend with the settings of `plan` and with `servers`, which continues the live state of
    /// `before`.
    pub fn new(plan: &plan::Backend, servers: Vec<Arc<Server>>, before: Option<&Self>) -> Self {
        Self {
            plan: plan.without_servers(),
            tls: TlsBySettings::new(),
            set: CurrentSet::new(servers.into(), plan.balance),
            live: before.map_or_else(Arc::default, |before| Arc::clone(&before.live)),
            number: before.map_or(0, |before| before.number + 1),
        }
    }

    /// The same with `tls`, for connections from then on.
    pub fn with_tls(&self, tls: TlsBySettings) -> Self {
        Self {
            plan: self.plan.clone(),
            tls,
            set: CurrentSet::new(Arc::clone(self.set.load().servers()), self.plan.balance),
            live: Arc::clone(&self.live),
            number: self.number + 1,
        }
    }

    /// How exchanges reach the server that has the settings `own`.
    pub fn transport(&self, own: &OwnSettings) -> Transport {
        self.transport_by(self.plan.tls_of(own))
    }

    /// How checks reach the server that has the settings `own`.
    pub fn check_transport(&self, own: &OwnSettings) -> Transport {
        self.transport_by(self.plan.check_tls_of(own))
    }

    fn transport_by(&self, settings: Option<&ServerTls>) -> Transport {
        match settings.map(|settings| self.tls.get(settings)) {
            None => Transport::Clear,
            Some(Some(tls)) => Transport::Tls(Arc::clone(tls)),
            Some(None) => Transport::Unusable,
        }
    }

    /// Whether its settings equal those of `plan`, apart from the servers.
    pub fn is_like(&self, plan: &plan::Backend) -> bool {
        self.plan.has_settings_of(plan)
    }

    /// The present servers.
    pub fn set(&self) -> Arc<ServerSet> {
        self.set.load()
    }

    /// Replaces the servers. Exchanges at removed ones continue; no other is sent there. Only
    /// `control::publish` calls this.
    pub fn change(&self, servers: Vec<Arc<Server>>) {
        self.set.store(servers.into(), self.plan.balance);
        self.live.queue.look_again();
    }

    /// Applies the present states of the servers to the set: to be called after each change of one,
    /// on the control thread.
    pub fn refresh(&self) {
        let servers = Arc::clone(self.set.load().servers());
        self.set.store(servers, self.plan.balance);
        self.live.queue.look_again();
    }

    /// Makes the exchanges that wait for a slot look again: a limit may have been raised.
    pub fn look_again(&self) {
        self.live.queue.look_again();
    }

    /// Notes that `server`, one of its own, has just come up, so that it does not get all new exchanges at
    /// once. To be called before [`Backend::refresh`].
    pub fn came_up(&self, server: &Arc<Server>) {
        let set = self.set.load();
        let members = set.members.iter();
        let others = members
            .filter(|member| !Arc::ptr_eq(&set.servers()[member.index], server))
            .map(|member| Load {
                server: member.index,
                in_flight: set.servers()[member.index].in_flight(),
                weight: member.weight,
            });
        server.came_up(handicap_on_coming_up(others, server.weight()));
    }

    /// How many exchanges wait for a slot at `server` alone: rules have chosen it.
    pub fn queued_at(&self, server: &Arc<Server>) -> usize {
        self.live.queue.len_at(server)
    }

    /// How many exchanges wait for a slot, at any server or at one alone.
    pub fn queued(&self) -> usize {
        self.live.queue.len()
    }

    /// Whether metrics have shown its queue; for them alone.
    pub fn queue_has_appeared(&self) -> &QueueAppeared {
        &self.live.queue_has_appeared
    }

    /// The exchanges of the last second; who chooses the backend counts them.
    pub fn rate(&self) -> &PerSecond {
        &self.live.rate
    }

    /// How many exchanges are at its servers.
    pub fn in_flight(&self) -> usize {
        let set = self.set.load();
        let servers = set.servers().iter();
        servers.map(|server| server.in_flight() as usize).sum()
    }

    /// How many slots are free at the servers that take traffic; `None`: one of them has no bound.
    pub fn free_slots(&self) -> Option<usize> {
        let set = self.set.load();
        let members = set.members.iter();
        let slots = members.map(|member| set.servers()[member.index].free_slots());
        slots.map(|slots| slots.map(|slots| slots as usize)).sum()
    }

    /// How many servers take traffic.
    pub fn available(&self) -> usize {
        self.set.load().available()
    }
}
