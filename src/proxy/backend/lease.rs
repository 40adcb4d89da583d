//! A slot at a server, held for one attempt and given back when its last byte is through.
//!
//! An attempt ends by saying how it went ([`Lease::settle`]). Whatever learns of the servers from attempts learns
//! it here.

use std::cell::Cell;
use std::rc::Rc;

use http::StatusCode;

use crate::base::clock::Duration;
use crate::exchange::{Outcome, Reason, Verdict};
use crate::plan::RetryOn;

use super::{Local, LocalServer};

/// A slot at a server. Dropping it says that its attempt was cancelled, unless it was settled, and hands the slot
/// to the first waiter, or gives it back.
pub struct Lease {
    backend: Rc<Local>,
    server: Rc<LocalServer>,
    /// Among these it counts.
    held: Option<Held>,
    /// Whether it is known how the attempt ended.
    is_settled: bool,
}

/// How many slots one client connection holds.
#[derive(Clone, Debug, Default)]
pub struct Held(Rc<Cell<usize>>);

impl Lease {
    /// The holder has taken the slot.
    pub(super) fn of(backend: &Rc<Local>, server: &Rc<LocalServer>) -> Self {
        Self {
            backend: Rc::clone(backend),
            server: Rc::clone(server),
            held: None,
            is_settled: false,
        }
    }

    /// Counts among `held` until it is given back.
    pub fn hold(&mut self, held: &Held) {
        held.0.set(held.0.get() + 1);
        self.held = Some(held.clone());
    }

    /// How many the client connection of this one holds, with this one.
    pub fn held(&self) -> usize {
        self.held.as_ref().map_or(1, |held| held.0.get())
    }

    /// The server, on this worker.
    pub fn server(&self) -> &Rc<LocalServer> {
        &self.server
    }

    /// The backend, on this worker.
    pub fn backend(&self) -> &Rc<Local> {
        &self.backend
    }

    /// Notes that a connection was opened for the attempt, which took `took`.
    pub fn opened(&self, took: Duration) {
        let counter = self.backend.attempts;
        counter.opened(&self.server.shared.metrics, took);
    }

    /// Notes that the attempt found a connection open.
    #[inline]
    pub fn reused(&self) {
        let counter = self.backend.attempts;
        counter.reused(&self.server.shared.metrics);
    }

    /// Notes that an attempt has ended because of `reason`, and that another one at the same server follows. It
    /// counts, and is no failure of the server: an old connection has died, or it was asked too early.
    pub fn tried_in_vain(&self, reason: Reason) {
        let outcome = Outcome::without_answer(Verdict::of_failure(reason));
        self.count(&outcome);
    }

    /// Says how the attempt went, and gives the slot back.
    #[inline]
    pub fn settle(mut self, outcome: &Outcome) {
        self.learn(outcome);
    }

    /// The one place where something is learnt of a server from an attempt.
    #[inline]
    fn learn(&mut self, outcome: &Outcome) {
        self.is_settled = true;
        self.count(outcome);
        let server = &self.server.shared;
        match outcome.verdict {
            // It counts as failed whether or not another server was asked.
            Verdict::Answered if self.is_unwanted(outcome.status) => server.went_wrong(),
            Verdict::Answered => server.went_well(),
            Verdict::Failed(_) if outcome.verdict.is_failure() => server.went_wrong(),
            Verdict::Failed(_) | Verdict::Cancelled | Verdict::ClientLeft => {}
        }
    }

    /// Whether the configuration counts answers with `status` among failures.
    #[inline]
    fn is_unwanted(&self, status: u16) -> bool {
        let retry = &self.backend.shared.plan.retry;
        StatusCode::from_u16(status).is_ok_and(|status| retry.has(RetryOn::Status(status)))
    }

    #[inline]
    fn count(&self, outcome: &Outcome) {
        let counter = self.backend.attempts;
        counter.settled(&self.server.shared.metrics, outcome);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.is_settled {
            self.learn(&Outcome::without_answer(Verdict::Cancelled));
        }
        if let Some(Held(number)) = &self.held {
            number.set(number.get() - 1);
        }
        let server = &self.server.shared;
        let queue = &self.backend.shared.live.queue;
        if !server.is_usable() || !server.is_within_limit() {
            // A slot at a server that takes no more traffic is not passed on.
            server.release();
        } else if queue.len() > 0 && !self.backend.has(&self.server) {
            // Nor one at a server that was removed; only exchanges under a snapshot before may use it.
            queue.release(server);
        } else {
            queue.give_back(server);
        }
    }
}
