//! A connection that h2, or our HTTP/1 codec towards servers, owns, and whose progress can still be
//! read.
//!
//! The socket is shared between its owner and a [`SocketTracker`], which the task with the deadlines
//! uses when a peer seems to take nothing.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::{HalfClose, Stream};
use crate::plan::Closing;

use super::send_progress::SendProgress;

/// A connection whose progress can be read while its owner reads and writes it.
pub struct TrackedSocket(Rc<Shared>);

/// Reads how much the peer of a [`TrackedSocket`] has taken.
#[derive(Clone)]
pub struct SocketTracker(Rc<Shared>);

struct Shared {
    /// `None` once it was taken back.
    stream: RefCell<Option<Stream>>,
    /// Bytes that it took. Written by [`TrackedSocket`].
    written: Cell<u64>,
    /// Whether it refused more at the last write. Written by [`TrackedSocket`].
    is_full: Cell<bool>,
    /// Tasks that have more to write and wait until it takes some again: at most one for each of
    /// its streams. Written by [`SocketTracker::poll_room`] and [`TrackedSocket`].
    waiting: RefCell<Vec<Waker>>,
    /// How many bytes may still be read before the head of an answer; `None`: no head is waited
    /// for. Written by [`SocketTracker::await_head`] and [`TrackedSocket`].
    head_left: Cell<Option<u64>>,
    on_write_error: OnWriteError,
    /// Whether the peer reads no more. Written by [`TrackedSocket`].
    is_write_closed: Cell<bool>,
}

/// What to do when the peer reads no more: it has closed the connection or reset it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnWriteError {
    /// Fail the write.
    Fail,
    /// Discard the written bytes, and read on: the peer may have sent an answer before.
    KeepReading,
}

impl TrackedSocket {
    /// For a connection to a client.
    pub fn new(stream: Stream) -> Self {
        Self::of(stream, OnWriteError::Fail)
    }

    /// A connection to a server. If the server answers before it has the whole request, and closes,
    /// the next write fails; the writer would then stop with the answer unread.
    pub fn to_server(stream: Stream) -> Self {
        Self::of(stream, OnWriteError::KeepReading)
    }

    fn of(stream: Stream, on_write_error: OnWriteError) -> Self {
        Self(Rc::new(Shared {
            stream: RefCell::new(Some(stream)),
            written: Cell::new(0),
            is_full: Cell::new(false),
            waiting: RefCell::default(),
            head_left: Cell::new(None),
            on_write_error,
            is_write_closed: Cell::new(false),
        }))
    }

    /// A tracker of it.
    pub fn tracker(&self) -> SocketTracker {
        SocketTracker(Rc::clone(&self.0))
    }

    /// The connection below.
    pub fn into_inner(self) -> Stream {
        let stream = self.0.stream.take();
        stream.expect("only this takes it")
    }

    /// As [`Stream::sent`].
    pub fn sent(&self) -> Option<u64> {
        self.0.with(Stream::sent).flatten()
    }

    /// As [`Stream::has_peer_left`].
    pub fn has_peer_left(&self, half_close: HalfClose) -> bool {
        self.0
            .with(|stream| stream.has_peer_left(half_close))
            .unwrap_or(true)
    }

    /// As [`Stream::has_unread`].
    pub fn has_unread(&self) -> bool {
        self.0.with(Stream::has_unread).unwrap_or(false)
    }

    /// As [`Stream::send_queue`].
    pub fn send_queue(&self) -> Option<u64> {
        self.0.with(Stream::send_queue).flatten()
    }

    /// As [`Stream::poll_write_more`].
    pub fn poll_write_more(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0
            .write_some_of(bufs, |stream| stream.poll_write_more(cx, bufs))
    }

    /// As [`Stream::push`].
    pub fn push(&self) {
        self.0.with(Stream::push);
    }

    /// As [`Stream::is_wanted`].
    pub fn is_wanted(&self) -> bool {
        self.0.with(Stream::is_wanted).unwrap_or(false)
    }

    /// Bytes that it has taken.
    pub fn written(&self) -> u64 {
        self.0.written.get()
    }

    /// Whether the peer reads no more: written bytes are discarded.
    pub fn is_write_closed(&self) -> bool {
        self.0.is_write_closed.get()
    }
}

impl SocketTracker {
    /// How far the written bytes have come; `None` if the system does not report it. One system
    /// call.
    pub fn progress(&self) -> Option<SendProgress> {
        let written = self.0.written.get();
        self.0
            .with(|stream| SendProgress::of(stream, written))
            .flatten()
    }

    /// Closes the connection, which h2 owns, so that the peer sees a reset: bytes that the peer has
    /// not taken are discarded.
    pub fn reset(&self) {
        if let Some(stream) = self.0.stream.take() {
            stream.reset();
        }
    }

    /// Closes the connection, which h2 owns, as a rule says. Bytes that the peer has not taken are
    /// discarded.
    pub fn close(&self, closing: Closing) {
        if let Some(stream) = self.0.stream.take() {
            match closing {
                Closing::Reset => stream.reset(),
                Closing::Silent => stream.vanish(),
            }
        }
    }

    /// Ready when the peer takes the written bytes. Bytes that are passed to the connection earlier
    /// are only held by h2, while their sender considers them sent.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_full() {
            return Poll::Ready(());
        }
        let mut waiting = self.0.waiting.borrow_mut();
        if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Allows the peer so many bytes, with any bytes read along with them, before the head of its
    /// answer: interim answers, and a head in pieces. Reading more fails.
    pub fn await_head(&self, bytes: u64) {
        self.0.head_left.set(Some(bytes));
    }

    /// Notes that the head has come.
    pub fn head_came(&self) {
        self.0.head_left.set(None);
    }

    /// Whether the peer has sent more before the head of its answer.
    pub fn has_said_too_much(&self) -> bool {
        self.0.head_left.get() == Some(0)
    }

    /// As [`Stream::is_wanted`].
    pub fn is_wanted(&self) -> bool {
        self.0.with(Stream::is_wanted).unwrap_or(false)
    }

    /// Bytes that were written to it.
    pub fn written(&self) -> u64 {
        self.0.written.get()
    }

    /// Whether the peer reads no more: written bytes are discarded.
    pub fn is_write_closed(&self) -> bool {
        self.0.is_write_closed.get()
    }

    /// Whether h2 holds bytes back.
    pub(super) fn is_full(&self) -> bool {
        self.0.is_full.get()
    }
}

impl Shared {
    fn with<T>(&self, ask: impl FnOnce(&Stream) -> T) -> Option<T> {
        self.stream.borrow().as_ref().map(ask)
    }

    #[inline]
    fn poll<T>(
        &self,
        poll: impl FnOnce(&mut Stream) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut *self.stream.borrow_mut() {
            Some(stream) => poll(stream),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    #[inline]
    fn note_full(&self, is_full: bool) {
        if self.is_full.replace(is_full) && !is_full {
            for waker in self.waiting.take() {
                waker.wake();
            }
        }
    }

    /// Writes some of `bufs`.
    #[inline]
    fn write_some_of(
        &self,
        bufs: &[IoSlice<'_>],
        write: impl FnOnce(&mut Stream) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if self.is_write_closed.get() {
            return thrown_away(bufs);
        }
        let written = self.poll(write);
        self.note_full(written.is_pending());
        match &written {
            Poll::Ready(Ok(count)) => self.written.set(self.written.get() + *count as u64),
            Poll::Ready(Err(error)) if self.keeps_reading(error) => return thrown_away(bufs),
            _ => {}
        }
        written
    }

    /// Whether to read on although writing failed with `error`.
    #[cold]
    fn keeps_reading(&self, error: &io::Error) -> bool {
        let is_write_closed = matches!(
            error.kind(),
            io::ErrorKind::BrokenPipe
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
        );
        let keeps_reading = is_write_closed && self.on_write_error == OnWriteError::KeepReading;
        if keeps_reading {
            self.is_write_closed.set(true);
        }
        keeps_reading
    }
}

/// Discards bytes for a peer that reads no more.
#[cold]
fn thrown_away(bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
    Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()))
}

impl Drop for TrackedSocket {
    /// The connection ends with its owner, and not with the last tracker.
    fn drop(&mut self) {
        drop(self.0.stream.take());
        self.0.note_full(false);
    }
}

impl AsyncRead for TrackedSocket {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(left) = self.0.head_left.get() else {
            return self.0.poll(|stream| Pin::new(stream).poll_read(cx, buf));
        };
        if left == 0 {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let before = buf.filled().len();
        let read = self.0.poll(|stream| Pin::new(stream).poll_read(cx, buf));
        let count = (buf.filled().len() - before) as u64;
        self.0.head_left.set(Some(left.saturating_sub(count)));
        read
    }
}

impl AsyncWrite for TrackedSocket {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let bufs = &[IoSlice::new(buf)];
        self.0
            .write_some_of(bufs, |stream| Pin::new(stream).poll_write(cx, buf))
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.write_some_of(bufs, |stream| {
            Pin::new(stream).poll_write_vectored(cx, bufs)
        })
    }

    #[inline]
    fn is_write_vectored(&self) -> bool {
        self.0.with(AsyncWrite::is_write_vectored).unwrap_or(false)
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.0.is_write_closed.get() {
            return Poll::Ready(Ok(()));
        }
        let flushed = self.0.poll(|stream| Pin::new(stream).poll_flush(cx));
        if let Poll::Ready(Err(error)) = &flushed
            && self.0.keeps_reading(error)
        {
            return Poll::Ready(Ok(()));
        }
        // Under TLS the flush shows it.
        self.0.note_full(flushed.is_pending());
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll(|stream| Pin::new(stream).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    use super::*;

    /// A connection with a tracker, and its peer.
    fn pair() -> (TrackedSocket, UnixStream) {
        let (near, far) = UnixStream::pair().expect("a pair");
        (TrackedSocket::new(Stream::Unix(near.into())), far)
    }

    #[tokio::test]
    async fn the_answer_of_a_server_that_has_closed_is_read_to_its_end() {
        for to_server in [true, false] {
            let (near, mut far) = UnixStream::pair().expect("a pair");
            far.write_all(b"an answer").await.expect("taken");
            drop(far);
            let near = Stream::Unix(near.into());
            let mut near = match to_server {
                true => TrackedSocket::to_server(near),
                false => TrackedSocket::new(near),
            };
            let tracker = near.tracker();
            let written = near.write_all(&[b'x'; 1000]).await;
            assert_eq!(
                (written.is_ok(), tracker.is_write_closed()),
                (to_server, to_server)
            );
            assert_eq!(tracker.written(), 0);
            near.flush().await.expect("there is nothing to flush");
            let mut heard = String::new();
            let read = near.read_to_string(&mut heard).await;
            assert_eq!((read.expect("an end"), &*heard), (9, "an answer"));
        }
    }

    #[tokio::test]
    async fn the_connection_ends_with_its_owner() {
        let (near, mut far) = pair();
        let tracker = near.tracker();
        drop(near);
        assert_eq!(far.read(&mut [0]).await.expect("an end"), 0);
        assert_eq!(tracker.progress(), None);
    }
}
