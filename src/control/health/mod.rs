//! Active health checks: asks every server in time, and takes those that fail out of use.
//!
//! A [`Checker`] lives on the control thread. `control` hands it the backends of each new snapshot
//! ([`Checker::reconcile`]) and each backend whose servers changed ([`Checker::follow`]), and keeps [`Checker::run`] running; the checker is the one writer of a
//! server's up or down, and tells its [`Observer`] what it did. Passive signs (failed exchanges) are
//! not its business.
//!
//! `state` decides what an outcome means, `schedule` when a check is due, `probe` makes one check,
//! `table` keeps the books. This file starts the checks and carries transitions out.

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

/// The reason of a server that is up because it has no checks.
const NOT_CHECKED: &str = "not checked";

/// Checks the servers of all backends. A handle: clones are the same checker.
#[derive(Clone)]
pub(super) struct Checker {
    shared: Rc<Shared>,
}

/// What the checker tells of its work. Called on the control thread, in the order of events; must
/// not call the checker back.
pub(super) trait Observer {
    /// A check has ended.
    fn checked(&self, check: &Checked<'_>);

    /// A server has gone up or down, and the data plane acts on it already.
    fn changed(&self, change: &Change<'_>);
}

/// One check that has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checked<'a> {
    /// Whose server it is.
    pub backend: &'a Name,
    /// The server.
    pub server: &'a Name,
    /// Its live state.
    pub live: &'a Server,
    /// What the check says of it.
    pub verdict: Verdict,
    /// `status 200`, `connection refused`, …
    pub reason: &'a str,
}

/// One server that has gone up or down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change<'a> {
    /// Whose server it is.
    pub backend: &'a Name,
    /// The server.
    pub server: &'a Name,
    /// What it was.
    pub from: Health,
    /// Up or down, never checking.
    pub to: Health,
    /// What the last check found; `not checked` when a reload has taken the checks away.
    pub reason: &'a str,
    /// The checks in a row that led to it; 0 when none did.
    pub checks: u32,
    /// The servers of the backend that are up now.
    pub up: usize,
    /// Those that still wait for their first check.
    pub unchecked: usize,
    /// All servers of the backend.
    pub total: usize,
}

/// How far the first checks are, for readiness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstRound {
    /// [`Checker::reconcile`] has not been called yet.
    NotBegun,
    /// This many servers have not had their first check.
    Waiting(usize),
    /// Each has, or the time for it is over. Stays so: servers of later reloads are not waited for.
    Over,
}

struct Shared {
    network: Network,
    observer: Box<dyn Observer>,
    /// Never borrowed across an await, nor while the observer or a server is told something.
    table: RefCell<Table>,
    /// Wakes [`Checker::run`]: a slot is free, or something is due earlier than it was.
    woken: Notify,
}

/// A check that runs. Dropped in whatever way, it gives its slot back and has its server checked
/// again: no end of a task can leave a server unwatched.
struct Check {
    shared: Rc<Shared>,
    run: Run,
    /// `None` until it has ended by itself.
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
    /// A checker that watches nothing yet. Equal rows of `rng` give equal ticks.
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
    /// - A server that is new is checked at once. It arrives in the [`Health`] it was made with,
    ///   and its first check decides.
    /// - One that is known keeps its state, its counters, its ticks and a check that is
    ///   running. Settings that changed hold from the next check on; another interval draws new
    ///   ticks, and a shorter one does not wait until the longer one is over.
    /// - One whose checks are new stays up and needs `fall` failed ones like any that is up.
    /// - One whose checks are gone is up, reason `not checked`.
    /// - One that is gone is not checked any more; a check that is running is broken off.
    ///
    /// To be called right after the snapshot with these backends was swapped in, before anything
    /// else is awaited: transitions go to the backends that were handed over last.
    pub(super) fn reconcile(&self, backends: &[Arc<Backend>]) {
        let now = clock::now();
        let leftovers = self.shared.table.borrow_mut().reconcile(backends, now);
        self.clear(leftovers);
    }

    /// Watches the servers that `backend`, which is watched, has now, and no more those that it had
    /// `before` and has not. Otherwise as [`Checker::reconcile`].
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
    /// When it is dropped no further check starts; those that run come to their end.
    pub(super) async fn run(&self) -> Infallible {
        loop {
            let next = Shared::start_due(&self.shared);
            // Not a timer alone: a check that ends gives a slot to one that is late already.
            let _ = clock::within(
                next.saturating_duration_since(clock::now()),
                self.shared.woken.notified(),
            )
            .await;
        }
    }

    /// How far the first checks are.
    pub(super) fn first_round(&self) -> FirstRound {
        self.shared.table.borrow().first_round(clock::now())
    }
}

impl Shared {
    /// Starts what is due, as far as there are slots, and says when to come back.
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
        // Traffic first, words later.
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
            self.tell(backend, server, from, reason, (transition, counts));
        }
    }

    /// Has servers up that are not checked (any more).
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
                self.tell(backend, server, from, NOT_CHECKED, (to_up, counts));
            }
        }
    }

    fn tell(
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
        // The settings as they were when it started: a reload meanwhile is for the next one.
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

/// Puts a server into another state and says what it was; the caller makes the backend refresh.
fn put(backend: &Backend, server: &Arc<Server>, to: Health, reason: &str) -> Health {
    let from = server.health();
    server.set_health(to, reason);
    if to == Health::Up && from != Health::Up {
        backend.came_up(server);
    }
    from
}
