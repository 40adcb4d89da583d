//! The one type of response body: a server's, the same compressed, a few bytes of our own, or what is in
//! its place: a tunnel, or the end of the connection.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::plan::Closing;
use crate::proxy::forward::{BodyError, ServerBody};
use crate::proxy::io::Exchange;

use super::compress::{CompressedBody, Encoder};
use super::upgrade::OpenTunnel;

/// The body of an answer to a client.
pub(super) enum ResponseBody {
    /// Streams from the server; ends the exchange when it ends.
    Server(ServerBody),
    /// The same, compressed. Boxed: the others would be larger for it.
    Compressed(Box<CompressedBody>),
    /// Our own.
    Own(Own),
    /// None: this tunnel follows the head. Ends nothing.
    Tunnel(Box<OpenTunnel>),
    /// None, and the head is not sent either: the connection is closed.
    Withheld {
        closing: Closing,
        /// Ends the exchange.
        _own: Own,
    },
}

/// A body of our own; the exchange ends when it is handed on, or dropped.
pub(super) struct Own {
    bytes: Bytes,
    exchange: Rc<Exchange>,
}

impl ResponseBody {
    /// Whether an HTTP/1 connection to a server is occupied by it.
    pub(super) fn holds_connection(&self) -> bool {
        match self {
            Self::Server(body) => body.holds_connection(),
            Self::Compressed(body) => body.holds_connection(),
            Self::Own(_) | Self::Tunnel(_) | Self::Withheld { .. } => false,
        }
    }

    /// How many bytes it has, if it is our own.
    pub(super) fn own_length(&self) -> Option<u64> {
        match self {
            Self::Server(_) | Self::Compressed(_) | Self::Tunnel(_) | Self::Withheld { .. } => None,
            Self::Own(own) => Some(own.bytes.len() as u64),
        }
    }
}

impl ResponseBody {
    /// A server's body, compressed; others stay as they are.
    pub(super) fn compressed(self, exchange: Rc<Exchange>, encoder: Encoder) -> Self {
        match self {
            Self::Server(body) => {
                Self::Compressed(Box::new(CompressedBody::new(body, exchange, encoder)))
            }
            other => other,
        }
    }
}

impl Own {
    pub(super) fn new(bytes: Bytes, exchange: Rc<Exchange>) -> Self {
        Self { bytes, exchange }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Server(body) => Pin::new(body).poll_frame(cx),
            Self::Compressed(body) => Pin::new(&mut **body).poll_frame(cx),
            Self::Tunnel(_) | Self::Withheld { .. } => Poll::Ready(None),
            Self::Own(own) if own.bytes.is_empty() => Poll::Ready(None),
            Self::Own(own) => {
                let bytes = std::mem::take(&mut own.bytes);
                let sent = &own.exchange.record.body_bytes_out;
                sent.set(sent.get() + bytes.len() as u64);
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Server(body) => body.is_end_stream(),
            Self::Compressed(body) => body.is_end_stream(),
            Self::Own(own) => own.bytes.is_empty(),
            Self::Tunnel(_) | Self::Withheld { .. } => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Server(body) => body.size_hint(),
            Self::Compressed(body) => body.size_hint(),
            Self::Own(own) => SizeHint::with_exact(own.bytes.len() as u64),
            Self::Tunnel(_) | Self::Withheld { .. } => SizeHint::with_exact(0),
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.exchange.end();
    }
}
