//! A connection that hyper reads and writes.
//!
//! hyper gives a sender and a driver, meant for two tasks. Here the exchange that uses the connection owns
//! both, and polls the driver while it waits.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::ext::on_informational;
use hyper_util::rt::TokioIo;

use crate::exchange::{Fault, Reason};
use crate::net::Stream;
use crate::proxy::io::{
    AttemptDeadlines, MOST_INTERIM_BYTES, ReceiveError, RequestBody, SocketTracker, TrackedSocket,
    UploadProgress,
};
use crate::proxy::upstream::failure::{EarlyEnd, Leftover};
use crate::proxy::upstream::framing::check_framing;

use crate::proxy::upstream::settings::Settings;

use super::{Failure, Waiting};

type Answered = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>;

type Driver = http1::Connection<TokioIo<TrackedSocket>, RequestBody>;

/// One connection.
pub(super) struct HyperConnection {
    sender: SendRequest<RequestBody>,
    driver: DriverState,
    /// `None`: no request waits for its answer.
    answer: Option<Pin<Box<dyn Future<Output = Answered>>>>,
    /// The body of the last answer; `None`: it has ended, or there was none.
    incoming: Option<Incoming>,
    /// Counts the bytes of the socket, and bounds what comes before a head.
    tracker: SocketTracker,
    /// The most bytes that the server may send until the head of an answer has arrived completely.
    head_bound: u64,
}

/// The driver, which moves the bytes of the connection.
enum DriverState {
    Running(Pin<Box<Driver>>),
    /// The driver has ended without an error, and must not be polled again. After an upgrade it holds the socket.
    Finished(Pin<Box<Driver>>),
    /// The driver has ended with an error.
    Broken,
}

impl HyperConnection {
    /// A connection over `stream`.
    ///
    /// # Errors
    ///
    /// `server.connect.failed`.
    pub(super) async fn over(stream: Stream, settings: &Settings) -> Result<Self, Fault> {
        let stream = TrackedSocket::to_server(stream);
        let tracker = stream.tracker();
        let (sender, connection) = settings
            .http1
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Fault::http(Reason::ServerConnectFailed, error))?;
        Ok(Self {
            sender,
            driver: DriverState::Running(Box::pin(connection)),
            answer: None,
            incoming: None,
            tracker,
            head_bound: settings.head_bound(),
        })
    }

    /// See [`super::H1Connection::into_upgraded`].
    pub(super) fn into_upgraded(self) -> Option<(Stream, Bytes)> {
        let DriverState::Finished(driver) = self.driver else {
            return None;
        };
        let parts = Pin::into_inner(driver).into_parts();
        Some((parts.io.into_inner().into_inner(), parts.read_buf))
    }

    /// See [`super::H1Connection::begin`].
    pub(super) fn begin<'a>(
        &mut self,
        head: &'a Parts,
        host: Option<&HeaderValue>,
        body: RequestBody,
        deadlines: AttemptDeadlines<'_>,
    ) -> Waiting<'a> {
        let mut request = Request::from_parts(head.clone(), body);
        if let Some(host) = host {
            request.headers_mut().insert(header::HOST, host.clone());
        }
        if let Some(listener) = request.body().listener() {
            on_informational(&mut request, move |interim| {
                listener.hear(interim.status(), interim.headers());
            });
        }
        let has_body = !request.body().is_end_stream();
        if has_body {
            request.body_mut().go_through(self.tracker.clone());
        }
        let waiting = Waiting {
            method: &head.method,
            // hyper passes them on, and the tracker bounds them.
            listener: None,
            interim_left: MOST_INTERIM_BYTES,
            written_before: self.tracker.written(),
            upload_progress: has_body
                .then(|| UploadProgress::begin(self.tracker.clone(), deadlines)),
        };
        self.tracker.await_head(self.head_bound);
        self.answer = Some(Box::pin(self.sender.try_send_request(request)));
        waiting
    }

    /// See [`super::H1Connection::poll_answer`].
    pub(super) fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        waiting: &mut Waiting<'_>,
        deadlines: AttemptDeadlines<'_>,
    ) -> Poll<Result<Response<()>, Failure>> {
        if let Some(reason) = deadlines.fired() {
            return Poll::Ready(Err(Failure::from(Fault::new(reason))));
        }
        let driven = self.driver.drive(cx);
        let Some(answer) = &mut self.answer else {
            return Poll::Ready(Err(Failure::from(Fault::new(Reason::ServerResponseEmpty))));
        };
        let Poll::Ready(answer) = answer.as_mut().poll(cx) else {
            if let Some(upload_progress) = &mut waiting.upload_progress {
                upload_progress.poll(deadlines);
            }
            return Poll::Pending;
        };
        self.answer = None;
        Poll::Ready(match answer {
            Ok(response) => self.begin_body(response).map_err(Failure::from),
            Err(error) => Err(self.failure(error, driven)),
        })
    }

    fn begin_body(&mut self, response: Response<Incoming>) -> Result<Response<()>, Fault> {
        self.tracker.head_came();
        let (head, incoming) = response.into_parts();
        self.incoming = Some(incoming);
        let mut response = Response::from_parts(head, ());
        check_framing(&mut response)?;
        Ok(response)
    }

    fn failure(
        &self,
        mut error: TrySendError<Request<RequestBody>>,
        driven: Poll<Result<(), hyper::Error>>,
    ) -> Failure {
        // hyper drops the body of a request that it has begun to write.
        let unsent = error.take_message().map(Request::into_body);
        let left = unsent.map_or(Leftover::Lost, Leftover::Unseen);
        let error = match driven {
            Poll::Ready(Err(cause)) => cause,
            _ => error.into_error(),
        };
        let reason = match reason_of_answer(&error) {
            Reason::ServerResponseEmpty if self.tracker.has_said_too_much() => {
                Reason::ServerResponseInterim
            }
            reason => reason,
        };
        Failure {
            fault: Fault::http(reason, error),
            left,
        }
    }

    /// See [`super::H1Connection::poll_frame`].
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EarlyEnd>>> {
        let Some(incoming) = &mut self.incoming else {
            return Poll::Ready(None);
        };
        let mut polled = Pin::new(&mut *incoming).poll_frame(cx);
        if polled.is_pending() {
            // Only the first poll makes hyper ready to read more of the body; now the driver reads it. How
            // the driver ends does not matter here: the body itself says whether it is complete.
            let _ = self.driver.drive(cx);
            polled = Pin::new(incoming).poll_frame(cx);
        }
        if let Poll::Ready(None) = polled {
            self.incoming = None;
        }
        polled.map_err(|error| match ReceiveError::is_bad_framing(&error) {
            true => EarlyEnd::Malformed,
            false => EarlyEnd::Incomplete,
        })
    }

    /// See [`super::H1Connection::is_end_stream`].
    pub(super) fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    /// See [`super::H1Connection::size_hint`].
    pub(super) fn size_hint(&self) -> SizeHint {
        let hint = self.incoming.as_ref().map(Body::size_hint);
        hint.unwrap_or_else(|| SizeHint::with_exact(0))
    }

    /// See [`super::H1Connection::is_reusable`].
    pub(super) fn is_reusable(&mut self, cx: &mut Context<'_>) -> bool {
        self.driver.drive(cx).is_pending()
            && matches!(self.sender.poll_ready(cx), Poll::Ready(Ok(())))
    }

    /// As [`super::H1Connection::is_finished`].
    pub(super) fn is_finished(&self) -> bool {
        !matches!(self.driver, DriverState::Running(_)) || self.tracker.is_write_closed()
    }

    /// As [`super::H1Connection::is_wanted`].
    pub(super) fn is_wanted(&self) -> bool {
        self.tracker.is_wanted()
    }
}

impl DriverState {
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

/// Why no answer came: the server sent a malformed head, or the connection ended.
fn reason_of_answer(error: &hyper::Error) -> Reason {
    if error.is_parse() || error.is_parse_too_large() || error.is_parse_status() {
        return Reason::ServerResponseMalformed;
    }
    Reason::ServerResponseEmpty
}
