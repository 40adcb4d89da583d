//! One client connection: who it is, the exchange that is open on it, and what is known of the
//! exchange before.
//!
//! `serve` owns the socket and the clock, `handle` opens exchanges; both meet here.

use std::cell::{Cell, OnceCell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::HeaderValue;

use crate::base::clock::{self, Instant};
use crate::exchange::{Reason, RequestId};
use crate::net::HalfClose;
use crate::observe::Refusal;
use crate::plan::FrontendTimeouts;
use crate::proxy::frontend::Frontend;
use crate::proxy::io::{Course, Watch};
use crate::proxy::snapshot::View;
use crate::wire::forwarded::x_forwarded_for;

use super::Context;

/// A client connection.
pub(super) struct Client {
    pub(super) context: Rc<Context>,
    pub(super) peer: SocketAddr,
    pub(super) live: Arc<Frontend>,
    pub(super) watch: Rc<Watch>,
    /// The exchange under way, or over and not yet settled. Written by `handle`, taken by `settle`.
    open: RefCell<Option<Open>>,
    /// When a head was first seen that is not there as a whole. Most heads come in one piece, and
    /// then it costs no look at the clock.
    pub(super) head_began: Cell<Option<Instant>>,
    /// When the last exchange ended, or the connection was accepted.
    pub(super) idle_since: Cell<Instant>,
    /// Whether hyper may hold a part of a request that nobody reads any more.
    pub(super) is_dirty: Cell<bool>,
    /// Whether it shall end after the exchange that is open.
    pub(super) is_leaving: Cell<bool>,
    /// Of the frontend, as they were at the last exchange.
    pub(super) timeouts: Cell<FrontendTimeouts>,
    /// What the end of its sending side means.
    pub(super) half_close: Cell<HalfClose>,
    /// Whether it has carried an exchange.
    pub(super) has_served: Cell<bool>,
    /// The place of the frontend in the snapshot of this generation.
    place: Cell<(u64, u32)>,
    forwarded_for: OnceCell<HeaderValue>,
}

/// An exchange, and what it runs under.
#[derive(Clone)]
pub(super) struct Open {
    pub(super) course: Rc<Course>,
    pub(super) view: Rc<View>,
}

impl Client {
    pub(super) fn new(context: Rc<Context>, peer: SocketAddr, live: Arc<Frontend>) -> Self {
        Self {
            context,
            peer,
            live,
            watch: Rc::default(),
            open: RefCell::new(None),
            head_began: Cell::new(None),
            idle_since: Cell::new(clock::now()),
            is_dirty: Cell::new(false),
            is_leaving: Cell::new(false),
            timeouts: Cell::new(FrontendTimeouts::default()),
            half_close: Cell::new(HalfClose::IsLeaving),
            has_served: Cell::new(false),
            place: Cell::new((u64::MAX, 0)),
            forwarded_for: OnceCell::new(),
        }
    }

    /// What the next exchange of this connection runs under, and the place of its frontend there. A
    /// frontend that was just removed has its place in what ran before; later, it has none.
    pub(super) fn view(&self) -> (Rc<View>, Option<u32>) {
        let view = self.context.views.current();
        let (generation, place) = self.place.get();
        if generation == view.snapshot.generation {
            return (view, Some(place));
        }
        let Some((view, place)) = self.context.views.with(&self.live) else {
            return (view, None);
        };
        let place = place as u32;
        self.place.set((view.snapshot.generation, place));
        (view, Some(place))
    }

    /// `X-Forwarded-For` of a peer that is believed nothing.
    pub(super) fn forwarded_for(&self) -> &HeaderValue {
        self.forwarded_for
            .get_or_init(|| x_forwarded_for([], self.peer.ip()))
    }

    /// Until when the next request is waited for. A connection that was never used has only the
    /// time of a head.
    pub(super) fn idle_until(&self) -> Instant {
        let timeouts = self.timeouts.get();
        let patience = if self.has_served.get() {
            timeouts.keep_alive
        } else {
            timeouts.head
        };
        self.idle_since.get() + patience
    }

    /// An exchange begins; the one before is over.
    pub(super) fn open(&self, course: Rc<Course>, view: Rc<View>) {
        self.settle();
        self.has_served.set(true);
        self.watch.in_exchange.set(true);
        self.watch.flushed.set(false);
        *self.open.borrow_mut() = Some(Open { course, view });
    }

    /// Notes when a head began of which only a part is there. To be called when hyper has read what
    /// there is.
    pub(super) fn note_partial_head(&self) {
        if self.watch.heard.get()
            && !self.watch.in_exchange.get()
            && self.head_began.get().is_none()
        {
            self.head_began.set(Some(clock::now()));
        }
    }

    /// The course of the exchange that is under way or not settled.
    pub(super) fn course(&self) -> Option<Rc<Course>> {
        self.open
            .borrow()
            .as_ref()
            .map(|open| Rc::clone(&open.course))
    }

    /// Counts and logs an exchange that has ended and whose last byte has left us.
    pub(super) fn settle_if_over(&self) {
        let is_over = match &*self.open.borrow() {
            None => false,
            Some(open) => open.course.ended().is_some() && self.watch.flushed.get(),
        };
        if is_over {
            self.settle();
        }
    }

    /// Counts and logs the exchange that is open, whatever became of it.
    pub(super) fn settle(&self) {
        let Some(Open { course, view }) = self.open.borrow_mut().take() else {
            return;
        };
        course.end();
        let ended = course.ended().unwrap_or_else(clock::now);
        let snapshot = &view.snapshot;
        self.context.observer.finish(
            &course.exchange,
            &snapshot.plan,
            &self.live.metrics,
            |backend, server| {
                let backend = snapshot.backends.get(backend as usize)?;
                Some(&backend.servers.get(server as usize)?.metrics)
            },
        );
        if !course.request_complete.get() {
            self.is_dirty.set(true);
        }
        self.watch.in_exchange.set(false);
        self.watch.heard.set(false);
        self.head_began.set(None);
        // A client that was slow to take the last bytes has not been idle meanwhile.
        let was_slow = self.watch.was_blocked.replace(false);
        self.idle_since
            .set(if was_slow { clock::now() } else { ended });
    }

    /// Ends the exchange that is open before its time, and settles it.
    pub(super) fn cut(&self, reason: Reason) {
        if let Some(course) = self.course() {
            course.cut(reason);
            self.settle();
        }
    }

    /// Counts and logs a request that no exchange was opened for. `id`: what the client was told.
    pub(super) fn refuse(&self, reason: Reason, status: u16, id: Option<RequestId>) {
        let (view, place) = self.view();
        let ended = clock::now();
        if let Some(frontend) = place {
            let refusal = Refusal {
                client: self.peer,
                frontend,
                reason,
                id,
                status,
                generation: view.snapshot.generation,
                began: self.head_began.get().unwrap_or(ended),
                ended,
                wall: clock::wall(),
            };
            let plan = &view.snapshot.plan;
            self.context
                .observer
                .refused(&refusal, plan, &self.live.metrics);
        }
    }
}

impl Drop for Client {
    /// The connection's task is dropped in the middle: the process ends, or it panicked.
    fn drop(&mut self) {
        let reason = if std::thread::panicking() {
            Reason::ProxyPanic
        } else {
            Reason::ProxyStopped
        };
        self.cut(reason);
    }
}
