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
    /// `None`: there is no more.
    rest: Option<Carried>,
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
            Self::ReadAhead(ahead) => ahead.rest().is_some_and(Self::holds_connection),
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
    pub(super) fn new(pieces: VecDeque<Frame<Bytes>>, rest: Option<Carried>) -> Self {
        Self { pieces, rest }
    }

    /// What carries the rest; the pieces are dropped.
    pub(super) fn into_rest(self) -> Option<Carried> {
        self.rest
    }

    pub(super) fn rest(&self) -> Option<&Carried> {
        self.rest.as_ref()
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Ending>>> {
        if let Some(piece) = self.pieces.pop_front() {
            return Poll::Ready(Some(Ok(piece)));
        }
        match &mut self.rest {
            Some(rest) => rest.poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        let rest = self.rest.as_ref();
        self.pieces.is_empty() && rest.is_none_or(Carried::is_end_stream)
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        let pieces = self.pieces.iter().filter_map(Frame::data_ref);
        let ahead: u64 = pieces.map(|piece| piece.len() as u64).sum();
        let Some(rest) = &self.rest else {
            return SizeHint::with_exact(ahead);
        };
        let mut hint = rest.size_hint();
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + ahead);
        }
        hint.set_lower(hint.lower() + ahead);
        hint
    }
}
