//! One HTTP/1.1 connection to a server.
//!
//! It belongs to the exchange that uses it, which polls it where it waits: sending a request wakes no other
//! task, and there is none to forget. An idle connection is not polled; whether the server has closed it
//! meanwhile is looked at when it is taken from the pool, and by the pool's sweep.
//!
//! [`own`] reads and writes by the codec of `wire::h1`. Where the case of field names is kept (`header_case =
//! "preserve"`), hyper does ([`by_hyper`]): it keeps the case for itself, and gives it to its own server alone.

mod by_hyper;
mod history;
mod own;
mod upload;

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Response};
use http_body::{Frame, SizeHint};

use crate::base::clock::Instant;
use crate::exchange::Fault;
use crate::net::Stream;
use crate::proxy::io::{Deadlines, ReceiveError, RequestBody};
use crate::wire::h1::Refusal;

use super::settings::Settings;
use by_hyper::HyperConnection;
use own::OwnConnection;

pub(super) use history::History;

/// A connection that is open, as far as we know.
pub struct H1Connection {
    engine: Engine,
    history: History,
}

/// Who reads and writes. In boxes: a connection goes from hand to hand with each request.
enum Engine {
    Own(Box<OwnConnection>),
    Hyper(Box<HyperConnection>),
}

/// The body of an answer ended early.
#[derive(Debug)]
pub enum BodyBroken {
    /// It is not understood.
    Refused(Refusal),
    /// The connection broke.
    Io(io::Error),
    /// The connection ended before it, or the client did before the end of its request.
    Cut,
    /// As hyper says.
    Hyper(hyper::Error),
}

/// An attempt at this connection failed.
pub struct Failure {
    /// What happened.
    pub fault: Fault,
    /// The request's body, when not a byte of the request was written.
    pub unsent: Option<RequestBody>,
}

impl H1Connection {
    /// A connection over `stream`.
    ///
    /// # Errors
    ///
    /// `server.connect.failed`.
    pub(super) async fn over(stream: Stream, settings: &Settings) -> Result<Self, Fault> {
        let engine = if settings.keeps_case() {
            let connection = HyperConnection::over(stream, settings).await?;
            Engine::Hyper(Box::new(connection))
        } else {
            Engine::Own(Box::new(OwnConnection::over(stream, settings)))
        };
        Ok(Self {
            engine,
            history: History::begin(),
        })
    }

    /// Sends a request and gives the head of the answer; its body is read by [`H1Connection::poll_frame`].
    /// `host` is said if `head` says none.
    ///
    /// # Errors
    ///
    /// [`Failure`]; a deadline that passes gives its reason.
    pub async fn exchange(
        &mut self,
        head: &Parts,
        host: Option<&HeaderValue>,
        body: RequestBody,
        deadlines: &Deadlines,
    ) -> Result<Response<()>, Failure> {
        self.history.count_request();
        match &mut self.engine {
            Engine::Own(own) => own.exchange(head, host, body, deadlines).await,
            // Boxed: hardly any exchange has use for the room.
            Engine::Hyper(hyper) => Box::pin(hyper.exchange(head, host, body, deadlines)).await,
        }
    }

    /// The next piece of the answer's body. What is left of the request goes out meanwhile.
    ///
    /// # Errors
    ///
    /// Why it ended early.
    #[inline]
    pub fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyBroken>>> {
        match &mut self.engine {
            Engine::Own(own) => own.poll_frame(cx),
            Engine::Hyper(hyper) => hyper.poll_frame(cx),
        }
    }

    /// Whether the answer's body has been read to its end.
    #[inline]
    pub fn is_end_stream(&self) -> bool {
        match &self.engine {
            Engine::Own(own) => own.is_end_stream(),
            Engine::Hyper(hyper) => hyper.is_end_stream(),
        }
    }

    /// How much of it is to come.
    #[inline]
    pub fn size_hint(&self) -> SizeHint {
        match &self.engine {
            Engine::Own(own) => own.size_hint(),
            Engine::Hyper(hyper) => hyper.size_hint(),
        }
    }

    /// The socket, and what was read from it too far, when HTTP has come to its end on it.
    pub fn into_upgraded(self) -> Option<(Stream, Bytes)> {
        match self.engine {
            Engine::Own(own) => own.into_upgraded(),
            Engine::Hyper(hyper) => hyper.into_upgraded(),
        }
    }

    /// Whether another request can be sent on it now. Looks at the socket: a server that has closed
    /// it, or said something unasked, makes it useless.
    pub(super) fn is_reusable(&mut self, cx: &mut Context<'_>) -> bool {
        match &mut self.engine {
            Engine::Own(own) => own.is_reusable(cx),
            Engine::Hyper(hyper) => hyper.is_reusable(cx),
        }
    }

    /// Whether it is known to be of no use any more.
    pub(super) fn is_finished(&self) -> bool {
        match &self.engine {
            Engine::Own(own) => !own.is_idle(),
            Engine::Hyper(hyper) => hyper.is_finished(),
        }
    }

    /// Gives back its buffers: it is idle.
    pub(super) fn cool(&mut self) {
        if let Engine::Own(own) = &mut self.engine {
            own.cool();
        }
    }

    /// Whether an exchange waits for its descriptor.
    pub(super) fn is_wanted(&self) -> bool {
        match &self.engine {
            Engine::Own(own) => own.is_wanted(),
            Engine::Hyper(hyper) => hyper.is_wanted(),
        }
    }

    /// Says that it is idle from `now` on.
    pub(super) fn idle_from(&mut self, now: Instant) {
        self.history.idle_from(now);
    }

    pub(super) fn history(&self) -> &History {
        &self.history
    }

    /// Whether it has carried a request before.
    pub fn was_used(&self) -> bool {
        self.history.was_used()
    }
}

impl BodyBroken {
    /// Whether the server sent what makes no sense; else it broke off, or the connection did.
    pub fn is_malformed(&self) -> bool {
        match self {
            Self::Refused(_) => true,
            Self::Io(_) | Self::Cut => false,
            Self::Hyper(error) => ReceiveError::is_bad_framing(error),
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            unsent: None,
        }
    }
}
