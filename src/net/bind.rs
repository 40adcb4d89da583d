//! Listening sockets: bound on the control thread, used on the workers.
//!
//! Binding and accepting are apart because a reload has to know that every new address can be had
//! before anything changes.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::task::{Context, Poll};

use socket2::{Domain, Protocol, SockRef, Socket as RawSocket, Type};
use tokio::net::{TcpListener, TcpStream};

use super::other::OtherListener;
use super::stream::Stream;

/// Connections that the kernel holds for us while we are busy; it takes less when `somaxconn` is less.
const BACKLOG: i32 = 4096;

/// A socket that listens, on its way to the worker that will accept from it.
pub struct Socket(Kind);

enum Kind {
    System(StdListener),
    Other(Box<dyn OtherListener>),
}

/// A socket that accepts, on the worker that owns it.
pub struct Listener(Accepting);

enum Accepting {
    System(TcpListener),
    Other(Box<dyn OtherListener>),
}

impl Socket {
    pub(super) fn other(listener: Box<dyn OtherListener>) -> Self {
        Self(Kind::Other(listener))
    }

    /// The address it listens on, with the port that port 0 became.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Kind::System(listener) => listener.local_addr(),
            Kind::Other(listener) => listener.local_addr(),
        }
    }

    /// Hands it to the runtime of the thread that calls.
    ///
    /// # Errors
    ///
    /// What the system says when the runtime can watch no further descriptor.
    pub fn into_listener(self) -> io::Result<Listener> {
        Ok(Listener(match self.0 {
            Kind::System(listener) => Accepting::System(TcpListener::from_std(listener)?),
            Kind::Other(listener) => Accepting::Other(listener),
        }))
    }
}

impl Listener {
    /// The next connection and its peer, without delay for small segments.
    ///
    /// # Errors
    ///
    /// What the system says: of the new connection, or that there is no descriptor left.
    ///
    /// # Cancel safety
    ///
    /// No connection is lost when it is dropped.
    pub async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// The same, to be polled.
    ///
    /// # Errors
    ///
    /// As [`Listener::accept`].
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Stream, SocketAddr)>> {
        match &self.0 {
            Accepting::System(listener) => listener.poll_accept(cx).map(|accepted| {
                let (stream, peer) = accepted?;
                stream.set_nodelay(true)?;
                Ok((Stream::Tcp(stream), peer))
            }),
            Accepting::Other(listener) => listener
                .poll_accept(cx)
                .map_ok(|(stream, peer)| (Stream::Other(stream), peer)),
        }
    }

    /// A connection that is in the queue, for when the socket is about to close: asks the system
    /// itself. [`Listener::poll_accept`] only asks when the runtime has heard that somebody came, and
    /// whoever it has not heard of yet would be reset.
    ///
    /// # Errors
    ///
    /// As [`Listener::accept`].
    pub fn accept_queued(&self) -> io::Result<Option<(Stream, SocketAddr)>> {
        let Accepting::System(listener) = &self.0 else {
            return Ok(None);
        };
        let (socket, _) = match SockRef::from(listener).accept() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        };
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        let stream = TcpStream::from_std(socket.into())?;
        let peer = stream.peer_addr()?;
        Ok(Some((Stream::Tcp(stream), peer)))
    }
}

/// Binds `copies` sockets that share `addr`, after making sure that nobody else has it.
pub(super) fn bind_shared(addr: SocketAddr, copies: usize) -> io::Result<Vec<Socket>> {
    if addr.port() != 0 {
        // Two processes that both set SO_REUSEPORT get the same port without a word, and each
        // receives a part of the traffic. A bind without it fails then.
        listening(addr, Sharing::Alone)?;
    }
    let first = listening(addr, Sharing::BetweenWorkers)?;
    let addr = first.local_addr()?;
    let mut sockets = vec![Socket(Kind::System(first))];
    while sockets.len() < copies {
        sockets.push(Socket(Kind::System(listening(
            addr,
            Sharing::BetweenWorkers,
        )?)));
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

    #[test]
    fn workers_share_one_port() {
        let sockets = bind_shared(loopback(), 3).expect("a free port");
        let ports: Vec<u16> = sockets
            .iter()
            .map(|socket| socket.local_addr().expect("bound").port())
            .collect();
        assert_eq!(ports.len(), 3);
        assert!(ports.iter().all(|&port| port == ports[0] && port != 0));
    }

    #[test]
    fn a_port_that_is_taken_is_refused_although_it_could_be_shared() {
        let first = bind_shared(loopback(), 2).expect("a free port");
        let addr = first[0].local_addr().expect("bound");
        let error = bind_shared(addr, 1).err().expect("it is taken");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[tokio::test]
    async fn who_is_in_the_queue_is_found_before_the_runtime_has_heard() {
        let socket = bind_shared(loopback(), 1).expect("a free port").remove(0);
        let addr = socket.local_addr().expect("bound");
        let listener = socket.into_listener().expect("a runtime");
        let _client = std::net::TcpStream::connect(addr).expect("it listens");
        assert!(listener.accept_queued().expect("no fault").is_some());
        assert!(listener.accept_queued().expect("no fault").is_none());
    }
}
