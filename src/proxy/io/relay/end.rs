//! One end of a relay: a connection, or a stream of HTTP/2.

use std::any::Any;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::{RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::base::tasks;
use crate::net::{Pipe, Stream};
use crate::proxy::io::parting::reset_when_taken;
use crate::proxy::io::send_progress::SendProgress;

/// How many bytes are read at a time if the buffer is zeroed first; also the size of a TLS record
/// and an HTTP/2 frame.
pub(super) const SMALL_PIECE_BYTES: usize = 16 << 10;

/// One end of a relay.
pub enum End {
    /// A whole connection.
    Connection(Stream),
    /// A stream of HTTP/2.
    H2(Box<H2End>),
}

/// Both halves of a stream of HTTP/2.
pub struct H2End {
    send: SendStream<Bytes>,
    recv: RecvStream,
    /// Received, and not yet returned to the peer's window.
    owed: usize,
    /// The permit on the connection. Last: it is released after the stream is dropped.
    _permit: Option<Box<dyn Any>>,
}

/// How an end has stopped reading.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Deaf {
    /// It has sent all, and reads no more (RFC 9113 §8.1).
    Content,
    Broken,
}

impl End {
    /// A stream of HTTP/2 whose heads have been exchanged.
    pub fn h2(send: SendStream<Bytes>, recv: RecvStream) -> Self {
        Self::H2(Box::new(H2End {
            send,
            recv,
            owed: 0,
            _permit: None,
        }))
    }

    /// The same; `permit` is dropped with it.
    pub fn h2_with(permit: impl Any, send: SendStream<Bytes>, recv: RecvStream) -> Self {
        Self::H2(Box::new(H2End {
            send,
            recv,
            owed: 0,
            _permit: Some(Box::new(permit)),
        }))
    }

    /// Closes it so that the peer sees that it did not get everything.
    pub(super) fn reset(self) {
        match self {
            Self::Connection(stream) => stream.reset(),
            Self::H2(mut end) => end.send.send_reset(h2::Reason::CANCEL),
        }
    }

    /// The same, once the peer's system has taken what was passed on. For a stream, its
    /// connection's task has one turn to send that.
    pub(super) async fn reset_when_taken(self) {
        match self {
            Self::Connection(stream) => reset_when_taken(stream).await,
            Self::H2(mut end) => {
                tasks::yield_now().await;
                end.send.send_reset(h2::Reason::CANCEL);
            }
        }
    }

    /// Closes it after everything was sent.
    pub(super) fn close(self) {
        match self {
            Self::Connection(stream) => stream.close(),
            Self::H2(_) => {}
        }
    }

    /// Writes as much of `data` as it takes now, and removes that.
    pub(super) fn poll_give(
        &mut self,
        cx: &mut Context<'_>,
        data: &mut Bytes,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Connection(stream) => {
                let taken = ready!(poll_write(stream, cx, data))?;
                data.advance(taken);
                Poll::Ready(Ok(()))
            }
            Self::H2(end) => end.poll_give(cx, data),
        }
    }

    /// The same for the bytes in `pipe`; returns how many.
    pub(super) fn poll_drain(
        &mut self,
        cx: &mut Context<'_>,
        pipe: &mut Pipe,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Connection(stream) => pipe.poll_drain(cx, stream),
            // HTTP/2 streams are not spliced.
            Self::H2(_) => Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
        }
    }

    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Connection(stream) => Pin::new(stream).poll_flush(cx),
            Self::H2(_) => Poll::Ready(Ok(())),
        }
    }

    /// Sends the end.
    pub(super) fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Connection(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::H2(end) => {
                let sent = end.send.send_data(Bytes::new(), true);
                Poll::Ready(sent.map_err(io::Error::other))
            }
        }
    }

    /// How far the `written` bytes have come; unknown for a stream.
    pub(super) fn progress(&self, written: u64) -> Option<SendProgress> {
        match self {
            Self::Connection(stream) => SendProgress::of(stream, written),
            Self::H2(_) => None,
        }
    }

    /// Ready when it has stopped reading, if reading from it would not show that.
    pub(super) fn poll_deaf(&mut self, cx: &mut Context<'_>) -> Poll<Deaf> {
        match self {
            Self::Connection(_) => Poll::Pending,
            Self::H2(end) => end.send.poll_reset(cx).map(|reset| match reset {
                Ok(h2::Reason::NO_ERROR) => Deaf::Content,
                _ => Deaf::Broken,
            }),
        }
    }
}

impl H2End {
    /// The next piece; `None` at the end. Polling it returns the room of the last one.
    pub(super) fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        let owed = std::mem::take(&mut self.owed);
        if owed > 0 {
            // It fails only for more than was received.
            let _ = self.recv.flow_control().release_capacity(owed);
        }
        let piece = ready!(self.recv.poll_data(cx));
        let piece = piece.transpose().map_err(io::Error::other)?;
        self.owed = piece.as_ref().map_or(0, Bytes::len);
        Poll::Ready(Ok(piece))
    }

    pub(super) fn poll_give(
        &mut self,
        cx: &mut Context<'_>,
        data: &mut Bytes,
    ) -> Poll<io::Result<()>> {
        self.send
            .reserve_capacity(data.len().min(SMALL_PIECE_BYTES));
        let mut room = self.send.capacity();
        if room == 0 {
            room = match ready!(self.send.poll_capacity(cx)) {
                Some(room) => room.map_err(io::Error::other)?,
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            };
        }
        let piece = data.split_to(room.min(data.len()));
        let sent = self.send.send_data(piece, false);
        Poll::Ready(sent.map_err(io::Error::other))
    }
}

/// Writes some of `data`. A connection that takes 0 bytes and reports success is broken.
pub(super) fn poll_write(
    stream: &mut Stream,
    cx: &mut Context<'_>,
    data: &[u8],
) -> Poll<io::Result<usize>> {
    match ready!(Pin::new(stream).poll_write(cx, data)) {
        Ok(0) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
        written => Poll::Ready(written),
    }
}

/// Reads and discards; 0 at the end.
pub(super) fn poll_discard(cx: &mut Context<'_>, source: &mut End) -> Poll<io::Result<usize>> {
    match source {
        End::Connection(stream) => {
            let mut room = [const { MaybeUninit::uninit() }; SMALL_PIECE_BYTES];
            let mut buffer = ReadBuf::uninit(&mut room);
            ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
            Poll::Ready(Ok(buffer.filled().len()))
        }
        End::H2(end) => {
            let piece = ready!(end.poll_take(cx))?;
            // An empty frame is not the end.
            Poll::Ready(Ok(piece.map_or(0, |piece| piece.len().max(1))))
        }
    }
}
