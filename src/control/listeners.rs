//! Which addresses are listened on, and for which frontend.
//!
//! New addresses are bound before anything changes; a socket whose frontend was renamed stays and is
//! aimed anew; what nobody wants any more is closed last.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use crate::base::{Name, Place};
use crate::net::{Network, Socket};
use crate::observe::event;
use crate::plan::Plan;
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
    wanted: SocketAddr,
    /// As bound.
    bound: SocketAddr,
    frontend: Name,
}

/// The addresses of the next plan: those that stay, and those that were bound for it.
pub(super) struct Prepared {
    stay: Vec<(ListenerId, Name)>,
    new: Vec<New>,
}

struct New {
    wanted: SocketAddr,
    bound: SocketAddr,
    frontend: Name,
    sockets: Vec<Socket>,
}

/// An address that cannot be listened on.
pub(super) struct CannotListen {
    pub(super) at: Place,
    pub(super) addr: SocketAddr,
    pub(super) error: io::Error,
}

impl Listeners {
    /// The addresses that `name` is bound to.
    pub(super) fn of_frontend(&self, name: &str) -> Vec<SocketAddr> {
        self.open
            .iter()
            .filter(|open| &*open.frontend == name)
            .map(|open| open.bound)
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
                if let Some(open) = take_fitting(&mut left, listen.addr, &frontend.name) {
                    prepared.stay.push((open.id, frontend.name.clone()));
                    continue;
                }
                match bind(network, listen.addr, workers).await {
                    Ok((bound, sockets)) => prepared.new.push(New {
                        wanted: listen.addr,
                        bound,
                        frontend: frontend.name.clone(),
                        sockets,
                    }),
                    Err(error) => faults.push(CannotListen {
                        at: listen.at.clone(),
                        addr: listen.addr,
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
    pub(super) fn apply(&mut self, prepared: Prepared, snapshot: &Snapshot, workers: &Workers) {
        let live_of = |name: &Name| {
            let mut frontends = snapshot.frontends.iter();
            frontends
                .find(|frontend| frontend.live.name == *name)
                .map(|frontend| Arc::clone(&frontend.live))
        };
        let stays = |open: &Open| prepared.stay.iter().any(|(id, _)| *id == open.id);
        self.open.retain(|open| {
            let stays = stays(open);
            if !stays {
                tell(workers, || Command::Unlisten(open.id));
                event::listener_closed(&open.frontend, open.bound);
            }
            stays
        });
        for (id, name) in prepared.stay {
            let Some(open) = self.open.iter_mut().find(|open| open.id == id) else {
                continue;
            };
            if open.frontend != name
                && let Some(frontend) = live_of(&name)
            {
                open.frontend = name;
                tell(workers, || Command::Aim {
                    id,
                    frontend: Arc::clone(&frontend),
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
        event::listener_bound(&new.frontend, new.bound);
        self.open.push(Open {
            id,
            wanted: new.wanted,
            bound: new.bound,
            frontend: new.frontend,
        });
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
    addr: SocketAddr,
    frontend: &Name,
) -> Option<&'a Open> {
    let of_frontend = left
        .iter()
        .position(|open| open.wanted == addr && open.frontend == *frontend);
    let of_any = || {
        left.iter()
            .position(|open| open.wanted == addr && addr.port() != 0)
    };
    let place = of_frontend.or_else(of_any)?;
    Some(left.swap_remove(place))
}

async fn bind(
    network: &Network,
    addr: SocketAddr,
    workers: usize,
) -> io::Result<(SocketAddr, Vec<Socket>)> {
    let sockets = network.bind(addr, workers).await?;
    let bound = match sockets.first() {
        Some(socket) => socket.local_addr()?,
        None => addr,
    };
    Ok((bound, sockets))
}
