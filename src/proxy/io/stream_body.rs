//! A body that comes on a stream of HTTP/2.
//!
//! The peer may send as much as its window lets it; what was handed on makes room for more only when
//! the next piece is asked for. So a reader that stops holds back its own stream, at one window of
//! memory, and nobody else's.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http::{HeaderMap, header};
use http_body::{Body, Frame, SizeHint};

/// The bytes and trailers of one stream.
pub struct StreamBody {
    stream: RecvStream,
    /// What the head said of its length; h2 holds the peer to it.
    left: Option<u64>,
    /// Handed on, and not yet given back to the peer's window.
    owed: usize,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Data,
    Trailers,
    Over,
}

impl StreamBody {
    /// The body on `stream`, whose head had `headers`.
    pub fn new(stream: RecvStream, headers: &HeaderMap) -> Self {
        let left = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        Self {
            stream,
            left,
            owed: 0,
            stage: Stage::Data,
        }
    }

    /// The stream, of which nothing was read yet: it carries no body after all.
    pub fn into_stream(self) -> RecvStream {
        self.stream
    }

    /// What the peer has sent and has not got its room back for.
    #[cfg(test)]
    pub(super) fn used(&mut self) -> usize {
        self.stream.flow_control().used_capacity()
    }

    /// Gives the peer room for what was handed on.
    fn pay(&mut self) {
        let owed = std::mem::take(&mut self.owed);
        if owed > 0 {
            // It fails only for more than was received.
            let _ = self.stream.flow_control().release_capacity(owed);
        }
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let this = self.get_mut();
        this.pay();
        if this.stage == Stage::Data {
            match ready!(this.stream.poll_data(cx)) {
                Some(Ok(bytes)) => {
                    this.owed = bytes.len();
                    this.left = this
                        .left
                        .map(|left| left.saturating_sub(bytes.len() as u64));
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Err(error)) => {
                    this.stage = Stage::Over;
                    return Poll::Ready(Some(Err(error)));
                }
                None => this.stage = Stage::Trailers,
            }
        }
        if this.stage == Stage::Trailers {
            let trailers = ready!(this.stream.poll_trailers(cx));
            this.stage = Stage::Over;
            return Poll::Ready(trailers.transpose().map(|map| map.map(Frame::trailers)));
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.stage == Stage::Over || self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // Before the length: that of an answer to HEAD is that of a body which does not come.
        if self.is_end_stream() {
            return SizeHint::with_exact(0);
        }
        self.left
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
