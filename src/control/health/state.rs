//! Rise and fall: how the outcomes of checks change a server's state.
//!
//! Pure: a state and a verdict yield the next state, and the transition to carry out, if there is
//! one. No clock, no server; [`super::Checker`] keeps one for each server it checks.
//!
//! The first check decides alone, in both directions, because nothing else is known yet. A server
//! that has never been up comes up with its first passed check, however many failed before it:
//! `rise` is there against servers that flap, and a new one that has just finished booting does not
//! flap. Only a server that was up and fell needs `rise` passed checks.
//!
//! Prior art: HAProxy `rise`, `fall` and `init-state up` / `down`, whose first check decides alone
//! too.

use crate::proxy::backend::Health;

/// The state of a server in its checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No check has ended; takes no traffic until one has passed.
    Checking,
    /// No check has ended; takes traffic until one has failed.
    Assumed,
    /// Takes traffic.
    Up {
        /// The failed checks in a row since; fewer than `fall`.
        failed: u32,
    },
    /// Takes no traffic, and never has: every check so far has failed.
    NeverUp,
    /// Takes no traffic since it fell.
    Down {
        /// The passed checks in a row since; fewer than `rise`.
        passed: u32,
    },
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verdict {
    /// The server is healthy.
    Passed,
    /// The server is not healthy.
    Failed,
    /// No result: the check could not be made because we lack something, descriptors for example.
    /// Counted as failed, it would take every server out of use at once, for a fault of ours.
    Unclear,
}

/// The number of checks in a row for a transition; 0 counts as 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Thresholds {
    /// Passed checks, for a server that fell.
    pub(super) rise: u32,
    /// Failed checks, for a server that is up.
    pub(super) fall: u32,
}

/// A change that the data plane must apply.
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
    /// The server's own ticks.
    Steady,
    /// The fast interval: some checks have passed or failed, but too few for a transition.
    Changing,
}

impl State {
    /// The state of a server that has not been checked and begins as `health`.
    pub(super) fn arriving(health: Health) -> Self {
        match health {
            Health::Checking => Self::Checking,
            Health::Up => Self::Assumed,
            Health::Down => Self::Down { passed: 0 },
        }
    }

    /// The state of a server that has carried traffic without checks: it begins as up, so that
    /// checks which were set up wrongly do not take the whole backend out of use at once.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const THRESHOLDS: Thresholds = Thresholds { rise: 2, fall: 3 };

    /// The states after each of a series of checks: `+` passed, `-` failed, `?` unclear.
    fn after_row(state: State, row: &str) -> (State, Vec<Option<Transition>>) {
        let mut state = state;
        let transitions = row
            .chars()
            .map(|sign| {
                let (next, transition) = state.after(verdict_of(sign), THRESHOLDS);
                state = next;
                transition
            })
            .collect();
        (state, transitions)
    }

    fn verdict_of(sign: char) -> Verdict {
        match sign {
            '+' => Verdict::Passed,
            '-' => Verdict::Failed,
            _ => Verdict::Unclear,
        }
    }

    fn up_after(checks: u32) -> Option<Transition> {
        let to = Health::Up;
        Some(Transition { to, checks })
    }

    fn down(checks: u32) -> Option<Transition> {
        Some(down_after(checks))
    }

    #[test]
    fn each_state_and_verdict_has_its_next_state() {
        use State::{Assumed, Checking, Down, NeverUp, Up};
        use Verdict::{Failed, Passed, Unclear};
        let cases = [
            (Checking, Passed, Up { failed: 0 }, up_after(1)),
            (Checking, Failed, NeverUp, down(1)),
            (Checking, Unclear, Checking, None),
            (Assumed, Passed, Up { failed: 0 }, None),
            (Assumed, Failed, Down { passed: 0 }, down(1)),
            (Assumed, Unclear, Assumed, None),
            (Up { failed: 0 }, Passed, Up { failed: 0 }, None),
            (Up { failed: 0 }, Failed, Up { failed: 1 }, None),
            (Up { failed: 1 }, Passed, Up { failed: 0 }, None),
            (Up { failed: 1 }, Failed, Up { failed: 2 }, None),
            (Up { failed: 1 }, Unclear, Up { failed: 1 }, None),
            (Up { failed: 2 }, Passed, Up { failed: 0 }, None),
            (Up { failed: 2 }, Failed, Down { passed: 0 }, down(3)),
            (NeverUp, Passed, Up { failed: 0 }, up_after(1)),
            (NeverUp, Failed, NeverUp, None),
            (NeverUp, Unclear, NeverUp, None),
            (Down { passed: 0 }, Passed, Down { passed: 1 }, None),
            (Down { passed: 0 }, Failed, Down { passed: 0 }, None),
            (Down { passed: 1 }, Passed, Up { failed: 0 }, up_after(2)),
            (Down { passed: 1 }, Failed, Down { passed: 0 }, None),
            (Down { passed: 1 }, Unclear, Down { passed: 1 }, None),
        ];
        for (state, verdict, next, transition) in cases {
            let got = state.after(verdict, THRESHOLDS);
            assert_eq!(got, (next, transition), "{state:?} {verdict:?}");
        }
    }

    #[test]
    fn a_new_server_takes_traffic_after_its_first_passed_check_however_many_failed_before() {
        let (state, transitions) = after_row(State::Checking, "---+");
        assert_eq!(state, State::Up { failed: 0 });
        assert_eq!(transitions, [down(1), None, None, up_after(1)]);
    }

    #[test]
    fn a_server_that_fell_needs_rise_passed_checks_in_a_row() {
        let (state, transitions) = after_row(State::proven(), "---+-++");
        assert_eq!(state, State::Up { failed: 0 });
        assert_eq!(transitions[2], down(3));
        assert_eq!(transitions[3..], [None, None, None, up_after(2)]);
    }

    #[test]
    fn a_threshold_that_a_reload_lowered_holds_from_the_next_check_on() {
        let lowered = Thresholds { rise: 1, fall: 1 };
        let (state, transition) = State::Up { failed: 2 }.after(Verdict::Failed, lowered);
        assert_eq!((state, transition), (State::Down { passed: 0 }, down(3)));
    }

    #[test]
    fn only_a_state_that_is_changing_is_checked_faster() {
        for (row, pace) in [
            ("", Pace::Steady),
            ("-", Pace::Changing),
            ("-+", Pace::Steady),
            ("--", Pace::Changing),
            ("---", Pace::Steady),
            ("---+", Pace::Changing),
            ("---+-", Pace::Steady),
            ("---++", Pace::Steady),
        ] {
            let (state, _) = after_row(State::proven(), row);
            assert_eq!(state.pace(), pace, "{row}");
        }
        for state in [State::Checking, State::Assumed, State::NeverUp] {
            assert_eq!(state.pace(), Pace::Steady, "{state:?}");
        }
    }

    #[test]
    fn a_server_arrives_in_the_health_it_was_made_with() {
        for health in [Health::Checking, Health::Up, Health::Down] {
            let state = State::arriving(health);
            assert_eq!(state.is_in_use(), health != Health::Down, "{health:?}");
        }
        assert_eq!(State::arriving(Health::Checking), State::Checking);
        assert_eq!(State::arriving(Health::Up), State::Assumed);
    }

    proptest! {
        #[test]
        fn no_server_falls_or_rises_with_fewer_checks_in_a_row_than_it_takes(
            verdicts in prop::collection::vec(prop_oneof![Just('+'), Just('-'), Just('?')], 0..200),
            rise in 0_u32..5,
            fall in 0_u32..5,
            is_checking in any::<bool>(),
        ) {
            let thresholds = Thresholds { rise, fall };
            let mut state = if is_checking { State::Checking } else { State::Assumed };
            let mut health = if is_checking { Health::Checking } else { Health::Up };
            let mut has_been_up = !is_checking;
            let (mut passed, mut failed, mut counted) = (0_u32, 0_u32, 0_u32);
            for sign in verdicts {
                let (next, transition) = state.after(verdict_of(sign), thresholds);
                match sign {
                    '+' => (passed, failed, counted) = (passed + 1, 0, counted + 1),
                    '-' => (passed, failed, counted) = (0, failed + 1, counted + 1),
                    _ => prop_assert_eq!((next, transition), (state, None)),
                }
                // The expected state without the machine, from the history alone.
                let is_first = counted == 1;
                let must_rise = health != Health::Up && sign == '+'
                    && (is_first || !has_been_up || passed >= rise);
                let must_fall = health != Health::Down && sign == '-'
                    && (is_first || failed >= fall);
                let expected = match (must_rise, must_fall) {
                    (true, _) => Some(Health::Up),
                    (_, true) => Some(Health::Down),
                    _ => None,
                };
                prop_assert_eq!(transition.map(|transition| transition.to), expected);
                if let Some(transition) = transition {
                    prop_assert!(transition.checks >= 1);
                    prop_assert!(transition.checks <= passed.max(failed));
                    health = transition.to;
                    has_been_up |= health == Health::Up;
                }
                prop_assert_eq!(next.is_in_use(), health != Health::Down);
                state = next;
            }
        }
    }
}
