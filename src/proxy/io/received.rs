//! The body of a request as it comes from a client, by HTTP/1 or HTTP/2.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::RecvStream;
use http_body::{Body, Frame, SizeHint};

use crate::exchange::Reason;

use super::client_socket::{ClientBody, ClientBroken};
use super::stream_body::StreamBody;

/// The body of a request.
pub enum ReceivedBody {
    /// By HTTP/1.
    Http1(ClientBody),
    /// By HTTP/2.
    Http2(StreamBody),
    /// With a beginning that was read ahead. Boxed, because it is rare.
    Ahead(Box<BodyAhead>),
    /// Why it ended early.
    None,
}

/// A body with a beginning that was read ahead.
pub struct BodyAhead {
    pieces: VecDeque<Frame<Bytes>>,
    rest: ReceivedBody,
    /// Whether the client has announced its length: one without goes on without.
    has_length: bool,
}

/// Why it ended early.
#[derive(Debug)]
pub enum ReceiveError {
    /// By HTTP/1.
    Http1(ClientBroken),
    /// By HTTP/2.
    Http2(h2::Error),
}

impl ReceivedBody {
    /// As [`StreamBody::hold_window`]. HTTP/1 has no window.
    pub(super) fn hold_window(&mut self) {
        match self {
            Self::Http2(body) => body.hold_window(),
            Self::Ahead(ahead) => ahead.rest().hold_window(),
            Self::Http1(_) | Self::None => {}
        }
    }

    /// As [`StreamBody::release_all_but`].
    #[inline]
    pub(super) fn release_all_but(&mut self, kept: usize) {
        match self {
            Self::Http2(body) => body.release_all_but(kept),
            Self::Ahead(ahead) => ahead.rest().release_all_but(kept),
            Self::Http1(_) | Self::None => {}
        }
    }

    /// The HTTP/2 stream of it; none by HTTP/1.
    pub fn into_stream(self) -> Option<RecvStream> {
        match self {
            Self::Http1(_) | Self::None => None,
            Self::Http2(body) => body.into_stream(),
            Self::Ahead(ahead) => ahead.into_rest().into_stream(),
        }
    }
}

impl BodyAhead {
    /// `first`, and then `rest`.
    pub(super) fn new(first: Frame<Bytes>, rest: ReceivedBody, has_length: bool) -> Self {
        Self {
            pieces: VecDeque::from([first]),
            rest,
            has_length,
        }
    }

    /// Puts `frame` before all others.
    pub(super) fn put_back(&mut self, frame: Frame<Bytes>) {
        self.pieces.push_front(frame);
    }

    fn rest(&mut self) -> &mut ReceivedBody {
        &mut self.rest
    }

    fn into_rest(self) -> ReceivedBody {
        self.rest
    }

    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReceiveError>>> {
        match self.pieces.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let data = self.pieces.iter().filter_map(Frame::data_ref);
        let ahead: u64 = data.map(|piece| piece.len() as u64).sum();
        let rest = match self.rest.is_end_stream() {
            true => SizeHint::with_exact(0),
            false => self.rest.size_hint(),
        };
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + ahead);
        if let Some(upper) = rest.upper().filter(|_| self.has_length) {
            hint.set_upper(upper + ahead);
        }
        hint
    }
}

impl ReceiveError {
    /// What the exchange ends with: malformed framing has its own reason; any other error is a client that
    /// closed its connection.
    pub fn reason(&self) -> Reason {
        match self.is_malformed() {
            true => Reason::RequestBodyMalformed,
            false => Reason::ClientLeft,
        }
    }

    /// Whether the peer sent something malformed; else it, or the connection, broke off.
    pub fn is_malformed(&self) -> bool {
        match self {
            Self::Http1(broken) => matches!(broken, ClientBroken::Refused(_)),
            Self::Http2(error) => error.is_library(),
        }
    }
}

impl Body for ReceivedBody {
    type Data = Bytes;
    type Error = ReceiveError;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReceiveError>>> {
        match self.get_mut() {
            Self::Http1(body) => Pin::new(body).poll_frame(cx).map_err(ReceiveError::Http1),
            Self::Http2(body) => Pin::new(body).poll_frame(cx).map_err(ReceiveError::Http2),
            Self::Ahead(ahead) => ahead.poll_frame(cx),
            Self::None => Poll::Ready(None),
        }
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
            Self::Ahead(ahead) => ahead.is_end_stream(),
            Self::None => true,
        }
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
            Self::Ahead(ahead) => ahead.size_hint(),
            Self::None => SizeHint::with_exact(0),
        }
    }
}

impl From<StreamBody> for ReceivedBody {
    fn from(body: StreamBody) -> Self {
        Self::Http2(body)
    }
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http1(error) => error.fmt(f),
            Self::Http2(error) => error.fmt(f),
        }
    }
}

impl Error for ReceiveError {}
