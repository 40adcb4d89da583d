//! Which server: a backend's live servers, who of them takes traffic, and the slots at them.
//!
//! A [`Backend`] is part of a snapshot; what must outlive a snapshot (the [`Server`]s, the cursor,
//! the queue) belongs to an identity and is carried over. A [`Local`] is what one worker holds of
//! it: the backend with the worker's own connections.

pub mod balance;
mod choose;
mod lease;
mod local;
mod queue;
mod roster;
mod server;

pub use choose::{NoSlot, Tried};
pub use lease::{Held, Lease};
pub use local::{Local, LocalServer};
pub use server::{Health, Note, Server, ServerKey};

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arc_swap::ArcSwap;

use crate::observe::QueueAppeared;
use crate::plan;
use crate::proxy::upstream::Tls;

use balance::least_connections::{Load, handicap_on_coming_up};
use queue::Queue;
use roster::Roster;

/// A backend as one snapshot has it: the plan's settings and the live servers, in the plan's order.
#[derive(Debug)]
pub struct Backend {
    /// Its settings.
    pub plan: plan::Backend,
    /// In the order of `plan.servers`.
    pub servers: Vec<Arc<Server>>,
    /// What handshakes with them are made with; `None`: they are spoken to in the clear. Written by
    /// `control` before the snapshot is swapped in.
    pub tls: Option<Arc<Tls>>,
    /// Who takes traffic. Written by [`Backend::refresh`] on the control thread; read by each choice.
    roster: ArcSwap<Roster>,
    live: Arc<Live>,
}

/// What belongs to a backend's name and outlives a reload.
#[derive(Debug, Default)]
struct Live {
    /// The next turn. Written by every choice on every worker: round robin is exact because it is shared.
    cursor: AtomicU64,
    queue: Queue,
    queue_has_appeared: QueueAppeared,
}

impl Backend {
    /// A backend with `servers`, one for each of the plan's, that goes on where `before` is.
    pub fn new(plan: plan::Backend, servers: Vec<Arc<Server>>, before: Option<&Self>) -> Self {
        for (plan, server) in plan.servers.iter().zip(&servers) {
            server.write(plan);
        }
        let roster = Roster::of(&servers);
        Self {
            plan,
            servers,
            tls: None,
            roster: ArcSwap::from_pointee(roster),
            live: before.map_or_else(Arc::default, |before| Arc::clone(&before.live)),
        }
    }

    /// Makes the servers' present states count: to be called after each change of one.
    pub fn refresh(&self) {
        self.roster.store(Arc::new(Roster::of(&self.servers)));
        self.live.queue.look_again();
    }

    /// Has the exchanges that wait for a slot look again: a limit may have been raised.
    pub fn look_again(&self) {
        self.live.queue.look_again();
    }

    /// Says that `server`, which is one of its own, has just come up, before [`Backend::refresh`]: it
    /// is eased into its share.
    pub fn came_up(&self, server: &Arc<Server>) {
        let roster = self.roster.load();
        let others = roster
            .members
            .iter()
            .filter(|member| !Arc::ptr_eq(&self.servers[member.index], server))
            .map(|member| Load {
                server: member.index,
                in_flight: self.servers[member.index].in_flight(),
                weight: member.weight,
            });
        server.came_up(handicap_on_coming_up(others, server.weight()));
    }

    /// How many exchanges wait for a slot.
    pub fn queued(&self) -> usize {
        self.live.queue.len()
    }

    /// Whether metrics have shown its queue; for them alone.
    pub fn queue_has_appeared(&self) -> &QueueAppeared {
        &self.live.queue_has_appeared
    }

    /// How many servers take traffic.
    pub fn available(&self) -> usize {
        self.roster.load().members.len()
    }
}
