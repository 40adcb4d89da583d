//! What is known of a client connection of HTTP/1 while it is active: the exchange that is open on it, if one
//! is, and what was left by the one before.

use std::rc::Rc;

use crate::base::clock::{self, Instant};
use crate::exchange::{LoggedRequest, Reason, RequestId};
use crate::proxy::http::client::Client;
use crate::proxy::io::Exchange;

use super::outgoing::Unsent;

/// A client connection that speaks HTTP/1.
pub(super) struct Session {
    pub(super) client: Rc<Client>,
    /// The exchange under way, or over and not yet settled.
    open: Option<Rc<Exchange>>,
    /// What of its response has not left us.
    pub(super) unsent: Unsent,
    /// When a head was first seen that is not there as a whole. Most heads come in one piece, and
    /// then it costs no look at the clock.
    pub(super) head_began: Option<Instant>,
    /// When the last exchange ended, or the connection was accepted.
    pub(super) idle_since: Instant,
    /// Whether a request was answered before it was there as a whole, or its head was malformed. Never
    /// reset, also when the rest is read and thrown away: such an answer says `close`
    /// (`hop::say_close`), and no request follows.
    pub(super) is_dirty: bool,
    /// Whether it has carried an exchange.
    pub(super) has_served: bool,
    /// Whether the client was slow to take something of the present response.
    pub(super) was_slow: bool,
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
        let mut session = Session::new(self.client, self.idle_since);
        session.has_served = self.has_served;
        session
    }
}

impl Session {
    pub(super) fn new(client: Rc<Client>, since: Instant) -> Self {
        Self {
            client,
            open: None,
            unsent: Unsent::default(),
            head_began: None,
            idle_since: since,
            is_dirty: false,
            has_served: false,
            was_slow: false,
        }
    }

    /// What is to be kept while nothing happens. No exchange is open then.
    pub(super) fn parked(&self) -> Parked {
        Parked {
            client: Rc::clone(&self.client),
            idle_since: self.idle_since,
            has_served: self.has_served,
        }
    }

    /// Until when the next request is waited for. A connection that was never used has only the
    /// time of a head.
    pub(super) fn idle_until(&self) -> Instant {
        let timeouts = self.client.timeouts();
        let timeout = if self.has_served {
            timeouts.keep_alive
        } else {
            timeouts.head
        };
        self.idle_since + timeout
    }

    /// Until when the rest of a head is waited for that has begun.
    pub(super) fn head_until(&self) -> Instant {
        let began = self.head_began.unwrap_or_else(clock::now);
        began + self.client.timeouts().head
    }

    /// An exchange begins; the one before is settled.
    pub(super) fn open(&mut self, exchange: Rc<Exchange>) {
        self.has_served = true;
        self.open = Some(exchange);
    }

    /// The exchange that is under way or not settled.
    #[inline]
    pub(super) fn exchange(&self) -> Option<&Rc<Exchange>> {
        self.open.as_ref()
    }

    /// Counts and logs the exchange that is open, whatever became of it.
    pub(super) fn settle(&mut self) {
        let Some(exchange) = self.open.take() else {
            return;
        };
        let ended = self.client.settle(&exchange);
        if !exchange.request_complete.get() {
            self.is_dirty = true;
        }
        // A client that was slow to take the last bytes has not been idle meanwhile.
        let was_slow = std::mem::take(&mut self.was_slow);
        self.idle_since = if was_slow { clock::now() } else { ended };
    }

    /// Ends the exchange that is open before its time, and settles it.
    pub(super) fn cut(&mut self, reason: Reason) {
        if let Some(exchange) = &self.open {
            exchange.cut(reason);
            let bytes = &exchange.record.body_bytes_out;
            bytes.set(bytes.get().saturating_sub(self.unsent.body()));
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
            .refuse(reason, status, self.head_began, id, request);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.cut(Reason::of_drop());
    }
}
