//! One connection, whatever carries it.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::counted::Counted;
use super::descriptors::Permit;
use super::other::Io;
use super::rewind::{self, Rewind};
use super::send_queue;
use super::tls_stream::TlsStream;

/// Pieces up to this size are copied together and sent as one: `send` is shorter in the kernel than
/// `writev`, which is worth more than a copy that stays in the first-level cache.
const GATHERED_HERE_BYTES: usize = 2048;

/// `send(2)`: more is to follow.
const MSG_MORE: i32 = 0x8000;

/// A connection of the system's network or of a simulated one, in the clear or under TLS.
///
/// An enum and not a type parameter: the rooms above stay free of generics, and the branch is
/// always predicted.
pub enum Stream {
    /// TCP of the system.
    Tcp(Counted<TcpStream>),
    /// A Unix socket.
    Unix(Counted<UnixStream>),
    /// One of these with bytes that were read already, for the next reader.
    Rewind(Box<Rewind>),
    /// TLS over another of these.
    Tls(Box<TlsStream>),
    /// Anything else.
    Other(Box<dyn Io>),
}

/// The meaning of the end of a peer's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalfClose {
    /// The peer waits for the answer all the same.
    IsFine,
    /// The peer has left.
    IsLeaving,
}

impl Stream {
    /// The same connection, which holds `permit` until it is closed.
    #[must_use]
    pub fn holding(mut self, permit: Permit) -> Self {
        match &mut self {
            Self::Tcp(stream) => stream.hold(permit),
            Self::Unix(stream) => stream.hold(permit),
            // A new connection has nothing around it, and one that is no socket takes no
            // descriptor.
            Self::Rewind(_) | Self::Tls(_) | Self::Other(_) => {}
        }
        self
    }

    /// Whether an exchange waits for its permit.
    pub fn is_wanted(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_wanted(),
            Self::Unix(stream) => stream.is_wanted(),
            Self::Tls(tls) => tls.below().is_wanted(),
            Self::Rewind(rewind) => rewind.stream().is_wanted(),
            Self::Other(_) => false,
        }
    }

    /// Whether the peer has left: it has reset the connection, or has closed its side where that
    /// counts as leaving (`half_close` off). Sees a FIN after bytes that have arrived and are not
    /// read yet, but not after bytes that the peer could not send yet. One system call.
    pub fn has_peer_left(&self, half_close: HalfClose) -> bool {
        let stream = match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
            Self::Tls(tls) => return tls.below().has_peer_left(half_close),
            Self::Rewind(rewind) => return rewind.stream().has_peer_left(half_close),
            Self::Other(_) => return false,
        };
        let wanted = match half_close {
            HalfClose::IsLeaving => PollFlags::RDHUP,
            HalfClose::IsFine => PollFlags::empty(),
        };
        let mut sockets = [PollFd::from_borrowed_fd(stream, wanted)];
        // Errors and resets are reported in any case.
        poll(&mut sockets, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }

    /// Whether bytes have arrived that were not read, or the end of the peer's side. One system call.
    pub fn has_unread(&self) -> bool {
        let stream = match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
            Self::Tls(tls) => return tls.below().has_unread(),
            Self::Rewind(rewind) => return rewind.stream().has_unread(),
            Self::Other(_) => return false,
        };
        let mut sockets = [PollFd::from_borrowed_fd(stream, PollFlags::IN)];
        poll(&mut sockets, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }

    /// Closes it so that the peer sees a reset instead of an end, because the data is incomplete.
    /// Bytes that the peer has not taken yet are lost.
    pub fn reset(self) {
        match self {
            Self::Tcp(stream) => {
                // Without the option it is only closed; there is no alternative.
                let _ = SockRef::from(&*stream).set_linger(Some(Duration::ZERO));
            }
            Self::Tls(tls) => tls.into_below().reset(),
            Self::Rewind(rewind) => rewind.into_stream().reset(),
            // A Unix socket has no reset; the layer above must show that the data is incomplete.
            Self::Unix(_) | Self::Other(_) => {}
        }
    }

    /// Closes it so that the peer does not notice, where a router lies in between: the reset that the
    /// kernel sends lives for one hop alone. A peer in the same network sees a reset.
    ///
    /// HAProxy first tries `TCP_REPAIR`, with which nothing is sent at all; that needs the capability
    /// `CAP_NET_ADMIN`, which a proxy should not have.
    pub fn vanish(self) {
        match self {
            Self::Tcp(stream) => end_unseen(&SockRef::from(&*stream)),
            Self::Tls(tls) => tls.into_below().vanish(),
            Self::Rewind(rewind) => rewind.into_stream().vanish(),
            Self::Unix(_) | Self::Other(_) => {}
        }
    }

    /// Closes it after all has been sent. Under TLS it sends `close_notify`, so that the peer knows
    /// that the data is complete; dropping it would not.
    pub fn close(self) {
        match self {
            Self::Tls(tls) => tls.close(),
            Self::Rewind(rewind) => rewind.into_stream().close(),
            Self::Tcp(_) | Self::Unix(_) | Self::Other(_) => {}
        }
    }

    /// Writes as `poll_write_vectored` does, if more follows at once: TCP then fills its segments
    /// and its peer is not woken for each piece (`MSG_MORE`). [`Stream::push`] has to follow.
    pub fn poll_write_more(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => loop {
                ready!(stream.poll_write_ready(cx))?;
                let socket = SockRef::from(&*stream);
                let send = || socket.send_vectored_with_flags(bufs, MSG_MORE);
                match stream.try_io(Interest::WRITABLE, send) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    sent => return Poll::Ready(sent),
                }
            },
            Self::Tls(tls) => tls.poll_write_more(cx, bufs),
            Self::Rewind(rewind) => rewind.stream_mut().poll_write_more(cx, bufs),
            Self::Unix(_) | Self::Other(_) => Pin::new(self).poll_write_vectored(cx, bufs),
        }
    }

    /// Sends the bytes that [`Stream::poll_write_more`] has held back. One system call on TCP.
    pub fn push(&self) {
        match self {
            // On a socket that holds bytes back, this sends them (tcp(7)).
            Self::Tcp(stream) => {
                // It cannot fail on a connection, and a broken one is noticed when it is used.
                let _ = stream.set_nodelay(true);
            }
            Self::Tls(tls) => tls.below().push(),
            Self::Rewind(rewind) => rewind.stream().push(),
            Self::Unix(_) | Self::Other(_) => {}
        }
    }

    /// Our own end, if it has an IP address. One system call.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr().ok(),
            Self::Tls(tls) => tls.below().local_addr(),
            Self::Rewind(rewind) => rewind.stream().local_addr(),
            Self::Unix(_) | Self::Other(_) => None,
        }
    }

    /// Bytes sent so far, if they wait in between: under TLS, data is encrypted first and sent as
    /// the peer takes it. `None`: written bytes are sent at once.
    pub fn sent(&self) -> Option<u64> {
        match self {
            Self::Tls(tls) => Some(tls.sent()),
            Self::Rewind(rewind) => rewind.stream().sent(),
            Self::Tcp(_) | Self::Unix(_) | Self::Other(_) => None,
        }
    }

    /// Bytes that a reset would discard: those that were sent and that the peer's system has not
    /// acknowledged. Only over TCP: 0 for others. One system call.
    pub fn unacknowledged(&self) -> u64 {
        match self {
            Self::Tcp(stream) => send_queue::bytes(stream).unwrap_or(0),
            Self::Tls(tls) => tls.below().unacknowledged(),
            Self::Rewind(rewind) => rewind.stream().unacknowledged(),
            Self::Unix(_) | Self::Other(_) => 0,
        }
    }

    /// Bytes that were sent and that the peer's system has not taken yet; `None`: not known. Exact
    /// over TCP; a Unix socket counts the memory that they occupy. One system call.
    pub fn send_queue(&self) -> Option<u64> {
        match self {
            Self::Tcp(stream) => send_queue::bytes(stream).ok(),
            Self::Unix(stream) => send_queue::bytes(stream).ok(),
            Self::Tls(tls) => tls.below().send_queue(),
            Self::Rewind(rewind) => rewind.stream().send_queue(),
            Self::Other(_) => None,
        }
    }
}

/// Makes the kernel end the connection with a reset that lives for one hop.
fn end_unseen(socket: &SockRef<'_>) {
    // An IPv6 socket may have an IPv4 peer, so both are set, and one of the two fails on an IPv4 socket.
    let _ = socket.set_ttl_v4(1);
    let _ = socket.set_unicast_hops_v6(1);
    let _ = socket.set_linger(Some(Duration::ZERO));
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp(_) => "Tcp",
            Self::Unix(_) => "Unix",
            Self::Rewind(_) => "Rewind",
            Self::Tls(_) => "Tls",
            Self::Other(_) => "Other",
        })
    }
}

impl AsyncRead for Stream {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this {
            Self::Rewind(_) => rewind::poll_read(this, cx, buf),
            Self::Tcp(stream) => Pin::new(&mut **stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(&mut **stream).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_read(cx, buf),
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
            Self::Tcp(stream) => Pin::new(&mut **stream).poll_write(cx, buf),
            Self::Unix(stream) => Pin::new(&mut **stream).poll_write(cx, buf),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_write(cx, buf),
            Self::Rewind(rewind) => rewind.stream_mut().poll_write(cx, buf),
            Self::Other(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [only] = bufs {
            return self.poll_write(cx, only);
        }
        // A head with a short body: copying is cheaper than gathering by the kernel.
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
            Self::Tcp(stream) => Pin::new(&mut **stream).poll_write_vectored(cx, bufs),
            Self::Unix(stream) => Pin::new(&mut **stream).poll_write_vectored(cx, bufs),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_write_vectored(cx, bufs),
            Self::Rewind(rewind) => rewind.stream_mut().poll_write_vectored(cx, bufs),
            Self::Other(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    #[inline]
    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
            Self::Rewind(rewind) => rewind.stream().is_write_vectored(),
            Self::Other(stream) => stream.is_write_vectored(),
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(&mut **stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(&mut **stream).poll_flush(cx),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_flush(cx),
            Self::Rewind(rewind) => rewind.stream_mut().poll_flush(cx),
            Self::Other(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_shutdown(cx),
            Self::Rewind(rewind) => rewind.stream_mut().poll_shutdown(cx),
            Self::Other(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::IoSlice;

    use tokio::net::TcpListener;

    use super::*;
    use crate::net::send_queue;

    #[tokio::test]
    async fn bytes_that_more_may_follow_wait_until_they_are_pushed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("bound");
        let (near, far) = tokio::join!(TcpStream::connect(addr), listener.accept());
        let _far = far.expect("a connection");
        let mut stream = Stream::Tcp(near.expect("it listens").into());
        let unsent = |stream: &Stream| match stream {
            Stream::Tcp(stream) => send_queue::unsent(stream).expect("a socket"),
            _ => unreachable!("{stream:?}"),
        };
        let pieces = [IoSlice::new(b"a piece"), IoSlice::new(b"of more")];
        let mut has_waited = false;
        // The kernel holds bytes back only for a while: a test that is held up in between finds
        // them sent. Also, only a few packets are sent before the first is acknowledged.
        for _ in 0..5 {
            let written = poll_fn(|cx| stream.poll_write_more(cx, &pieces)).await;
            assert_eq!(written.expect("there is room"), 14);
            has_waited |= unsent(&stream) == 14;
            stream.push();
            assert_eq!(unsent(&stream), 0);
        }
        assert!(has_waited);
    }

    #[tokio::test]
    async fn the_reset_of_a_connection_that_vanishes_passes_no_router() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).await.expect("a port");
            let addr = listener.local_addr().expect("bound");
            let (near, far) = tokio::join!(TcpStream::connect(addr), listener.accept());
            let near = near.expect("it listens");
            let (_far, _) = far.expect("a connection");
            let socket = SockRef::from(&near);
            end_unseen(&socket);
            let hops = match addr {
                SocketAddr::V4(_) => socket.ttl_v4(),
                SocketAddr::V6(_) => socket.unicast_hops_v6(),
            };
            assert_eq!(hops.expect("it was set"), 1);
            let linger = socket.linger().expect("it was set");
            assert_eq!(linger, Some(Duration::ZERO));
        }
    }
}
