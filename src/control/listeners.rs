//! Which addresses are listened on, and for which frontend.
//!
//! [`moves`](super::moves) says what goes on, opens and closes. What is new is bound before anything
//! changes and listens just before the snapshot is swapped; what no frontend wants any more is closed
//! last.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use crate::base::InWords;
use crate::base::address::UnixName;
use crate::base::clock::{self, Duration};
use crate::base::{Address, ListenAddress, Name, tasks};
use crate::net::{Network, Socket, Trace};
use crate::observe::event;
use crate::plan::{Bind, Plan};
use crate::proxy::frontend::Frontend;
use crate::proxy::snapshot::Snapshot;
use crate::proxy::worker::{ListenerId, WorkerCommand};

use super::cannot_listen::{CannotListen, lacks_ipv6};
use super::moves::{self, Fate, Held, Means, Moves, Owner, Site, Wanted};
use super::workers::{Workers, tell};
use super::{State, admin};

/// How long a socket whose clients another one gets waits for handshakes that it has begun: a round
/// trip, and some for a client that has to send its last part of it again.
const HANDSHAKES_TAKE: Duration = Duration::from_secs(3);

/// What the frontends listen on now.
#[derive(Default)]
pub(super) struct Listeners {
    open: Vec<Open>,
    next_id: u64,
    /// Those that close and may still be open: a worker accepts first what is in their queues.
    closing: Vec<Known>,
}

struct Open {
    id: ListenerId,
    wanted: Bind,
    known: Known,
    frontend: Name,
    /// The address of the frontend whose connections it accepts: another one covers its own when
    /// [`Role::Covered`].
    serves: ListenAddress,
    role: Role,
}

/// What a socket is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// A frontend wants its address.
    Wanted,
    /// A frontend wants all addresses, and this is one of them.
    Covered,
    /// None wants it; it closes at its time, unless it is wanted again. The number tells this time from
    /// another.
    Retired(u64),
}

/// Sockets at one address, for all workers.
pub(super) struct Known {
    /// As bound: port 0 is the port that it became.
    pub(super) bound: ListenAddress,
    site: Site,
    is_dual: bool,
    traces: Vec<Trace>,
}

/// The addresses of the next plan: what becomes of the open ones, and those that were bound for it.
pub(super) struct Prepared {
    wanted: Vec<(Owner, Bind)>,
    fates: Vec<Fate>,
    /// Each for one of `wanted`.
    opened: Vec<Opened>,
    missing: Vec<Missing>,
}

/// What was opened for one address.
pub(super) struct Opened {
    index: usize,
    pub(super) known: Known,
    pub(super) sockets: Vec<Socket>,
}

/// An address for IPv6 that this host cannot have, beside the same for IPv4.
struct Missing {
    owner: Owner,
    addr: ListenAddress,
    error: io::Error,
}

/// Binds what `plan` wants and is not bound, for frontends and the admin listener; all that cannot be
/// had is reported.
pub(super) async fn prepare(state: &State, plan: &Plan) -> Result<Prepared, Vec<CannotListen>> {
    let network = &state.network;
    let wanted = wanted_of(plan);
    let mut held = state.listeners.borrow().held();
    held.extend(state.admin.borrow().held());
    let sites: Vec<Wanted> = wanted
        .iter()
        .map(|(owner, bind)| Wanted {
            listen: bind.addr.clone(),
            site: site_of(&bind.addr, network),
            owner: owner.clone(),
        })
        .collect();
    let Moves { fates, means } = moves::plan(&held, &sites);
    let all_of_ipv4 = all_of_ipv4(&wanted);
    let closing = inodes_of_closing(state);
    let (mut opened, mut missing, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for (index, means) in means.into_iter().enumerate() {
        let Means::Opened(beside) = means else {
            continue;
        };
        let (owner, bind) = &wanted[index];
        let copies = match owner {
            Owner::Frontend(_) => state.workers.len(),
            Owner::Admin => 1,
        };
        let mut own = inodes(state, &beside);
        if let Site::Ip(addr) = sites[index].site {
            own.extend(closing.get(&addr.port()).into_iter().flatten());
        }
        match network.bind(&bind.addr, bind.mode, copies, &own).await {
            Ok(sockets) => match Known::of(&bind.addr, &sockets, network) {
                Ok(known) => opened.push(Opened {
                    index,
                    known,
                    sockets,
                }),
                Err(error) => faults.push(CannotListen::new(bind, error)),
            },
            Err(error) if lacks_ipv6(&error) && is_beside(&all_of_ipv4, &wanted[index]) => {
                missing.push(Missing {
                    owner: owner.clone(),
                    addr: bind.addr.clone(),
                    error,
                });
            }
            Err(error) => {
                let mut handed = beside.iter().map(|index| &held[*index].listen);
                let handed = handed.find(|listen| matches!(listen, ListenAddress::Inherited(_)));
                let mut fault = CannotListen::new(bind, error);
                fault.handed_over = handed.cloned();
                faults.push(fault);
            }
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Prepared {
        wanted,
        fates,
        opened,
        missing,
    })
}

impl Prepared {
    /// Lets clients connect to what was bound: the last step before the snapshot is swapped. Sooner,
    /// those of a reload that fails would be connected to sockets that close.
    pub(super) fn listen(&self) -> Result<(), Vec<CannotListen>> {
        let mut faults = Vec::new();
        for opened in &self.opened {
            let listening = opened.sockets.iter().try_for_each(Socket::listen);
            if let Err(error) = listening {
                faults.push(CannotListen::new(&self.wanted[opened.index].1, error));
            }
        }
        match faults.is_empty() {
            true => Ok(()),
            false => Err(faults),
        }
    }
}

/// Makes what was prepared so, for the frontends of `snapshot`, which runs already.
pub(super) fn apply(state: &Rc<State>, mut prepared: Prepared, snapshot: &Snapshot) {
    let frontends = snapshot.frontends.iter().map(|frontend| &frontend.live);
    let live: HashMap<&Name, &Arc<Frontend>> = frontends.map(|live| (&live.name, live)).collect();
    let mut listeners = state.listeners.borrow_mut();
    let of_admin = prepared.fates.split_off(listeners.open.len());
    let retired = listeners.move_on(&prepared, &live, &state.network, &state.workers);
    let (for_admin, for_frontends): (Vec<Opened>, Vec<Opened>) = prepared
        .opened
        .into_iter()
        .partition(|opened| prepared.wanted[opened.index].0 == Owner::Admin);
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
    let for_admin = for_admin.into_iter();
    let for_admin = for_admin.map(|opened| (prepared.wanted[opened.index].1.clone(), opened));
    let stays = of_admin.into_iter().map(|fate| match fate {
        Fate::Serves(index) => Some(prepared.wanted[index].1.clone()),
        Fate::Covered(_) | Fate::Retires | Fate::Closes => None,
    });
    let closing = admin::apply(state, stays.collect(), for_admin.collect());
    listeners.closing.extend(closing);
    for Missing { owner, addr, error } in prepared.missing {
        let owner = match &owner {
            Owner::Frontend(name) => name.as_str(),
            Owner::Admin => "the admin listener",
        };
        event::ipv6_missing(owner, &addr, &InWords(&error));
    }
}

/// Closes sockets that have retired, unless they were wanted again.
async fn close_later(state: Rc<State>, retired: Vec<(ListenerId, u64)>) {
    clock::sleep(HANDSHAKES_TAKE).await;
    // A reload counts on what it has found open.
    let _no_reload = state.reloading.lock().await;
    let retired: HashMap<ListenerId, u64> = retired.into_iter().collect();
    let is_over = |open: &Open| match (open.role, retired.get(&open.id)) {
        (Role::Retired(number), Some(then)) => number == *then,
        _ => false,
    };
    let mut listeners = state.listeners.borrow_mut();
    let Listeners { open, closing, .. } = &mut *listeners;
    for open in open.extract_if(.., |open| is_over(open)) {
        tell(&state.workers, || WorkerCommand::Unlisten(open.id));
        closing.push(open.known);
    }
}

impl Listeners {
    /// The addresses that `name` wants, as they are bound.
    pub(super) fn of_frontend(&self, name: &str) -> Vec<ListenAddress> {
        self.open
            .iter()
            .filter(|open| &*open.frontend == name && open.role == Role::Wanted)
            .map(|open| open.known.bound.clone())
            .collect()
    }

    /// The addresses of each frontend, as they are bound.
    pub(super) fn by_frontend(&self) -> HashMap<&Name, Vec<&ListenAddress>> {
        let mut by_frontend: HashMap<&Name, Vec<&ListenAddress>> = HashMap::new();
        for open in self.open.iter().filter(|open| open.role == Role::Wanted) {
            let addresses = by_frontend.entry(&open.frontend).or_default();
            addresses.push(&open.known.bound);
        }
        by_frontend
    }

    fn held(&self) -> Vec<Held> {
        let held = self.open.iter().map(|open| {
            let owner = Owner::Frontend(open.frontend.clone());
            open.known.held(&open.wanted.addr, owner)
        });
        held.collect()
    }

    /// Aims, retires and closes what is open; gives what retires.
    fn move_on(
        &mut self,
        prepared: &Prepared,
        live: &HashMap<&Name, &Arc<Frontend>>,
        network: &Network,
        workers: &Workers,
    ) -> Vec<(ListenerId, u64)> {
        self.closing.retain(Known::is_open);
        let mut retired = Vec::new();
        let before = std::mem::take(&mut self.open);
        for (mut open, fate) in before.into_iter().zip(&prepared.fates) {
            match *fate {
                Fate::Serves(index) => {
                    open.go_on(&prepared.wanted[index], Role::Wanted, live, workers);
                    permit(&mut open.wanted, &prepared.wanted[index].1, network);
                    if open.wanted.addr.path().is_some() {
                        // There may be two paths to one file.
                        open.known.bound = open.wanted.addr.clone();
                    }
                }
                Fate::Covered(index) => {
                    open.go_on(&prepared.wanted[index], Role::Covered, live, workers);
                }
                Fate::Retires => {
                    if !matches!(open.role, Role::Retired(_)) {
                        event::listener_closed(&open.frontend, &open.known.bound);
                        open.role = Role::Retired(self.next_id);
                        retired.push((open.id, self.next_id));
                        self.next_id += 1;
                        tell(workers, || WorkerCommand::Retire(open.id));
                    }
                }
                Fate::Closes => {
                    tell(workers, || WorkerCommand::Unlisten(open.id));
                    if open.role == Role::Wanted {
                        event::listener_closed(&open.frontend, &open.known.bound);
                    }
                    self.closing.push(open.known);
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
            // A worker that is gone ends the process.
            let _ = worker.send(WorkerCommand::Listen {
                id,
                socket,
                frontend: Arc::clone(frontend),
                address: Arc::clone(&address),
            });
        }
        event::listener_bound(&frontend.name, &opened.known.bound);
        self.open.push(Open {
            id,
            known: opened.known,
            frontend: frontend.name.clone(),
            serves: wanted.addr.clone(),
            wanted,
            role: Role::Wanted,
        });
    }
}

impl Open {
    /// Serves what `wanted` is for.
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
            tell(workers, || WorkerCommand::Aim {
                id: self.id,
                frontend: Arc::clone(live),
                address: Arc::clone(&address),
            });
        }
        if self.role == Role::Wanted && role == Role::Covered {
            event::listener_closed(&self.frontend, &self.known.bound);
        }
        self.role = role;
        self.frontend = name.clone();
        self.serves = bind.addr.clone();
        if is_new {
            event::listener_bound(name, &self.known.bound);
        }
    }
}

impl Known {
    fn of(wanted: &ListenAddress, sockets: &[Socket], network: &Network) -> io::Result<Self> {
        let mut known = Self {
            bound: wanted.clone(),
            site: site_of(wanted, network),
            is_dual: sockets.first().is_some_and(Socket::is_dual),
            traces: sockets.iter().map(Socket::trace).collect(),
        };
        if let Some(socket) = sockets.first() {
            let at = socket.local_addr()?;
            if let Some(Address::Ip(addr)) = at {
                known.site = Site::Ip(addr);
            }
            known.bound = bound_at(wanted, at);
        }
        Ok(known)
    }

    pub(super) fn held(&self, listen: &ListenAddress, owner: Owner) -> Held {
        Held {
            listen: listen.clone(),
            site: self.site.clone(),
            is_dual: self.is_dual,
            owner,
        }
    }

    fn is_open(&self) -> bool {
        self.traces.iter().any(Trace::is_open)
    }

    fn inodes(&self) -> impl Iterator<Item = u64> {
        self.traces.iter().filter_map(Trace::inode)
    }
}

/// The inodes of our sockets with an index in `beside`: of all that is held, frontends' first.
fn inodes(state: &State, beside: &[usize]) -> Vec<u64> {
    let listeners = state.listeners.borrow();
    let admin = state.admin.borrow();
    let held = beside.iter().filter_map(|index| {
        let of_frontends = listeners.open.get(*index).map(|open| &open.known);
        of_frontends.or_else(|| admin.known(index.checked_sub(listeners.open.len())?))
    });
    held.flat_map(Known::inodes).collect()
}

/// The inodes of our sockets that are closing, by port.
fn inodes_of_closing(state: &State) -> HashMap<u16, Vec<u64>> {
    let mut by_port: HashMap<u16, Vec<u64>> = HashMap::new();
    for known in &state.listeners.borrow().closing {
        if let Site::Ip(addr) = known.site
            && known.is_open()
        {
            by_port
                .entry(addr.port())
                .or_default()
                .extend(known.inodes());
        }
    }
    by_port
}

fn wanted_of(plan: &Plan) -> Vec<(Owner, Bind)> {
    let of_frontends = plan.frontends.iter().flat_map(|frontend| {
        let owner = Owner::Frontend(frontend.name.clone());
        let binds = frontend.binds.iter();
        binds.map(move |bind| (owner.clone(), bind.clone()))
    });
    let of_admin = plan.admin.iter().flat_map(|admin| &admin.binds);
    of_frontends
        .chain(of_admin.map(|bind| (Owner::Admin, bind.clone())))
        .collect()
}

/// Where a socket for `listen` will be.
fn site_of(listen: &ListenAddress, network: &Network) -> Site {
    match listen {
        ListenAddress::At(_) if listen.is_any_port() => Site::Unknown,
        ListenAddress::At(Address::Unix(UnixName::Path(path))) => {
            Site::Unix(UnixName::Path(real_path(path)))
        }
        ListenAddress::At(Address::Unix(name)) => Site::Unix(name.clone()),
        ListenAddress::At(address) => network.resolved(address).map_or(Site::Unknown, Site::Ip),
        ListenAddress::Inherited(_) => Site::Unknown,
    }
}

/// `path` without links in its directories. The file itself is no link, for it is a socket.
fn real_path(path: &Path) -> std::path::PathBuf {
    let real = || {
        let parent = match path.parent()? {
            parent if parent.as_os_str().is_empty() => Path::new("."),
            parent => parent,
        };
        Some(parent.canonicalize().ok()?.join(path.file_name()?))
    };
    real().unwrap_or_else(|| path.to_owned())
}

/// Who wants which ports of all IPv4 addresses.
fn all_of_ipv4(wanted: &[(Owner, Bind)]) -> HashSet<(&Owner, u16)> {
    let all = wanted.iter().filter_map(|(owner, bind)| {
        let addr = bind.addr.ip().filter(SocketAddr::is_ipv4)?;
        addr.ip().is_unspecified().then_some((owner, addr.port()))
    });
    all.collect()
}

/// Whether `wanted` is all addresses of IPv6, and its owner wants the same port of all of IPv4, as
/// `":80"` means: a host without IPv6 serves what it can.
fn is_beside(all_of_ipv4: &HashSet<(&Owner, u16)>, wanted: &(Owner, Bind)) -> bool {
    let (owner, bind) = wanted;
    let addr = bind.addr.ip().filter(SocketAddr::is_ipv6);
    addr.is_some_and(|addr| {
        addr.ip().is_unspecified() && all_of_ipv4.contains(&(owner, addr.port()))
    })
}

/// Lets those connect to `open` from now on who may by `wanted`.
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

/// Where a socket that was bound for `wanted` listens, which is at `bound`: the port may be another one.
fn bound_at(wanted: &ListenAddress, bound: Option<Address>) -> ListenAddress {
    match (wanted, bound) {
        // In the words of the file: people do not know interfaces by number.
        (ListenAddress::At(wanted), Some(Address::Ip(bound))) => ListenAddress::At(match wanted {
            Address::Zoned { .. } => wanted.with_port(bound.port()),
            _ => Address::Ip(bound),
        }),
        (ListenAddress::Inherited(_), Some(bound)) => ListenAddress::At(bound),
        (wanted, _) => wanted.clone(),
    }
}
