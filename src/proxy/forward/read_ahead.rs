//! The body of an answer: as it comes, or with its beginning read ahead.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::base::clock::Instant;
use crate::plan;
use crate::proxy::upstream::{EarlyEnd, Incoming, ServerEnd};

/// The body of an answer.
pub(super) enum AnswerBody {
    /// As it comes.
    Incoming(Incoming),
    /// With a beginning that was read ahead. Boxed, because it is rare.
    ReadAhead(Box<ReadAhead>),
}

/// A response whose beginning was read before it was certain that the client gets it.
pub(super) struct ReadAhead {
    pieces: VecDeque<Frame<Bytes>>,
    tail: Tail,
}

/// The rest after the pieces that were read ahead.
pub(super) enum Tail {
    /// Nothing: the body has ended.
    End,
    /// The part that has not come yet.
    More(AnswerBody),
    /// The body ended early; `None` once that was returned.
    Broken(Option<EarlyEnd>),
}

impl AnswerBody {
    /// Keeps the connection for the next exchange, if it `may_keep` it and the server lets it, or closes it.
    pub(super) fn give_back(self, may_keep: bool, limits: &plan::Pool, now: Instant) {
        match self {
            Self::Incoming(incoming) => incoming.give_back(may_keep, limits, now),
            Self::ReadAhead(ahead) => {
                if let Some(rest) = ahead.into_rest() {
                    rest.give_back(may_keep, limits, now);
                }
            }
        }
    }

    /// Whether an HTTP/1 connection is occupied by it.
    pub(super) fn holds_connection(&self) -> bool {
        match self {
            Self::Incoming(incoming) => incoming.holds_connection(),
            Self::ReadAhead(ahead) => ahead.holds_connection(),
        }
    }

    #[inline]
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EarlyEnd>>> {
        match self {
            Self::Incoming(incoming) => incoming.poll_frame(cx),
            Self::ReadAhead(ahead) => ahead.poll_frame(cx),
        }
    }

    #[inline]
    pub(super) fn is_end_stream(&self) -> bool {
        match self {
            Self::Incoming(incoming) => incoming.is_end_stream(),
            Self::ReadAhead(ahead) => ahead.is_end_stream(),
        }
    }

    #[inline]
    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Incoming(incoming) => incoming.size_hint(),
            Self::ReadAhead(ahead) => ahead.size_hint(),
        }
    }

    /// Notes that the rest is late.
    pub(super) fn doubt(&self) {
        if let Self::Incoming(incoming) = self {
            incoming.doubt();
        }
    }

    /// The server's end of a tunnel; `None`: it has not accepted one.
    pub(super) fn into_tunnel(self) -> Option<ServerEnd> {
        match self {
            Self::Incoming(incoming) => incoming.into_tunnel(),
            Self::ReadAhead(_) => None,
        }
    }
}

impl ReadAhead {
    pub(super) fn new(pieces: VecDeque<Frame<Bytes>>, tail: Tail) -> Self {
        Self { pieces, tail }
    }

    /// What carries the rest; the pieces are dropped.
    fn into_rest(self) -> Option<AnswerBody> {
        match self.tail {
            Tail::More(rest) => Some(rest),
            Tail::End | Tail::Broken(_) => None,
        }
    }

    fn holds_connection(&self) -> bool {
        matches!(&self.tail, Tail::More(rest) if rest.holds_connection())
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, EarlyEnd>>> {
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
