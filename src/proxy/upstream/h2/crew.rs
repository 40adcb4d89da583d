//! All connections of one worker to one server that carry many exchanges.
//!
//! The first that has room is taken, so that under falling load the last ones grow old and are let
//! go. When none has room one more is opened, and those who come meanwhile wait for it: as many are
//! opened at a time as those who wait will fill.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::base::clock::Instant;
use crate::exchange::{Cause, Fault, Reason};
use crate::plan;

use super::link::{Link, New};

/// Connections that carry many exchanges.
#[derive(Default)]
pub(in super::super) struct Crew {
    links: RefCell<Vec<Rc<Link>>>,
    /// How many are being opened. Written by [`Opening`].
    opening: Cell<usize>,
    /// How many exchanges wait for room. Written by [`Waiting`].
    waiting: Cell<usize>,
    /// Why the last one could not be opened.
    failure: RefCell<Option<Failure>>,
    /// Told whenever there may be room, or never will be.
    changed: Notify,
}

struct Failure {
    number: u64,
    reason: Reason,
    cause: Option<Cause>,
}

/// An exchange that waits for room. Dropping it stops the wait.
pub(in super::super) struct Waiting {
    crew: Rc<Crew>,
    /// Failures up to here happened to others.
    seen: u64,
}

/// A connection that is being opened. Dropping it says that it is there, or will not be.
pub(in super::super) struct Opening(Rc<Crew>);

impl Crew {
    /// A place on a connection that has room, opened after `since` if that matters.
    pub(in super::super) fn take(
        &self,
        limits: &plan::Pool,
        since: Option<Instant>,
        now: Instant,
    ) -> Option<Rc<Link>> {
        let mut links = self.links.borrow_mut();
        // One that is left by all but a tunnel or two is still looked after.
        links.retain(|link| link.is_open() || !link.is_idle());
        for link in links.iter() {
            let is_kept = limits.max_idle > 0 || !link.is_idle() || !link.was_used();
            if !is_kept || !link.is_within(limits, now) {
                link.leave();
            }
        }
        let link = links
            .iter()
            .find(|link| link.has_room() && since.is_none_or(|since| link.opened() >= since))?;
        link.enter();
        Some(Rc::clone(link))
    }

    /// Gives a place back.
    pub(super) fn give_back(&self, link: &Rc<Link>) {
        link.exit();
        self.tell();
    }

    /// Whether so many wait that one more connection should be opened.
    pub(in super::super) fn needs_another(&self) -> bool {
        let links = self.links.borrow();
        let coming = links
            .iter()
            .filter(|link| link.is_open() && !link.is_greeted());
        let coming = coming.count() + self.opening.get();
        // Unknown: one is enough, until it says otherwise.
        let each = links.iter().rev().find_map(|link| link.capacity());
        coming.saturating_mul(each.unwrap_or(usize::MAX).max(1)) < self.waiting.get()
    }

    /// One more connection.
    pub(in super::super) fn add(self: &Rc<Self>, new: New) {
        let link = new.run(self);
        self.links.borrow_mut().push(link);
        self.tell();
    }

    /// All who wait fail.
    pub(in super::super) fn fail(&self, fault: &Fault) {
        let number = self.failures() + 1;
        *self.failure.borrow_mut() = Some(Failure {
            number,
            reason: fault.reason,
            cause: fault.cause.as_ref().map(Cause::retold),
        });
        self.tell();
    }

    /// Has those who wait look again.
    pub(super) fn tell(&self) {
        self.changed.notify_waiters();
    }

    pub(super) fn forget(&self, link: &Rc<Link>) {
        self.links
            .borrow_mut()
            .retain(|other| !Rc::ptr_eq(other, link));
        self.tell();
    }

    fn failures(&self) -> u64 {
        self.failure.borrow().as_ref().map_or(0, |last| last.number)
    }

    /// Lets go of what is too old, and looks whether the others are alive.
    pub(in super::super) fn sweep(
        &self,
        limits: &plan::Pool,
        plan: &plan::BackendHttp2,
        now: Instant,
    ) {
        let links = self.links.borrow();
        let mut idle = 0;
        for link in links.iter() {
            idle += usize::from(link.is_idle());
            if !link.is_within(limits, now) || idle > limits.max_idle {
                link.leave();
            }
            link.look_after(plan, now);
        }
    }

    /// Ends up to `most` connections that carry nothing, and says how many.
    pub(in super::super) fn close_idle(&self, most: usize) -> usize {
        let links = self.links.borrow();
        let idle = links.iter().filter(|link| link.is_open() && link.is_idle());
        idle.take(most).map(|link| link.leave()).count()
    }

    /// Nobody is sent there any more; what is on its way ends in peace.
    pub(in super::super) fn leave(&self) {
        for link in self.links.borrow().iter() {
            link.leave();
        }
    }

    /// Whether there is none.
    pub(in super::super) fn is_empty(&self) -> bool {
        self.links.borrow().is_empty()
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Opening {
    pub(in super::super) fn begin(crew: &Rc<Crew>) -> Self {
        crew.opening.set(crew.opening.get() + 1);
        Self(Rc::clone(crew))
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.0.opening.set(self.0.opening.get() - 1);
        self.0.tell();
    }
}

impl Waiting {
    pub(in super::super) fn enter(crew: &Rc<Crew>) -> Self {
        crew.waiting.set(crew.waiting.get() + 1);
        Self {
            crew: Rc::clone(crew),
            seen: crew.failures(),
        }
    }

    /// Ready after the next change; to be made before looking.
    pub(in super::super) fn changed(&self) -> Notified<'_> {
        self.crew.changed.notified()
    }

    /// Why there will be no room.
    pub(in super::super) fn failed(&self) -> Option<Fault> {
        let failure = self.crew.failure.borrow();
        let failure = failure.as_ref().filter(|last| last.number > self.seen)?;
        Some(Fault {
            reason: failure.reason,
            cause: failure.cause.as_ref().map(Cause::retold),
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.crew.waiting.set(self.crew.waiting.get() - 1);
    }
}
