//! What carries a response to its client: a connection, or a stream.

use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Version;
use http_body::{Body, Frame, SizeHint};

use crate::base::clock::Instant;
use crate::proxy::backend::Lease;
use crate::proxy::io::{End, StreamBody};
use crate::proxy::upstream::{BodyBroken, H1Connection, Rest, ServerPool, StreamPermit};

/// What carries a response.
pub(super) enum Carried {
    /// A whole connection.
    Http1 {
        connection: H1Connection,
        reuse: Reuse,
        /// Where the connection goes afterwards.
        pool: Rc<ServerPool>,
    },
    /// A stream.
    Http2 {
        body: StreamBody,
        /// What is left of the request: dropping it cancels that.
        rest: Rest,
        permit: StreamPermit,
    },
    /// One of these, of which some was read ahead. In a box: hardly any response is.
    ReadAhead(Box<ReadAhead>),
}

/// A response whose beginning was read before it was known whether the client gets it.
pub(super) struct ReadAhead {
    pieces: VecDeque<Frame<Bytes>>,
    tail: Tail,
}

/// What follows the pieces that were read ahead.
pub(super) enum Tail {
    /// Nothing: they are all.
    End,
    /// What has not come yet.
    More(Carried),
    /// The body has ended early; `None` once that was said.
    Broken(Option<Ending>),
}

/// Whether a connection may carry another request after this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reuse {
    Allowed,
    Forbidden,
}

/// Why a body ended early.
pub(super) enum Ending {
    Http1(BodyBroken),
    Http2(h2::Error),
}

impl Carried {
    /// Keeps the connection for the next exchange, if it `may_keep` it and the server lets it, or closes it.
    pub(super) fn give_back(self, may_keep: bool, lease: &Lease, now: Instant) {
        match self {
            Self::Http1 {
                connection,
                reuse: Reuse::Allowed,
                pool,
            } if may_keep => pool.keep(connection, &lease.backend().shared.plan.pool, now),
            Self::ReadAhead(ahead) => {
                if let Some(rest) = ahead.into_rest() {
                    rest.give_back(may_keep, lease, now);
                }
            }
            Self::Http1 { .. } | Self::Http2 { .. } => {}
        }
    }

    /// Whether a connection waits for it, which carries nothing else.
    pub(super) fn holds_connection(&self) -> bool {
        match self {
            Self::Http1 { .. } => true,
            Self::Http2 { .. } => false,
            Self::ReadAhead(ahead) => ahead.holds_connection(),
        }
    }

    #[inline]
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Ending>>> {
        match self {
            Self::Http1 { connection, .. } => connection.poll_frame(cx).map_err(Ending::Http1),
            Self::Http2 { body, .. } => Pin::new(body).poll_frame(cx).map_err(Ending::Http2),
            Self::ReadAhead(ahead) => ahead.poll_frame(cx),
        }
    }

    #[inline]
    pub(super) fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1 { connection, .. } => connection.is_end_stream(),
            Self::Http2 { body, .. } => body.is_end_stream(),
            Self::ReadAhead(ahead) => ahead.is_end_stream(),
        }
    }

    #[inline]
    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1 { connection, .. } => connection.size_hint(),
            Self::Http2 { body, .. } => body.size_hint(),
            Self::ReadAhead(ahead) => ahead.size_hint(),
        }
    }

    /// The way to a server that goes on in another protocol, what it spoke before, and what it has said already;
    /// `None`: it does not.
    pub(super) fn into_upgraded(self) -> Option<(End, Version, Bytes)> {
        match self {
            Self::Http1 { connection, .. } => {
                let (stream, read_already) = connection.into_upgraded()?;
                Some((End::Connection(stream), Version::HTTP_11, read_already))
            }
            Self::Http2 {
                body,
                rest: Rest::Tunnel(send),
                permit,
            } => {
                let server = End::h2_at(permit, send, body.into_stream()?);
                Some((server, Version::HTTP_2, Bytes::new()))
            }
            Self::Http2 { .. } | Self::ReadAhead(_) => None,
        }
    }
}

impl ReadAhead {
    pub(super) fn new(pieces: VecDeque<Frame<Bytes>>, tail: Tail) -> Self {
        Self { pieces, tail }
    }

    /// What carries the rest; the pieces are dropped.
    fn into_rest(self) -> Option<Carried> {
        match self.tail {
            Tail::More(rest) => Some(rest),
            Tail::End | Tail::Broken(_) => None,
        }
    }

    fn holds_connection(&self) -> bool {
        matches!(&self.tail, Tail::More(rest) if rest.holds_connection())
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Ending>>> {
        if let Some(piece) = self.pieces.pop_front() {
            return Poll::Ready(Some(Ok(piece)));
        }
        match &mut self.tail {
            Tail::End => Poll::Ready(None),
            Tail::More(rest) => rest.poll_frame(cx),
            Tail::Broken(ending) => Poll::Ready(ending.take().map(Err)),
        }
    }

    fn is_end_stream(&self) -> bool {
        let is_end = match &self.tail {
            Tail::End => true,
            Tail::More(rest) => rest.is_end_stream(),
            Tail::Broken(ending) => ending.is_none(),
        };
        self.pieces.is_empty() && is_end
    }

    fn size_hint(&self) -> SizeHint {
        let pieces = self.pieces.iter().filter_map(Frame::data_ref);
        let ahead: u64 = pieces.map(|piece| piece.len() as u64).sum();
        // A body of a known length has no trailers, and one that breaks off never has its length.
        let has_trailers = self.pieces.iter().any(Frame::is_trailers);
        let mut hint = match &self.tail {
            Tail::End if !has_trailers => SizeHint::with_exact(0),
            Tail::More(rest) => rest.size_hint(),
            Tail::End | Tail::Broken(_) => SizeHint::new(),
        };
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + ahead);
        }
        hint.set_lower(hint.lower() + ahead);
        hint
    }
}
