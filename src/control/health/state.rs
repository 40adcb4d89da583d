//! Rise and fall: what the outcomes of checks make of a server.
//!
//! Pure: a state and a verdict give the next state, and the transition that has to be carried out,
//! if there is one. No clock, no server; [`super::Checker`] keeps one for each server it checks.
//!
//! The first check decides alone, in both directions: nothing is known yet that it could be weighed
//! against. A server that has never been up comes up with its first passed check, however many
//! failed before it: `rise` is there against servers that flap, and a new one that has just
//! finished booting does not flap. Only a server that was up and fell needs `rise` passed checks.
//!
//! Prior art: HAProxy `rise`, `fall` and `init-state up` / `down`, whose first check decides alone
//! too.

use crate::proxy::backend::Health;

/// Where a server stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No check has ended; takes no traffic until one has passed.
    Checking,
    /// No check has ended; takes traffic until one has failed.
    Assumed,
    /// Takes traffic.
    Up {
        /// The checks in a row that failed since; fewer than `fall`.
        failed: u32,
    },
    /// Takes none, and never has: every check so far has failed.
    NeverUp,
    /// Takes none since it fell.
    Down {
        /// The checks in a row that passed since; fewer than `rise`.
        passed: u32,
    },
}

/// What a check says about its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is well.
    Passed,
    /// It is not.
    Failed,
    /// Nothing: the check could not be made because we are out of something, descriptors for example.
    /// Counted as failed it would take every server away at once, and it would be our fault.
    Unclear,
}

/// How many checks in a row it takes; 0 counts as 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Thresholds {
    /// Passed ones, for a server that fell.
    pub(super) rise: u32,
    /// Failed ones, for a server that is up.
    pub(super) fall: u32,
}

/// A change that the data plane has to learn of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Transition {
    /// Up or down, never checking.
    pub(super) to: Health,
    /// The checks in a row that led to it.
    pub(super) checks: u32,
}

/// Which of the two intervals is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// The server's own places in time.
    Steady,
    /// The fast interval: some checks have passed or failed, not yet enough.
    Changing,
}

impl State {
    /// The state of a server that has not been checked but is said to be `health`.
    pub(super) fn arriving(health: Health) -> Self {
        match health {
            Health::Checking => Self::Checking,
            Health::Up => Self::Assumed,
            Health::Down => Self::Down { passed: 0 },
        }
    }

    /// The state of a server that has carried traffic without checks: it has a good name to lose,
    /// so that checks which were set up wrongly do not take the whole backend away at once.
    pub(super) fn proven() -> Self {
        Self::Up { failed: 0 }
    }

    /// The state after one more check, and the transition, if there is one.
    pub(super) fn after(
        self,
        verdict: Verdict,
        thresholds: Thresholds,
    ) -> (Self, Option<Transition>) {
        match verdict {
            Verdict::Passed => self.after_passed(thresholds.rise),
            Verdict::Failed => self.after_failed(thresholds.fall),
            Verdict::Unclear => (self, None),
        }
    }

    /// How soon the next check is due.
    pub(super) fn pace(self) -> Pace {
        match self {
            Self::Up { failed: 1.. } | Self::Down { passed: 1.. } => Pace::Changing,
            _ => Pace::Steady,
        }
    }

    /// Whether it takes traffic, or will with its first passed check.
    pub(super) fn is_in_use(self) -> bool {
        matches!(self, Self::Checking | Self::Assumed | Self::Up { .. })
    }

    fn after_passed(self, rise: u32) -> (Self, Option<Transition>) {
        match self {
            Self::Checking | Self::NeverUp => rises(1),
            Self::Assumed | Self::Up { .. } => (Self::Up { failed: 0 }, None),
            Self::Down { passed } => {
                let passed = passed.saturating_add(1);
                if passed >= rise {
                    rises(passed)
                } else {
                    (Self::Down { passed }, None)
                }
            }
        }
    }

    fn after_failed(self, fall: u32) -> (Self, Option<Transition>) {
        match self {
            Self::Checking => (Self::NeverUp, Some(down_after(1))),
            Self::Assumed => falls(1),
            Self::Up { failed } => {
                let failed = failed.saturating_add(1);
                if failed >= fall {
                    falls(failed)
                } else {
                    (Self::Up { failed }, None)
                }
            }
            Self::NeverUp => (Self::NeverUp, None),
            Self::Down { .. } => (Self::Down { passed: 0 }, None),
        }
    }
}

impl Verdict {
    /// The metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unclear => "unclear",
        }
    }
}

fn rises(checks: u32) -> (State, Option<Transition>) {
    let transition = Transition {
        to: Health::Up,
        checks,
    };
    (State::Up { failed: 0 }, Some(transition))
}

fn falls(checks: u32) -> (State, Option<Transition>) {
    (State::Down { passed: 0 }, Some(down_after(checks)))
}

fn down_after(checks: u32) -> Transition {
    Transition {
        to: Health::Down,
        checks,
    }
}
