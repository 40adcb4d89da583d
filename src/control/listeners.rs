//! Which addresses are listened on, and for which frontend.
//!
//! New addresses are bound before anything changes; a socket whose frontend was renamed stays and is
//! aimed anew; what nobody wants any more is closed last.

use std::io;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use crate::base::{Address, FileMode, ListenAddress, Name, Place};
use crate::net::{Network, Socket};
use crate::observe::event;
use crate::plan::{Listen, Plan};
use crate::proxy::frontend::Frontend;
use crate::proxy::snapshot::Snapshot;
use crate::proxy::worker::{Command, ListenerId};

/// The workers, as their commander sees them.
pub(super) type Workers = [UnboundedSender<Command>];

/// What is listened on now.
#[derive(Default)]
pub(super) struct Listeners {
    open: Vec<Open>,
    next_id: u64,
}

struct Open {
    id: ListenerId,
    /// As configured: port 0 stays 0 here.
    wanted: Listen,
    /// As bound.
    bound: ListenAddress,
    frontend: Name,
}

/// The addresses of the next plan: those that stay, and those that were bound for it.
pub(super) struct Prepared {
    stay: Vec<Stays>,
    new: Vec<New>,
}

struct Stays {
    id: ListenerId,
    mode: FileMode,
    frontend: Name,
}

struct New {
    wanted: Listen,
    bound: ListenAddress,
    frontend: Name,
    sockets: Vec<Socket>,
}

/// An address that cannot be listened on.
pub(super) struct CannotListen {
    pub(super) at: Place,
    pub(super) addr: ListenAddress,
    pub(super) error: io::Error,
}

impl Listeners {
    /// The addresses that `name` is bound to.
    pub(super) fn of_frontend(&self, name: &str) -> Vec<ListenAddress> {
        self.open
            .iter()
            .filter(|open| &*open.frontend == name)
            .map(|open| open.bound.clone())
            .collect()
    }

    /// Binds what `plan` wants and is not bound; all that cannot be is reported.
    pub(super) async fn prepare(
        &self,
        plan: &Plan,
        network: &Network,
        workers: usize,
    ) -> Result<Prepared, Vec<CannotListen>> {
        let mut left: Vec<&Open> = self.open.iter().collect();
        let mut prepared = Prepared {
            stay: Vec::new(),
            new: Vec::new(),
        };
        let mut faults = Vec::new();
        for frontend in &plan.frontends {
            for listen in &frontend.listen {
                if let Some(open) = take_fitting(&mut left, &listen.addr, &frontend.name) {
                    prepared.stay.push(Stays {
                        id: open.id,
                        mode: listen.mode,
                        frontend: frontend.name.clone(),
                    });
                    continue;
                }
                match bind(network, listen, workers).await {
                    Ok((bound, sockets)) => prepared.new.push(New {
                        wanted: listen.clone(),
                        bound,
                        frontend: frontend.name.clone(),
                        sockets,
                    }),
                    Err(error) => faults.push(CannotListen {
                        at: listen.at.clone(),
                        addr: listen.addr.clone(),
                        error,
                    }),
                }
            }
        }
        if faults.is_empty() {
            Ok(prepared)
        } else {
            Err(faults)
        }
    }

    /// Makes what was prepared so, for the frontends of `snapshot`, which runs already.
    pub(super) fn apply(
        &mut self,
        prepared: Prepared,
        snapshot: &Snapshot,
        network: &Network,
        workers: &Workers,
    ) {
        let live_of = |name: &Name| {
            let mut frontends = snapshot.frontends.iter();
            frontends
                .find(|frontend| frontend.live.name == *name)
                .map(|frontend| Arc::clone(&frontend.live))
        };
        let stays = |open: &Open| prepared.stay.iter().any(|stays| stays.id == open.id);
        self.open.retain(|open| {
            let stays = stays(open);
            if !stays {
                tell(workers, || Command::Unlisten(open.id));
                event::listener_closed(&open.frontend, &open.bound);
            }
            stays
        });
        for Stays { id, mode, frontend } in prepared.stay {
            let Some(open) = self.open.iter_mut().find(|open| open.id == id) else {
                continue;
            };
            permit(&mut open.wanted, mode, network);
            if open.frontend != frontend
                && let Some(live) = live_of(&frontend)
            {
                open.frontend = frontend;
                tell(workers, || Command::Aim {
                    id,
                    frontend: Arc::clone(&live),
                });
            }
        }
        for new in prepared.new {
            if let Some(frontend) = live_of(&new.frontend) {
                self.open(new, &frontend, workers);
            }
        }
    }

    fn open(&mut self, new: New, frontend: &Arc<Frontend>, workers: &Workers) {
        let id = ListenerId(self.next_id);
        self.next_id += 1;
        for (worker, socket) in workers.iter().zip(new.sockets) {
            // A worker that is gone ends the process.
            let _ = worker.send(Command::Listen {
                id,
                socket,
                frontend: Arc::clone(frontend),
            });
        }
        event::listener_bound(&new.frontend, &new.bound);
        self.open.push(Open {
            id,
            wanted: new.wanted,
            bound: new.bound,
            frontend: new.frontend,
        });
    }
}

/// Lets those connect to `open` from now on who may by `mode`.
pub(super) fn permit(open: &mut Listen, mode: FileMode, network: &Network) {
    if open.mode == mode {
        return;
    }
    open.mode = mode;
    if let Some(path) = open.addr.path()
        && let Err(error) = network.set_mode(path, mode)
    {
        event::mode_not_changed(&open.addr, &error);
    }
}

/// Tells all workers the same.
pub(super) fn tell(workers: &Workers, command: impl Fn() -> Command) {
    for worker in workers {
        // A worker that is gone ends the process.
        let _ = worker.send(command());
    }
}

/// The open address that serves for `addr`: one of the same frontend, else any. Port 0 is another
/// port for each frontend.
fn take_fitting<'a>(
    left: &mut Vec<&'a Open>,
    addr: &ListenAddress,
    frontend: &Name,
) -> Option<&'a Open> {
    let of_frontend = left
        .iter()
        .position(|open| open.wanted.addr == *addr && open.frontend == *frontend);
    let of_any = || {
        left.iter()
            .position(|open| open.wanted.addr == *addr && !addr.is_any_port())
    };
    let place = of_frontend.or_else(of_any)?;
    Some(left.swap_remove(place))
}

async fn bind(
    network: &Network,
    listen: &Listen,
    workers: usize,
) -> io::Result<(ListenAddress, Vec<Socket>)> {
    let sockets = network.bind(&listen.addr, listen.mode, workers).await?;
    let bound = match sockets.first() {
        Some(socket) => bound_at(&listen.addr, socket)?,
        None => listen.addr.clone(),
    };
    Ok((bound, sockets))
}

/// Where `socket`, which was bound for `wanted`, listens: the port may be another one.
pub(super) fn bound_at(wanted: &ListenAddress, socket: &Socket) -> io::Result<ListenAddress> {
    Ok(match (wanted, socket.local_addr()?) {
        // In the words of the file: nobody knows interfaces by number.
        (ListenAddress::At(wanted), Some(Address::Ip(bound))) => ListenAddress::At(match wanted {
            Address::Zoned { .. } => wanted.with_port(bound.port()),
            _ => Address::Ip(bound),
        }),
        (ListenAddress::Inherited(_), Some(bound)) => ListenAddress::At(bound),
        (wanted, _) => wanted.clone(),
    })
}
