//! The body of a request as it comes from a client, by HTTP/1 or HTTP/2.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::RecvStream;
use http_body::{Body, Frame, SizeHint};

use super::client_socket::{ClientBody, ClientBroken};
use super::stream_body::StreamBody;

/// The body of a request.
pub enum ReceivedBody {
    /// By HTTP/1.
    Http1(ClientBody),
    /// By HTTP/2.
    Http2(StreamBody),
    /// Why it ended early.
    None,
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
        if let Self::Http2(body) = self {
            body.hold_window();
        }
    }

    /// As [`StreamBody::release_all_but`].
    #[inline]
    pub(super) fn release_all_but(&mut self, kept: usize) {
        if let Self::Http2(body) = self {
            body.release_all_but(kept);
        }
    }

    /// The HTTP/2 stream of it; none by HTTP/1.
    pub fn into_stream(self) -> Option<RecvStream> {
        match self {
            Self::Http1(_) | Self::None => None,
            Self::Http2(body) => body.into_stream(),
        }
    }
}

impl ReceiveError {
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
            Self::None => Poll::Ready(None),
        }
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
            Self::None => true,
        }
    }

    #[inline]
    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
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
