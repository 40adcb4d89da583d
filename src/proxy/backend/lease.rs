//! A slot at a server, held for one attempt and given back after its last byte.
//!
//! An attempt ends with its outcome ([`Lease::settle`]). All that is learnt about servers from
//! attempts is learnt here.

use std::cell::Cell;
use std::rc::Rc;

use http::StatusCode;

use crate::base::clock::Duration;
use crate::exchange::{Outcome, Reason, Verdict};
use crate::plan::RetryOn;

use super::{Local, LocalServer};

/// A slot at a server. Unless the attempt was settled, dropping it counts the attempt as cancelled.
/// Then the slot goes to the first waiter, or back to the server.
pub struct Lease {
    backend: Rc<Local>,
    server: Rc<LocalServer>,
    /// The counter of its client connection.
    held: Option<Held>,
    /// Whether the outcome of the attempt is known.
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

    /// Counts in `held` until it is given back.
    pub fn hold(&mut self, held: &Held) {
        held.0.set(held.0.get() + 1);
        self.held = Some(held.clone());
    }

    /// How many slots its client connection holds, with this one.
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

    /// Notes that the attempt found an open connection.
    #[inline]
    pub fn reused(&self) {
        let counter = self.backend.attempts;
        counter.reused(&self.server.shared.metrics);
    }

    /// Notes that an attempt has ended because of `reason`, and that another one at the same server
    /// follows. It is counted, but is no failure of the server: an old connection has died, or the
    /// request came too early.
    pub fn count_retried(&self, reason: Reason) {
        let outcome = Outcome::without_answer(Verdict::of_failure(reason));
        self.count(&outcome);
    }

    /// Notes the outcome of the attempt, and gives the slot back.
    #[inline]
    pub fn settle(mut self, outcome: &Outcome) {
        self.learn(outcome);
    }

    /// The one place where the outcome of an attempt changes the state of a server.
    #[inline]
    fn learn(&mut self, outcome: &Outcome) {
        self.is_settled = true;
        self.count(outcome);
        let server = &self.server.shared;
        match outcome.verdict {
            // It counts as failed whether or not another server was tried.
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
            // A slot at a server that takes no more traffic is not passed on. It may come up, or get a
            // higher limit, at this moment: then waiters have just seen it full.
            queue.release(server);
        } else if queue.len() > 0 && !self.backend.has(&self.server) {
            // Nor one at a removed server; only exchanges under an earlier snapshot may use it.
            queue.release(server);
        } else {
            queue.give_back(server);
        }
    }
}
