//! One HTTP/2 connection to a server, and the task that moves its frames.
//!
//! Only the task reads and writes the socket. Exchanges and the pool's sweep leave their requests
//! here and wake it.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use ::h2::client::{self, SendRequest};
use ::h2::{Ping, PingPong};
use bytes::Bytes;

use crate::base::clock::{self, Instant};
use crate::base::tasks;
use crate::exchange::{Fault, Reason};
use crate::net::Stream;
use crate::plan;
use crate::proxy::io::{CorkedStream, SocketTracker};

use super::super::settings::{NO_SETTING, Settings};
use super::not_http2;
use super::pool::H2Pool;

/// A connection as its exchanges see it.
pub(in super::super) struct H2Connection {
    /// `None` once it takes no more streams; it ends with the last open one.
    sender: RefCell<Option<SendRequest<Bytes>>>,
    /// Streams of exchanges. Written by [`H2Connection::enter`] and [`H2Connection::exit`].
    in_flight: Cell<usize>,
    /// The server's limit of streams; `None` until it has sent one. Written by the task.
    allowed: Cell<Option<usize>>,
    /// Our own limit of streams.
    max_streams: usize,
    /// Reports what the server has taken.
    tracker: SocketTracker,
    opened: Instant,
    idle_since: Cell<Instant>,
    requests: Cell<u64>,
    /// The state of the PING. Written by exchanges that doubt the connection, and by the task.
    question: Cell<Question>,
    /// When the last PING was answered, or the connection opened.
    alive_at: Cell<Instant>,
    is_broken: Cell<bool>,
    task: RefCell<Option<Waker>>,
}

/// Whether a PING was sent (RFC 9113 §6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    None,
    /// To be sent, since then.
    Wanted(Why, Instant),
    /// Sent and not answered; since then, from when it was wanted.
    Asked(Why, Instant),
}

/// Why a PING is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// The interval has passed.
    Routine,
    /// An answer is late: until the PING is answered, no other exchange is sent there.
    Doubt,
}

/// A connection that has just been opened, and does not run yet.
pub(in super::super) struct NewH2Connection {
    sender: SendRequest<Bytes>,
    driver: client::Connection<CorkedStream, Bytes>,
    tracker: SocketTracker,
    max_streams: usize,
}

/// Moves the frames.
struct Task {
    connection: Rc<H2Connection>,
    driver: client::Connection<CorkedStream, Bytes>,
    pings: Option<PingPong>,
    pool: Weak<H2Pool>,
}

impl NewH2Connection {
    /// Begins HTTP/2 over `stream`.
    ///
    /// # Errors
    ///
    /// `server.connect.failed`.
    pub(in super::super) async fn over(stream: Stream, settings: &Settings) -> Result<Self, Fault> {
        let stream = CorkedStream::to_server(stream);
        let tracker = stream.get_ref().tracker();
        let (sender, driver) = settings
            .http2
            .handshake(stream)
            .await
            .map_err(|error| Fault::http2(Reason::ServerConnectFailed, error))?;
        Ok(Self {
            sender,
            driver,
            tracker,
            max_streams: settings.max_streams,
        })
    }

    /// Runs it in a task, as one of `pool`.
    pub(super) fn run(self, pool: &Rc<H2Pool>) -> Rc<H2Connection> {
        let now = clock::now();
        let connection = Rc::new(H2Connection {
            sender: RefCell::new(Some(self.sender)),
            in_flight: Cell::new(0),
            allowed: Cell::new(None),
            max_streams: self.max_streams,
            tracker: self.tracker,
            opened: now,
            idle_since: Cell::new(now),
            requests: Cell::new(0),
            question: Cell::new(Question::None),
            alive_at: Cell::new(now),
            is_broken: Cell::new(false),
            task: RefCell::new(None),
        });
        let mut driver = self.driver;
        let pings = driver.ping_pong();
        let mut task = Task {
            connection: Rc::clone(&connection),
            driver,
            pings,
            pool: Rc::downgrade(pool),
        };
        tasks::spawn_local(async move {
            let ended = poll_fn(|cx| task.poll(cx)).await;
            task.finish(ended);
        });
        connection
    }
}

impl H2Connection {
    /// Whether another exchange may begin on it.
    pub(super) fn has_room(&self) -> bool {
        // Until the server has sent its limit of streams, one: more might be refused.
        let allowed = self
            .allowed
            .get()
            .map_or(1, |max| max.min(self.max_streams));
        self.is_open() && !self.is_doubted() && self.in_flight.get() < allowed
    }

    /// Whether it takes streams at all.
    pub(super) fn is_open(&self) -> bool {
        self.sender.borrow().is_some()
    }

    /// Whether the server has sent its settings.
    pub(super) fn is_greeted(&self) -> bool {
        self.allowed.get().is_some()
    }

    /// Streams that it can have at a time.
    pub(super) fn capacity(&self) -> Option<usize> {
        self.allowed.get().map(|max| max.min(self.max_streams))
    }

    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.get() == 0
    }

    pub(super) fn opened(&self) -> Instant {
        self.opened
    }

    pub(super) fn was_used(&self) -> bool {
        self.requests.get() > 0
    }

    /// The same, for an exchange that has just entered.
    pub(super) fn was_used_before(&self) -> bool {
        self.requests.get() > 1
    }

    /// One more exchange uses it.
    pub(super) fn enter(&self) {
        self.in_flight.set(self.in_flight.get() + 1);
        self.requests.set(self.requests.get() + 1);
    }

    /// The last exchange that has entered sends nothing.
    pub(super) fn was_not_used(&self) {
        self.requests.set(self.requests.get() - 1);
    }

    /// One exchange less uses it.
    pub(super) fn exit(&self) {
        self.in_flight.set(self.in_flight.get() - 1);
        if self.is_idle() {
            self.idle_since.set(clock::now());
        }
    }

    /// Reports what the server has taken.
    pub(super) fn tracker(&self) -> SocketTracker {
        self.tracker.clone()
    }

    /// For one request; `None`: it takes no more.
    pub(super) fn sender(&self) -> Option<SendRequest<Bytes>> {
        self.sender.borrow().clone()
    }

    /// Whether the server accepts extended CONNECT (RFC 8441 §3); not known before its settings.
    pub(super) fn takes_connect(&self) -> bool {
        let sender = self.sender.borrow();
        sender
            .as_ref()
            .is_some_and(SendRequest::is_extended_connect_protocol_enabled)
    }

    /// Takes no more streams, and ends with the last open one.
    pub(super) fn leave(&self) {
        // h2 sends GOAWAY when all senders are dropped and no stream is open.
        drop(self.sender.borrow_mut().take());
    }

    /// Requests a PING: an answer is late. Until it is answered, other exchanges use other
    /// connections.
    pub(super) fn doubt(&self) {
        let now = clock::now();
        match self.question.get() {
            Question::None => self.ask(Question::Wanted(Why::Doubt, now)),
            Question::Wanted(_, at) => self.question.set(Question::Wanted(Why::Doubt, at)),
            Question::Asked(_, at) => self.question.set(Question::Asked(Why::Doubt, at)),
        }
    }

    fn is_doubted(&self) -> bool {
        matches!(
            self.question.get(),
            Question::Wanted(Why::Doubt, _) | Question::Asked(Why::Doubt, _)
        )
    }

    fn ask(&self, question: Question) {
        self.question.set(question);
        self.wake();
    }

    fn wake(&self) {
        if let Some(task) = self.task.borrow_mut().take() {
            task.wake();
        }
    }

    /// Whether `limits` let it take another exchange at `now`.
    pub(super) fn is_within(&self, limits: &plan::Pool, now: Instant) -> bool {
        let age = now.saturating_duration_since(self.opened);
        let idle = now.saturating_duration_since(self.idle_since.get());
        let is_fresh = !self.is_idle() || idle < limits.idle_timeout;
        is_fresh
            && limits.max_age.is_none_or(|max| age < max)
            && limits
                .max_requests
                .is_none_or(|max| self.requests.get() < max)
    }

    /// Checks whether the PING was answered in time, and requests another when that is due.
    pub(super) fn look_after(&self, plan: &plan::BackendHttp2, now: Instant) {
        match self.question.get() {
            Question::Wanted(_, at) | Question::Asked(_, at) => {
                if now.saturating_duration_since(at) >= plan.ping_timeout {
                    self.is_broken.set(true);
                    self.wake();
                }
            }
            Question::None => {
                let quiet = now.saturating_duration_since(self.alive_at.get());
                if plan.ping_interval.is_some_and(|interval| quiet >= interval) {
                    self.ask(Question::Wanted(Why::Routine, now));
                }
            }
        }
    }
}

impl Task {
    /// Ready when the connection has ended.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ::h2::Error>> {
        *self.connection.task.borrow_mut() = Some(cx.waker().clone());
        if self.connection.is_broken.get() {
            return Poll::Ready(Err(::h2::Reason::NO_ERROR.into()));
        }
        self.send_ping();
        let polled = Pin::new(&mut self.driver).poll(cx);
        self.poll_pong(cx);
        self.note_allowance();
        if polled.is_pending() {
            self.note_goaway(cx);
        }
        polled
    }

    fn send_ping(&mut self) {
        let Question::Wanted(why, at) = self.connection.question.get() else {
            return;
        };
        let asked = self
            .pings
            .as_mut()
            .map(|pings| pings.send_ping(Ping::opaque()));
        if asked.is_some_and(|asked| asked.is_ok()) {
            self.connection.question.set(Question::Asked(why, at));
        }
    }

    fn poll_pong(&mut self, cx: &mut Context<'_>) {
        let (Question::Asked(why, _), Some(pings)) =
            (self.connection.question.get(), &mut self.pings)
        else {
            return;
        };
        if let Poll::Ready(Ok(_)) = pings.poll_pong(cx) {
            self.connection.question.set(Question::None);
            self.connection.alive_at.set(clock::now());
            if why == Why::Doubt {
                self.notify_pool();
            }
        }
    }

    fn note_allowance(&self) {
        let allowed = self.driver.max_concurrent_send_streams();
        let allowed = Some(allowed).filter(|allowed| *allowed != NO_SETTING);
        if self.connection.allowed.replace(allowed) != allowed {
            self.notify_pool();
        }
    }

    /// After a GOAWAY the server takes no new streams, though open ones may continue.
    fn note_goaway(&self, cx: &mut Context<'_>) {
        let mut sender = self.connection.sender.borrow_mut();
        let has_left = sender
            .as_mut()
            .is_some_and(|sender| matches!(sender.poll_ready(cx), Poll::Ready(Err(_))));
        if has_left {
            drop(sender.take());
            drop(sender);
            self.notify_pool();
        }
    }

    fn notify_pool(&self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.notify();
        }
    }

    fn finish(self, ended: Result<(), ::h2::Error>) {
        let Self {
            connection,
            driver,
            pool,
            ..
        } = self;
        // This fails the exchanges that are still on it.
        drop(driver);
        connection.leave();
        let Some(pool) = pool.upgrade() else {
            return;
        };
        if !connection.is_greeted() {
            // It never worked: exchanges that wait for it must not wait any longer.
            let fault = match ended {
                Err(error) if error.is_io() => Fault::http2(Reason::ServerConnectFailed, error),
                Err(error) => not_http2(&error)
                    .unwrap_or_else(|| Fault::http2(Reason::ServerResponseMalformed, error)),
                Ok(()) => Fault::new(Reason::ServerConnectFailed),
            };
            pool.fail(&fault);
        }
        pool.forget(&connection);
    }
}
