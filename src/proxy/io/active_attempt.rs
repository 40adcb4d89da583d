//! One attempt of an exchange while it runs: the handle to its record and its deadlines.
//!
//! `forward` begins one for each try. The parts of the attempt (the connection, the body of the
//! answer) hold the handle, and can reach no other attempt through it.

use std::rc::Rc;

use crate::exchange::{Attempt, AttemptIndex, Outcome, Reason, TriedServer, Verdict};

use super::deadlines::AttemptDeadlines;
use super::exchange::Exchange;

/// An attempt that has begun.
#[derive(Clone, Debug)]
pub struct ActiveAttempt {
    exchange: Rc<Exchange>,
    index: AttemptIndex,
}

impl ActiveAttempt {
    /// Begins an attempt of `exchange` at `server`.
    pub fn begin(exchange: Rc<Exchange>, server: Rc<TriedServer>) -> Self {
        let index = exchange.record.attempts.begin(Attempt::at(server));
        exchange.deadlines.of(index).begin();
        Self { exchange, index }
    }

    /// Ends the attempt because of `reason`, and begins another one at the same `server`.
    #[must_use]
    pub fn again(self, reason: Reason, server: &Rc<TriedServer>) -> Self {
        self.stamp(|attempt| attempt.reason = Some(reason));
        Self::begin(self.exchange, Rc::clone(server))
    }

    /// The exchange that it belongs to.
    #[inline]
    pub fn exchange(&self) -> &Rc<Exchange> {
        &self.exchange
    }

    /// The deadlines of the attempt.
    #[inline]
    pub fn deadlines(&self) -> AttemptDeadlines<'_> {
        self.exchange.deadlines.of(self.index)
    }

    /// Changes its record.
    pub fn stamp(&self, change: impl FnOnce(&mut Attempt)) {
        self.exchange.record.attempts.stamp(self.index, change);
    }

    /// Its outcome, with this verdict.
    pub fn outcome(&self, verdict: Verdict) -> Outcome {
        self.exchange.record.attempts.outcome(self.index, verdict)
    }

    /// Notes that the client gets its answer.
    pub fn deliver(&self) {
        self.exchange.record.attempts.deliver(self.index);
    }
}
