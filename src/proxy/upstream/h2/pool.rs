//! The HTTP/2 connections of one worker to one server.
//!
//! The first one with room is taken, so that under falling load the last ones become too old and
//! are closed. If none has room one more is opened, and exchanges that come meanwhile wait for it:
//! as many are opened at a time as will be filled.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::base::clock::Instant;
use crate::exchange::{Cause, Fault, Reason};
use crate::plan;

use super::connection::{H2Connection, NewH2Connection};

/// Connections of HTTP/2 to one server.
#[derive(Default)]
pub(in super::super) struct H2Pool {
    connections: RefCell<Vec<Rc<H2Connection>>>,
    /// How many are being opened. Written by [`Opening`].
    opening: Cell<usize>,
    /// How many exchanges wait for room. Written by [`Waiting`].
    waiting: Cell<usize>,
    /// The error of the last one that could not be opened.
    failure: RefCell<Option<Failure>>,
    /// Notified when there may be room, or when there will be none.
    changed: Notify,
}

struct Failure {
    number: u64,
    reason: Reason,
    cause: Option<Cause>,
}

/// An exchange that waits for room. Dropping it stops the wait.
pub(in super::super) struct Waiting {
    pool: Rc<H2Pool>,
    /// Later failures concern this exchange.
    seen: u64,
}

/// A connection that is being opened. Dropping it ends the wait for it, with or without success.
pub(in super::super) struct Opening(Rc<H2Pool>);

impl H2Pool {
    /// A connection that has room, opened after `since` if that matters.
    pub(in super::super) fn take(
        &self,
        limits: &plan::Pool,
        since: Option<Instant>,
        now: Instant,
    ) -> Option<Rc<H2Connection>> {
        let mut connections = self.connections.borrow_mut();
        // A connection with only a tunnel or two left is still tested.
        connections.retain(|connection| connection.is_open() || !connection.is_idle());
        for connection in connections.iter() {
            let is_kept = limits.max_idle > 0 || !connection.is_idle() || !connection.was_used();
            if !is_kept || !connection.is_within(limits, now) {
                connection.leave();
            }
        }
        let connection = connections.iter().find(|connection| {
            connection.has_room() && since.is_none_or(|since| connection.opened() >= since)
        })?;
        connection.enter();
        Some(Rc::clone(connection))
    }

    /// Gives a stream back.
    pub(super) fn give_back(&self, connection: &Rc<H2Connection>) {
        connection.exit();
        self.notify();
    }

    /// Whether so many exchanges wait that one more connection should be opened.
    pub(in super::super) fn needs_another(&self) -> bool {
        let connections = self.connections.borrow();
        let coming = connections
            .iter()
            .filter(|connection| connection.is_open() && !connection.is_greeted());
        let coming = coming.count() + self.opening.get();
        // Unknown: one is enough, until its settings have come.
        let each = connections
            .iter()
            .rev()
            .find_map(|connection| connection.capacity());
        coming.saturating_mul(each.unwrap_or(usize::MAX).max(1)) < self.waiting.get()
    }

    /// One more connection.
    pub(in super::super) fn add(self: &Rc<Self>, new: NewH2Connection) {
        let connection = new.run(self);
        self.connections.borrow_mut().push(connection);
        self.notify();
    }

    /// Fails all waiting exchanges.
    pub(in super::super) fn fail(&self, fault: &Fault) {
        let number = self.failures() + 1;
        *self.failure.borrow_mut() = Some(Failure {
            number,
            reason: fault.reason,
            cause: fault.cause.as_ref().map(Cause::copied),
        });
        self.notify();
    }

    /// Wakes the waiting exchanges, which look again.
    pub(super) fn notify(&self) {
        self.changed.notify_waiters();
    }

    pub(super) fn forget(&self, connection: &Rc<H2Connection>) {
        self.connections
            .borrow_mut()
            .retain(|other| !Rc::ptr_eq(other, connection));
        self.notify();
    }

    fn failures(&self) -> u64 {
        self.failure.borrow().as_ref().map_or(0, |last| last.number)
    }

    /// Drops connections that are too old, and tests the others.
    pub(in super::super) fn sweep(
        &self,
        limits: &plan::Pool,
        plan: &plan::BackendHttp2,
        now: Instant,
    ) {
        let connections = self.connections.borrow();
        let mut idle = 0;
        for connection in connections.iter() {
            idle += usize::from(connection.is_idle());
            if !connection.is_within(limits, now) || idle > limits.max_idle {
                connection.leave();
            }
            connection.look_after(plan, now);
        }
    }

    /// Ends up to `most` connections without streams, and returns how many.
    pub(in super::super) fn close_idle(&self, most: usize) -> usize {
        let connections = self.connections.borrow();
        let idle = connections
            .iter()
            .filter(|connection| connection.is_open() && connection.is_idle());
        idle.take(most).map(|connection| connection.leave()).count()
    }

    /// Takes no new streams; open ones continue.
    pub(in super::super) fn leave(&self) {
        for connection in self.connections.borrow().iter() {
            connection.leave();
        }
    }

    /// Whether there is none.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.connections.borrow().is_empty()
    }
}

impl Drop for H2Pool {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Opening {
    pub(in super::super) fn begin(pool: &Rc<H2Pool>) -> Self {
        pool.opening.set(pool.opening.get() + 1);
        Self(Rc::clone(pool))
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.0.opening.set(self.0.opening.get() - 1);
        self.0.notify();
    }
}

impl Waiting {
    pub(in super::super) fn enter(pool: &Rc<H2Pool>) -> Self {
        pool.waiting.set(pool.waiting.get() + 1);
        Self {
            pool: Rc::clone(pool),
            seen: pool.failures(),
        }
    }

    /// Ready after the next change; to be created before the check.
    pub(in super::super) fn changed(&self) -> Notified<'_> {
        self.pool.changed.notified()
    }

    /// Why there will be no room.
    pub(in super::super) fn failed(&self) -> Option<Fault> {
        let failure = self.pool.failure.borrow();
        let failure = failure.as_ref().filter(|last| last.number > self.seen)?;
        Some(Fault {
            reason: failure.reason,
            cause: failure.cause.as_ref().map(Cause::copied),
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.pool.waiting.set(self.pool.waiting.get() - 1);
    }
}
