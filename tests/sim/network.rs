//! The simulator's sockets in the form that the proxy uses.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use evenkeel::net::{Io, OtherListener, OtherNetwork, Pending};
use tokio::io::{AsyncRead, AsyncWrite, BufWriter, ReadBuf};
use turmoil::net::{TcpListener, TcpStream};

use crate::trace::Trace;

/// Connecting to it panics: a defect below an exchange.
pub(crate) const DEFECT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 9, 9));

/// Writing to a client that has requested it panics: a defect below a connection.
pub(crate) const DEFECTIVE: &str = "/defective";

/// A connection on which exchanges run never reads with less room than this.
pub(crate) const ACTIVE_ROOM_BYTES: usize = 8 << 10;

/// The network of the simulated host that is running.
pub(crate) struct Simulated {
    /// Gets an entry for each change of the reader of client connections.
    pub(crate) trace: Trace,
    /// Whether accepting the next connection panics.
    pub(crate) is_next_defective: Arc<AtomicBool>,
}

/// A listening socket. The next connection is a future that outlives a poll: dropping it would lose
/// the simulator's wake-up.
struct Listening {
    listener: Arc<TcpListener>,
    accepting: RefCell<Accepting>,
    trace: Trace,
    is_next_defective: Arc<AtomicBool>,
}

/// A client connection that reports who reads from it.
struct Watched {
    stream: TcpStream,
    trace: Trace,
    is_parked: bool,
    is_defective: bool,
}

type Accepting = Pin<Box<dyn Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send>>;

impl OtherNetwork for Simulated {
    fn bind(&self, addr: SocketAddr) -> Pending<'_, io::Result<Box<dyn OtherListener>>> {
        Box::pin(async move {
            let listener = Arc::new(TcpListener::bind(addr).await?);
            let accepting = RefCell::new(accept(&listener));
            let listening = Listening {
                listener,
                accepting,
                trace: self.trace.clone(),
                is_next_defective: Arc::clone(&self.is_next_defective),
            };
            Ok(Box::new(listening) as Box<dyn OtherListener>)
        })
    }

    fn connect(&self, addr: SocketAddr) -> Pending<'_, io::Result<Box<dyn Io>>> {
        Box::pin(async move {
            if addr.ip() == DEFECT {
                // Like `panic!`, but without output on standard error.
                resume_unwind(Box::new("no such luck"));
            }
            let stream = TcpStream::connect(addr).await?;
            // A connection may hold bytes back until it is flushed, as TLS does.
            Ok(Box::new(BufWriter::new(stream)) as Box<dyn Io>)
        })
    }
}

impl OtherListener for Listening {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Box<dyn Io>, SocketAddr)>> {
        let mut accepting = self.accepting.borrow_mut();
        let accepted = ready!(accepting.as_mut().poll(cx));
        *accepting = accept(&self.listener);
        if self.is_next_defective.swap(false, Ordering::Relaxed) {
            resume_unwind(Box::new("no such luck"));
        }
        Poll::Ready(accepted.map(|(stream, peer)| {
            let watched = Watched {
                stream,
                trace: self.trace.clone(),
                is_parked: false,
                is_defective: false,
            };
            (Box::new(watched) as Box<dyn Io>, peer)
        }))
    }
}

fn accept(listener: &Arc<TcpListener>) -> Accepting {
    let listener = Arc::clone(listener);
    Box::pin(async move { listener.accept().await })
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // A reader with less room is parked: its buffers are released.
        let is_parked = buf.remaining() < ACTIVE_ROOM_BYTES;
        if is_parked != this.is_parked {
            this.is_parked = is_parked;
            let what = if is_parked { "parked" } else { "woken" };
            this.trace
                .add("network", format_args!("a client connection is {what}"));
        }
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        let asked = buf.filled().windows(DEFECTIVE.len());
        this.is_defective |= { asked }.any(|part| part == DEFECTIVE.as_bytes());
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_defective {
            resume_unwind(Box::new("no such luck"));
        }
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
