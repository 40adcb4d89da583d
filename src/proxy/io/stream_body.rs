//! The body that arrives on an HTTP/2 stream.
//!
//! The window of a piece is returned to the peer only when the next piece is polled, or when the
//! reader says so. So a reader that stops makes the peer stop on this stream, with one window of
//! memory, and on no other.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http::{HeaderMap, HeaderValue, header};
use http_body::{Body, Frame, SizeHint};

/// The bytes and trailers of one stream.
pub struct StreamBody {
    /// `None` only while this is dropped.
    stream: Option<RecvStream>,
    /// Gets the stream if this is dropped before the stream has ended.
    unread: Option<Unread>,
    /// Bytes still to come by `Content-Length`, which h2 enforces; `None`: the head had none.
    left: Option<u64>,
    /// Bytes that were handed on and are not yet returned to the peer's window.
    unreleased_bytes: usize,
    release: Release,
    stage: Stage,
}

/// When the window of handed-on bytes is returned to the peer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Release {
    /// When the next piece is polled.
    WhenPolled,
    /// When [`StreamBody::release_all_but`] is called.
    WhenCalled,
}

/// Keeps a stream whose body was dropped before its end. h2 would reset the stream if it were dropped too,
/// and many clients that are still sending would lose the answer.
#[derive(Clone, Default)]
pub struct Unread(Rc<Cell<Option<RecvStream>>>);

/// The next part of the stream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Data,
    Trailers,
    Over,
}

impl StreamBody {
    /// The body on `stream`, whose head had `headers`.
    pub fn new(stream: RecvStream, headers: &HeaderMap) -> Self {
        // h2 takes a lock for the answer, and this one does not change.
        let stage = match stream.is_end_stream() {
            true => Stage::Over,
            false => Stage::Data,
        };
        let length = match stage {
            Stage::Over => None,
            _ => headers.get(header::CONTENT_LENGTH),
        };
        Self {
            stream: Some(stream),
            unread: None,
            left: length.and_then(|value| value.to_str().ok()?.parse().ok()),
            unreleased_bytes: 0,
            release: Release::WhenPolled,
            stage,
        }
    }

    /// From here on, polling returns no window.
    pub(super) fn hold_window(&mut self) {
        self.release = Release::WhenCalled;
    }

    /// Returns the room of handed-on bytes to the peer's window, except for `kept` bytes.
    pub(super) fn release_all_but(&mut self, kept: usize) {
        let bytes = self.unreleased_bytes.saturating_sub(kept);
        if bytes > 0
            && let Some(stream) = &mut self.stream
        {
            self.unreleased_bytes -= bytes;
            // Fails only for more bytes than were received.
            let _ = stream.flow_control().release_capacity(bytes);
        }
    }

    /// What gets the stream if this is dropped before the stream has ended; `None`: it has ended already.
    pub fn unread(&mut self) -> Option<Unread> {
        if self.is_end_stream() {
            return None;
        }
        Some(self.unread.get_or_insert_default().clone())
    }

    /// The stream itself, to carry another protocol than HTTP. Only while nothing has been read from it.
    pub fn into_stream(mut self) -> Option<RecvStream> {
        self.stream.take()
    }

    /// Bytes that the peer has sent and that are not yet returned to its window.
    #[cfg(test)]
    pub(super) fn used(&mut self) -> usize {
        self.stream().flow_control().used_capacity()
    }

    fn stream(&mut self) -> &mut RecvStream {
        let stream = self.stream.as_mut();
        stream.expect("it is taken when this is dropped")
    }
}

/// Removes white space from both ends of field values, as an HTTP/1 parser does (RFC 9110 §5.5). HTTP/2
/// forbids it there (RFC 9113 §8.2.1), but h2 accepts it.
pub fn trim_values(headers: &mut HeaderMap) {
    let is_space = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    for value in headers.values_mut() {
        let bytes = value.as_bytes();
        if !is_space(bytes.first()) && !is_space(bytes.last()) {
            continue;
        }
        if let Ok(mut trimmed) = HeaderValue::from_bytes(bytes.trim_ascii()) {
            trimmed.set_sensitive(value.is_sensitive());
            *value = trimmed;
        }
    }
}

impl Unread {
    /// The stream, if its body was dropped before it ended.
    pub fn take(&self) -> Option<RecvStream> {
        self.0.take()
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        self.release_all_but(0);
        if let Some(unread) = self.unread.take()
            && !self.is_end_stream()
        {
            unread.0.set(self.stream.take());
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
        if this.release == Release::WhenPolled {
            this.release_all_but(0);
        }
        if this.stage == Stage::Data {
            match ready!(this.stream().poll_data(cx)) {
                Some(Ok(bytes)) => {
                    this.unreleased_bytes += bytes.len();
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
            let mut trailers = ready!(this.stream().poll_trailers(cx));
            this.stage = Stage::Over;
            if let Ok(Some(trailers)) = &mut trailers {
                trim_values(trailers);
            }
            return Poll::Ready(trailers.transpose().map(|map| map.map(Frame::trailers)));
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.stage == Stage::Over || self.stream.as_ref().is_none_or(RecvStream::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        // First, because an answer to HEAD has a length and no body.
        if self.is_end_stream() {
            return SizeHint::with_exact(0);
        }
        self.left
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lose_the_space_around_them_and_none_within() {
        let cases = [
            ("a b", "a b"),
            (" a", "a"),
            ("a\t", "a"),
            (" \t a\tb \t", "a\tb"),
            ("  ", ""),
            ("", ""),
        ];
        for (written, trimmed) in cases {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_str(written).expect("a value");
            headers.append("x", value.clone());
            headers.append("x", value);
            trim_values(&mut headers);
            let values: Vec<&HeaderValue> = headers.get_all("x").iter().collect();
            assert_eq!(values, [trimmed, trimmed], "{written:?}");
        }
    }
}
