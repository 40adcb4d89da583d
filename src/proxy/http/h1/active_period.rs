//! A period in which hyper runs a client connection: until it ends, or until nothing has happened for a while.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};

use http_body::Body;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;

use crate::base::clock::{self, Duration, Instant};
use crate::exchange::Reason;
use crate::observe::event;
use crate::proxy::connections::{Registration, Shutdown};
use crate::proxy::io::{Exchange, Look, SocketTracker, StalledEntry, Timer, WatchedStream};

use super::session::Session;

/// How long hyper keeps its buffers after an exchange. A client that asks again within a second is
/// served at no cost; one that does not has most likely gone for longer.
const PARK_AFTER: Duration = Duration::from_secs(1);

/// How often it is looked whether a client has gone whose upload waits for the server.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// One period of activity.
pub(super) struct ActivePeriod<'a, C> {
    pub(super) connection: C,
    pub(super) tracker: SocketTracker,
    pub(super) session: &'a Rc<Session>,
    pub(super) registration: &'a Registration,
    pub(super) timer: &'a mut Timer,
    /// When to look whether the client has gone, while its upload waits for the server.
    pub(super) look_at: Option<Instant>,
    /// Where its exchange stands among those that may have to make room.
    pub(super) stalled: Option<StalledEntry>,
    pub(super) told_to_leave: bool,
}

pub(super) enum Verdict {
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
    pub(super) fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Verdict> {
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
        let timeouts = session.client.timeouts();
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
        let body = session.client.timeouts().body;
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

/// What hyper meant by a status that it answered by itself.
fn refusal_of(status: u16) -> Reason {
    match status {
        414 => Reason::RequestTargetTooLong,
        431 => Reason::RequestHeadTooLarge,
        _ => Reason::RequestHeadMalformed,
    }
}
