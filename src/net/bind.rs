//! Listening sockets: bound on the control thread, used on the workers.
//!
//! Binding and accepting are apart because a reload must know that every new address can be bound
//! before anything changes.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener as StdListener};
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use rustix::net::netdevice::name_to_index;
use socket2::{Domain, Protocol, SockFilter, SockRef, Socket as RawSocket, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::base::{Address, FileMode, ListenAddress, Peer};

use super::inherited;
use super::other::OtherListener;
use super::stream::Stream;
use super::taken;
use super::unix::{self, SocketFile};

/// The most connections that the kernel queues while we are busy; `somaxconn` may lower it.
pub(super) const BACKLOG: i32 = 4096;

/// A bound socket, on its way to the worker that will accept from it.
pub struct Socket {
    kind: Kind,
    alive: Arc<()>,
}

/// The data about a socket that the thread keeps which bound it and handed it on.
#[derive(Debug)]
pub struct Trace {
    inode: Option<u64>,
    alive: Weak<()>,
}

enum Kind {
    Tcp(StdListener, Origin),
    Unix(StdUnixListener, Option<Arc<SocketFile>>),
    Other(Box<dyn OtherListener>),
}

/// The process that bound a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// We did, for ourselves.
    Own,
    /// The process that started us, which also holds it.
    Inherited,
}

/// A socket that accepts, on the worker that owns it.
pub struct Listener {
    accepting: Accepting,
    own_end: Option<SocketAddr>,
    /// Whether it refuses new connections.
    turns_away: Cell<bool>,
    #[expect(dead_code, reason = "its end is looked for, see `Trace`")]
    alive: Arc<()>,
}

enum Accepting {
    Tcp(TcpListener, Origin),
    /// The file is removed with the last of the workers' sockets.
    Unix(
        UnixListener,
        #[expect(dead_code, reason = "held for its end")] Option<Arc<SocketFile>>,
    ),
    Other(Box<dyn OtherListener>),
}

impl Socket {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            alive: Arc::default(),
        }
    }

    pub(super) fn other(listener: Box<dyn OtherListener>) -> Self {
        Self::new(Kind::Other(listener))
    }

    /// The address it listens on, with the real port in place of 0; `None` for a Unix socket
    /// without a name, which only another process can have made.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn local_addr(&self) -> io::Result<Option<Address>> {
        Ok(match &self.kind {
            Kind::Tcp(listener, _) => Some(listener.local_addr()?.into()),
            Kind::Unix(listener, _) => unix::name_of(&listener.local_addr()?).map(Address::Unix),
            Kind::Other(listener) => Some(listener.local_addr()?.into()),
        })
    }

    /// Whether it takes connections to IPv4 addresses beside those to IPv6 addresses.
    pub fn is_dual(&self) -> bool {
        let Kind::Tcp(listener, _) = &self.kind else {
            return false;
        };
        let is_ipv6 = listener.local_addr().is_ok_and(|addr| addr.is_ipv6());
        is_ipv6 && !SockRef::from(listener).only_v6().unwrap_or(true)
    }

    /// The data to keep about it when it is handed on.
    pub fn trace(&self) -> Trace {
        let inode = match &self.kind {
            Kind::Tcp(listener, _) => rustix::fs::fstat(listener).ok().map(|stat| stat.st_ino),
            Kind::Unix(..) | Kind::Other(_) => None,
        };
        Trace {
            inode,
            alive: Arc::downgrade(&self.alive),
        }
    }

    /// Lets clients connect. A socket that is only bound has its address, but no client is
    /// connected to it: only when all addresses are bound is it certain that it will be used.
    ///
    /// # Errors
    ///
    /// The system's error: another process may have taken the address meanwhile.
    pub fn listen(&self) -> io::Result<()> {
        match &self.kind {
            Kind::Tcp(listener, Origin::Own) => SockRef::from(listener).listen(BACKLOG),
            Kind::Tcp(_, Origin::Inherited) | Kind::Unix(..) | Kind::Other(_) => Ok(()),
        }
    }

    /// Hands it to the runtime of the calling thread.
    ///
    /// # Errors
    ///
    /// The system's error if the runtime can watch no further descriptor.
    pub fn into_listener(self) -> io::Result<Listener> {
        let mut own_end = None;
        let accepting = match self.kind {
            Kind::Tcp(listener, origin) => {
                // Connections inherit it, which saves a call for each.
                SockRef::from(&listener).set_tcp_nodelay(true)?;
                own_end = only_end_of(&listener);
                Accepting::Tcp(TcpListener::from_std(listener)?, origin)
            }
            Kind::Unix(listener, file) => Accepting::Unix(UnixListener::from_std(listener)?, file),
            Kind::Other(listener) => Accepting::Other(listener),
        };
        Ok(Listener {
            accepting,
            own_end,
            turns_away: Cell::new(false),
            alive: self.alive,
        })
    }

    /// A second descriptor of the same socket, for another worker.
    fn copy(&self) -> io::Result<Self> {
        Ok(Self::new(match &self.kind {
            Kind::Tcp(listener, origin) => Kind::Tcp(listener.try_clone()?, *origin),
            Kind::Unix(listener, file) => Kind::Unix(listener.try_clone()?, file.clone()),
            Kind::Other(_) => return Err(io::ErrorKind::Unsupported.into()),
        }))
    }
}

impl Trace {
    /// Its inode, if it is a TCP socket.
    pub fn inode(&self) -> Option<u64> {
        self.inode
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.alive.strong_count() > 0
    }
}

impl Listener {
    /// Our end of each connection, if it is the same for all.
    pub fn own_end(&self) -> Option<SocketAddr> {
        self.own_end
    }

    /// The next connection and its peer, without delay for small segments.
    ///
    /// # Errors
    ///
    /// The system's error: of the new connection, or that there is no descriptor left.
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
            Accepting::Tcp(listener, _) => {
                let (stream, peer) = ready!(listener.poll_accept(cx))?;
                Ok((Stream::Tcp(stream.into()), peer.into()))
            }
            Accepting::Unix(listener, _) => {
                let (stream, _) = ready!(listener.poll_accept(cx))?;
                Ok((Stream::Unix(stream.into()), Peer::Unix))
            }
            Accepting::Other(listener) => {
                let (stream, peer) = ready!(listener.poll_accept(cx))?;
                Ok((Stream::Other(stream), peer.into()))
            }
        })
    }

    /// Refuses new connections, or accepts them again. A client that connects meanwhile gets no
    /// answer and tries again after a second (RFC 6298 §2.1), when another socket may have the
    /// address; handshakes in progress continue. Has no effect on a Unix socket, nor on one that
    /// the process which started us also holds.
    ///
    /// For a socket that is about to close: a client whose handshake ends between the last look
    /// into the queue and the close would be reset.
    pub fn turn_away(&self, turns_away: bool) {
        let Accepting::Tcp(listener, Origin::Own) = &self.accepting else {
            return;
        };
        if self.turns_away.replace(turns_away) == turns_away {
            return;
        }
        let socket = SockRef::from(listener);
        // If the kernel refuses, there remains a moment in which a client is reset.
        let _ = match turns_away {
            true => socket.attach_filter(&NO_SYN),
            false => socket.detach_filter(),
        };
    }

    /// A connection from the queue of a socket that is about to close: asks the kernel itself.
    /// [`Listener::poll_accept`] asks only after the runtime has been notified, and a connection
    /// without a notification yet would be reset.
    ///
    /// # Errors
    ///
    /// As [`Listener::accept`].
    pub fn accept_queued(&self) -> io::Result<Option<(Stream, Peer)>> {
        let socket = match &self.accepting {
            Accepting::Tcp(listener, _) => SockRef::from(listener),
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
                (Stream::Tcp(stream.into()), peer.into())
            }
            None => {
                let stream = UnixStream::from_std(socket.into())?;
                (Stream::Unix(stream.into()), Peer::Unix)
            }
        }))
    }
}

/// A classic BPF program that drops segments with SYN set, with which each new connection begins.
/// The kernel runs it on a segment from its TCP header on, whose byte 13 has the flags (RFC 9293
/// §3.1). Connections inherit it, but never need such a segment.
static NO_SYN: [SockFilter; 4] = [
    SockFilter::new(BPF_LOAD_BYTE, 0, 0, 13),
    SockFilter::new(BPF_JUMP_IF_ANY_BIT, 1, 0, 0x02),
    SockFilter::new(BPF_RETURN, 0, 0, u32::MAX),
    SockFilter::new(BPF_RETURN, 0, 0, 0),
];

/// `BPF_LD | BPF_B | BPF_ABS` of `linux/bpf_common.h`.
const BPF_LOAD_BYTE: u16 = 0x30;
/// `BPF_JMP | BPF_JSET | BPF_K`.
const BPF_JUMP_IF_ANY_BIT: u16 = 0x45;
/// `BPF_RET | BPF_K`.
const BPF_RETURN: u16 = 0x06;

/// Our end of all connections, if it can only be one: unknown if the socket listens on all
/// addresses of the machine, or if connections to other addresses are redirected here
/// (`IP_TRANSPARENT`).
fn only_end_of(listener: &StdListener) -> Option<SocketAddr> {
    let addr = listener.local_addr().ok()?;
    let socket = SockRef::from(listener);
    let is_transparent = match addr {
        SocketAddr::V4(_) => socket.ip_transparent_v4(),
        SocketAddr::V6(_) => socket.ip_transparent_v6(),
    };
    // If that is unknown, each connection is asked for its end.
    (!is_transparent.ok()? && !addr.ip().is_unspecified()).then_some(addr)
}

/// Binds `address`, once for each of `copies` workers. `mode` is for the file of a Unix socket;
/// `own` are the inodes of our sockets whose address overlaps with it.
pub(super) fn bind(
    address: &ListenAddress,
    mode: FileMode,
    copies: usize,
    own: &[u64],
) -> io::Result<Vec<Socket>> {
    match address {
        ListenAddress::At(Address::Ip(addr)) => bind_shared(*addr, copies, own),
        ListenAddress::At(Address::Zoned { ip, zone, port }) => {
            bind_shared(with_zone(*ip, zone, *port)?, copies, own)
        }
        ListenAddress::At(Address::Unix(name)) => {
            let (listener, file) = unix::listen(name, mode)?;
            copied(Socket::new(Kind::Unix(listener, file)), copies)
        }
        ListenAddress::Inherited(descriptor) => {
            let socket = inherited::take(descriptor)?;
            let kind = match socket.domain()? {
                Domain::UNIX => Kind::Unix(socket.into(), None),
                _ => Kind::Tcp(socket.into(), Origin::Inherited),
            };
            copied(Socket::new(kind), copies)
        }
    }
}

/// The address, with the present number of the interface `zone`.
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

/// One socket for all workers, each with its own descriptor. Sockets that we have not bound, and
/// Unix sockets, cannot use `SO_REUSEPORT`: all workers are woken for a connection, and the first
/// one takes it.
fn copied(socket: Socket, copies: usize) -> io::Result<Vec<Socket>> {
    let mut sockets = Vec::with_capacity(copies);
    while sockets.len() + 1 < copies {
        sockets.push(socket.copy()?);
    }
    sockets.push(socket);
    Ok(sockets)
}

/// Binds `copies` sockets that share `addr`, after making sure that no other process has it.
fn bind_shared(addr: SocketAddr, copies: usize, own: &[u64]) -> io::Result<Vec<Socket>> {
    if addr.port() != 0 {
        // Two processes that both set SO_REUSEPORT get the same port without an error, and each
        // receives a part of the traffic.
        if own.is_empty() {
            // Then a bind without it fails.
            bound(addr, Sharing::Alone)?;
        } else if taken::by_another(addr, own) {
            // That bind would fail because of our own socket.
            return Err(io::ErrorKind::AddrInUse.into());
        }
    }
    let first = bound(addr, Sharing::BetweenWorkers)?;
    let addr = first.local_addr()?;
    let mut sockets = vec![Socket::new(Kind::Tcp(first, Origin::Own))];
    while sockets.len() < copies {
        let next = bound(addr, Sharing::BetweenWorkers)?;
        sockets.push(Socket::new(Kind::Tcp(next, Origin::Own)));
    }
    Ok(sockets)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Alone,
    BetweenWorkers,
}

/// A bound socket that does not listen: clients would be connected to it.
fn bound(addr: SocketAddr, sharing: Sharing) -> io::Result<StdListener> {
    let socket = RawSocket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    let options = SockRef::from(&socket);
    if addr.is_ipv6() {
        options.set_only_v6(true)?;
    }
    // A restart must not wait for connections of the last run in TIME_WAIT.
    options.set_reuse_address(true)?;
    if sharing == Sharing::BetweenWorkers {
        options.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::base::clock;

    fn loopback() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    fn listening(addr: SocketAddr, copies: usize) -> Vec<Socket> {
        let sockets = bind_shared(addr, copies, &[]).expect("a free port");
        let listens = |socket: &Socket| socket.listen().is_ok();
        assert!(sockets.iter().all(listens));
        sockets
    }

    fn addr_of(socket: &Socket) -> SocketAddr {
        let addr = socket.local_addr().expect("bound").expect("named");
        addr.ip().expect("an IP address")
    }

    #[test]
    fn workers_share_one_port() {
        let sockets = bind_shared(loopback(), 3, &[]).expect("a free port");
        let ports: Vec<u16> = sockets
            .iter()
            .map(|socket| addr_of(socket).port())
            .collect();
        assert_eq!(ports.len(), 3);
        assert!(ports.iter().all(|&port| port == ports[0] && port != 0));
    }

    #[test]
    fn a_port_that_is_taken_is_refused_although_it_could_be_shared() {
        let first = listening(loopback(), 2);
        let addr = addr_of(&first[0]);
        let error = bind_shared(addr, 1, &[]).err().expect("it is taken");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[tokio::test]
    async fn a_queued_connection_is_found_before_the_runtime_is_notified() {
        let socket = listening(loopback(), 1).remove(0);
        let addr = addr_of(&socket);
        let listener = socket.into_listener().expect("a runtime");
        let _client = std::net::TcpStream::connect(addr).expect("it listens");
        assert!(listener.accept_queued().expect("no fault").is_some());
        assert!(listener.accept_queued().expect("no fault").is_none());
    }

    #[tokio::test]
    async fn a_socket_that_turns_away_gets_no_connection_and_keeps_those_that_it_has() {
        let socket = listening(loopback(), 1).remove(0);
        let addr = addr_of(&socket);
        let listener = socket.into_listener().expect("a runtime");
        let known = std::net::TcpStream::connect(addr).expect("it listens");
        listener.turn_away(true);
        let wait = clock::Duration::from_millis(300);
        let late = std::net::TcpStream::connect_timeout(&addr, wait);
        let error = late.expect_err("it is not answered");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "and not refused");
        let (mut stream, _) = listener.accept().await.expect("the first one");
        let mut known = TcpStream::from_std({
            known.set_nonblocking(true).expect("a socket");
            known
        })
        .expect("a runtime");
        known.write_all(b"x").await.expect("it is open");
        let mut byte = [0];
        stream.read_exact(&mut byte).await.expect("it arrives");
        listener.turn_away(false);
        let again = TcpStream::connect(addr).await;
        assert!(again.is_ok(), "{again:?}");
    }

    #[test]
    fn a_socket_that_is_only_bound_takes_no_client() {
        let socket = bind_shared(loopback(), 1, &[])
            .expect("a free port")
            .remove(0);
        let addr = addr_of(&socket);
        let refused = std::net::TcpStream::connect(addr).expect_err("it does not listen");
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        socket.listen().expect("it is ours");
        assert!(std::net::TcpStream::connect(addr).is_ok());
    }

    #[test]
    fn our_own_sockets_are_not_in_the_way_and_their_end_is_seen() {
        let first = listening(loopback(), 2);
        let addr = addr_of(&first[0]);
        let traces: Vec<Trace> = first.iter().map(Socket::trace).collect();
        let inodes: Vec<u64> = traces.iter().filter_map(Trace::inode).collect();
        assert!(bind_shared(addr, 2, &inodes).is_ok());
        let all = SocketAddr::from(([0, 0, 0, 0], addr.port()));
        assert!(bind_shared(all, 2, &inodes).is_ok());
        let error = bind_shared(all, 2, &inodes[..1])
            .err()
            .expect("one is another's");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(traces.iter().all(Trace::is_open));
        drop(first);
        assert!(!traces.iter().any(Trace::is_open));
    }

    #[tokio::test]
    async fn connections_come_without_delay_for_small_segments() {
        let socket = listening(loopback(), 1).remove(0);
        let addr = addr_of(&socket);
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
        // For IPv6, which some machines lack, see `tests/user/ipv6.rs`.
        for (text, is_known) in [("127.0.0.1:0", true), ("0.0.0.0:0", false)] {
            let addr = text.parse().expect("an address");
            let socket = listening(addr, 1).remove(0);
            let addr = addr_of(&socket);
            let listener = socket.into_listener().expect("a runtime");
            assert_eq!(listener.own_end(), is_known.then_some(addr), "{text}");
        }
    }
}
