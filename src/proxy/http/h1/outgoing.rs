//! The body of a response as hyper is given it.
//!
//! A body that breaks off is an error, and at an error hyper drops what it has gathered: the head too,
//! if that was not written yet. Here such a body falls silent instead. hyper writes what it has, and
//! then `h1` ends the connection.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Version;
use http_body::{Body, Frame, SizeHint};

use crate::proxy::forward::BodyError;
use crate::proxy::http::body::ResponseBody;
use crate::proxy::io::Watch;

/// A response body on its way to a client of HTTP/1.
pub(super) struct Outgoing {
    /// `None`: it has broken off.
    body: Option<ResponseBody>,
    framing: Framing,
    watch: Rc<Watch>,
}

/// How a client of HTTP/1 knows where a body ends (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Framing {
    /// By `content-length`, or there is none.
    #[default]
    Length,
    /// By its last chunk.
    Chunks,
    /// By the end of the connection.
    Close,
}

impl Outgoing {
    /// `body`, in answer to a request in `version`.
    pub(super) fn new(body: ResponseBody, version: Version, watch: Rc<Watch>) -> Self {
        let framing = Framing::of(&body, version);
        Self {
            body: Some(body),
            framing,
            watch,
        }
    }

    pub(super) fn framing(&self) -> Framing {
        self.framing
    }
}

impl Framing {
    /// What hyper makes of `body`.
    fn of(body: &ResponseBody, version: Version) -> Self {
        match body.size_hint().exact() {
            Some(_) => Self::Length,
            None if version == Version::HTTP_10 => Self::Close,
            None => Self::Chunks,
        }
    }

    /// Bytes that stand around a piece of the body.
    fn around(self, piece: usize) -> u64 {
        match self {
            Self::Length | Self::Close => 0,
            // Its size in hexadecimal digits, and two line ends.
            Self::Chunks => u64::from(piece.max(1).ilog2() / 4 + 1) + 4,
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if this.watch.has_broken_off.get() {
            // Dropping it lets the server go.
            this.body = None;
        }
        let Some(body) = &mut this.body else {
            return Poll::Pending;
        };
        match ready!(Pin::new(body).poll_frame(cx)) {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    let around = this.framing.around(data.len());
                    this.watch.unflushed.add(data.len() as u64, around);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            // Why is among the facts of the exchange.
            Some(Err(_)) => {
                this.watch.has_broken_off.set(true);
                this.body = None;
                Poll::Pending
            }
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_some_and(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(SizeHint::default, Body::size_hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_a_chunk_is_its_size_and_two_line_ends() {
        for (piece, around) in [(1, 5), (15, 5), (16, 6), (255, 6), (256, 7), (65_536, 9)] {
            let digits = format!("{piece:x}").len() as u64;
            assert_eq!(Framing::Chunks.around(piece), around);
            assert_eq!(around, digits + 4);
        }
        assert_eq!(Framing::Length.around(100), 0);
    }
}
