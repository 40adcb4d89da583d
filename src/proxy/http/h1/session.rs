//! The state of an HTTP/1 client connection while it is active: its open exchange, if there is one,
//! and the remains of the previous one.

use std::rc::Rc;

use crate::base::clock::{self, Instant};
use crate::exchange::{LoggedRequest, Reason, RequestId};
use crate::proxy::http::client::Client;
use crate::proxy::io::Exchange;

use super::outgoing::Unsent;

/// An HTTP/1 client connection.
pub(super) struct Session {
    pub(super) client: Rc<Client>,
    /// The current exchange, or one that is over and not yet settled.
    open: Option<Rc<Exchange>>,
    /// The bytes of its response that are not sent.
    pub(super) unsent: Unsent,
    /// When an incomplete head was first seen. Most heads come in one piece, and then the clock is
    /// not read.
    pub(super) head_began: Option<Instant>,
    /// When the last exchange ended, or the connection was accepted.
    pub(super) idle_since: Instant,
    /// Whether a request was answered before it was complete, or its head was malformed. Never
    /// reset, even if the rest is read and discarded: such an answer contains `close`
    /// (`hop::say_close`), and no request follows.
    pub(super) is_dirty: bool,
    /// Whether the connection has carried an exchange.
    pub(super) has_served: bool,
    /// Whether the client was slow to take a part of the current response.
    pub(super) was_slow: bool,
}

/// The part of a session that is kept while its connection is parked.
pub(super) struct Parked {
    pub(super) client: Rc<Client>,
    idle_since: Instant,
    has_served: bool,
}

impl Parked {
    /// The session, after bytes have come.
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

    /// The part to keep while the connection is parked. No exchange is open then.
    pub(super) fn parked(&self) -> Parked {
        Parked {
            client: Rc::clone(&self.client),
            idle_since: self.idle_since,
            has_served: self.has_served,
        }
    }

    /// The deadline for the next request. A connection that was never used has only the time of a
    /// head.
    pub(super) fn idle_until(&self) -> Instant {
        let timeouts = self.client.timeouts();
        let timeout = if self.has_served {
            timeouts.keep_alive
        } else {
            timeouts.head
        };
        self.idle_since + timeout
    }

    /// The deadline for the rest of a head.
    pub(super) fn head_until(&self) -> Instant {
        let began = self.head_began.unwrap_or_else(clock::now);
        began + self.client.timeouts().head
    }

    /// Opens an exchange; the previous one is settled.
    pub(super) fn open(&mut self, exchange: Rc<Exchange>) {
        self.has_served = true;
        self.open = Some(exchange);
    }

    /// The exchange that is open or not yet settled.
    #[inline]
    pub(super) fn exchange(&self) -> Option<&Rc<Exchange>> {
        self.open.as_ref()
    }

    /// Counts and logs the open exchange, whatever its outcome.
    pub(super) fn settle(&mut self) {
        let Some(exchange) = self.open.take() else {
            return;
        };
        let ended = self.client.settle(&exchange);
        if !exchange.request_complete.get() {
            self.is_dirty = true;
        }
        // A client that was slow to take the last bytes was not idle meanwhile.
        let was_slow = std::mem::take(&mut self.was_slow);
        self.idle_since = if was_slow { clock::now() } else { ended };
    }

    /// Ends the open exchange early, and settles it.
    pub(super) fn cut(&mut self, reason: Reason) {
        self.cut_with_loss(reason, 0);
    }

    /// The same, while the last `lost` bytes that the socket took do not reach the client. They count
    /// as bytes of the body, although some may be its framing or that of TLS: the log has too few bytes
    /// by that, and never too many.
    pub(super) fn cut_with_loss(&mut self, reason: Reason, lost: u64) {
        if let Some(exchange) = &self.open {
            exchange.cut(reason);
            let bytes = &exchange.record.body_bytes_out;
            bytes.set(bytes.get().saturating_sub(self.unsent.body() + lost));
            self.settle();
        }
    }

    /// Counts and logs a request without an exchange. `id`: the request id in the answer;
    /// `request`: the part of it that was read.
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
