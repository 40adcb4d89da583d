//! The client's socket as hyper is given it, with an eye on what passes.
//!
//! hyper does not say when a head has begun, whether everything was flushed, or which status it
//! answered a malformed head with. All three can be seen on the socket, so the wrapper notes them
//! for `http::h1`.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::{HalfClose, Stream};

use super::blocked::Blocked;
use super::gauge::{Gauge, GaugedStream};

/// What was seen on a client connection. Written by [`WatchedStream`], read and reset by `http::h1`.
#[derive(Debug, Default)]
pub struct Watch {
    /// Whether bytes have come after the last exchange.
    pub heard: Cell<bool>,
    /// Whether the last thing that was asked of the write side was to flush, and it did. hyper
    /// asks that only when it holds nothing back (with `pipeline_flush` off).
    pub flushed: Cell<bool>,
    /// Whether the client takes what we want to send.
    pub blocked: Blocked,
    /// Whether it was so since the last exchange.
    pub was_blocked: Cell<bool>,
    /// Asks the socket, at the next flush, to look whether the client has gone. Written by
    /// `http::h1` while nobody reads: hyper does not see the end behind bytes that wait.
    pub look: Cell<Option<HalfClose>>,
    /// Whether an exchange is open: what is written then is its response.
    pub in_exchange: Cell<bool>,
    /// The status that hyper answered by itself, outside of any exchange; 0: none.
    pub own_status: Cell<u16>,
}

/// The client's socket, preceded by what was read from it earlier.
pub struct WatchedStream {
    stream: GaugedStream,
    prefix: Bytes,
    watch: Rc<Watch>,
}

impl WatchedStream {
    /// `prefix` is read before anything from `stream`.
    pub fn new(stream: Stream, prefix: Bytes, watch: Rc<Watch>) -> Self {
        Self {
            stream: GaugedStream::new(stream),
            prefix,
            watch,
        }
    }

    /// The socket, and what of the prefix was not read.
    pub fn into_parts(self) -> (Stream, Bytes) {
        (self.stream.into_inner(), self.prefix)
    }

    /// Whom to ask what the client has taken.
    pub fn gauge(&self) -> Gauge {
        self.stream.gauge()
    }

    fn note_read(&self) {
        if !self.watch.in_exchange.get() {
            self.watch.heard.set(true);
        }
    }

    fn note_written<T>(&self, written: &Poll<io::Result<T>>, first: &[u8]) {
        self.watch.flushed.set(false);
        self.watch.blocked.note_written(written, self.stream.sent());
        if written.is_pending() {
            self.watch.was_blocked.set(true);
            return;
        }
        if !self.watch.in_exchange.get()
            && let Some(status) = status_of(first)
        {
            self.watch.own_status.set(status);
        }
    }
}

/// The status in the first bytes of a response head.
fn status_of(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if self.prefix.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        } else {
            let length = self.prefix.len().min(buf.remaining());
            buf.put_slice(&self.prefix[..length]);
            self.prefix.advance(length);
            if self.prefix.is_empty() {
                // An empty `Bytes` still holds the buffer it was cut from.
                self.prefix = Bytes::new();
            }
        }
        if buf.filled().len() > before {
            self.note_read();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note_written(&written, buf);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        let first: &[u8] = bufs.first().map_or(&[], |slice| slice);
        self.note_written(&written, first);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(half_close) = self.watch.look.take()
            && self.stream.has_peer_left(half_close)
        {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        let Watch {
            blocked,
            was_blocked,
            ..
        } = &*self.watch;
        blocked.note_flushed(&flushed, self.stream.sent());
        if blocked.is_so() {
            was_blocked.set(true);
        }
        self.watch
            .flushed
            .set(matches!(flushed, Poll::Ready(Ok(()))));
        flushed
    }

    /// Does nothing: `http::h1` shuts the socket down itself, after it has decided whether there
    /// is something left to read first.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_read_from_a_response_head_only() {
        assert_eq!(status_of(b"HTTP/1.1 431 Request Header"), Some(431));
        assert_eq!(status_of(b"HTTP/1.0 400 Bad"), Some(400));
        assert_eq!(status_of(b"HTTP/1.1 4"), None);
        assert_eq!(status_of(b"hello world, 200"), None);
        assert_eq!(status_of(b""), None);
    }
}
