//! A body that comes on a stream of HTTP/2.
//!
//! The peer may send as much as its window lets it; what was handed on makes room for more only when
//! the next piece is asked for. So a reader that stops holds back its own stream, at one window of
//! memory, and no other.

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
    /// Taken when this is dropped.
    stream: Option<RecvStream>,
    /// Where the stream goes if it has not ended when its body is dropped.
    unread: Option<Unread>,
    /// What the head said of its length; h2 holds the peer to it.
    left: Option<u64>,
    /// Handed on, and not yet given back to the peer's window.
    owed: usize,
    stage: Stage,
}

/// A stream whose body is not wanted any more. h2 resets one that is dropped before its end,
/// and many clients that are still sending lose the answer by that.
#[derive(Clone, Default)]
pub struct Unread(Rc<Cell<Option<RecvStream>>>);

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
            stream: Some(stream),
            unread: None,
            left,
            owed: 0,
            stage: Stage::Data,
        }
    }

    /// Where the stream will be if this is dropped before its end; `None`: it has no body.
    pub fn unread(&mut self) -> Option<Unread> {
        if self.is_end_stream() {
            return None;
        }
        Some(self.unread.get_or_insert_default().clone())
    }

    /// The stream, of which nothing was read yet: it carries no body after all.
    pub fn into_stream(mut self) -> Option<RecvStream> {
        self.stream.take()
    }

    /// What the peer has sent and has not got its room back for.
    #[cfg(test)]
    pub(super) fn used(&mut self) -> usize {
        self.stream().flow_control().used_capacity()
    }

    fn stream(&mut self) -> &mut RecvStream {
        let stream = self.stream.as_mut();
        stream.expect("it is taken when this is dropped")
    }

    /// Gives the peer room for what was handed on.
    fn pay(&mut self) {
        let owed = std::mem::take(&mut self.owed);
        if owed > 0
            && let Some(stream) = &mut self.stream
        {
            // It fails only for more than was received.
            let _ = stream.flow_control().release_capacity(owed);
        }
    }
}

/// Takes the white space off both ends of field values, as a reader of HTTP/1 does (RFC 9110 §5.5). In
/// HTTP/2 none may stand there (RFC 9113 §8.2.1), and h2 lets it through.
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
        self.pay();
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
        this.pay();
        if this.stage == Stage::Data {
            match ready!(this.stream().poll_data(cx)) {
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
        let has_ended = self.stream.as_ref().is_none_or(RecvStream::is_end_stream);
        self.stage == Stage::Over || has_ended
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
