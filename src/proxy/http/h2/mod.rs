//! A client connection that speaks HTTP/2 (RFC 9113), from its preface to its last frame.
//!
//! h2 is driven directly and not by way of hyper. hyper's server shows neither frames nor resets, can
//! only end a connection gracefully, and sends no interim answers; here each of these is needed: a
//! client that floods is sent away at once, a stream that stalls is reset by itself, and `100
//! Continue` goes out when the server asks for the body. It costs about the same (`benches/h2_server`):
//! an answer of 12 bytes takes 0.90 of the CPU that hyper takes for it, one of 100 kB 1.05.
//!
//! The connection is a task, and each stream is one (`stream`): they meet in [`Shared`]. When the
//! connection ends, its streams notice and end too.

mod budget;
mod frames;
mod heads;
mod stream;
mod unacked;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, Waker, ready};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{Builder, Connection, SendResponse};
use http::Request;
use tokio::sync::oneshot;

use crate::base::clock::{self, Duration, Instant};
use crate::base::tasks;
use crate::exchange::{Http2InWords, Reason};
use crate::net::Stream;
use crate::observe::event;
use crate::plan::{self, Http2};
use crate::proxy::connections::{Registration, Shutdown};
use crate::proxy::io::{Look, SocketTracker, Timer};

use super::client::Client;

use budget::Budget;
use frames::{CountedStream, Counts, FaultKind, StreamFault};
use heads::{HeadSize, OpenHeads};
use unacked::{Found, Unacked};

/// How much of a response a stream gathers before it waits for the client to take it. What a
/// connection can make us hold is this and its window, for each of its streams.
const WRITE_AHEAD_BYTES: usize = 64 << 10;

/// How many streams may be reset before they were looked at (h2 gives up on the connection then). A
/// browser that leaves a page resets what it has asked for, seldom within one round trip.
const UNSEEN_RESETS: usize = 50;

/// How long the last frames of a connection that ends are waited for.
const PARTING: Duration = Duration::from_secs(2);

/// What a connection and its streams share.
struct Shared {
    client: Rc<Client>,
    /// The streams with an open exchange. Few enough to be looked through. Written by
    /// [`Shared::begin`], [`Shared::end`] and [`Session::look_at_faults`].
    open: RefCell<Vec<OpenStream>>,
    /// How large the heads of these are together.
    heads: OpenHeads,
    /// When the last exchange ended, or the connection was accepted.
    idle_since: Cell<Instant>,
    /// Whether it has carried an exchange.
    has_served: Cell<bool>,
    /// Why streams end that are still open when the connection does.
    ending: Cell<Option<Reason>>,
    /// Timers that streams have left behind; still armed, which makes the next use cheap.
    timers: RefCell<Vec<Timer>>,
    /// The connection's task, to be woken when the last exchange ends. Written by that task.
    waker: RefCell<Waker>,
    /// Streams that wait until what they have handed to the connection is sent. Written by
    /// [`Shared::all_sent`], emptied by the connection's task.
    cut: RefCell<Vec<oneshot::Sender<()>>>,
    /// What the client has taken.
    tracker: SocketTracker,
}

struct OpenStream {
    id: u32,
    head: HeadSize,
    /// h2 has reset it because the client broke the rules on it.
    fault: Option<Reason>,
}

/// A connection at work.
struct Session<'a> {
    connection: Connection<CountedStream, Bytes>,
    shared: Rc<Shared>,
    registration: &'a Registration,
    timer: &'a mut Timer,
    counts: Rc<Counts>,
    budget: Budget,
    stage: Stage,
    /// What the client was seen to take of its last answers.
    unacked: Unacked,
}

/// How far it is from its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// GOAWAY was sent at this moment; open exchanges go on.
    Draining(Instant),
    /// It ends at this moment at the latest, whatever is open.
    Parting(Instant),
}

/// Serves a connection until it ends. `prefix` was read from it already.
pub(super) async fn serve(
    stream: Stream,
    prefix: Bytes,
    client: Rc<Client>,
    registration: &Registration,
    mut timer: Timer,
) {
    let limits = client.with_plan(|plan| (builder(plan), plan.http2.clone()));
    let Some((builder, limits)) = limits else {
        // The frontend has just been removed.
        return;
    };
    let counts = Rc::<Counts>::default();
    let io = CountedStream::new(stream.rewound(prefix), Rc::clone(&counts));
    let tracker = io.tracker();
    let began = clock::now();
    let connection = match greeted(&builder, io, &client, registration, &mut timer, began).await {
        Some(Ok(connection)) => connection,
        Some(Err(error)) => {
            event::connection_failed(&client.live.name, client.peer, &Http2InWords(&error));
            if error.is_library() {
                client.refuse(Reason::ClientProtocol, 0, Some(began), None, None);
            }
            return;
        }
        None => return,
    };
    let shared = Rc::new(Shared {
        client,
        open: RefCell::default(),
        heads: OpenHeads::new(limits.open_heads.0),
        idle_since: Cell::new(began),
        has_served: Cell::new(false),
        ending: Cell::new(None),
        timers: RefCell::default(),
        waker: RefCell::new(Waker::noop().clone()),
        cut: RefCell::default(),
        tracker,
    });
    let mut session = Session {
        connection,
        shared,
        registration,
        timer: &mut timer,
        counts,
        budget: Budget::new(&limits, began),
        stage: Stage::Open,
        unacked: Unacked::default(),
    };
    poll_fn(|cx| session.poll(cx)).await;
    session.shared.cut.take();
    if session.counts.blocked.is_so() {
        // The system would keep what the client does not take, for minutes.
        session.shared.tracker.reset();
    }
}

/// h2's settings for a connection of a frontend.
fn builder(plan: &plan::Frontend) -> Builder {
    let Http2 {
        max_streams,
        stream_window,
        connection_window,
        ..
    } = plan.http2;
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(max_streams)
        .initial_window_size(stream_window.0 as u32)
        .initial_connection_window_size(connection_window.0 as u32)
        .max_send_buffer_size(WRITE_AHEAD_BYTES)
        // h2 counts a small piece that is not taken yet as 256 bytes, and lets all of them weigh
        // half the window: four thousand messages that wait for a slow server would be an attack.
        // Not more: such a piece costs us up to three times what it is taken for.
        .data_frame_budget(connection_window.0 as usize)
        .max_pending_accept_reset_streams(UNSEEN_RESETS)
        // Twice what is let in: `handle` refuses what is too large and says so, which h2 would do
        // without a word to the log. What is larger still, h2 does not keep.
        .max_header_list_size(u32::try_from(plan.limits.head.0 * 2).unwrap_or(u32::MAX));
    if !plan.upgrades.is_empty() {
        builder.enable_connect_protocol();
    }
    builder
}

/// Both sides' prefaces, within the time of a head; `None`: the client's did not come.
async fn greeted(
    builder: &Builder,
    io: CountedStream,
    client: &Client,
    registration: &Registration,
    timer: &mut Timer,
    began: Instant,
) -> Option<Result<Connection<CountedStream, Bytes>, h2::Error>> {
    let until = began + client.timeouts.get().head;
    let mut handshake = pin!(builder.handshake(io));
    poll_fn(|cx| {
        if let Poll::Ready(shaken) = handshake.as_mut().poll(cx) {
            return Poll::Ready(Some(shaken));
        }
        if registration.shutdown(cx) == Shutdown::Abort {
            return Poll::Ready(None);
        }
        timer.poll(cx, until).map(|_| None)
    })
    .await
}

impl Session<'_> {
    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        self.shared.waker.borrow_mut().clone_from(cx.waker());
        loop {
            self.note_shutdown(self.registration.shutdown(cx));
            let advanced = self.advance(cx);
            self.look_at_faults();
            self.let_go_of_cut();
            if advanced.is_ready() {
                return Poll::Ready(());
            }
            if !self.budget.takes(&self.counts, clock::now) {
                self.shared.refuse(Reason::ClientFlood, 0, None);
                self.send_away(Reason::ClientFlood, h2::Reason::ENHANCE_YOUR_CALM);
                continue;
            }
            let due = self.due();
            let now = ready!(self.timer.poll_any(cx, due));
            if self.passed(now).is_ready() {
                return Poll::Ready(());
            }
        }
    }

    fn note_shutdown(&mut self, shutdown: Shutdown) {
        match (shutdown, self.stage) {
            (Shutdown::Drain, Stage::Open) => {
                self.shared.client.is_leaving.set(true);
                self.drain(clock::now());
            }
            // An exchange found that no other may follow it.
            (Shutdown::Run, Stage::Open) if self.shared.client.is_leaving.get() => {
                self.drain(clock::now());
            }
            (Shutdown::Abort, Stage::Open | Stage::Draining(_)) => {
                self.send_away(Reason::ProxyStopped, h2::Reason::NO_ERROR);
                // What the socket takes at once, and no more.
                self.stage = Stage::Parting(clock::now());
            }
            _ => {}
        }
    }

    /// Tells the streams that wait for it, once what there was to send has been sent.
    fn let_go_of_cut(&self) {
        if !self.counts.blocked.is_so() {
            // Dropped, each tells its stream.
            self.shared.cut.take();
        }
    }

    /// Lets frames flow both ways and begins what was asked for; ready when the connection is over.
    fn advance(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        loop {
            match ready!(self.connection.poll_accept(cx)) {
                Some(Ok((request, mut respond))) => {
                    self.counts.accepted.set(respond.stream_id().as_u32());
                    let head = HeadSize::of(&request);
                    if !self.takes_requests() {
                        // It was told to ask elsewhere, and had the time to hear it.
                        respond.send_reset(h2::Reason::REFUSED_STREAM);
                    } else if self.shared.heads.admit(head) {
                        Shared::begin(&self.shared, request, head, respond);
                    } else {
                        respond.send_reset(h2::Reason::REFUSED_STREAM);
                        // One that asks again and again is sent away.
                        self.counts.reset_for_client();
                        self.shared.refuse(Reason::RequestHeadsTooLarge, 0, None);
                    }
                }
                Some(Err(error)) => {
                    self.failed(&error);
                    return Poll::Ready(());
                }
                None => return Poll::Ready(()),
            }
        }
    }

    /// A client that is drained may have asked before it heard of it. One that never says that it
    /// heard must not stay for ever.
    fn takes_requests(&self) -> bool {
        match self.stage {
            Stage::Open => true,
            Stage::Draining(from) => clock::now() < from + PARTING,
            Stage::Parting(_) => false,
        }
    }

    /// What h2 has done by itself because of what the client did: it says so to the client, and to
    /// us only here.
    fn look_at_faults(&mut self) {
        let shared = &self.shared;
        let faults = self.counts.faults.take();
        for StreamFault { stream, kind } in faults {
            let mut open = shared.open.borrow_mut();
            if let Some(open) = open.iter_mut().find(|open| open.id == stream) {
                open.fault = Some(match kind {
                    FaultKind::Other => Reason::ClientProtocol,
                    _ => Reason::RequestBodyMalformed,
                });
                continue;
            }
            drop(open);
            match kind {
                FaultKind::Malformed => shared.refuse(Reason::RequestHeadMalformed, 0, None),
                FaultKind::TooLarge => shared.refuse(Reason::RequestHeadTooLarge, 431, None),
                // Its exchange is over: nothing was lost.
                FaultKind::Other => {}
            }
        }
        if let Some(code) = self.counts.sent_away.take()
            && shared.ending.get().is_none()
        {
            shared.end_for(code);
        }
    }

    /// Says that no new streams are taken; those that are open go on.
    fn drain(&mut self, now: Instant) {
        self.connection.graceful_shutdown();
        self.stage = Stage::Draining(now);
    }

    /// Says why it ends, and ends all streams.
    fn send_away(&mut self, reason: Reason, code: h2::Reason) {
        self.shared.ending.set(Some(reason));
        self.connection.abrupt_shutdown(code);
        self.stage = Stage::Parting(clock::now() + PARTING);
    }

    /// The connection broke, or h2 has ended it because of what the client did.
    fn failed(&self, error: &h2::Error) {
        let shared = &self.shared;
        let client = &shared.client;
        event::connection_failed(&client.live.name, client.peer, &Http2InWords(error));
        if shared.ending.get().is_some() {
            return;
        }
        if error.is_library() {
            // The client did not take what would have told it.
            let code = error.reason().unwrap_or(h2::Reason::PROTOCOL_ERROR);
            shared.end_for(code.into());
        } else if let Some(began) = self.counts.head_since.get() {
            shared.refuse(Reason::ClientLeft, 0, Some(began));
        }
    }

    /// The first deadline of the connection's present state, if it has one; those of its streams are theirs.
    fn due(&self) -> Option<Instant> {
        let timeouts = self.shared.client.timeouts.get();
        let since = |cell: &Cell<Option<Instant>>, timeout| Some(cell.get()? + timeout);
        let looks = self.unacked.due(timeouts.body);
        let looks = looks.filter(|_| self.waits_for_unacked());
        let with_unacked = |at: Instant| looks.map_or(at, |look| look.max(at));
        // Nothing else counts any more.
        if let Some(at) = self.parts_at() {
            return Some(with_unacked(at));
        }
        let own = match self.stage {
            Stage::Parting(at) => Some(at),
            _ if self.shared.is_busy() => None,
            Stage::Draining(from) => Some(from.max(self.shared.idle_since.get()) + PARTING),
            Stage::Open => Some(self.shared.idle_until()),
        };
        [
            own.map(with_unacked),
            self.counts.blocked.due(timeouts.body),
            since(&self.counts.head_since, timeouts.head),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// When it ends at the latest, once everything has been said.
    fn parts_at(&self) -> Option<Instant> {
        let h2s = self.counts.parting_since.get().map(|since| since + PARTING);
        match self.stage {
            Stage::Parting(at) => Some(h2s.map_or(at, |since| since.min(at))),
            _ => h2s,
        }
    }

    /// A client that has been sent away does not get more time by reading.
    fn waits_for_unacked(&self) -> bool {
        !matches!(self.stage, Stage::Parting(_)) && self.shared.ending.get().is_none()
    }

    /// Whether the client still takes what is left of its last answers; asked when its time is over.
    fn is_tail_under_way(&mut self, now: Instant) -> bool {
        if !self.waits_for_unacked() {
            return false;
        }
        let shared = &self.shared;
        let timeout = shared.client.timeouts.get().body;
        let progress = shared.tracker.progress();
        let found = self
            .unacked
            .look(now, shared.idle_since.get(), progress, timeout);
        if found == Found::LastTaken {
            // It has been idle only since it had all of them.
            shared.idle_since.set(now);
            let parting = &self.counts.parting_since;
            parting.set(parting.get().map(|_| now));
        }
        found != Found::Nothing
    }

    /// A deadline of [`Session::due`] has passed; ready when that ends the connection.
    fn passed(&mut self, now: Instant) -> Poll<()> {
        let timeouts = self.shared.client.timeouts.get();
        let is_late = |cell: &Cell<Option<Instant>>, timeout| {
            cell.get().is_some_and(|since| now >= since + timeout)
        };
        if let Some(at) = self.parts_at() {
            return if now < at || self.is_tail_under_way(now) {
                Poll::Pending
            } else {
                Poll::Ready(())
            };
        }
        let look = self
            .counts
            .blocked
            .look(now, timeouts.body, &self.shared.tracker);
        match look {
            Look::NotDue => {}
            Look::Taking | Look::Waiting(_) => return Poll::Pending,
            Look::Stalled => {
                // It takes no frame that would tell it.
                if !self.shared.is_busy() {
                    self.shared.refuse(Reason::ClientStalled, 0, None);
                }
                self.shared.ending.set(Some(Reason::ClientStalled));
                return Poll::Ready(());
            }
        }
        if is_late(&self.counts.head_since, timeouts.head) {
            let began = self.counts.head_since.take();
            self.shared.refuse(Reason::RequestHeadTimeout, 0, began);
            self.send_away(Reason::RequestHeadTimeout, h2::Reason::ENHANCE_YOUR_CALM);
            return Poll::Pending;
        }
        if self.shared.is_busy() || self.is_tail_under_way(now) {
            return Poll::Pending;
        }
        match self.stage {
            Stage::Open if now >= self.shared.idle_until() => {
                self.drain(now);
                Poll::Pending
            }
            // The answer to our GOAWAY did not come.
            Stage::Draining(_) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }
}

impl Shared {
    fn begin(
        self: &Rc<Self>,
        request: Request<RecvStream>,
        head: HeadSize,
        respond: SendResponse<Bytes>,
    ) {
        let id = respond.stream_id().as_u32();
        let fault = None;
        self.open.borrow_mut().push(OpenStream { id, head, fault });
        self.has_served.set(true);
        // Boxed: a task is copied several times on its way to the heap.
        let serving = Box::pin(stream::serve(request, respond, Rc::clone(self)));
        tasks::spawn_local(serving);
    }

    /// The exchange of stream `id` was over at `ended`.
    fn end(&self, id: u32, ended: Instant) {
        let mut open = self.open.borrow_mut();
        if let Some(place) = open.iter().position(|open| open.id == id) {
            self.heads.over(open.swap_remove(place).head);
        }
        self.idle_since.set(ended);
        if open.is_empty() || self.client.is_leaving.get() {
            self.waker.borrow().wake_by_ref();
        }
    }

    /// Ready when all that was handed to the connection before is sent, or the connection has ended.
    fn all_sent(&self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.cut.borrow_mut().push(sender);
        // With nothing left to send, nothing else wakes it.
        self.waker.borrow().wake_by_ref();
        receiver
    }

    /// Whether an exchange is open.
    fn is_busy(&self) -> bool {
        !self.open.borrow().is_empty()
    }

    /// Until when the next request is waited for. A connection that was never used has only the
    /// time of a head.
    fn idle_until(&self) -> Instant {
        let timeouts = self.client.timeouts.get();
        let timeout = if self.has_served.get() {
            timeouts.keep_alive
        } else {
            timeouts.head
        };
        self.idle_since.get() + timeout
    }

    /// Why an exchange is cut that is still open: the connection's reason, or else `otherwise`.
    fn reason_or(&self, otherwise: Reason) -> Reason {
        self.ending.get().unwrap_or(otherwise)
    }

    /// Why the exchange of stream `id` is cut whose stream was reset.
    fn reason_of_reset(&self, id: u32) -> Reason {
        let open = self.open.borrow();
        let fault = open.iter().find(|open| open.id == id);
        let fault = fault.and_then(|open| open.fault);
        self.reason_or(fault.unwrap_or(Reason::ClientLeft))
    }

    /// Notes, counts and logs that h2 has sent the client away with `code`.
    fn end_for(&self, code: u32) {
        let reason = if code == u32::from(h2::Reason::ENHANCE_YOUR_CALM) {
            Reason::ClientFlood
        } else {
            Reason::ClientProtocol
        };
        self.refuse(reason, 0, None);
        self.ending.set(Some(reason));
    }

    /// Counts and logs what no exchange was opened for, and what the client was told.
    fn refuse(&self, reason: Reason, status: u16, began: Option<Instant>) {
        self.client.refuse(reason, status, began, None, None);
    }
}
