//! Active health checks: checks every server regularly, and takes those that fail out of use.
//!
//! A [`Checker`] lives on the control thread. `control` hands it the backends of each new snapshot
//! ([`Checker::reconcile`]) and each backend whose servers changed ([`Checker::follow`]), and keeps
//! [`Checker::run`] running. The checker is the one writer of a server's health, and reports to its
//! [`Observer`]. It does not look at failed exchanges.
//!
//! `state` decides what an outcome means, `schedule` when a check is due, `probe` makes one check,
//! `table` keeps the watched servers. This file starts the checks and carries transitions out.

mod probe;
mod schedule;
#[cfg(test)]
mod scripted;
mod state;
mod table;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::base::Name;
use crate::base::clock::{self, FAR, Instant};
use crate::base::rng::Rng;
use crate::base::tasks;
use crate::net::Network;
use crate::proxy::backend::{Backend, Health, Server, ServerSet};

use probe::{Outcome, Target};
use state::Transition;
use table::{Leftovers, Report, Run, Table};

pub(super) use state::Verdict;

/// The reason for a server that is up because it has no checks.
const NOT_CHECKED: &str = "not checked";

/// Checks the servers of all backends. A handle: clones are the same checker.
#[derive(Clone)]
pub(super) struct Checker {
    shared: Rc<Shared>,
}

/// Reports of the checker. Called on the control thread, in the order of events; must not call the
/// checker back.
pub(super) trait Observer {
    /// A check has ended.
    fn checked(&self, check: &Checked<'_>);

    /// A server has gone up or down, and the data plane uses the new state already.
    fn changed(&self, change: &Change<'_>);
}

/// One check that has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checked<'a> {
    /// The backend of the server.
    pub backend: &'a Name,
    /// The server.
    pub server: &'a Name,
    /// Its live state.
    pub live: &'a Server,
    /// The result of the check.
    pub verdict: Verdict,
    /// `status 200`, `connection refused`, …
    pub reason: &'a str,
}

/// One server that has gone up or down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change<'a> {
    /// The backend of the server.
    pub backend: &'a Name,
    /// The server.
    pub server: &'a Name,
    /// Its health before.
    pub from: Health,
    /// Up or down, never checking.
    pub to: Health,
    /// The finding of the last check; `not checked` when a reload has removed the checks.
    pub reason: &'a str,
    /// The checks in a row that led to it; 0 when none did.
    pub checks: u32,
    /// The servers of the backend that are up now.
    pub up: usize,
    /// Servers that still wait for their first check.
    pub unchecked: usize,
    /// All servers of the backend.
    pub total: usize,
}

/// The progress of the first checks, for readiness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstRound {
    /// [`Checker::reconcile`] has not been called yet.
    NotBegun,
    /// This many servers have not had their first check.
    Waiting(usize),
    /// Each server has had it, or the time for it is over. Stays so: servers of later reloads are
    /// not waited for.
    Over,
}

struct Shared {
    network: Network,
    observer: Box<dyn Observer>,
    /// Never borrowed across an await, nor during a call to the observer or a server.
    table: RefCell<Table>,
    /// Wakes [`Checker::run`]: a slot is free, or something is due earlier than it was.
    woken: Notify,
}

/// A running check. However it is dropped, it gives its slot back and its server is checked again:
/// no end of a task can leave a server without checks.
struct Check {
    shared: Rc<Shared>,
    run: Run,
    /// `None` unless it has ended by itself.
    outcome: Option<Outcome>,
}

/// The servers of a backend, by their health.
#[derive(Clone, Copy)]
struct Counts {
    up: usize,
    unchecked: usize,
    total: usize,
}

impl Checker {
    /// A checker without servers. `rng` decides the ticks.
    pub(super) fn new(network: Network, rng: Rng, observer: Box<dyn Observer>) -> Self {
        Self {
            shared: Rc::new(Shared {
                network,
                observer,
                table: RefCell::new(Table::new(rng)),
                woken: Notify::new(),
            }),
        }
    }

    /// Watches the servers of `backends`, and no others, from now on.
    ///
    /// - A new server is checked at once. It begins with the [`Health`] it was made with, and its
    ///   first check decides.
    /// - A known server keeps its state, its counters, its ticks and a running check. Changed
    ///   settings hold from the next check on; another interval draws new ticks, and a shorter one
    ///   does not wait until the longer one is over.
    /// - A server that has checks for the first time stays up and needs `fall` failed ones like any
    ///   that is up.
    /// - A server whose checks were removed is up, with the reason `not checked`.
    /// - A removed server is not checked any more; a running check is aborted.
    ///
    /// Must be called right after the snapshot with these backends was swapped in, before any
    /// await: transitions go to the backends of the last call.
    pub(super) fn reconcile(&self, backends: &[Arc<Backend>]) {
        let now = clock::now();
        let leftovers = self.shared.table.borrow_mut().reconcile(backends, now);
        self.clear(leftovers);
    }

    /// Watches the present servers of `backend`, which is watched, and no more those of `before`
    /// that it does not have now. Otherwise as [`Checker::reconcile`].
    pub(super) fn follow(&self, backend: &Arc<Backend>, before: &ServerSet) {
        let now = clock::now();
        let leftovers = self.shared.table.borrow_mut().follow(backend, before, now);
        self.clear(leftovers);
    }

    fn clear(&self, leftovers: Leftovers) {
        for task in leftovers.stopped {
            task.abort();
        }
        for backend in leftovers.stale {
            backend.refresh();
        }
        for (backend, servers) in leftovers.unchecked {
            self.shared.lift(&backend, &servers);
        }
        self.shared.woken.notify_one();
    }

    /// Makes the checks; never ends. Only one may run, inside a
    /// [`LocalSet`](crate::base::tasks::LocalSet).
    ///
    /// # Cancel safety
    ///
    /// If it is dropped, no further check starts; running checks end by themselves.
    pub(super) async fn run(&self) -> Infallible {
        loop {
            let next = Shared::start_due(&self.shared);
            // Not a timer alone: a check that ends frees a slot for one that is overdue.
            let _ = clock::within(
                next.saturating_duration_since(clock::now()),
                self.shared.woken.notified(),
            )
            .await;
        }
    }

    /// The progress of the first checks.
    pub(super) fn first_round(&self) -> FirstRound {
        self.shared.table.borrow().first_round(clock::now())
    }
}

impl Shared {
    /// Starts the checks that are due, as far as there are slots, and returns when to call it
    /// again.
    fn start_due(shared: &Rc<Self>) -> Instant {
        let now = clock::now();
        let mut table = shared.table.borrow_mut();
        while let Some((run, backend, server)) = table.start(now) {
            let check = Check {
                shared: Rc::clone(shared),
                run: run.clone(),
                outcome: None,
            };
            let task = tasks::spawn_local(check.make(backend, server));
            table.running(&run, task);
        }
        table.next_start().unwrap_or(now + FAR)
    }

    fn ended(&self, run: &Run, outcome: Option<Outcome>) {
        let report = self
            .table
            .borrow_mut()
            .ended(run, outcome.as_ref(), clock::now());
        self.woken.notify_one();
        if let (Some(report), Some(outcome)) = (report, outcome) {
            self.carry_out(&report, &outcome);
        }
    }

    fn carry_out(&self, report: &Report, outcome: &Outcome) {
        let (backend, server, reason) = (&report.backend, &report.server, &outcome.reason);
        // Traffic first, then the reports.
        let done = report.transition.map(|transition| {
            let from = put(backend, server, transition.to, reason);
            backend.refresh();
            (transition, from)
        });
        self.observer.checked(&Checked {
            backend: &backend.plan.name,
            server: &server.name,
            live: server,
            verdict: outcome.verdict,
            reason,
        });
        if let Some((transition, from)) = done {
            let counts = Counts::of(backend);
            self.report(backend, server, from, reason, (transition, counts));
        }
    }

    /// Sets servers without checks up.
    fn lift(&self, backend: &Backend, servers: &[Arc<Server>]) {
        let was: Vec<Health> = servers
            .iter()
            .map(|server| put(backend, server, Health::Up, NOT_CHECKED))
            .collect();
        backend.refresh();
        let to_up = Transition {
            to: Health::Up,
            checks: 0,
        };
        let counts = Counts::of(backend);
        for (server, from) in servers.iter().zip(was) {
            if from != Health::Up {
                self.report(backend, server, from, NOT_CHECKED, (to_up, counts));
            }
        }
    }

    fn report(
        &self,
        backend: &Backend,
        server: &Server,
        from: Health,
        reason: &str,
        (transition, counts): (Transition, Counts),
    ) {
        self.observer.changed(&Change {
            backend: &backend.plan.name,
            server: &server.name,
            from,
            to: transition.to,
            reason,
            checks: transition.checks,
            up: counts.up,
            unchecked: counts.unchecked,
            total: counts.total,
        });
    }
}

impl Counts {
    fn of(backend: &Backend) -> Self {
        let set = backend.set();
        let mut counts = Self {
            up: 0,
            unchecked: 0,
            total: set.servers().len(),
        };
        for server in set.servers().iter() {
            match server.health() {
                Health::Up => counts.up += 1,
                Health::Checking => counts.unchecked += 1,
                Health::Down => {}
            }
        }
        counts
    }
}

impl Check {
    async fn make(mut self, backend: Arc<Backend>, server: Arc<Server>) {
        // The settings of the start of the check: a reload meanwhile holds for the next one.
        let Some(health) = &backend.plan.health else {
            return;
        };
        let target = Target::of(&backend, &server, health);
        let network = &self.shared.network;
        self.outcome = Some(probe::probe(network, &target, &health.probe, health.timeout).await);
    }
}

impl Drop for Check {
    fn drop(&mut self) {
        self.shared.ended(&self.run, self.outcome.take());
    }
}

/// Sets the health of a server and returns the one before; the caller makes the backend refresh.
fn put(backend: &Backend, server: &Arc<Server>, to: Health, reason: &str) -> Health {
    let from = server.health();
    server.set_health(to, reason);
    if to == Health::Up && from != Health::Up {
        backend.came_up(server);
    }
    from
}
