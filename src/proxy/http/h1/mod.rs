//! A client connection that speaks HTTP/1, from its first byte to its last.
//!
//! It alternates between two states. While something happens, hyper runs it, with its buffers and
//! its state machine. When nothing has happened for a second, hyper gives the socket back and is
//! dropped, and a few hundred bytes wait for the next request: *parked*. Nothing can be lost between
//! the two: hyper holds nothing back when it has flushed and no exchange is open, and what it has
//! read too far is put in front of what comes next.
//!
//! One timer runs for the connection, for whichever deadline comes first.

mod linger;
mod outgoing;
mod session;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use crate::base::clock::{self, Duration, Instant};
use crate::exchange::{LoggedField, LoggedRequest, Reason};
use crate::net::{HalfClose, Stream};
use crate::observe::event;
use crate::plan::{self, HeaderCase};
use crate::proxy::connections::{Registration, Shutdown};
use crate::proxy::io::{
    End, Exchange, Look, ReceivedBody, SocketTracker, StalledEntry, Timer, WatchedStream,
    logged_line,
};

use super::active::ActiveRequest;
use super::client::Client;
use super::idle::{LineEnds, Rest, Woken, bytes_or, is_blank, rest_of_head};
use super::linger::Linger;

use linger::{answer_unread, cut, linger};
use outgoing::{Framing, Outgoing};
use session::Session;

/// How long hyper keeps its buffers after an exchange. A client that asks again within a second is
/// served at no cost; one that does not has most likely gone for longer.
const PARK_AFTER: Duration = Duration::from_secs(1);

/// How much of a response hyper gathers before it waits for the client to take it.
const WRITE_AHEAD_BYTES: usize = 64 << 10;

/// How often it is looked whether a client has gone whose upload waits for the server.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How a period of activity ended.
enum Ended {
    /// Nothing happens; the socket and what was read too far.
    Idle(Stream, Bytes),
    /// A part of a head is here, and nothing else; the socket and that part.
    HalfHead(Stream, Vec<u8>),
    /// The connection is over, and all is said.
    Over(Stream),
    /// The last answer is written; the client may still be sending.
    Refused(Stream),
    /// No request could be read, for this reason, and the client was not answered; what was read.
    Unread(Stream, Reason, Option<Box<LoggedRequest>>),
    /// In the middle of a response that ends with the connection: the client must notice.
    Cut(Stream),
    /// The client has gone, or takes nothing.
    Broken(Stream),
    /// HTTP is over, and something else begins; the socket and what was read too far.
    Upgraded(Stream, Bytes),
}

/// A connection on which HTTP is over and a tunnel begins.
pub(super) struct UpgradedConnection {
    client: (End, Bytes),
    session: Rc<Session>,
    timer: Timer,
}

/// Serves a connection until it ends, or until it becomes something else. `prefix` was read from it
/// already.
pub(super) async fn serve(
    mut stream: Stream,
    mut prefix: Bytes,
    client: Rc<Client>,
    registration: &Registration,
    mut timer: Timer,
) -> Option<UpgradedConnection> {
    let session = Rc::new(Session::new(client, clock::now()));
    loop {
        // Boxed, this and what ends a connection: a parked one does not carry the room for it.
        let ended = Box::pin(active(stream, prefix, &session, registration, &mut timer)).await;
        match ended {
            Ended::Over(stream) => stream.close(),
            Ended::Broken(stream) => stream.reset(),
            Ended::Cut(stream) => Box::pin(cut(stream, registration)).await,
            Ended::Refused(stream) => {
                if let Some(bounds) = session
                    .client
                    .with_plan(|plan| Linger::of(plan, clock::now()))
                {
                    Box::pin(linger(stream, registration, bounds)).await;
                }
            }
            Ended::Unread(stream, reason, request) => {
                Box::pin(answer_unread(
                    stream,
                    &session,
                    registration,
                    reason,
                    request,
                ))
                .await;
            }
            Ended::Upgraded(stream, read_too_far) => {
                return Some(UpgradedConnection {
                    client: (End::Connection(stream), read_too_far),
                    session,
                    timer,
                });
            }
            Ended::HalfHead(mut idle, mut head) => {
                let until = session.head_until();
                let most = session.head_bound.get();
                let rest =
                    rest_of_head(&mut head, most, &mut idle, until, registration, &mut timer);
                let rest = rest.await;
                match rest {
                    Rest::Came | Rest::Ended => {
                        // hyper reads the end once more, and says what it thinks of it.
                        session.hears_more.set(rest == Rest::Came);
                        (stream, prefix) = (idle, head.into());
                        continue;
                    }
                    Rest::Late => {
                        let reason = Reason::RequestHeadTimeout;
                        let request = logged_line(&head).map(Box::new);
                        Box::pin(answer_unread(idle, &session, registration, reason, request))
                            .await;
                    }
                    Rest::Broken => idle.close(),
                }
            }
            Ended::Idle(idle, read_too_far) if !is_blank(&read_too_far) => {
                (stream, prefix) = (idle, read_too_far);
                continue;
            }
            Ended::Idle(mut idle, line_ends) => {
                // Even when there are none, they are a view of hyper's read buffer and keep it.
                drop(line_ends);
                let client = &session.client;
                let _parked = client.context.observer.parked(&client.live.metrics);
                let until = session.idle_until();
                let skipped = LineEnds::BeforeRequest;
                match bytes_or(
                    Shutdown::Drain,
                    skipped,
                    &mut idle,
                    until,
                    registration,
                    &mut timer,
                )
                .await
                {
                    Woken::Bytes(bytes) => {
                        (stream, prefix) = (idle, bytes);
                        continue;
                    }
                    Woken::Over => idle.close(),
                }
            }
        }
        return None;
    }
}

impl UpgradedConnection {
    /// Runs the tunnel until it is over.
    pub(super) async fn run(self, registration: Registration) {
        let Self {
            client,
            session,
            mut timer,
        } = self;
        let open_tunnel = session.tunnel.borrow_mut().take();
        if let (Some(open_tunnel), Some(exchange)) = (open_tunnel, session.exchange()) {
            let tunnel = Box::new(open_tunnel.tunnel(client, &exchange, &session.client));
            // The tunnel has it.
            drop(exchange);
            tunnel
                .run(&session.client.context, &registration, &mut timer)
                .await;
            session.settle();
        }
    }
}

/// Answers one request: hyper's service.
fn answer(
    session: &Rc<Session>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Outgoing>, Infallible>> + use<> {
    let active = ActiveRequest::open(&session.client, &request, session.head_began.take());
    session.open(active.opened());
    let version = request.version();
    let answering = active.answer(request.map(ReceivedBody::Http1), {
        let session = Rc::clone(session);
        move |open_tunnel| {
            session.tunnel.replace(Some(Box::new(open_tunnel)));
        }
    });
    let session = Rc::clone(session);
    async move {
        let response = answering.await?;
        Ok(response.map(|body| {
            let body = Outgoing::new(body, version, Rc::clone(&session.watch));
            session.framing.set(body.framing());
            body
        }))
    }
}

/// Lets hyper run the connection until it ends or nothing has happened for a while.
async fn active(
    stream: Stream,
    prefix: Bytes,
    session: &Rc<Session>,
    registration: &Registration,
    timer: &mut Timer,
) -> Ended {
    let builder = builder(session);
    let stream = WatchedStream::new(stream, prefix, Rc::clone(&session.watch));
    let tracker = stream.tracker();
    let io = TokioIo::new(stream);
    let service = service_fn(|request| answer(session, request));
    let mut period = ActivePeriod {
        connection: builder.serve_connection(io, service),
        tracker,
        session,
        registration,
        timer,
        look_at: None,
        stalled: None,
        told_to_leave: false,
    };
    let verdict = poll_fn(|cx| period.poll(cx)).await;
    let parts = period.connection.into_parts();
    let watched = parts.io.into_inner();
    let request = match verdict {
        Verdict::Unread(_) | Verdict::Unanswered(..) => watched.logged().map(Box::new),
        _ => None,
    };
    let (stream, unread) = watched.into_parts();
    let read_too_far = joined(parts.read_buf, unread);
    match verdict {
        Verdict::Idle => Ended::Idle(stream, read_too_far),
        // A copy: what was read is a view of hyper's buffer and keeps it.
        Verdict::HalfHead => Ended::HalfHead(stream, read_too_far.to_vec()),
        Verdict::Unread(reason) => {
            let reason = match reason {
                Reason::RequestHeadTooLarge => reason_of_large(request.as_deref(), &read_too_far),
                reason => reason,
            };
            Ended::Unread(stream, reason, request)
        }
        Verdict::Broken => Ended::Broken(stream),
        Verdict::Cut if session.framing.get() == Framing::Close => Ended::Cut(stream),
        Verdict::Upgraded => Ended::Upgraded(stream, read_too_far),
        // What frames a response says that it was cut.
        Verdict::Over | Verdict::Cut => over(stream, session, &read_too_far),
        Verdict::Unanswered(reason, status) => {
            session.refuse(reason, status, None, request.map(|request| *request));
            over(stream, session, &read_too_far)
        }
    }
}

/// The end of a connection on which all is said.
fn over(stream: Stream, session: &Session, read_too_far: &Bytes) -> Ended {
    if session.is_dirty.get() || !read_too_far.is_empty() {
        Ended::Refused(stream)
    } else {
        Ended::Over(stream)
    }
}

/// What hyper has read and not used, and what of the prefix it has not read.
fn joined(first: Bytes, second: Bytes) -> Bytes {
    if second.is_empty() {
        return first;
    }
    [first, second].concat().into()
}

/// One period of activity.
struct ActivePeriod<'a, C> {
    connection: C,
    tracker: SocketTracker,
    session: &'a Rc<Session>,
    registration: &'a Registration,
    timer: &'a mut Timer,
    /// When to look whether the client has gone, while its upload waits for the server.
    look_at: Option<Instant>,
    /// Where its exchange stands among those that may have to make room.
    stalled: Option<StalledEntry>,
    told_to_leave: bool,
}

enum Verdict {
    Idle,
    HalfHead,
    Over,
    /// No request could be read, for this reason; the client has to be answered.
    Unread(Reason),
    /// The same where it was answered already, with this status, or cannot be (0).
    Unanswered(Reason, u16),
    /// The response has broken off, and what there was of it is written.
    Cut,
    /// The client has gone, or takes nothing.
    Broken,
    Upgraded,
}

/// What the passing of a deadline means.
enum Due {
    /// The handler or a body has been told; they must be polled.
    Told,
    End(Verdict),
}

impl<S, B> ActivePeriod<'_, http1::Connection<TokioIo<WatchedStream>, S>>
where
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B> + Unpin,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Verdict> {
        loop {
            let shutdown = self.registration.shutdown(cx);
            if shutdown == Shutdown::Abort {
                return Poll::Ready(self.cut(Reason::ProxyStopped));
            }
            if shutdown == Shutdown::Drain {
                self.session.client.is_leaving.set(true);
            }
            let polled = Pin::new(&mut self.connection).poll(cx);
            self.session.settle_if_over();
            self.session.note_partial_head();
            if let Poll::Ready(result) = polled {
                return Poll::Ready(self.finished(result.err()));
            }
            if self.session.has_said_what_it_could() {
                return Poll::Ready(Verdict::Cut);
            }
            if self.has_only_half_a_head() {
                return Poll::Ready(Verdict::HalfHead);
            }
            if shutdown == Shutdown::Drain && !self.told_to_leave && self.may_be_told_to_leave() {
                self.told_to_leave = true;
                Pin::new(&mut self.connection).graceful_shutdown();
                continue;
            }
            if self.is_told_to_make_room(cx) {
                return Poll::Ready(self.cut(Reason::ProxyDescriptors));
            }
            self.plan_look();
            let due = self.due();
            let now = ready!(self.timer.poll_any(cx, due));
            match self.passed(now, cx) {
                Due::Told => {}
                Due::End(verdict) => return Poll::Ready(verdict),
            }
        }
    }

    /// Whether hyper can be told that nothing more comes. Not while a request is here or on its way:
    /// it is answered, and the answer says `close`. One that was never served has been promised an
    /// answer too, as far as its client knows.
    fn may_be_told_to_leave(&self) -> bool {
        let session = self.session;
        session.has_served.get()
            && session.exchange().is_none()
            && session.head_began.get().is_none()
    }

    /// hyper is done with the connection.
    fn finished(&self, error: Option<hyper::Error>) -> Verdict {
        let session = self.session;
        let has_switched = error.is_none() && session.tunnel.borrow().is_some();
        // What was not flushed when hyper finished is lost, and with it the answer.
        if has_switched && session.watch.flushed.get() {
            return Verdict::Upgraded;
        }
        if let Some(exchange) = session.exchange() {
            // The connection broke under an exchange. Its own cause, if there is one, came first.
            let was_sent = session.is_whole(&exchange) && error.is_none();
            if was_sent {
                session.settle();
            } else {
                let left = exchange.record.status.get() == 0 || error.is_some();
                session.cut(Reason::ClientLeft);
                return if left { Verdict::Broken } else { Verdict::Over };
            }
        }
        let status = session.watch.own_status.take();
        match (status, error) {
            // hyper takes a fault after empty lines alone for the end of the connection.
            (0, None) if session.watch.is_flooded_with_blanks() => {
                return Verdict::Unanswered(Reason::RequestHeadMalformed, 0);
            }
            (0, None) => {}
            (0, Some(error)) => return self.failed(&error),
            (status, _) => return Verdict::Unread(refusal_of(status)),
        }
        Verdict::Over
    }

    /// The connection failed outside of any exchange that we know of.
    fn failed(&self, error: &hyper::Error) -> Verdict {
        let session = self.session;
        event::connection_failed(&session.client.live.name, session.client.peer, error);
        if error.is_user() {
            // A response body was shorter than its length.
            return Verdict::Cut;
        }
        if error.is_parse_version_h2() || session.watch.is_flooded_with_blanks() {
            // The preface of HTTP/2, or empty lines without end: an answer would not be understood.
            return Verdict::Unanswered(Reason::RequestHeadMalformed, 0);
        } else if error.is_parse() {
            // hyper has answered it in one write with the response before it.
            let too_large = error.is_parse_too_large();
            let status = if too_large { 431 } else { 400 };
            session.is_dirty.set(true);
            return Verdict::Unanswered(refusal_of(status), status);
        } else if session.head_began.get().is_some() {
            return Verdict::Unanswered(Reason::ClientLeft, 0);
        }
        Verdict::Over
    }

    /// The first deadline of the connection's present state, if it has one.
    fn due(&self) -> Option<Instant> {
        let session = self.session;
        let watch = &session.watch;
        let timeouts = session.client.timeouts.get();
        let stalled = watch.blocked.due(timeouts.body);
        let exchange = session.exchange();
        let waiting = match (&exchange, session.head_began.get()) {
            (Some(exchange), _) if exchange.ended().is_none() => exchange.deadlines.earliest(),
            // The last bytes of the response are on their way; the session has its own deadline.
            (Some(_), _) => None,
            (None, Some(began)) => Some(began + timeouts.head),
            (None, None) => Some(self.end_of_idleness().0),
        };
        [stalled, waiting, self.look_at].into_iter().flatten().min()
    }

    /// When the period of a connection on which nothing happens is over, and how.
    fn end_of_idleness(&self) -> (Instant, Verdict) {
        let session = self.session;
        let until = session.idle_until();
        // The rest of a request may still come until hyper has closed the connection: parked, it would
        // be taken for the next request.
        if session.is_dirty.get() {
            return (until, Verdict::Over);
        }
        let park = session.idle_since.get() + PARK_AFTER;
        (park.min(until), Verdict::Idle)
    }

    /// Whether the exchange shall end because its client takes nothing and others need its descriptors.
    fn is_told_to_make_room(&mut self, cx: &TaskContext<'_>) -> bool {
        let Some(entry) = &self.stalled else {
            return false;
        };
        if self.session.watch.blocked.since() != Some(entry.since()) {
            self.stalled = None;
            return false;
        }
        entry.is_told(cx)
    }

    /// Enters it among those that may have to make room: it was looked, and nothing was taken.
    fn may_make_room(&mut self, since: Instant, cx: &TaskContext<'_>) {
        let session = self.session;
        let is_open = session
            .exchange()
            .is_some_and(|exchange| exchange.ended().is_none());
        if self.stalled.is_none() && is_open {
            self.stalled = Some(session.client.context.stalled.enter(since, cx));
        }
    }

    /// A deadline of [`ActivePeriod::due`] has passed.
    fn passed(&mut self, now: Instant, cx: &TaskContext<'_>) -> Due {
        let session = self.session;
        let watch = &session.watch;
        let body = session.client.timeouts.get().body;
        match watch.blocked.look(now, body, &self.tracker) {
            Look::NotDue => {}
            Look::Taking => return Due::Told,
            Look::Waiting(since) => {
                self.may_make_room(since, cx);
                return Due::Told;
            }
            Look::Stalled => return Due::End(self.cut(Reason::ClientStalled)),
        }
        if self.look_at.is_some_and(|at| now >= at) {
            self.look_at = None;
            watch.look.set(Some(session.half_close.get()));
            return Due::Told;
        }
        if let Some(exchange) = session.exchange() {
            let deadlines = &exchange.deadlines;
            return match deadlines.pass(now) {
                None => Due::Told,
                Some(_) if exchange.record.status.get() == 0 => Due::Told,
                Some(reason) => self.break_off(&exchange, reason),
            };
        }
        if session.head_began.get().is_some() {
            return Due::End(Verdict::Unread(Reason::RequestHeadTimeout));
        }
        Due::End(self.end_of_idleness().1)
    }

    /// While a request is not there as a whole, hyper reads it only as fast as the server takes it,
    /// and does not see that the client has gone. So this looks, now and then.
    fn plan_look(&mut self) {
        let is_uploading = self
            .session
            .exchange()
            .is_some_and(|exchange| exchange.ended().is_none() && !exchange.request_complete.get());
        if !is_uploading {
            self.look_at = None;
        } else if self.look_at.is_none() {
            self.look_at = Some(clock::now() + LOOK_EVERY);
        }
    }

    /// Whether there is a part of a head, for which hyper would keep its buffers until the rest comes,
    /// and nothing else.
    fn has_only_half_a_head(&self) -> bool {
        let session = self.session;
        session.head_began.get().is_some()
            && session.exchange().is_none()
            && session.watch.flushed.get()
            && session.watch.own_status.get() == 0
            && session.hears_more.get()
            && !session.is_dirty.get()
            && !self.told_to_leave
    }

    fn cut(&self, reason: Reason) -> Verdict {
        let Some(exchange) = self.session.exchange() else {
            return Verdict::Over;
        };
        let is_whole = self.session.is_whole(&exchange);
        self.session.cut(reason);
        match reason {
            _ if is_whole => Verdict::Over,
            Reason::ClientStalled => Verdict::Broken,
            _ => Verdict::Cut,
        }
    }

    /// Ends the response before its time, when what there is of it has been written.
    fn break_off(&self, exchange: &Exchange, reason: Reason) -> Due {
        if self.session.watch.flushed.get() {
            return Due::End(self.cut(reason));
        }
        exchange.cut(reason);
        self.session.watch.has_broken_off.set(true);
        Due::Told
    }
}

/// hyper's settings for a connection of this frontend, as it is configured now.
fn builder(session: &Session) -> http1::Builder {
    let mut builder = http1::Builder::new();
    let (view, place) = session.client.view();
    let Some(place) = place else {
        // The frontend has just been removed: the connection is about to be told.
        return builder;
    };
    let plan = &view.snapshot.plan.frontends[place as usize];
    session.client.timeouts.set(plan.timeout);
    session.head_bound.set(plan.limits.head.0 as usize);
    session.half_close.set(if plan.half_close {
        HalfClose::IsFine
    } else {
        HalfClose::IsLeaving
    });
    builder
        .half_close(plan.half_close)
        .max_header_size(plan.limits.head.0 as usize)
        .max_buf_size(WRITE_AHEAD_BYTES.max(plan.limits.head.0 as usize))
        .title_case_headers(plan.header_case == HeaderCase::Title)
        .preserve_header_case(view.records_case);
    if plan.limits.fields != plan::FrontendLimits::default().fields {
        // Any other number makes hyper keep the fields on the heap.
        builder.max_headers(plan.limits.fields);
    }
    builder
}

/// What was wrong with a head that hyper called too large, when `unread` is what it left of it. One that
/// is too large it leaves; one that it has read is followed by a body longer than it can count.
fn reason_of_large(request: Option<&LoggedRequest>, unread: &[u8]) -> Reason {
    let method = request.and_then(|request| request.text(LoggedField::Method));
    let method = method.map_or(&[][..], |method| method.bytes);
    match unread.trim_ascii_start().starts_with(method) {
        true => Reason::RequestHeadTooLarge,
        false => Reason::RequestHeadMalformed,
    }
}

/// What hyper meant by a status that it answered by itself.
fn refusal_of(status: u16) -> Reason {
    match status {
        414 => Reason::RequestTargetTooLong,
        431 => Reason::RequestHeadTooLarge,
        _ => Reason::RequestHeadMalformed,
    }
}
