//! The addresses that are listened on, and their frontends.
//!
//! [`moves`](super::moves) decides which sockets stay, open and close. New ones are bound before
//! anything changes, see `prepare`, and listen just before the snapshot is swapped; sockets that no
//! frontend needs any more are closed last.

mod bound_sockets;
mod prepare;

pub(super) use bound_sockets::BoundSockets;
pub(super) use prepare::{Opened, prepare};

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::base::InWords;
use crate::base::clock::{self, Duration};
use crate::base::{ListenAddress, Name, tasks};
use crate::net::Network;
use crate::observe::event;
use crate::plan::Bind;
use crate::proxy::frontend::Frontend;
use crate::proxy::snapshot::Snapshot;
use crate::proxy::worker::{ListenerId, WorkerCommand};

use super::moves::{Fate, Held, Owner};
use super::workers::{Workers, send_to_all};
use super::{State, own_listeners};

use prepare::{Missing, Prepared};

/// How long a socket whose new clients go to another socket waits for handshakes that it has begun:
/// a round trip, and some time for a client that must resend its last segment.
const HANDSHAKES_TAKE: Duration = Duration::from_secs(3);

/// The sockets that the frontends listen on now.
#[derive(Default)]
pub(super) struct Listeners {
    open: Vec<Open>,
    next_id: u64,
    /// Sockets that close and may still be open: a worker first accepts the connections in their
    /// queues.
    closing: Vec<BoundSockets>,
}

struct Open {
    id: ListenerId,
    wanted: Bind,
    bound: BoundSockets,
    frontend: Name,
    /// The address of the frontend whose connections it accepts: another than its own for
    /// [`Role::Covered`].
    serves: ListenAddress,
    role: Role,
}

/// The purpose of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// A frontend listens on its address.
    Wanted,
    /// A frontend listens on all addresses, and this is one of them.
    Covered,
    /// No frontend needs it; it closes later, unless it is needed again. The number distinguishes
    /// this time from others.
    Retired(u64),
}

/// Carries out what was prepared, for the frontends of `snapshot`, which runs already.
pub(super) fn apply(state: &Rc<State>, mut prepared: Prepared, snapshot: &Snapshot) {
    let frontends = snapshot.frontends.iter().map(|frontend| &frontend.live);
    let live: HashMap<&Name, &Arc<Frontend>> = frontends.map(|live| (&live.name, live)).collect();
    let mut listeners = state.listeners.borrow_mut();
    let of_own = prepared.fates.split_off(listeners.open.len());
    let retired = listeners.move_on(&prepared, &live, &state.network, &state.workers);
    let (for_frontends, for_own): (Vec<Opened>, Vec<Opened>) = prepared
        .opened
        .into_iter()
        .partition(|opened| matches!(prepared.wanted[opened.index].0, Owner::Frontend(_)));
    for opened in for_frontends {
        let (owner, bind) = &prepared.wanted[opened.index];
        if let Owner::Frontend(name) = owner
            && let Some(live) = live.get(name)
        {
            listeners.open(opened, bind.clone(), live, &state.workers);
        }
    }
    if !retired.is_empty() {
        tasks::spawn_local(close_later(Rc::clone(state), retired));
    }
    let for_own = for_own.into_iter().map(|opened| {
        let (owner, bind) = prepared.wanted[opened.index].clone();
        (owner, bind, opened)
    });
    let stays = of_own.into_iter().map(|fate| match fate {
        Fate::Serves(index) => Some(prepared.wanted[index].1.clone()),
        Fate::Covered(_) | Fate::Retires | Fate::Closes => None,
    });
    let closing = own_listeners::apply(state, stays.collect(), for_own.collect());
    listeners.closing.extend(closing);
    for Missing { owner, addr, error } in prepared.missing {
        let owner = match &owner {
            Owner::Frontend(name) => name.as_str(),
            Owner::Admin => "the admin listener",
            Owner::Commands => "a socket for commands",
        };
        event::ipv6_missing(owner, &addr, &InWords(&error));
    }
}

/// Closes retired sockets, unless they are needed again.
async fn close_later(state: Rc<State>, retired: Vec<(ListenerId, u64)>) {
    clock::sleep(HANDSHAKES_TAKE).await;
    // A reload relies on the open sockets that it has found.
    let _no_reload = state.reloading.lock().await;
    let retired: HashMap<ListenerId, u64> = retired.into_iter().collect();
    let is_over = |open: &Open| match (open.role, retired.get(&open.id)) {
        (Role::Retired(number), Some(then)) => number == *then,
        _ => false,
    };
    let mut listeners = state.listeners.borrow_mut();
    let Listeners { open, closing, .. } = &mut *listeners;
    for open in open.extract_if(.., |open| is_over(open)) {
        send_to_all(&state.workers, || WorkerCommand::Unlisten(open.id));
        closing.push(open.bound);
    }
}

impl Listeners {
    /// The addresses of `name`, as they are bound.
    pub(super) fn of_frontend(&self, name: &str) -> Vec<ListenAddress> {
        self.open
            .iter()
            .filter(|open| &*open.frontend == name && open.role == Role::Wanted)
            .map(|open| open.bound.addr.clone())
            .collect()
    }

    /// The addresses of each frontend, as they are bound.
    pub(super) fn by_frontend(&self) -> HashMap<&Name, Vec<&ListenAddress>> {
        let mut by_frontend: HashMap<&Name, Vec<&ListenAddress>> = HashMap::new();
        for open in self.open.iter().filter(|open| open.role == Role::Wanted) {
            let addresses = by_frontend.entry(&open.frontend).or_default();
            addresses.push(&open.bound.addr);
        }
        by_frontend
    }

    pub(super) fn held(&self) -> Vec<Held> {
        let held = self.open.iter().map(|open| {
            let owner = Owner::Frontend(open.frontend.clone());
            open.bound.held(&open.wanted.addr, owner)
        });
        held.collect()
    }

    /// Redirects, retires and closes the open sockets; returns those that retire.
    fn move_on(
        &mut self,
        prepared: &Prepared,
        live: &HashMap<&Name, &Arc<Frontend>>,
        network: &Network,
        workers: &Workers,
    ) -> Vec<(ListenerId, u64)> {
        self.closing.retain(BoundSockets::is_open);
        let mut retired = Vec::new();
        let before = std::mem::take(&mut self.open);
        for (mut open, fate) in before.into_iter().zip(&prepared.fates) {
            match *fate {
                Fate::Serves(index) => {
                    open.go_on(&prepared.wanted[index], Role::Wanted, live, workers);
                    permit(&mut open.wanted, &prepared.wanted[index].1, network);
                    if open.wanted.addr.path().is_some() {
                        // Two paths may name one file.
                        open.bound.addr = open.wanted.addr.clone();
                    }
                }
                Fate::Covered(index) => {
                    open.go_on(&prepared.wanted[index], Role::Covered, live, workers);
                }
                Fate::Retires => {
                    if !matches!(open.role, Role::Retired(_)) {
                        event::listener_closed(&open.frontend, &open.bound.addr);
                        open.role = Role::Retired(self.next_id);
                        retired.push((open.id, self.next_id));
                        self.next_id += 1;
                        send_to_all(workers, || WorkerCommand::Retire(open.id));
                    }
                }
                Fate::Closes => {
                    send_to_all(workers, || WorkerCommand::Unlisten(open.id));
                    if open.role == Role::Wanted {
                        event::listener_closed(&open.frontend, &open.bound.addr);
                    }
                    self.closing.push(open.bound);
                    continue;
                }
            }
            self.open.push(open);
        }
        retired
    }

    fn open(&mut self, opened: Opened, wanted: Bind, frontend: &Arc<Frontend>, workers: &Workers) {
        let id = ListenerId(self.next_id);
        self.next_id += 1;
        let address = Arc::new(wanted.addr.clone());
        for (worker, socket) in workers.iter().zip(opened.sockets) {
            // A worker that has ended ends the process.
            let _ = worker.send(WorkerCommand::Listen {
                id,
                socket,
                frontend: Arc::clone(frontend),
                address: Arc::clone(&address),
            });
        }
        event::listener_bound(&frontend.name, &opened.bound.addr);
        self.open.push(Open {
            id,
            bound: opened.bound,
            frontend: frontend.name.clone(),
            serves: wanted.addr.clone(),
            wanted,
            role: Role::Wanted,
        });
    }
}

impl Open {
    /// Makes `open` serve `wanted`.
    fn go_on(
        &mut self,
        (owner, bind): &(Owner, Bind),
        role: Role,
        live: &HashMap<&Name, &Arc<Frontend>>,
        workers: &Workers,
    ) {
        let was_retired = matches!(self.role, Role::Retired(_));
        let is_new = role == Role::Wanted && self.role != Role::Wanted;
        let Owner::Frontend(name) = owner else {
            return;
        };
        let is_other = self.frontend != *name || self.serves != bind.addr;
        if (was_retired || is_other)
            && let Some(live) = live.get(name)
        {
            let address = Arc::new(bind.addr.clone());
            send_to_all(workers, || WorkerCommand::Aim {
                id: self.id,
                frontend: Arc::clone(live),
                address: Arc::clone(&address),
            });
        }
        if self.role == Role::Wanted && role == Role::Covered {
            event::listener_closed(&self.frontend, &self.bound.addr);
        }
        self.role = role;
        self.frontend = name.clone();
        self.serves = bind.addr.clone();
        if is_new {
            event::listener_bound(name, &self.bound.addr);
        }
    }
}

/// Sets the permissions of `wanted` on `open`.
pub(super) fn permit(open: &mut Bind, wanted: &Bind, network: &Network) {
    let mode = wanted.mode;
    let has_changed = open.mode != mode;
    *open = wanted.clone();
    if has_changed
        && let Some(path) = open.addr.path()
        && let Err(error) = network.set_mode(path, mode)
    {
        event::mode_not_changed(&open.addr, &InWords(&error));
    }
}
