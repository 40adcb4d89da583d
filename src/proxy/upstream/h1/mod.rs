//! One HTTP/1.1 connection to a server.
//!
//! The exchange that uses a connection owns it and polls it while it waits. So sending a request wakes no
//! other task, and no task is left over afterwards. An idle connection is not polled: whether the server has
//! closed it is checked when it is taken from the pool, and by the sweep of the pool.
//!
//! [`own`] reads and writes, with the codec of `wire::h1`.

mod early;
mod history;
mod own;
#[cfg(test)]
mod tests;
mod upload;

use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Response};
use http_body::{Frame, SizeHint};

use crate::base::clock::Instant;
use crate::exchange::{Fault, Reason};
use crate::net::Stream;
use crate::proxy::io::{AttemptDeadlines, Listener, RequestBody, UploadProgress};

use super::failure::{EarlyEnd, Leftover, RequestEnd, Unanswered};
use super::settings::Settings;
use own::OwnConnection;

pub(super) use history::History;

/// A connection that was open at the last check. Boxed, because it is moved several times for each
/// request.
pub(super) struct H1Connection(Box<Inner>);

struct Inner {
    /// The code that reads and writes.
    own: OwnConnection,
    history: History,
}

/// A request that was begun and is not answered yet.
pub(super) struct Waiting {
    has_body: bool,
    is_idempotent: bool,
    /// Gets the interim responses.
    listener: Option<Listener>,
    /// How many bytes of interim responses may still come.
    interim_left: u64,
    /// How many bytes the socket had accepted before the request.
    written_before: u64,
    /// `None`: the request has no body.
    upload_progress: Option<UploadProgress>,
}

/// The reason why there is no answer, and the rest of the request.
struct Failure {
    fault: Fault,
    left: Leftover,
}

impl H1Connection {
    /// A connection over `stream`.
    pub(super) fn over(stream: Stream, settings: &Settings) -> Self {
        Self(Box::new(Inner {
            own: OwnConnection::over(stream, settings),
            history: History::begin(),
        }))
    }

    /// Begins a request, which [`H1Connection::poll_answer`] sends. `host` becomes the `Host`
    /// field; it must be `None` if `head` contains one.
    // Not one `async fn` for both: its future would hold the body, which is large, more than once.
    pub(super) fn begin(
        &mut self,
        head: &Parts,
        host: Option<&HeaderValue>,
        body: RequestBody,
        deadlines: AttemptDeadlines<'_>,
    ) -> Waiting {
        self.0.history.count_request();
        self.0.own.begin(head, host, body, deadlines)
    }

    /// Sends the request that was begun, by `method`. Ready with the head of the answer, whose body
    /// [`H1Connection::poll_frame`] reads.
    ///
    /// # Errors
    ///
    /// No answer came. If a deadline has passed, the reason is that deadline's.
    pub(super) fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        waiting: &mut Waiting,
        method: &Method,
        deadlines: AttemptDeadlines<'_>,
    ) -> Poll<Result<Response<()>, Unanswered>> {
        let Inner { own, history } = &mut *self.0;
        let polled = own.poll_answer(cx, waiting, method, deadlines);
        polled.map_err(|Failure { fault, left }| Unanswered {
            end: match history.was_used_before() && fault.reason == Reason::ServerResponseEmpty {
                true => RequestEnd::Stale,
                false => RequestEnd::Other,
            },
            fault,
            left,
        })
    }

    /// Whether the request that was begun can never be sent again, whatever happens to it.
    pub(super) fn has_used_up_request(&self, waiting: &Waiting) -> bool {
        self.0.own.has_used_up_request(waiting)
    }

    /// The next piece of the answer's body. Also writes the rest of the request.
    ///
    /// # Errors
    ///
    /// The body ended early.
    #[inline]
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EarlyEnd>>> {
        self.0.own.poll_frame(cx)
    }

    /// Whether the answered request could be sent once more, body and all.
    pub(super) fn keeps_request(&self) -> bool {
        self.0.own.keeps_request()
    }

    /// The body of the answered request, to be sent once more; `None`: it is not kept.
    pub(super) fn take_request(&mut self) -> Option<RequestBody> {
        self.0.own.take_request()
    }

    /// Drops the kept part of the answered request: it will not be sent again.
    #[inline]
    pub(super) fn forget_request(&mut self) {
        self.0.own.forget_request();
    }

    /// Whether the answer's body has been read to its end.
    #[inline]
    pub(super) fn is_end_stream(&self) -> bool {
        self.0.own.is_end_stream()
    }

    /// How many bytes of the answer's body are still to come.
    #[inline]
    pub(super) fn size_hint(&self) -> SizeHint {
        self.0.own.size_hint()
    }

    /// The socket and the bytes that were read after the last head; `None`: HTTP has not ended on it.
    pub(super) fn into_upgraded(self) -> Option<(Stream, Bytes)> {
        self.0.own.into_upgraded()
    }

    /// Whether another request can be sent on it now. Reads from the socket: the connection cannot be used
    /// if the server has closed it, or has sent bytes without a request.
    pub(super) fn is_reusable(&mut self, cx: &mut Context<'_>) -> bool {
        self.0.own.is_reusable(cx)
    }

    /// Whether it is known that the connection cannot be used again. Does not read from the socket.
    pub(super) fn is_finished(&self) -> bool {
        !self.0.own.is_idle()
    }

    /// Frees the buffers of an idle connection.
    pub(super) fn free_buffers(&mut self) {
        self.0.own.free_buffers();
    }

    /// Whether an exchange waits for the file descriptor of the connection.
    pub(super) fn is_wanted(&self) -> bool {
        self.0.own.is_wanted()
    }

    /// Notes that the connection is idle from `now` on.
    pub(super) fn idle_from(&mut self, now: Instant) {
        self.0.history.idle_from(now);
    }

    pub(super) fn history(&self) -> &History {
        &self.0.history
    }

    /// Whether the connection has carried a request before.
    pub(super) fn was_used(&self) -> bool {
        self.0.history.was_used()
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            left: Leftover::Lost,
        }
    }
}
