//! The state that an HTTP/2 client connection and its streams share: the open exchanges, and why it
//! ends.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;

use http::Version;
use tokio::sync::oneshot;

use crate::base::clock::Instant;
use crate::exchange::{LoggedRequest, Reason, RequestTexts};
use crate::plan::Closing;
use crate::proxy::http::client::Client;
use crate::proxy::io::{SocketTracker, Timer};

use super::open_requests::{OpenRequests, RequestSize};

/// The state that a connection and its streams share.
pub(super) struct Shared {
    pub(super) client: Rc<Client>,
    /// The streams with an open exchange. Few enough for a linear search. Written by
    /// [`Shared::begin`], [`Shared::end`] and `Session::look_at_faults`.
    pub(super) open: RefCell<Vec<OpenStream>>,
    /// The memory that these may use together.
    pub(super) requests: OpenRequests,
    /// When the last exchange ended, or the connection was accepted.
    pub(super) idle_since: Cell<Instant>,
    /// Whether it has carried an exchange.
    pub(super) has_served: Cell<bool>,
    /// The reason for streams that are still open when the connection ends.
    pub(super) ending: Cell<Option<Reason>>,
    /// How a rule closes the connection. Written by [`Shared::close`], read by the connection's task.
    pub(super) closing: Cell<Option<Closing>>,
    /// Timers of ended streams; still armed, which makes the next use cheap.
    pub(super) timers: RefCell<Vec<Timer>>,
    /// The connection's task, to be woken when the last exchange ends. Written by that task.
    pub(super) waker: RefCell<Waker>,
    /// Streams that wait until their data, which was handed to the connection, is sent. Written by
    /// [`Shared::all_sent`], emptied by the connection's task.
    pub(super) cut: RefCell<Vec<oneshot::Sender<()>>>,
    /// Reports what the client has taken.
    pub(super) tracker: SocketTracker,
}

pub(super) struct OpenStream {
    pub(super) id: u32,
    pub(super) size: RequestSize,
    /// The reason, if h2 has reset it because the client violated the protocol.
    pub(super) fault: Option<Reason>,
}

impl Shared {
    /// The exchange of stream `id`, with a request of this size, begins.
    pub(super) fn begin(&self, id: u32, size: RequestSize) {
        let fault = None;
        self.open.borrow_mut().push(OpenStream { id, size, fault });
        self.has_served.set(true);
    }

    /// The head of the request on stream `id` is not in memory any more.
    pub(super) fn head_dropped(&self, id: u32) {
        let mut open = self.open.borrow_mut();
        if let Some(open) = open.iter_mut().find(|open| open.id == id) {
            self.requests.head_dropped(&mut open.size);
        }
    }

    /// The exchange of stream `id` was over at `ended`.
    pub(super) fn end(&self, id: u32, ended: Instant) {
        let mut open = self.open.borrow_mut();
        if let Some(index) = open.iter().position(|open| open.id == id) {
            self.requests.over(open.swap_remove(index).size);
        }
        self.idle_since.set(ended);
        if open.is_empty() || self.client.is_leaving.get() {
            self.waker.borrow().wake_by_ref();
        }
    }

    /// Ready when all that was handed to the connection before is sent, or the connection has
    /// ended.
    pub(super) fn all_sent(&self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.cut.borrow_mut().push(sender);
        // With nothing left to send, nothing else wakes it.
        self.waker.borrow().wake_by_ref();
        receiver
    }

    /// Closes the connection: a rule does so in place of an answer.
    pub(super) fn close(&self, closing: Closing) {
        self.ending.set(Some(match closing {
            Closing::Reset => Reason::RuleRejected,
            Closing::Silent => Reason::RuleDropped,
        }));
        self.closing.set(Some(closing));
        self.waker.borrow().wake_by_ref();
    }

    /// Whether an exchange is open.
    pub(super) fn is_busy(&self) -> bool {
        !self.open.borrow().is_empty()
    }

    /// The latest moment for the next request. A connection that was never used has only the time
    /// of a head.
    pub(super) fn idle_until(&self) -> Instant {
        let timeouts = self.client.timeouts();
        let timeout = if self.has_served.get() {
            timeouts.keep_alive
        } else {
            timeouts.head
        };
        self.idle_since.get() + timeout
    }

    /// The reason for cutting an open exchange: the connection's, or else `otherwise`.
    pub(super) fn reason_or(&self, otherwise: Reason) -> Reason {
        self.ending.get().unwrap_or(otherwise)
    }

    /// The reason for cutting the exchange of stream `id`, which was reset.
    pub(super) fn reason_of_reset(&self, id: u32) -> Reason {
        let open = self.open.borrow();
        let fault = open.iter().find(|open| open.id == id);
        let fault = fault.and_then(|open| open.fault);
        self.reason_or(fault.unwrap_or(Reason::ClientLeft))
    }

    /// Notes, counts and logs that h2 has ended the connection with `code`.
    pub(super) fn end_for(&self, code: u32) {
        let reason = if code == u32::from(h2::Reason::ENHANCE_YOUR_CALM) {
            Reason::ClientFlood
        } else {
            Reason::ClientProtocol
        };
        self.refuse(reason, 0, None);
        self.ending.set(Some(reason));
    }

    /// Counts and logs a request without an exchange, with the status that the client got.
    pub(super) fn refuse(&self, reason: Reason, status: u16, began: Option<Instant>) {
        let request = LoggedRequest::of(&RequestTexts {
            version: Some(Version::HTTP_2),
            ..RequestTexts::default()
        });
        self.client
            .refuse(reason, status, began, None, Some(request));
    }
}
