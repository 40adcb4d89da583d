//! One HTTP/1.1 connection to a server.
//!
//! hyper gives a sender and a driver, meant for two tasks. Here both belong to the exchange that
//! uses the connection, and the driver is polled where the exchange waits: sending a request wakes
//! no other task, and there is none to forget. An idle connection is not polled; whether
//! the server has closed it meanwhile is looked at when it is taken from the pool, and by the
//! pool's sweep.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::ext::on_informational;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, ReadBuf};

use crate::base::clock::{self, Duration, Instant};
use crate::exchange::{Fault, Reason};
use crate::net::Stream;
use crate::plan;
use crate::proxy::io::{Deadlines, RequestBody, SocketTracker, TrackedSocket, Uploading};

use super::settings::Settings;

type Driver = http1::Connection<TokioIo<TrackedSocket>, RequestBody>;

/// A connection that is open, as far as we know.
pub struct H1Connection {
    sender: SendRequest<RequestBody>,
    engine: Engine,
    /// What the server has taken.
    tracker: SocketTracker,
    /// What it may say before the head of an answer has come whole.
    head_bound: u64,
    history: History,
}

/// What moves a connection's bytes.
enum Engine {
    Running(Pin<Box<Driver>>),
    /// It must not be polled again. After an upgrade the socket is still in it.
    Finished(Pin<Box<Driver>>),
    /// It has finished, and the connection is of no use any more.
    Broken,
}

/// A connection without hyper's state: what is left of one that has been idle for a while.
pub(super) struct Bare {
    stream: Stream,
    history: History,
}

/// What a connection has been through.
#[derive(Clone, Copy)]
pub(super) struct History {
    opened: Instant,
    requests: u64,
    idle_since: Instant,
}

/// What came back when an answer came: the head, and the body that this connection still carries.
pub(crate) type ResponseHead = Response<Incoming>;

/// An attempt at this connection failed.
pub struct Failure {
    /// What happened.
    pub fault: Fault,
    /// The request, when not a byte of it was written.
    pub unsent: Option<Box<Request<RequestBody>>>,
}

impl H1Connection {
    /// A connection over `stream`.
    ///
    /// # Errors
    ///
    /// `server.connect.failed`.
    pub(super) async fn over(stream: Stream, settings: &Settings) -> Result<Self, Fault> {
        let stream = TrackedSocket::to_server(stream);
        let tracker = stream.tracker();
        let (sender, driver) = settings
            .http1
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Fault::http(Reason::ServerConnectFailed, error))?;
        let now = clock::now();
        Ok(Self {
            sender,
            engine: Engine::Running(Box::pin(driver)),
            tracker,
            head_bound: settings.head_bound(),
            history: History {
                opened: now,
                requests: 0,
                idle_since: now,
            },
        })
    }

    /// The bare socket, when nothing is on its way: hyper's state and its buffers are given back.
    pub(super) fn cooled(self) -> Option<Bare> {
        let Engine::Running(driver) = self.engine else {
            return None;
        };
        let parts = Pin::into_inner(driver).into_parts();
        parts.read_buf.is_empty().then(|| Bare {
            stream: parts.io.into_inner().into_inner(),
            history: self.history,
        })
    }

    /// The socket, and what was read from it too far, when HTTP has come to its end on it.
    pub fn into_upgraded(self) -> Option<(Stream, Bytes)> {
        let Engine::Finished(driver) = self.engine else {
            return None;
        };
        let parts = Pin::into_inner(driver).into_parts();
        Some((parts.io.into_inner().into_inner(), parts.read_buf))
    }

    /// Sends `request` and gives the head of the answer; the body is read while this connection is
    /// driven on (see [`H1Connection::drive`]).
    ///
    /// # Errors
    ///
    /// [`Failure`]; a deadline that passes gives its reason.
    pub fn exchange<'a>(
        &'a mut self,
        mut request: Request<RequestBody>,
        deadlines: &'a Deadlines,
    ) -> impl Future<Output = Result<ResponseHead, Failure>> + 'a {
        self.history.requests += 1;
        if let Some(listener) = request.body().listener() {
            on_informational(&mut request, move |interim| {
                listener.hear(interim.status(), interim.headers());
            });
        }
        let has_body = !request.body().is_end_stream();
        if has_body {
            request.body_mut().go_through(self.tracker.clone());
        }
        let uploading = has_body.then(|| Uploading::begin(self.tracker.clone(), deadlines));
        self.tracker.await_head(self.head_bound);
        let answer = self.sender.try_send_request(request);
        answered(
            answer,
            &mut self.engine,
            &self.tracker,
            deadlines,
            uploading,
        )
    }

    /// Lets bytes flow; ready when the connection is finished.
    ///
    /// # Errors
    ///
    /// What hyper says of how it finished.
    pub fn drive(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.engine.drive(cx)
    }

    /// Whether another request can be sent on it now. Looks at the socket: a server that has closed
    /// it, or said something unasked, makes it useless.
    pub fn is_reusable(&mut self, cx: &mut Context<'_>) -> bool {
        self.drive(cx).is_pending() && matches!(self.sender.poll_ready(cx), Poll::Ready(Ok(())))
    }

    /// Says that it is idle from `now` on.
    pub(super) fn idle_from(&mut self, now: Instant) {
        self.history.idle_since = now;
    }

    pub(super) fn history(&self) -> History {
        self.history
    }

    /// Whether it is known to be of no use any more.
    pub(super) fn is_finished(&self) -> bool {
        !matches!(self.engine, Engine::Running(_)) || self.tracker.is_write_closed()
    }

    /// Whether an exchange waits for its descriptor.
    pub(super) fn is_wanted(&self) -> bool {
        self.tracker.is_wanted()
    }

    /// Whether it has carried a request before.
    pub fn was_used(&self) -> bool {
        self.history.requests > 0
    }
}

impl Bare {
    /// Whether the server has neither closed it nor said something unasked.
    pub(super) fn is_open(&mut self, cx: &mut Context<'_>) -> bool {
        let mut room = [0; 1];
        let mut buffer = ReadBuf::new(&mut room);
        Pin::new(&mut self.stream)
            .poll_read(cx, &mut buffer)
            .is_pending()
    }

    /// The connection as it was before it was cooled.
    pub(super) fn warmed(self, settings: &Settings) -> Option<H1Connection> {
        let stream = TrackedSocket::to_server(self.stream);
        let tracker = stream.tracker();
        let handshake = pin!(settings.http1.handshake(TokioIo::new(stream)));
        // In HTTP/1 nothing is said: the future is ready at once.
        match handshake.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok((sender, driver))) => Some(H1Connection {
                sender,
                engine: Engine::Running(Box::pin(driver)),
                tracker,
                head_bound: settings.head_bound(),
                history: self.history,
            }),
            _ => None,
        }
    }

    pub(super) fn history(&self) -> History {
        self.history
    }
}

impl History {
    /// Whether `limits` let the connection be used at `now`.
    pub(super) fn is_within(&self, limits: &plan::Pool, now: Instant) -> bool {
        let age = now.saturating_duration_since(self.opened);
        self.idle_for(now) < limits.idle_timeout
            && limits.max_age.is_none_or(|max_age| age < max_age)
            && limits.max_requests.is_none_or(|max| self.requests < max)
    }

    /// How long it has been idle.
    pub(super) fn idle_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.idle_since)
    }
}

/// The answer, while the connection is driven.
async fn answered(
    answer: impl Future<Output = Result<ResponseHead, TrySendError<Request<RequestBody>>>>,
    engine: &mut Engine,
    tracker: &SocketTracker,
    deadlines: &Deadlines,
    mut uploading: Option<Uploading>,
) -> Result<ResponseHead, Failure> {
    let mut answer = pin!(answer);
    poll_fn(|cx| {
        if let Some(reason) = deadlines.fired() {
            return Poll::Ready(Err(Failure::from(Fault::new(reason))));
        }
        let driven = engine.drive(cx);
        match (answer.as_mut().poll(cx), driven) {
            (Poll::Ready(Ok(response)), _) => {
                tracker.head_came();
                Poll::Ready(Ok(response))
            }
            (Poll::Ready(Err(mut error)), driven) => {
                let unsent = error.take_message().map(Box::new);
                let error = match driven {
                    Poll::Ready(Err(cause)) => cause,
                    _ => error.into_error(),
                };
                let reason = match reason_of_answer(&error) {
                    Reason::ServerResponseEmpty if tracker.has_said_too_much() => {
                        Reason::ServerResponseInterim
                    }
                    reason => reason,
                };
                let fault = Fault::http(reason, error);
                Poll::Ready(Err(Failure { fault, unsent }))
            }
            (Poll::Pending, _) => {
                if let Some(uploading) = &mut uploading {
                    uploading.poll(deadlines);
                }
                Poll::Pending
            }
        }
    })
    .await
}

impl Engine {
    fn drive(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        let Self::Running(driver) = self else {
            return Poll::Ready(Ok(()));
        };
        let outcome = ready!(driver.as_mut().poll(cx));
        if let Self::Running(driver) = std::mem::replace(self, Self::Broken)
            && outcome.is_ok()
        {
            *self = Self::Finished(driver);
        }
        Poll::Ready(outcome)
    }
}

/// What kept the answer from coming: nonsense from the server, or a connection that ended.
fn reason_of_answer(error: &hyper::Error) -> Reason {
    if error.is_parse() || error.is_parse_too_large() || error.is_parse_status() {
        return Reason::ServerResponseMalformed;
    }
    Reason::ServerResponseEmpty
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            unsent: None,
        }
    }
}
