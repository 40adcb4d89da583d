//! Addresses to which no connection can be made, each for another reason.

use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

/// An address that is bound and not listened on: connections are refused.
pub(crate) struct RefusingAddress {
    socket: Socket,
}

/// A listening address from which nothing is accepted, and whose queue is full: a connection is
/// neither opened nor refused.
pub(crate) struct Deaf {
    listener: TcpListener,
    _queue: Vec<Socket>,
}

impl RefusingAddress {
    /// One.
    pub(crate) fn new() -> Self {
        Self { socket: bound() }
    }

    /// Where.
    pub(crate) fn address(&self) -> SocketAddr {
        let address = self.socket.local_addr().expect("bound");
        address.as_socket().expect("an IPv4 address")
    }
}

impl Deaf {
    /// One.
    pub(crate) fn new() -> Self {
        let socket = bound();
        socket.listen(0).expect("bound");
        let address = socket.local_addr().expect("bound");
        // A backlog of 0 still holds one connection; the second is one more than fits.
        let queue = (0..2)
            .map(|_| {
                let caller = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
                caller.set_nonblocking(true).expect("a socket");
                // The attempt continues in the background.
                let _ = caller.connect(&address);
                caller
            })
            .collect();
        Self {
            listener: socket.into(),
            _queue: queue,
        }
    }

    /// Where.
    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("bound")
    }
}

fn bound() -> Socket {
    bound_at(SocketAddr::from(([127, 0, 0, 1], 0)))
}

/// A socket at `address`. Several may be bound to it as long as only one of them listens.
pub(super) fn bound_at(address: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None);
    let socket = socket.expect("a socket");
    socket.set_reuse_address(true).expect("a socket");
    socket.bind(&address.into()).expect("a free port");
    socket
}
