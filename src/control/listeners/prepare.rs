//! Binds the addresses of the next plan that are not bound yet, before anything changes.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;

use crate::base::ListenAddress;
use crate::control::State;
use crate::control::cannot_listen::{CannotListen, lacks_ipv6};
use crate::control::moves::{self, Fate, Means, Moves, Owner, Site, Wanted};
use crate::net::Socket;
use crate::plan::{Bind, Plan};

use super::bound_sockets::{BoundSockets, site_of};

/// The addresses of the next plan: the fate of the open sockets, and new ones that were bound.
pub(in super::super) struct Prepared {
    pub(super) wanted: Vec<(Owner, Bind)>,
    pub(super) fates: Vec<Fate>,
    /// Each for one of `wanted`.
    pub(super) opened: Vec<Opened>,
    pub(super) missing: Vec<Missing>,
}

/// The sockets that were opened for one address.
pub(in super::super) struct Opened {
    pub(super) index: usize,
    pub(in super::super) bound: BoundSockets,
    pub(in super::super) sockets: Vec<Socket>,
}

/// An IPv6 address that this host cannot bind, beside the same for IPv4.
pub(super) struct Missing {
    pub(super) owner: Owner,
    pub(super) addr: ListenAddress,
    pub(super) error: io::Error,
}

/// Binds the addresses of `plan` that are not bound, for frontends and the admin listener;
/// addresses that cannot be bound are reported.
pub(in super::super) async fn prepare(
    state: &State,
    plan: &Plan,
) -> Result<Prepared, Vec<CannotListen>> {
    let network = &state.network;
    let wanted = wanted_of(plan);
    let mut held = state.listeners.borrow().held();
    held.extend(state.own_listeners.borrow().held());
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
            Owner::Admin | Owner::Commands => 1,
        };
        let mut own = inodes(state, &beside);
        if let Site::Ip(addr) = sites[index].site {
            own.extend(closing.get(&addr.port()).into_iter().flatten());
        }
        match network.bind(&bind.addr, bind.mode, copies, &own).await {
            Ok(sockets) => match BoundSockets::of(&bind.addr, &sockets, network) {
                Ok(bound) => opened.push(Opened {
                    index,
                    bound,
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
    /// Lets clients connect to the new sockets: the last step before the snapshot is swapped.
    /// Earlier, clients would connect to sockets that close again if the reload fails.
    pub(in super::super) fn listen(&self) -> Result<(), Vec<CannotListen>> {
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

fn wanted_of(plan: &Plan) -> Vec<(Owner, Bind)> {
    let of_frontends = plan.frontends.iter().flat_map(|frontend| {
        let owner = Owner::Frontend(frontend.name.clone());
        let binds = frontend.binds.iter();
        binds.map(move |bind| (owner.clone(), bind.clone()))
    });
    let of_admin = plan.admin.iter().flat_map(|admin| &admin.binds);
    let of_commands = plan.command_sockets.iter().flat_map(|one| &one.binds);
    of_frontends
        .chain(of_admin.map(|bind| (Owner::Admin, bind.clone())))
        .chain(of_commands.map(|bind| (Owner::Commands, bind.clone())))
        .collect()
}

/// The owners of all IPv4 addresses, with their ports.
fn all_of_ipv4(wanted: &[(Owner, Bind)]) -> HashSet<(&Owner, u16)> {
    let all = wanted.iter().filter_map(|(owner, bind)| {
        let addr = bind.addr.ip().filter(SocketAddr::is_ipv4)?;
        addr.ip().is_unspecified().then_some((owner, addr.port()))
    });
    all.collect()
}

/// Whether `wanted` is all addresses of IPv6, and its owner also listens on the same port of all of
/// IPv4, as `":80"` means: a host without IPv6 still serves IPv4.
fn is_beside(all_of_ipv4: &HashSet<(&Owner, u16)>, wanted: &(Owner, Bind)) -> bool {
    let (owner, bind) = wanted;
    let addr = bind.addr.ip().filter(SocketAddr::is_ipv6);
    addr.is_some_and(|addr| {
        addr.ip().is_unspecified() && all_of_ipv4.contains(&(owner, addr.port()))
    })
}

/// The inodes of our sockets with an index in `beside`, which counts all open sockets, the
/// frontends' first.
fn inodes(state: &State, beside: &[usize]) -> Vec<u64> {
    let listeners = state.listeners.borrow();
    let own = state.own_listeners.borrow();
    let held = beside.iter().filter_map(|index| {
        let of_frontends = listeners.open.get(*index).map(|open| &open.bound);
        of_frontends.or_else(|| own.bound(index.checked_sub(listeners.open.len())?))
    });
    held.flat_map(BoundSockets::inodes).collect()
}

/// The inodes of our sockets that are closing, by port.
fn inodes_of_closing(state: &State) -> HashMap<u16, Vec<u64>> {
    let mut by_port: HashMap<u16, Vec<u64>> = HashMap::new();
    for bound in &state.listeners.borrow().closing {
        if let Site::Ip(addr) = bound.site
            && bound.is_open()
        {
            by_port
                .entry(addr.port())
                .or_default()
                .extend(bound.inodes());
        }
    }
    by_port
}
