//! The watched servers: the state of each, when its next check is due, and its running check.
//!
//! Bookkeeping without I/O and without calls to a server: work to do is returned ([`Leftovers`],
//! [`Report`]) and done by [`super::Checker`], so that no code runs while the table is borrowed.

use std::mem;
use std::sync::Arc;

use crate::base::clock::{Duration, FAR, Instant};
use crate::base::rng::Rng;
use crate::base::tasks::JoinHandle;
use crate::base::{FoldMap, FoldSet};
use crate::plan;
use crate::proxy::backend::{Backend, Health, Server, ServerKey, ServerSet};

use super::FirstRound;
use super::probe::Outcome;
use super::schedule::{Rank, Schedule, Ticket, Ticks};
use super::state::{State, Thresholds, Transition, Verdict};

/// Every server of every backend, checked or not.
pub(super) struct Table {
    schedule: Schedule<ServerKey>,
    watches: FoldMap<ServerKey, Watch>,
    /// Servers without checks: when a reload adds some, they are not new.
    unchecked: FoldSet<ServerKey>,
    rng: Rng,
    /// `None` before the first reconcile.
    first_round: Option<Unanswered>,
    next_run: u64,
}

/// One check that has been started.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) server: ServerKey,
    /// Distinguishes it from an aborted run for the same server.
    number: u64,
    ticket: Ticket,
}

/// The reports and the work after a check.
pub(super) struct Report {
    pub(super) backend: Arc<Backend>,
    pub(super) server: Arc<Server>,
    pub(super) transition: Option<Transition>,
}

/// The work after a reconcile.
#[derive(Default)]
pub(super) struct Leftovers {
    /// Tasks to abort.
    pub(super) stopped: Vec<JoinHandle<()>>,
    /// Backends to refresh: their sets may have been made before a transition.
    pub(super) stale: Vec<Arc<Backend>>,
    /// Servers that must be up because they are not checked.
    pub(super) unchecked: Vec<(Arc<Backend>, Vec<Arc<Server>>)>,
}

/// One server that is checked.
struct Watch {
    backend: Arc<Backend>,
    server: Arc<Server>,
    state: State,
    ticks: Ticks,
    phase: Phase,
    /// Since the last reconcile.
    has_changed: bool,
}

enum Phase {
    Waiting(Ticket),
    Running {
        number: u64,
        /// `None` for the moment between start and spawn.
        task: Option<JoinHandle<()>>,
    },
}

/// The servers for whose first check readiness waits.
struct Unanswered {
    servers: FoldSet<ServerKey>,
    until: Instant,
}

impl Table {
    pub(super) fn new(rng: Rng) -> Self {
        Self {
            schedule: Schedule::new(),
            watches: FoldMap::default(),
            unchecked: FoldSet::default(),
            rng,
            first_round: None,
            next_run: 0,
        }
    }

    /// See [`super::Checker::reconcile`].
    pub(super) fn reconcile(&mut self, backends: &[Arc<Backend>], now: Instant) -> Leftovers {
        let before = Before {
            watches: mem::take(&mut self.watches),
            unchecked: mem::take(&mut self.unchecked),
        };
        self.watch(backends, before, now)
    }

    /// See [`super::Checker::follow`].
    pub(super) fn follow(
        &mut self,
        backend: &Arc<Backend>,
        before: &ServerSet,
        now: Instant,
    ) -> Leftovers {
        let servers = before.servers().iter().map(ServerKey::of);
        let mut known = Before::default();
        for server in servers {
            if let Some(watch) = self.watches.remove(&server) {
                known.watches.insert(server, watch);
            } else if self.unchecked.remove(&server) {
                known.unchecked.insert(server);
            }
        }
        self.watch(std::slice::from_ref(backend), known, now)
    }

    /// Watches the servers of `backends`, and stops the remaining ones of `before`.
    fn watch(&mut self, backends: &[Arc<Backend>], mut before: Before, now: Instant) -> Leftovers {
        let mut leftovers = Leftovers::default();
        for backend in backends {
            match &backend.plan.health {
                Some(health) => self.check_all(backend, health, &mut before, &mut leftovers, now),
                None => self.check_none(backend, &mut before, &mut leftovers),
            }
        }
        for watch in before.watches.into_values() {
            leftovers.stopped.extend(self.stop(watch));
        }
        self.await_first_checks(now);
        leftovers
    }

    /// The next check that may start now, of a server of a backend. The caller spawns it and then
    /// calls [`Table::running`].
    pub(super) fn start(&mut self, now: Instant) -> Option<(Run, Arc<Backend>, Arc<Server>)> {
        loop {
            let (server, ticket) = self.schedule.start(now)?;
            let Some(watch) = self.watches.get_mut(&server) else {
                // Cannot happen, because a watch goes together with its ticket; else a slot would
                // be lost.
                self.schedule.ended(ticket.rank);
                continue;
            };
            let number = self.next_run;
            self.next_run += 1;
            watch.phase = Phase::Running { number, task: None };
            let run = Run {
                server,
                number,
                ticket,
            };
            let (backend, server) = (&watch.backend, &watch.server);
            return Some((run, Arc::clone(backend), Arc::clone(server)));
        }
    }

    /// Keeps the task of a run, to be aborted with its watch.
    pub(super) fn running(&mut self, run: &Run, handle: JoinHandle<()>) {
        if let Some(watch) = self.watches.get_mut(&run.server)
            && let Phase::Running { number, task } = &mut watch.phase
            && *number == run.number
        {
            *task = Some(handle);
        }
    }

    /// When [`Table::start`] yields a check, unless a check ends before; `None`: only then.
    pub(super) fn next_start(&self) -> Option<Instant> {
        self.schedule.next_start()
    }

    /// Counts the end of a run and plans the next check; `outcome` is `None` if it was aborted.
    ///
    /// `None` if there is nothing to report.
    pub(super) fn ended(
        &mut self,
        run: &Run,
        outcome: Option<&Outcome>,
        now: Instant,
    ) -> Option<Report> {
        self.schedule.ended(run.ticket.rank);
        let watch = self.watches.get_mut(&run.server)?;
        if !matches!(watch.phase, Phase::Running { number, .. } if number == run.number) {
            return None;
        }
        let health = watch.backend.plan.health.as_ref()?;
        let verdict = outcome.map_or(Verdict::Unclear, |outcome| outcome.verdict);
        let thresholds = Thresholds {
            rise: health.rise,
            fall: health.fall,
        };
        let (state, transition) = watch.state.after(verdict, thresholds);
        let fast = health.fast_interval;
        let due = watch.ticks.next(run.ticket.due, state.pace(), fast, now);
        watch.state = state;
        watch.has_changed |= transition.is_some();
        watch.phase = Phase::Waiting(self.schedule.put(run.server.clone(), due, rank_of(state)));
        if verdict != Verdict::Unclear
            && let Some(open) = &mut self.first_round
        {
            open.servers.remove(&run.server);
        }
        outcome.map(|_| Report {
            backend: Arc::clone(&watch.backend),
            server: Arc::clone(&watch.server),
            transition,
        })
    }

    /// The progress of the first checks at `now`.
    pub(super) fn first_round(&self, now: Instant) -> FirstRound {
        match &self.first_round {
            None => FirstRound::NotBegun,
            Some(open) if open.servers.is_empty() || now >= open.until => FirstRound::Over,
            Some(open) => FirstRound::Waiting(open.servers.len()),
        }
    }

    fn check_all(
        &mut self,
        backend: &Arc<Backend>,
        health: &plan::Health,
        before: &mut Before,
        leftovers: &mut Leftovers,
        now: Instant,
    ) {
        let mut is_stale = false;
        for server in backend.set().servers().iter() {
            let key = ServerKey::of(server);
            let watch = match before.watches.remove(&key) {
                Some(mut watch) => {
                    is_stale |= mem::take(&mut watch.has_changed);
                    self.carry_over(&mut watch, backend, health, now);
                    watch
                }
                None if before.unchecked.contains(&key) => {
                    self.begin(backend, server, State::proven(), health, now)
                }
                None => {
                    let state = State::arriving(server.health());
                    self.begin(backend, server, state, health, now)
                }
            };
            self.watches.insert(key, watch);
        }
        if is_stale {
            leftovers.stale.push(Arc::clone(backend));
        }
    }

    fn check_none(
        &mut self,
        backend: &Arc<Backend>,
        before: &mut Before,
        leftovers: &mut Leftovers,
    ) {
        let mut to_lift = Vec::new();
        for server in backend.set().servers().iter() {
            let key = ServerKey::of(server);
            let watch = before.watches.remove(&key);
            if watch.is_some() || server.health() != Health::Up {
                to_lift.push(Arc::clone(server));
            }
            leftovers
                .stopped
                .extend(watch.and_then(|watch| self.stop(watch)));
            self.unchecked.insert(key);
        }
        if !to_lift.is_empty() {
            leftovers.unchecked.push((Arc::clone(backend), to_lift));
        }
    }

    /// A new watch: its first check is due at once.
    fn begin(
        &mut self,
        backend: &Arc<Backend>,
        server: &Arc<Server>,
        state: State,
        health: &plan::Health,
        now: Instant,
    ) -> Watch {
        let key = ServerKey::of(server);
        Watch {
            backend: Arc::clone(backend),
            server: Arc::clone(server),
            state,
            ticks: Ticks::drawn(now, health.interval, &self.rng),
            phase: Phase::Waiting(self.schedule.put(key, now, rank_of(state))),
            has_changed: false,
        }
    }

    /// Moves a watch to the backend of a new snapshot; all else stays unless the interval has
    /// changed.
    fn carry_over(
        &mut self,
        watch: &mut Watch,
        backend: &Arc<Backend>,
        health: &plan::Health,
        now: Instant,
    ) {
        let interval_before = watch.backend.plan.health.as_ref().map(|old| old.interval);
        watch.backend = Arc::clone(backend);
        if interval_before == Some(health.interval) {
            return;
        }
        watch.ticks = Ticks::drawn(now, health.interval, &self.rng);
        let due = watch.ticks.after(now);
        if let Phase::Waiting(ticket) = watch.phase
            && due < ticket.due
        {
            self.schedule.withdraw(ticket);
            let key = ServerKey::of(&watch.server);
            watch.phase = Phase::Waiting(self.schedule.put(key, due, ticket.rank));
        }
    }

    /// The task to abort, if a check is running.
    fn stop(&mut self, watch: Watch) -> Option<JoinHandle<()>> {
        match watch.phase {
            Phase::Waiting(ticket) => {
                self.schedule.withdraw(ticket);
                None
            }
            Phase::Running { task, .. } => task,
        }
    }

    /// Begins the first round, or removes servers from it that are not watched any more.
    fn await_first_checks(&mut self, now: Instant) {
        let watches = &self.watches;
        if let Some(open) = &mut self.first_round {
            open.servers.retain(|server| watches.contains_key(server));
            return;
        }
        let longest = watches
            .values()
            .filter_map(|watch| watch.backend.plan.health.as_ref())
            .map(|health| health.timeout.saturating_add(health.interval))
            .max()
            .unwrap_or(Duration::ZERO);
        self.first_round = Some(Unanswered {
            servers: watches.keys().cloned().collect(),
            until: now + longest.min(FAR),
        });
    }
}

/// The servers before a change; those that remain in it after the change were removed.
#[derive(Default)]
struct Before {
    watches: FoldMap<ServerKey, Watch>,
    unchecked: FoldSet<ServerKey>,
}

fn rank_of(state: State) -> Rank {
    if state.is_in_use() {
        Rank::InUse
    } else {
        Rank::OutOfUse
    }
}
