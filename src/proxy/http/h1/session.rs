//! What is known of a client connection of HTTP/1: the exchange that is open on it, if one is, and
//! what was left by the one before.
//!
//! `h1` owns the socket and the clock; its service opens exchanges; both meet here.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::base::clock::{self, Instant};
use crate::exchange::{LoggedRequest, Reason, RequestId};
use crate::net::HalfClose;
use crate::proxy::http::client::Client;
use crate::proxy::http::upgrade::OpenTunnel;
use crate::proxy::io::{Exchange, Watch};

use super::outgoing::Framing;

/// A client connection that speaks HTTP/1.
pub(super) struct Session {
    pub(super) client: Rc<Client>,
    pub(super) watch: Rc<Watch>,
    /// The exchange under way, or over and not yet settled.
    open: RefCell<Option<Rc<Exchange>>>,
    /// What the connection goes on as when its last answer has been sent. In a box: few do.
    pub(super) tunnel: RefCell<Option<Box<OpenTunnel>>>,
    /// When a head was first seen that is not there as a whole. Most heads come in one piece, and
    /// then it costs no look at the clock.
    pub(super) head_began: Cell<Option<Instant>>,
    /// When the last exchange ended, or the connection was accepted.
    pub(super) idle_since: Cell<Instant>,
    /// Whether a request was answered before it was there as a whole, or its head was malformed. Never
    /// reset, also when the rest is read and thrown away: such an answer says `close`
    /// (`hop::say_close`), and no request follows.
    pub(super) is_dirty: Cell<bool>,
    /// What a head may have in bytes.
    pub(super) head_bound: Cell<usize>,
    /// Whether the client may send more.
    pub(super) hears_more: Cell<bool>,
    /// What the end of its sending side means.
    pub(super) half_close: Cell<HalfClose>,
    /// Whether it has carried an exchange.
    pub(super) has_served: Cell<bool>,
    /// How the client knows where the last response ends.
    pub(super) framing: Cell<Framing>,
}

/// What is kept of a session while nothing happens on its connection.
pub(super) struct Parked {
    pub(super) client: Rc<Client>,
    idle_since: Instant,
    has_served: bool,
}

impl Parked {
    /// The session, when bytes have come.
    pub(super) fn woken(self) -> Session {
        let session = Session::new(self.client, self.idle_since);
        session.has_served.set(self.has_served);
        session
    }
}

impl Session {
    /// What is to be kept while nothing happens. No exchange is open then.
    pub(super) fn parked(&self) -> Parked {
        Parked {
            client: Rc::clone(&self.client),
            idle_since: self.idle_since.get(),
            has_served: self.has_served.get(),
        }
    }

    pub(super) fn new(client: Rc<Client>, since: Instant) -> Self {
        Self {
            client,
            watch: Rc::default(),
            open: RefCell::new(None),
            tunnel: RefCell::new(None),
            head_began: Cell::new(None),
            idle_since: Cell::new(since),
            is_dirty: Cell::new(false),
            head_bound: Cell::new(0),
            hears_more: Cell::new(true),
            half_close: Cell::new(HalfClose::IsLeaving),
            has_served: Cell::new(false),
            framing: Cell::default(),
        }
    }

    /// Until when the next request is waited for. A connection that was never used has only the
    /// time of a head.
    pub(super) fn idle_until(&self) -> Instant {
        let timeouts = self.client.timeouts();
        let timeout = if self.has_served.get() {
            timeouts.keep_alive
        } else {
            timeouts.head
        };
        self.idle_since.get() + timeout
    }

    /// Until when the rest of a head is waited for that has begun.
    pub(super) fn head_until(&self) -> Instant {
        let began = self.head_began.get().unwrap_or_else(clock::now);
        began + self.client.timeouts().head
    }

    /// An exchange begins; the one before is over.
    pub(super) fn open(&self, exchange: Rc<Exchange>) {
        self.settle();
        self.has_served.set(true);
        self.watch.in_exchange.set(true);
        self.watch.flushed.set(false);
        self.watch.has_broken_off.set(false);
        self.watch.is_answered.set(false);
        self.watch.heads.set(self.watch.heads.get() + 1);
        self.watch.exchange.replace(Some(Rc::clone(&exchange)));
        *self.open.borrow_mut() = Some(exchange);
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

    /// The exchange that is under way or not settled.
    pub(super) fn exchange(&self) -> Option<Rc<Exchange>> {
        self.open.borrow().clone()
    }

    /// Counts and logs an exchange that has ended and whose last byte has left us.
    pub(super) fn settle_if_over(&self) {
        let is_over = match &*self.open.borrow() {
            None => false,
            Some(exchange) => exchange.ended().is_some() && self.watch.flushed.get(),
        };
        if is_over {
            self.settle();
        }
    }

    /// Whether the response of `exchange`, which is open, has left us as a whole.
    pub(super) fn is_whole(&self, exchange: &Exchange) -> bool {
        let watch = &self.watch;
        exchange.ended().is_some() && watch.flushed.get() && !watch.has_broken_off.get()
    }

    /// Whether the response has broken off, and what there was of it has left us.
    pub(super) fn has_said_what_it_could(&self) -> bool {
        self.watch.has_broken_off.get() && self.watch.flushed.get()
    }

    /// Counts and logs the exchange that is open, whatever became of it.
    pub(super) fn settle(&self) {
        let Some(exchange) = self.open.borrow_mut().take() else {
            return;
        };
        let ended = self.client.settle(&exchange);
        if !exchange.request_complete.get() {
            self.is_dirty.set(true);
        }
        self.watch.in_exchange.set(false);
        self.watch.exchange.replace(None);
        self.watch.heard.set(false);
        self.head_began.set(None);
        // A client that was slow to take the last bytes has not been idle meanwhile.
        let was_slow = self.watch.was_blocked.replace(false);
        self.idle_since
            .set(if was_slow { clock::now() } else { ended });
    }

    /// Ends the exchange that is open before its time, and settles it.
    pub(super) fn cut(&self, reason: Reason) {
        if let Some(exchange) = self.exchange() {
            exchange.cut(reason);
            let bytes = &exchange.record.body_bytes_out;
            bytes.set(bytes.get().saturating_sub(self.watch.unflushed.body()));
            self.settle();
        }
    }

    /// Counts and logs a request that no exchange was opened for. `id`: what the client was told;
    /// `request`: as much of it as was read.
    pub(super) fn refuse(
        &self,
        reason: Reason,
        status: u16,
        id: Option<RequestId>,
        request: Option<LoggedRequest>,
    ) {
        self.client
            .refuse(reason, status, self.head_began.get(), id, request);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.cut(Reason::of_drop());
    }
}
