//! The beginning of a body, kept for the case that it has to be sent again.
//!
//! HTTP/2 lets a server say that it did nothing with a request, often after we have sent its whole
//! body: a connection that closes after so many requests does it all day. A short body is kept until
//! the answer begins. Pieces are kept as they came, and shared, not copied.

use std::collections::VecDeque;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;

/// What is kept of one body: most forms and calls of an API are shorter, and more would be memory
/// that each upload occupies.
const MOST_BYTES: usize = 16 << 10;

/// What was handed on of a body, or is about to be once more.
#[derive(Default)]
pub(super) struct ReplayBuffer {
    pieces: VecDeque<Bytes>,
    bytes: usize,
    trailers: Option<HeaderMap>,
}

impl ReplayBuffer {
    /// Keeps `frame` too; `false`: it is too much.
    pub(super) fn keep(&mut self, frame: &Frame<Bytes>) -> bool {
        if let Some(data) = frame.data_ref() {
            self.bytes += data.len();
            // What a piece shares its memory with is not seen from here; hyper and h2 read into
            // buffers of no more than some frames.
            self.pieces.push_back(data.clone());
        } else if let Some(trailers) = frame.trailers_ref() {
            self.trailers = Some(trailers.clone());
        }
        self.bytes <= MOST_BYTES
    }

    /// The next frame that was kept.
    pub(super) fn next(&mut self) -> Option<Frame<Bytes>> {
        if let Some(piece) = self.pieces.pop_front() {
            self.bytes -= piece.len();
            return Some(Frame::data(piece));
        }
        self.trailers.take().map(Frame::trailers)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.trailers.is_none()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// These first, and then `rest`.
    pub(super) fn followed_by(mut self, rest: Self) -> Self {
        self.bytes += rest.bytes;
        self.pieces.extend(rest.pieces);
        self.trailers = self.trailers.or(rest.trailers);
        self
    }
}
