//! One connection, whatever carries it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::other::Io;

/// Up to here, pieces are copied together and sent as one: `send` takes a shorter way through the
/// kernel than `writev`, which is worth more than a copy that stays in the first-level cache.
const GATHERED_HERE_BYTES: usize = 2048;

/// A connection of the system's network or of a simulated one.
///
/// An enum and not a type parameter: the rooms above stay free of generics, and the branch is
/// always predicted.
pub enum Stream {
    /// TCP of the system.
    Tcp(TcpStream),
    /// Anything else.
    Other(Box<dyn Io>),
}

/// What it means that a peer sends no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalfClose {
    /// It waits for the answer all the same.
    IsFine,
    /// It has gone.
    IsLeaving,
}

impl Stream {
    /// Whether the peer has gone: it has reset the connection, or has closed its side and more than
    /// its side is of interest (`half_close` off). Looks past bytes that have arrived and nobody has
    /// read, but not past those that the peer could not send yet: its FIN stands behind them. One
    /// system call.
    pub fn has_peer_left(&self, half_close: HalfClose) -> bool {
        let Self::Tcp(stream) = self else {
            return false;
        };
        let wanted = match half_close {
            HalfClose::IsLeaving => PollFlags::RDHUP,
            HalfClose::IsFine => PollFlags::empty(),
        };
        let mut sockets = [PollFd::new(stream, wanted)];
        // Errors and resets are reported whether asked for or not.
        poll(&mut sockets, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }

    /// Closes it so that the peer sees a reset and not an end: what it got is not all.
    pub fn reset(self) {
        if let Self::Tcp(stream) = &self {
            // Without the option it is only closed; nothing else can be done about it.
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }
}

impl AsyncRead for Stream {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Other(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Other(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // A head with a few bytes of body costs less copied together than gathered by the kernel.
        if let [only] = bufs {
            return self.poll_write(cx, only);
        }
        let length: usize = bufs.iter().map(|buf| buf.len()).sum();
        if length <= GATHERED_HERE_BYTES {
            let mut room = [0; GATHERED_HERE_BYTES];
            let mut filled = 0;
            for buf in bufs {
                room[filled..filled + buf.len()].copy_from_slice(buf);
                filled += buf.len();
            }
            return self.poll_write(cx, &room[..filled]);
        }
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Other(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    #[inline]
    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Other(stream) => stream.is_write_vectored(),
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Other(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Other(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
