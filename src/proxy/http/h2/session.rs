//! A running HTTP/2 connection of a client: frames in both directions, its deadlines, and its end.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{Connection, SendResponse};
use http::Request;

use crate::base::clock::{self, Duration, Instant};
use crate::base::tasks;
use crate::exchange::{Http2InWords, Reason};
use crate::observe::event;
use crate::proxy::connections::{Registration, Shutdown};
use crate::proxy::io::{Look, Timer};

use super::budget::Budget;
use super::frames::{CountedStream, Counts, FaultKind, StreamFault};
use super::open_requests::RequestSize;
use super::shared::Shared;
use super::stream;
use super::unacked::{Found, Unacked};

/// The longest wait for the last frames of a connection that ends.
const PARTING: Duration = Duration::from_secs(2);

/// A running connection.
pub(super) struct Session<'a> {
    pub(super) connection: Connection<CountedStream, Bytes>,
    pub(super) shared: Rc<Shared>,
    pub(super) registration: &'a Registration,
    pub(super) timer: &'a mut Timer,
    pub(super) counts: Rc<Counts>,
    pub(super) budget: Budget,
    pub(super) stage: Stage,
    /// Acknowledgements of its last answers.
    pub(super) unacked: Unacked,
}

/// The stage of its end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Open,
    /// GOAWAY was sent at this moment; open exchanges continue.
    Draining(Instant),
    /// It ends at this moment at the latest, whatever is open.
    Parting(Instant),
}

impl Session<'_> {
    /// Ready when the connection has ended.
    pub(super) fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        self.shared.waker.borrow_mut().clone_from(cx.waker());
        loop {
            if self.shared.closing.get().is_some() {
                // Before anything is written: the client may have to be left without a sign.
                return Poll::Ready(());
            }
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
            // Only what the socket takes at once.
            (Shutdown::Run, Stage::Open) if self.shared.client.is_leaving.get() => {
                self.drain(clock::now());
            }
            (Shutdown::Abort, Stage::Open | Stage::Draining(_)) => {
                self.send_away(Reason::ProxyStopped, h2::Reason::NO_ERROR);
                // An exchange found that it is the last one.
                self.stage = Stage::Parting(clock::now());
            }
            _ => {}
        }
    }

    /// Notifies the streams that wait for it, once all frames have been sent.
    fn let_go_of_cut(&self) {
        if !self.counts.blocked.is_so() {
            // The drop notifies their streams.
            self.shared.cut.take();
        }
    }

    /// Moves frames both ways and begins new requests; ready when the connection is over.
    fn advance(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        loop {
            match ready!(self.connection.poll_accept(cx)) {
                Some(Ok((request, mut respond))) => {
                    let id = respond.stream_id().as_u32();
                    self.counts.accepted.set(id);
                    let requests = &self.shared.requests;
                    let size = match request.body().is_end_stream() {
                        true => requests.size_of(&request),
                        false => requests.size_with_body(&request),
                    };
                    if !self.takes_requests() {
                        // The client was sent GOAWAY, and has had time to read it.
                        respond.send_reset(h2::Reason::REFUSED_STREAM);
                    } else if requests.admit(size) {
                        self.begin(id, request, size, respond);
                    } else {
                        respond.send_reset(h2::Reason::REFUSED_STREAM);
                        // A client that asks again and again gets GOAWAY.
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

    /// Begins the exchange of stream `id`, on a task of its own.
    fn begin(
        &self,
        id: u32,
        request: Request<RecvStream>,
        size: RequestSize,
        respond: SendResponse<Bytes>,
    ) {
        self.shared.begin(id, size);
        let shared = Rc::clone(&self.shared);
        // Boxed: tokio copies a task several times. All of `serve` runs in the task: a panic ends one
        // exchange, and requests that came together do not keep the worker from its other tasks.
        let serving = async move { stream::serve(id, request, respond, shared).await };
        tasks::spawn_local(Box::pin(serving));
    }

    /// A drained client may send requests before it reads the GOAWAY. But a client that never
    /// acknowledges it must not stay for ever.
    fn takes_requests(&self) -> bool {
        match self.stage {
            Stage::Open => true,
            Stage::Draining(from) => clock::now() < from + PARTING,
            Stage::Parting(_) => false,
        }
    }

    /// Streams that h2 has reset by itself because of the client: h2 notifies the client, and only
    /// this shows it to us.
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

    /// Refuses new streams; open ones continue.
    fn drain(&mut self, now: Instant) {
        self.connection.graceful_shutdown();
        self.stage = Stage::Draining(now);
    }

    /// Notes why it ends, and ends all streams.
    fn send_away(&mut self, reason: Reason, code: h2::Reason) {
        self.shared.ending.set(Some(reason));
        self.connection.abrupt_shutdown(code);
        self.stage = Stage::Parting(clock::now() + PARTING);
    }

    /// The connection broke, or h2 has ended it because of the client.
    fn failed(&self, error: &h2::Error) {
        let shared = &self.shared;
        let client = &shared.client;
        event::connection_failed(&client.live.name, client.peer, &Http2InWords(error));
        if shared.ending.get().is_some() {
            return;
        }
        if error.is_library() {
            // The client did not take the GOAWAY.
            let code = error.reason().unwrap_or(h2::Reason::PROTOCOL_ERROR);
            shared.end_for(code.into());
        } else if let Some(began) = self.counts.head_since.get() {
            shared.refuse(Reason::ClientLeft, 0, Some(began));
        }
    }

    /// The first deadline of the connection's present state, if it has one; its streams have their
    /// own.
    fn due(&self) -> Option<Instant> {
        let timeouts = self.shared.client.timeouts();
        let since = |cell: &Cell<Option<Instant>>, timeout| Some(cell.get()? + timeout);
        let looks = self.unacked.due(timeouts.body);
        let looks = looks.filter(|_| self.waits_for_unacked());
        let with_unacked = |at: Instant| looks.map_or(at, |look| look.max(at));
        // No other deadline counts any more.
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

    /// The latest moment of its end, once everything has been sent.
    fn parts_at(&self) -> Option<Instant> {
        let h2s = self.counts.parting_since.get().map(|since| since + PARTING);
        match self.stage {
            Stage::Parting(at) => Some(h2s.map_or(at, |since| since.min(at))),
            _ => h2s,
        }
    }

    /// A client that got GOAWAY gets no more time by reading.
    fn waits_for_unacked(&self) -> bool {
        !matches!(self.stage, Stage::Parting(_)) && self.shared.ending.get().is_none()
    }

    /// Whether the client still takes the rest of its last answers; checked when its time is over.
    fn is_tail_under_way(&mut self, now: Instant) -> bool {
        if !self.waits_for_unacked() {
            return false;
        }
        let shared = &self.shared;
        let timeout = shared.client.timeouts().body;
        let progress = shared.tracker.progress();
        let found = self
            .unacked
            .look(now, shared.idle_since.get(), progress, timeout);
        if found == Found::LastTaken {
            // It is idle only since it got all of them.
            shared.idle_since.set(now);
            let parting = &self.counts.parting_since;
            parting.set(parting.get().map(|_| now));
        }
        found != Found::Nothing
    }

    /// A deadline of [`Session::due`] has passed; ready if that ends the connection.
    fn passed(&mut self, now: Instant) -> Poll<()> {
        let timeouts = self.shared.client.timeouts();
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
            .look(now, timeouts.body, || self.shared.tracker.progress());
        match look {
            Look::NotDue => {}
            Look::Taking | Look::Waiting(_) => return Poll::Pending,
            Look::Stalled => {
                // It takes no frames, so a GOAWAY would not reach it.
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
