//! Listening sockets: bound on the control thread, used on the workers.
//!
//! Binding and accepting are apart because a reload has to know that every new address can be had
//! before anything changes.

use std::future::poll_fn;
use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener as StdListener};
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::net::netdevice::name_to_index;
use socket2::{Domain, Protocol, SockRef, Socket as RawSocket, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::base::{Address, FileMode, ListenAddress, Peer};

use super::inherited;
use super::other::OtherListener;
use super::stream::Stream;
use super::unix::{self, SocketFile};

/// Connections that the kernel holds for us while we are busy; it takes less when `somaxconn` is less.
pub(super) const BACKLOG: i32 = 4096;

/// A socket that listens, on its way to the worker that will accept from it.
pub struct Socket(Kind);

enum Kind {
    Tcp(StdListener),
    Unix(StdUnixListener, Option<Arc<SocketFile>>),
    Other(Box<dyn OtherListener>),
}

/// A socket that accepts, on the worker that owns it.
pub struct Listener {
    accepting: Accepting,
    own_end: Option<SocketAddr>,
}

enum Accepting {
    Tcp(TcpListener),
    /// The file goes with the last of the workers' sockets.
    Unix(
        UnixListener,
        #[expect(dead_code, reason = "held for its end")] Option<Arc<SocketFile>>,
    ),
    Other(Box<dyn OtherListener>),
}

impl Socket {
    pub(super) fn other(listener: Box<dyn OtherListener>) -> Self {
        Self(Kind::Other(listener))
    }

    /// The address it listens on, with the port that port 0 became; `None` for a Unix socket without
    /// a name, which only somebody else can have made.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<Option<Address>> {
        Ok(match &self.0 {
            Kind::Tcp(listener) => Some(listener.local_addr()?.into()),
            Kind::Unix(listener, _) => unix::name_of(&listener.local_addr()?).map(Address::Unix),
            Kind::Other(listener) => Some(listener.local_addr()?.into()),
        })
    }

    /// Hands it to the runtime of the thread that calls.
    ///
    /// # Errors
    ///
    /// What the system says when the runtime can watch no further descriptor.
    pub fn into_listener(self) -> io::Result<Listener> {
        let mut own_end = None;
        let accepting = match self.0 {
            Kind::Tcp(listener) => {
                // Connections inherit it, which saves a call for each.
                SockRef::from(&listener).set_tcp_nodelay(true)?;
                own_end = only_end_of(&listener);
                Accepting::Tcp(TcpListener::from_std(listener)?)
            }
            Kind::Unix(listener, file) => Accepting::Unix(UnixListener::from_std(listener)?, file),
            Kind::Other(listener) => Accepting::Other(listener),
        };
        Ok(Listener { accepting, own_end })
    }

    /// The same socket once more, for another worker.
    fn copy(&self) -> io::Result<Self> {
        Ok(Self(match &self.0 {
            Kind::Tcp(listener) => Kind::Tcp(listener.try_clone()?),
            Kind::Unix(listener, file) => Kind::Unix(listener.try_clone()?, file.clone()),
            Kind::Other(_) => return Err(io::ErrorKind::Unsupported.into()),
        }))
    }
}

impl Listener {
    /// Our own end of each connection, where it is known before the connection is.
    pub fn own_end(&self) -> Option<SocketAddr> {
        self.own_end
    }

    /// The next connection and its peer, without delay for small segments.
    ///
    /// # Errors
    ///
    /// What the system says: of the new connection, or that there is no descriptor left.
    ///
    /// # Cancel safety
    ///
    /// No connection is lost when it is dropped.
    pub async fn accept(&self) -> io::Result<(Stream, Peer)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// The same, to be polled.
    ///
    /// # Errors
    ///
    /// As [`Listener::accept`].
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, Peer)>> {
        Poll::Ready(match &self.accepting {
            Accepting::Tcp(listener) => {
                let (stream, peer) = ready!(listener.poll_accept(cx))?;
                Ok((Stream::Tcp(stream), peer.into()))
            }
            Accepting::Unix(listener, _) => {
                let (stream, _) = ready!(listener.poll_accept(cx))?;
                Ok((Stream::Unix(stream), Peer::Unix))
            }
            Accepting::Other(listener) => {
                let (stream, peer) = ready!(listener.poll_accept(cx))?;
                Ok((Stream::Other(stream), peer.into()))
            }
        })
    }

    /// A connection that is in the queue, for when the socket is about to close: asks the system
    /// itself. [`Listener::poll_accept`] only asks when the runtime has heard that somebody came, and
    /// whoever it has not heard of yet would be reset.
    ///
    /// # Errors
    ///
    /// As [`Listener::accept`].
    pub fn accept_queued(&self) -> io::Result<Option<(Stream, Peer)>> {
        let socket = match &self.accepting {
            Accepting::Tcp(listener) => SockRef::from(listener),
            Accepting::Unix(listener, _) => SockRef::from(listener),
            Accepting::Other(_) => return Ok(None),
        };
        let (socket, peer) = match socket.accept() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        };
        socket.set_nonblocking(true)?;
        Ok(Some(match peer.as_socket() {
            Some(peer) => {
                let stream = TcpStream::from_std(socket.into())?;
                (Stream::Tcp(stream), peer.into())
            }
            None => {
                let stream = UnixStream::from_std(socket.into())?;
                (Stream::Unix(stream), Peer::Unix)
            }
        }))
    }
}

/// Our end of all connections, if it can only be one: not where all addresses of the machine are
/// listened at, nor where connections to others are led here (`IP_TRANSPARENT`).
fn only_end_of(listener: &StdListener) -> Option<SocketAddr> {
    let addr = listener.local_addr().ok()?;
    let socket = SockRef::from(listener);
    let is_transparent = match addr {
        SocketAddr::V4(_) => socket.ip_transparent_v4(),
        SocketAddr::V6(_) => socket.ip_transparent_v6(),
    };
    // Where that cannot be asked, each connection is asked for its end.
    (!is_transparent.ok()? && !addr.ip().is_unspecified()).then_some(addr)
}

/// Listens at `address`, once for each of `copies` workers. `mode` is for the file of a Unix socket.
pub(super) fn listen(
    address: &ListenAddress,
    mode: FileMode,
    copies: usize,
) -> io::Result<Vec<Socket>> {
    match address {
        ListenAddress::At(Address::Ip(addr)) => bind_shared(*addr, copies),
        ListenAddress::At(Address::Zoned { ip, zone, port }) => {
            bind_shared(with_zone(*ip, zone, *port)?, copies)
        }
        ListenAddress::At(Address::Unix(name)) => {
            let (listener, file) = unix::listen(name, mode)?;
            copied(Socket(Kind::Unix(listener, file)), copies)
        }
        ListenAddress::Inherited(descriptor) => {
            let socket = inherited::take(descriptor)?;
            let kind = match socket.domain()? {
                Domain::UNIX => Kind::Unix(socket.into(), None),
                _ => Kind::Tcp(socket.into()),
            };
            copied(Socket(kind), copies)
        }
    }
}

/// The address with the number that the interface `zone` has now.
pub(super) fn with_zone(ip: Ipv6Addr, zone: &str, port: u16) -> io::Result<SocketAddr> {
    let any = RawSocket::new(Domain::IPV6, Type::DGRAM, None)?;
    let index = name_to_index(any.as_fd(), zone).map_err(|error| match error {
        rustix::io::Errno::NODEV => io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            format!("this machine has no interface `{zone}`"),
        ),
        error => error.into(),
    })?;
    Ok(SocketAddrV6::new(ip, port, 0, index).into())
}

/// One socket for all workers, each with its own descriptor. There is no `SO_REUSEPORT` for what is
/// not bound by us, nor for Unix sockets: all workers hear of a connection, and the first takes it.
fn copied(socket: Socket, copies: usize) -> io::Result<Vec<Socket>> {
    let mut sockets = Vec::with_capacity(copies);
    while sockets.len() + 1 < copies {
        sockets.push(socket.copy()?);
    }
    sockets.push(socket);
    Ok(sockets)
}

/// Binds `copies` sockets that share `addr`, after making sure that nobody else has it.
fn bind_shared(addr: SocketAddr, copies: usize) -> io::Result<Vec<Socket>> {
    if addr.port() != 0 {
        // Two processes that both set SO_REUSEPORT get the same port without a word, and each
        // receives a part of the traffic. A bind without it fails then.
        listening(addr, Sharing::Alone)?;
    }
    let first = listening(addr, Sharing::BetweenWorkers)?;
    let addr = first.local_addr()?;
    let mut sockets = vec![Socket(Kind::Tcp(first))];
    while sockets.len() < copies {
        sockets.push(Socket(Kind::Tcp(listening(addr, Sharing::BetweenWorkers)?)));
    }
    Ok(sockets)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Alone,
    BetweenWorkers,
}

fn listening(addr: SocketAddr, sharing: Sharing) -> io::Result<StdListener> {
    let socket = RawSocket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    let options = SockRef::from(&socket);
    if addr.is_ipv6() {
        options.set_only_v6(true)?;
    }
    // A restart must not wait for the connections of the last run to leave TIME_WAIT.
    options.set_reuse_address(true)?;
    if sharing == Sharing::BetweenWorkers {
        options.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    if sharing == Sharing::BetweenWorkers {
        // The socket that only asks must not listen: a client would be connected to it.
        socket.listen(BACKLOG)?;
    }
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loopback() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    fn bound(socket: &Socket) -> SocketAddr {
        let addr = socket.local_addr().expect("bound").expect("named");
        addr.ip().expect("an IP address")
    }

    #[test]
    fn workers_share_one_port() {
        let sockets = bind_shared(loopback(), 3).expect("a free port");
        let ports: Vec<u16> = sockets.iter().map(|socket| bound(socket).port()).collect();
        assert_eq!(ports.len(), 3);
        assert!(ports.iter().all(|&port| port == ports[0] && port != 0));
    }

    #[test]
    fn a_port_that_is_taken_is_refused_although_it_could_be_shared() {
        let first = bind_shared(loopback(), 2).expect("a free port");
        let addr = bound(&first[0]);
        let error = bind_shared(addr, 1).err().expect("it is taken");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[tokio::test]
    async fn who_is_in_the_queue_is_found_before_the_runtime_has_heard() {
        let socket = bind_shared(loopback(), 1).expect("a free port").remove(0);
        let addr = bound(&socket);
        let listener = socket.into_listener().expect("a runtime");
        let _client = std::net::TcpStream::connect(addr).expect("it listens");
        assert!(listener.accept_queued().expect("no fault").is_some());
        assert!(listener.accept_queued().expect("no fault").is_none());
    }

    #[tokio::test]
    async fn connections_come_without_delay_for_small_segments() {
        let socket = bind_shared(loopback(), 1).expect("a free port").remove(0);
        let addr = bound(&socket);
        let listener = socket.into_listener().expect("a runtime");
        let _clients = [(); 2].map(|()| std::net::TcpStream::connect(addr).expect("it listens"));
        let queued = listener.accept_queued().expect("no fault").expect("one");
        for (stream, _) in [queued, listener.accept().await.expect("another")] {
            let is_prompt = |stream: &TcpStream| stream.nodelay().expect("a socket");
            assert!(matches!(stream, Stream::Tcp(stream) if is_prompt(&stream)));
        }
    }

    #[tokio::test]
    async fn our_own_end_is_known_before_it_is_asked_for_unless_it_may_differ() {
        for (text, is_known) in [
            ("127.0.0.1:0", true),
            ("[::1]:0", true),
            ("0.0.0.0:0", false),
            ("[::]:0", false),
        ] {
            let addr = text.parse().expect("an address");
            let socket = bind_shared(addr, 1).expect("a free port").remove(0);
            let addr = bound(&socket);
            let listener = socket.into_listener().expect("a runtime");
            assert_eq!(listener.own_end(), is_known.then_some(addr), "{text}");
        }
    }
}
