//! A client connection that speaks HTTP/1, from its first byte to its last.
//!
//! It alternates between two states. While something happens, hyper runs it, with its buffers and
//! its state machine. When nothing has happened for a second, hyper gives the socket back and is
//! dropped, and a few hundred bytes wait for the next request: *parked*. Nothing can be lost between
//! the two: hyper holds nothing back when it has flushed and no exchange is open, and what it has
//! read too far is put in front of what comes next.
//!
//! One timer runs for the connection, for whichever deadline comes first.

mod active_period;
mod linger;
mod outgoing;
mod session;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::rc::Rc;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use crate::base::clock;
use crate::exchange::{LoggedField, LoggedRequest, Reason};
use crate::net::{HalfClose, Stream};
use crate::plan::{self, HeaderCase};
use crate::proxy::connections::{Registration, Shutdown};
use crate::proxy::io::{End, ReceivedBody, Timer, WatchedStream, logged_line};
use crate::proxy::run::Run;

use super::active::ActiveRequest;
use super::client::Client;
use super::idle::{LineEnds, Rest, Woken, bytes_or, is_blank, rest_of_head};
use super::linger::Linger;

use active_period::{ActivePeriod, Verdict};
use linger::{answer_unread, cut, linger};
use outgoing::{Framing, Outgoing};
use session::Session;

/// How much of a response hyper gathers before it waits for the client to take it.
const WRITE_AHEAD_BYTES: usize = 64 << 10;

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

/// What all parts of a connection have.
struct Link {
    session: Rc<Session>,
    registration: Registration,
    timer: Timer,
}

/// Serves a connection until it ends, or until it becomes something else. `prefix` was read from it
/// already.
pub(super) fn serve(
    stream: Stream,
    prefix: Bytes,
    client: Rc<Client>,
    registration: Registration,
    timer: Timer,
) -> Run {
    let link = Link {
        session: Rc::new(Session::new(client, clock::now())),
        registration,
        timer,
    };
    Run::new(link.active(stream, prefix))
}

impl Link {
    /// Lets hyper run the connection for a while.
    async fn active(mut self, stream: Stream, prefix: Bytes) -> Option<Run> {
        let ended = active(
            stream,
            prefix,
            &self.session,
            &self.registration,
            &mut self.timer,
        )
        .await;
        Some(match ended {
            Ended::Idle(stream, read_too_far) if is_blank(&read_too_far) => {
                Run::new(self.idle(stream))
            }
            Ended::Idle(stream, read_too_far) => Run::new(self.active(stream, read_too_far)),
            Ended::HalfHead(stream, head) => Run::new(self.rest_of_head(stream, head)),
            Ended::Upgraded(stream, read_too_far) => {
                Run::last(self.tunnel((End::Connection(stream), read_too_far)))
            }
            Ended::Over(stream) => {
                stream.close();
                return None;
            }
            Ended::Broken(stream) => {
                stream.reset();
                return None;
            }
            Ended::Cut(stream) => Run::last(async move { cut(stream, &self.registration).await }),
            Ended::Refused(stream) => {
                let client = &self.session.client;
                let bounds = client.with_plan(|plan| Linger::of(plan, clock::now()))?;
                Run::last(async move { linger(stream, &self.registration, bounds).await })
            }
            Ended::Unread(stream, reason, request) => {
                Run::last(self.answer_unread(stream, reason, request))
            }
        })
    }

    /// Waits for the next request.
    fn idle(self, mut stream: Stream) -> impl Future<Output = Option<Run>> {
        let Self {
            session,
            registration,
            mut timer,
        } = self;
        let until = session.idle_until();
        let parked = session.parked();
        drop(session);
        async move {
            let woken = {
                let client = &parked.client;
                let _counted = client.context.observer.parked(&client.live.metrics);
                bytes_or(
                    Shutdown::Drain,
                    LineEnds::BeforeRequest,
                    &mut stream,
                    until,
                    &registration,
                    &mut timer,
                )
                .await
            };
            match woken {
                Woken::Bytes(bytes) => {
                    let link = Self {
                        session: Rc::new(parked.woken()),
                        registration,
                        timer,
                    };
                    Some(Run::new(link.active(stream, bytes)))
                }
                Woken::Over => {
                    stream.close();
                    None
                }
            }
        }
    }

    /// Waits for what follows `head`, the first part of a head.
    async fn rest_of_head(mut self, mut stream: Stream, mut head: Vec<u8>) -> Option<Run> {
        let rest = rest_of_head(
            &mut head,
            self.session.head_bound.get(),
            &mut stream,
            self.session.head_until(),
            &self.registration,
            &mut self.timer,
        )
        .await;
        match rest {
            Rest::Came | Rest::Ended => {
                // hyper reads the end once more, and says what it thinks of it.
                self.session.hears_more.set(rest == Rest::Came);
                Some(Run::new(self.active(stream, head.into())))
            }
            Rest::Late => {
                let request = logged_line(&head).map(Box::new);
                let reason = Reason::RequestHeadTimeout;
                Some(Run::last(self.answer_unread(stream, reason, request)))
            }
            Rest::Broken => {
                stream.close();
                None
            }
        }
    }

    async fn answer_unread(
        self,
        stream: Stream,
        reason: Reason,
        request: Option<Box<LoggedRequest>>,
    ) {
        answer_unread(stream, &self.session, &self.registration, reason, request).await;
    }

    /// Runs the tunnel that the connection has become.
    async fn tunnel(mut self, client: (End, Bytes)) {
        let session = &self.session;
        let open_tunnel = session.tunnel.borrow_mut().take();
        if let (Some(open_tunnel), Some(exchange)) = (open_tunnel, session.exchange()) {
            let tunnel = Box::new(open_tunnel.tunnel(client, &exchange, &session.client));
            // The tunnel has it.
            drop(exchange);
            let context = &session.client.context;
            tunnel
                .run(context, &self.registration, &mut self.timer)
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

/// hyper's settings for a connection of this frontend, as it is configured now.
fn builder(session: &Session) -> http1::Builder {
    let mut builder = http1::Builder::new();
    let (view, index) = session.client.view();
    let Some(index) = index else {
        // The frontend has just been removed: the connection is about to be told.
        return builder;
    };
    let plan = &view.snapshot.plan.frontends[index as usize];
    session.client.note_timeouts(&view, index as usize);
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
