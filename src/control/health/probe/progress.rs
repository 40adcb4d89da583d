//! The progress of a check, and its verdict.

use std::cell::Cell;

use crate::base::clock::Duration;
use crate::base::units::show_duration;
use crate::control::health::state::Verdict;

use super::words::Finding;

/// What a check has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Outcome {
    pub(in super::super) verdict: Verdict,
    /// For people: `connection refused`, `status 503`, …
    pub(in super::super) reason: String,
}

/// The progress of a check.
pub(super) struct Progress {
    pub(super) step: Cell<Step>,
    outcome: Cell<Option<Outcome>>,
}

#[derive(Clone, Copy)]
pub(super) enum Step {
    Connect,
    Handshake,
    Head,
    Body,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            step: Cell::new(Step::Connect),
            outcome: Cell::new(None),
        }
    }

    pub(super) fn decide(&self, (verdict, reason): Finding) {
        self.outcome.set(Some(Outcome { verdict, reason }));
    }

    pub(super) fn into_outcome(self, timeout: Duration) -> Outcome {
        let doing = match self.step.get() {
            Step::Connect => "connecting",
            Step::Handshake => "in the TLS handshake",
            Step::Head => "waiting for the response",
            Step::Body => "reading the body",
        };
        self.outcome.into_inner().unwrap_or_else(|| Outcome {
            verdict: Verdict::Failed,
            reason: format!("timed out after {} while {doing}", show_duration(timeout)),
        })
    }
}
