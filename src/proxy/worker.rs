//! A worker: one thread with its own runtime, its own listening sockets, server connections and
//! counters.
//!
//! Everything that a connection needs is here, and nothing of it is shared with another worker. The
//! whole run is one future, so that a test or a simulated host can run it in a runtime of its own.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::thread;

use tokio::sync::mpsc;

use crate::base::ListenAddress;
use crate::base::clock::{self, Anchor, Duration, Instant};
use crate::base::rng::Rng;
use crate::base::{tasks, turn};
use crate::expr::Scratch;
use crate::net::{By, Dialer, Pipes, Socket};
use crate::observe::{ProcessMetrics, WorkerObserver};
use crate::proxy::connections::{Connections, Shutdown};
use crate::proxy::context::Context;
use crate::proxy::frontend::{Frontend, Gate};
use crate::proxy::io::{DateCache, KeptBodies, Stalled};
use crate::proxy::listen::{Accept, Target};
use crate::proxy::snapshot::{Current, Snapshot, Views};

/// How often log lines are handed to the writer.
const TICK: Duration = Duration::from_millis(100);

/// Every so many ticks, idle server connections are checked.
const SWEEP_EVERY: u32 = 10;

/// After so many ticks, earlier snapshots are dropped: longer than a listener that closes holds a
/// connection.
const FORGET_AFTER: u32 = 50;

/// The parts of a worker.
pub struct Worker {
    /// From 0.
    pub index: usize,
    /// The present snapshot.
    pub current: Arc<Current>,
    /// Opens connections to servers.
    pub dialer: Dialer,
    /// The most pipes that it may have.
    pub pipes: usize,
    /// Counts and logs exchanges.
    pub observer: WorkerObserver,
    /// Counts defects.
    pub metrics: Arc<ProcessMetrics>,
    /// For request ids.
    pub rng: Rng,
    /// Counts the connections of the whole process.
    pub process_gate: Arc<Gate>,
    /// Commands of `control`.
    pub commands: mpsc::UnboundedReceiver<WorkerCommand>,
}

/// Identifies a listening address while it is listened on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(pub u64);

/// A command of `control` to a worker.
pub enum WorkerCommand {
    /// Accept from this socket.
    Listen {
        /// Identifies it.
        id: ListenerId,
        /// The socket.
        socket: Socket,
        /// The frontend of its connections.
        frontend: Arc<Frontend>,
        /// Its address, as the frontend's plan has it.
        address: Arc<ListenAddress>,
    },
    /// From now on, connections at that address belong to this frontend.
    Aim {
        /// Identifies it.
        id: ListenerId,
        /// The frontend of its connections.
        frontend: Arc<Frontend>,
        /// Its address, as the frontend's plan has it.
        address: Arc<ListenAddress>,
    },
    /// Accept no new connection at that address: another socket of ours gets them. Sent before
    /// [`WorkerCommand::Unlisten`], or before [`WorkerCommand::Aim`] if it is needed again.
    Retire(ListenerId),
    /// Close that address when its queue is empty.
    Unlisten(ListenerId),
    /// This snapshot was swapped in: renew the view even if no request comes. Sent before the
    /// commands that follow from it: a late worker may find that the next one runs already.
    Renew(Arc<Snapshot>),
    /// Servers of backends were added or removed without a new snapshot: renew them even if no
    /// request comes, so that connections to removed servers are closed.
    RenewServers,
    /// Close all addresses and end connections as their exchanges end; then end.
    Drain,
    /// End all connections now.
    Abort,
}

/// Why a worker ended without a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Died {
    /// One of its accept loops panicked. The kernel would still give its socket a share of the new
    /// connections, and they would never be accepted: no worker at all is better.
    Accepting,
    /// No more commands can come: the control plane has died. Checks, reloads and the graceful shutdown
    /// have died with it.
    Abandoned,
}

/// A running worker.
struct Running {
    context: Rc<Context>,
    process_gate: Arc<Gate>,
    listeners: HashMap<ListenerId, Rc<Target>>,
    accepting: Rc<Accepting>,
    is_draining: bool,
    is_aborted: bool,
    ticks: u32,
    /// The tick at which earlier snapshots are dropped.
    forget_at: u32,
    /// The number of the backend whose idle connections are closed first if room is needed.
    close_from: usize,
}

/// The accept loops of a worker.
#[derive(Default)]
struct Accepting {
    loops: Cell<usize>,
    /// Whether one of them panicked.
    is_broken: Cell<bool>,
}

/// One accept loop; subtracted however it ends.
struct Counted {
    accepting: Rc<Accepting>,
    connections: Rc<Connections>,
}

impl Worker {
    /// Serves until the worker drains and no connection is left. Returns the number of connections
    /// that were aborted.
    ///
    /// # Errors
    ///
    /// [`Died`]; open connections break with the runtime.
    pub async fn run(self) -> Result<usize, Died> {
        let Self {
            index: _,
            current,
            dialer,
            pipes,
            observer,
            metrics,
            rng,
            process_gate,
            mut commands,
        } = self;
        let chance = Rng::seeded(rng.next_u64());
        let context = Rc::new(Context {
            views: Views::new(current, observer.attempts()),
            dialer,
            stalled: Stalled::default(),
            kept_bodies: KeptBodies::default(),
            pipes: Pipes::new(pipes),
            observer,
            metrics,
            rng,
            scratch: RefCell::new(Scratch::with_chance(chance)),
            anchor: Cell::new(Anchor::now()),
            dates: DateCache::default(),
            connections: Rc::new(Connections::default()),
            process_gate: Arc::clone(&process_gate),
        });
        let mut running = Running {
            context,
            process_gate,
            listeners: HashMap::new(),
            accepting: Rc::default(),
            is_draining: false,
            is_aborted: false,
            ticks: 0,
            forget_at: 0,
            close_from: 0,
        };
        let mut aborted = 0;
        let mut next_tick = clock::now() + TICK;
        loop {
            tokio::select! {
                // Fixed order, no chance: a simulated run must repeat under its seed.
                biased;
                command = commands.recv() => match command {
                    None if !running.is_draining => {
                        running.context.observer.flush();
                        return Err(Died::Abandoned);
                    }
                    Some(WorkerCommand::Abort) | None => aborted += running.abort_all(),
                    Some(command) => running.run_command(command),
                },
                () = running.context.connections.emptied() => {}
                () = running.asked_for_room() => running.make_room(),
                () = clock::sleep_until(next_tick) => {
                    next_tick = next_after(next_tick);
                    running.tick().await;
                }
            }
            let has_died = running.accepting.is_broken.get();
            if has_died || running.is_over() {
                running.context.observer.flush();
                return if has_died {
                    Err(Died::Accepting)
                } else {
                    Ok(aborted)
                };
            }
        }
    }
}

impl Running {
    fn run_command(&mut self, command: WorkerCommand) {
        match command {
            WorkerCommand::Listen {
                id,
                socket,
                frontend,
                address,
            } => self.listen(id, socket, Target::new(frontend, address)),
            WorkerCommand::Aim {
                id,
                frontend,
                address,
            } => {
                if let Some(target) = self.listeners.get(&id) {
                    target.aim(frontend, address);
                }
            }
            WorkerCommand::Retire(id) => {
                if let Some(target) = self.listeners.get(&id) {
                    target.retire();
                }
            }
            WorkerCommand::Unlisten(id) => {
                if let Some(target) = self.listeners.remove(&id) {
                    target.close();
                }
            }
            WorkerCommand::Renew(snapshot) => {
                // Renewing drops what only the old snapshot needed; removed frontends' connections
                // look at their registration when woken.
                self.context.views.pass(snapshot);
                self.context.connections.wake_removed();
                self.forget_at = self.ticks.wrapping_add(FORGET_AFTER);
            }
            WorkerCommand::RenewServers => self.context.views.current().renew_servers(),
            WorkerCommand::Drain => {
                self.is_draining = true;
                for (_, target) in self.listeners.drain() {
                    target.close();
                }
                // A drain that waited out its grace may come behind the abort: nothing is drained any more.
                if !self.is_aborted {
                    self.context.connections.shut_down(Shutdown::Drain);
                }
            }
            WorkerCommand::Abort => {}
        }
    }

    fn listen(&mut self, id: ListenerId, socket: Socket, target: Target) {
        let listener = match socket.into_listener() {
            Ok(listener) => listener,
            Err(error) => return target.failed(&error),
        };
        let target = Rc::new(target);
        self.listeners.insert(id, Rc::clone(&target));
        let accept = Accept {
            listener,
            target,
            process_gate: Arc::clone(&self.process_gate),
            context: Rc::clone(&self.context),
            logged_at: Cell::new(None),
        };
        let counted = Counted::new(&self.accepting, &self.context.connections);
        tasks::spawn_local(async move {
            accept.run().await;
            drop(counted);
        });
    }

    /// Waits until this worker is asked for descriptors.
    async fn asked_for_room(&self) {
        let dialer = &self.context.dialer;
        dialer.descriptors().asked(dialer.worker()).await;
    }

    /// Frees connections to servers, as many as were asked for and possible.
    fn make_room(&mut self) {
        let context = Rc::clone(&self.context);
        let (descriptors, worker) = (context.dialer.descriptors(), context.dialer.worker());
        for room in descriptors.take_asked(worker) {
            let made = match room.by {
                By::Idle => {
                    // Not always those of the same backend.
                    self.close_from = self.close_from.wrapping_add(1);
                    let view = context.views.current();
                    view.close_idle(room.permits, self.close_from)
                }
                By::Stalled => context.stalled.end(room.permits),
            };
            descriptors.made(worker, room, made);
        }
    }

    /// Whether no connection is left and none can come. A loop that waits for room is not waited
    /// for once connections are aborted.
    fn is_over(&self) -> bool {
        let none_can_come = self.accepting.loops.get() == 0 || self.is_aborted;
        self.is_draining && none_can_come && self.context.connections.is_empty()
    }

    fn abort_all(&mut self) -> usize {
        self.is_draining = true;
        self.is_aborted = true;
        let open = self.context.connections.len();
        self.context.connections.shut_down(Shutdown::Abort);
        open
    }

    async fn tick(&mut self) {
        self.context.observer.flush();
        self.context.anchor.set(Anchor::now());
        let dialer = &self.context.dialer;
        dialer.descriptors().ask_again(dialer.worker());
        self.ticks = self.ticks.wrapping_add(1);
        if self.ticks == self.forget_at {
            self.context.views.forget();
        }
        if self.ticks.is_multiple_of(SWEEP_EVERY) {
            let view = self.context.views.current();
            let now = clock::now();
            let sweep = poll_fn(|cx| {
                view.sweep(now, cx);
                Poll::Ready(())
            });
            turn::uncounted(sweep).await;
        }
    }
}

impl Counted {
    fn new(accepting: &Rc<Accepting>, connections: &Rc<Connections>) -> Self {
        accepting.loops.set(accepting.loops.get() + 1);
        Self {
            accepting: Rc::clone(accepting),
            connections: Rc::clone(connections),
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Accepting { loops, is_broken } = &*self.accepting;
        loops.set(loops.get() - 1);
        if thread::panicking() {
            is_broken.set(true);
        }
        self.connections.look();
    }
}

impl fmt::Display for Died {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepting => "an accept loop panicked",
            Self::Abandoned => "the control plane has died",
        })
    }
}

impl std::error::Error for Died {}

/// The tick after `last`; missed ones are not made up for.
fn next_after(last: Instant) -> Instant {
    let now = clock::now();
    let next = last + TICK;
    if next > now { next } else { now + TICK }
}
