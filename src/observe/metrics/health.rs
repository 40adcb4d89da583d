//! The metrics of one server's health: checks, changes, and the time spent in each state.
//!
//! Written by health checking on the control thread, read by `exposition`. Mean time to repair and
//! between failures, and availability, follow from it (`conf/reference/metrics.md`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::base::clock::{Duration, Instant};

/// The health numbers of one server.
#[derive(Debug)]
pub struct HealthMetrics {
    /// By [`CheckResult`]. Relaxed: it orders nothing.
    checks: [AtomicU64; CheckResult::ALL.len()],
    /// Under a lock and not in atomics, because time and state must be of one moment; it is taken a
    /// few times a second at most.
    history: Mutex<History>,
}

/// The state of a server in the health checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerState {
    /// Not checked yet.
    Checking,
    /// It passes its checks, or has none.
    Up,
    /// It fails its checks.
    Down,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckResult {
    /// As expected.
    Passed,
    /// Not as expected, or not at all.
    Failed,
    /// The check could not be made: we have no descriptor left, for example.
    Unclear,
}

#[derive(Debug)]
struct History {
    state: ServerState,
    since: Instant,
    /// Without the time in the present state, since `since`.
    spent: [Duration; ServerState::ALL.len()],
    to_up: u64,
    to_down: u64,
}

/// The values of a [`HealthMetrics`] at a scrape.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HealthSum {
    /// By [`ServerState`], the time in the present state included.
    pub(super) spent: [Duration; ServerState::ALL.len()],
    pub(super) to_up: u64,
    pub(super) to_down: u64,
}

impl ServerState {
    pub(crate) const ALL: [Self; 3] = [Self::Checking, Self::Up, Self::Down];

    /// Its label in metrics and in the admin API.
    pub fn code(self) -> &'static str {
        match self {
            Self::Checking => "checking",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

impl History {
    /// Changes to `state`, and returns the one before.
    fn enter(&mut self, state: ServerState, now: Instant) -> ServerState {
        let before = self.state;
        self.spent[before as usize] += now.saturating_duration_since(self.since);
        self.state = state;
        self.since = now;
        before
    }
}

impl CheckResult {
    pub(crate) const ALL: [Self; 3] = [Self::Passed, Self::Failed, Self::Unclear];

    /// Its label in metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unclear => "unclear",
        }
    }
}

impl HealthMetrics {
    /// A server that is in `state` from `now` on.
    pub fn new(state: ServerState, now: Instant) -> Self {
        Self {
            checks: Default::default(),
            history: Mutex::new(History {
                state,
                since: now,
                spent: Default::default(),
                to_up: 0,
                to_down: 0,
            }),
        }
    }

    /// Notes that the server has another address from now on, and begins in `state` there. Its
    /// counts continue; this is no change between up and down.
    pub fn moved(&self, state: ServerState, now: Instant) {
        self.history().enter(state, now);
    }

    /// Counts a check.
    pub fn checked(&self, result: CheckResult) {
        self.checks[result as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that the server is in `state` from now on.
    ///
    /// Counts as a change only between up and down: the result of a first check is neither a
    /// failure nor a repair, and would falsify the mean times.
    pub fn became(&self, state: ServerState, now: Instant) {
        let mut history = self.history();
        match (history.enter(state, now), state) {
            (ServerState::Up, ServerState::Down) => history.to_down += 1,
            (ServerState::Down, ServerState::Up) => history.to_up += 1,
            _ => {}
        }
    }

    /// Whether a scrape shows its checks: there was one.
    pub(super) fn has_checks(&self) -> bool {
        CheckResult::ALL
            .iter()
            .any(|result| self.checks(*result) > 0)
    }

    /// Whether a scrape shows the times in its states and its changes: it was down at some time.
    pub(super) fn has_been_down(&self) -> bool {
        let history = self.history();
        let was_down = !history.spent[ServerState::Down as usize].is_zero();
        history.state == ServerState::Down || was_down || history.to_up + history.to_down > 0
    }

    pub(crate) fn checks(&self, result: CheckResult) -> u64 {
        self.checks[result as usize].load(Ordering::Relaxed)
    }

    /// The time that it was down up to `now`, and how often it went down.
    pub(crate) fn downtime(&self, now: Instant) -> (Duration, u64) {
        let sum = self.sum(now);
        (sum.spent[ServerState::Down as usize], sum.to_down)
    }

    pub(super) fn sum(&self, now: Instant) -> HealthSum {
        let history = self.history();
        let mut spent = history.spent;
        spent[history.state as usize] += now.saturating_duration_since(history.since);
        HealthSum {
            spent,
            to_up: history.to_up,
            to_down: history.to_down,
        }
    }

    fn history(&self) -> MutexGuard<'_, History> {
        // After a panic of a writer the numbers are at most one step behind, which is better than
        // none.
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock;

    #[test]
    fn time_is_counted_by_state_up_to_now_in_the_present_one() {
        let start = clock::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let health = HealthMetrics::new(ServerState::Checking, start);
        health.became(ServerState::Up, after(1));
        health.became(ServerState::Down, after(11));
        health.became(ServerState::Up, after(14));
        let sum = health.sum(after(20));
        assert_eq!(sum.spent, [1, 16, 3].map(Duration::from_secs));
        assert_eq!((sum.to_up, sum.to_down), (1, 1));
    }

    #[test]
    fn only_up_and_down_change_into_each_other() {
        let now = clock::now();
        let health = HealthMetrics::new(ServerState::Checking, now);
        for state in [
            ServerState::Down,
            ServerState::Down,
            ServerState::Checking,
            ServerState::Up,
            ServerState::Checking,
        ] {
            health.became(state, now);
        }
        let sum = health.sum(now);
        assert_eq!((sum.to_up, sum.to_down), (0, 0));
    }
}
