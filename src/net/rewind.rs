//! A stream with bytes that were read already, for the next reader.
//!
//! Peeking at the beginning of a connection reads all that has arrived, which may be more than was
//! needed. TLS and HTTP read these bytes first, and then the stream again.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::ReadBuf;

use super::stream::Stream;

/// Bytes that were read ahead, and their stream.
pub struct Rewind {
    /// Never empty.
    bytes: Bytes,
    stream: Stream,
}

impl Stream {
    /// This stream with `bytes`, which were read from it, in front of it again.
    #[must_use]
    pub fn rewound(self, bytes: Bytes) -> Self {
        if bytes.is_empty() {
            return self;
        }
        Self::Rewind(Box::new(Rewind {
            bytes,
            stream: self,
        }))
    }
}

impl Rewind {
    pub(super) fn stream(&self) -> &Stream {
        &self.stream
    }

    pub(super) fn stream_mut(&mut self) -> Pin<&mut Stream> {
        Pin::new(&mut self.stream)
    }

    pub(super) fn into_stream(self) -> Stream {
        self.stream
    }
}

/// Reads from `stream`, which is [`Stream::Rewind`]; when the bytes are used up it becomes the
/// stream below, so that later reads cost nothing more.
pub(super) fn poll_read(
    stream: &mut Stream,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
) -> Poll<std::io::Result<()>> {
    // Only during the replacement.
    let placeholder = Stream::Other(Box::new(tokio::io::empty()));
    match std::mem::replace(stream, placeholder) {
        Stream::Rewind(mut rewind) => {
            let taken = rewind.bytes.len().min(buf.remaining());
            buf.put_slice(&rewind.bytes[..taken]);
            rewind.bytes.advance(taken);
            *stream = if rewind.bytes.is_empty() {
                rewind.into_stream()
            } else {
                Stream::Rewind(rewind)
            };
            Poll::Ready(Ok(()))
        }
        other => {
            *stream = other;
            tokio::io::AsyncRead::poll_read(Pin::new(stream), cx, buf)
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn bytes_read_ahead_come_first_and_then_the_stream() {
        let (near, mut far) = duplex(64);
        let stream = Stream::Other(Box::new(near));
        let mut stream = stream.rewound(Bytes::from_static(b"first "));
        far.write_all(b"then").await.expect("it is open");
        let mut three = [0; 3];
        stream.read_exact(&mut three).await.expect("it is there");
        assert_eq!(&three, b"fir");
        assert!(matches!(stream, Stream::Rewind(_)));
        // Writes are not affected by the bytes.
        stream.write_all(b"answer").await.expect("it is open");
        stream.read_exact(&mut three).await.expect("it is there");
        assert!(matches!(stream, Stream::Other(_)));
        let mut rest = [0; 4];
        stream.read_exact(&mut rest).await.expect("it is there");
        assert_eq!(&rest, b"then");
        let mut answer = [0; 6];
        far.read_exact(&mut answer).await.expect("it is there");
        assert_eq!(&answer, b"answer");
    }

    #[test]
    fn nothing_read_ahead_costs_nothing() {
        let stream = Stream::Other(Box::new(tokio::io::empty()));
        assert!(matches!(stream.rewound(Bytes::new()), Stream::Other(_)));
    }
}
