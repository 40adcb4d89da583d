//! Blocking sockets for the threads that write access logs.
//!
//! Not a [`Stream`](super::Stream): those belong to the runtime of a worker, and a log must be able to wait
//! without it. Every call has a time limit; the caller sets that of a send.

use std::io::{self, ErrorKind, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use rustix::net::{RecvFlags, recv};

/// The longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A socket that log lines are sent to.
#[derive(Debug)]
pub enum LogSocket {
    /// Each line is a datagram.
    Udp(UdpSocket),
    /// The same, to a socket of this host.
    Unix(UnixDatagram),
    /// A stream of lines.
    Tcp(TcpStream),
}

impl LogSocket {
    /// A socket for datagrams to `host`, which may be a name: then it is resolved, which blocks.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn udp(host: &str, port: u16) -> io::Result<Self> {
        first_of(host, port, |addr| {
            let any: SocketAddr = match addr {
                SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
                SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
            };
            let socket = UdpSocket::bind(any)?;
            socket.connect(addr)?;
            Ok(Self::Udp(socket))
        })
    }

    /// A connection to `host`, which may be a name: then it is resolved, which blocks.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn tcp(host: &str, port: u16) -> io::Result<Self> {
        first_of(host, port, |addr| {
            let stream = TcpStream::connect_timeout(&addr, CONNECT_TIMEOUT)?;
            Ok(Self::Tcp(stream))
        })
    }

    /// A socket for datagrams to the one at `path`.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn unix(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        Ok(Self::Unix(socket))
    }

    /// A send waits at most so long for room at the receiver. Not zero.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn wait_at_most(&self, limit: Duration) -> io::Result<()> {
        match self {
            Self::Udp(socket) => socket.set_write_timeout(Some(limit)),
            Self::Unix(socket) => socket.set_write_timeout(Some(limit)),
            Self::Tcp(stream) => stream.set_write_timeout(Some(limit)),
        }
    }

    /// Whether each line is a datagram.
    pub fn is_datagram(&self) -> bool {
        !matches!(self, Self::Tcp(_))
    }

    /// Sends `bytes`: one datagram, or a part of the stream. Returns how many were taken.
    ///
    /// # Errors
    ///
    /// The system's error; `WouldBlock` if the receiver had no room for so long.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let sent = match self {
                Self::Udp(socket) => socket.send(bytes),
                Self::Unix(socket) => socket.send(bytes),
                Self::Tcp(stream) => stream.write(bytes),
            };
            match sent {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                sent => return sent,
            }
        }
    }

    /// Whether the receiver has closed the connection. A syslog server sends nothing: bytes that
    /// came are thrown away.
    pub fn is_closed(&self) -> bool {
        let Self::Tcp(stream) = self else {
            return false;
        };
        let mut bytes = [0; 512];
        match recv(stream, &mut bytes, RecvFlags::DONTWAIT) {
            Ok((0, _)) => true,
            Ok(_) => false,
            Err(error) => error != rustix::io::Errno::AGAIN && error != rustix::io::Errno::INTR,
        }
    }
}

/// The first socket that `open` opens to an address of `host`.
fn first_of(
    host: &str,
    port: u16,
    open: impl Fn(SocketAddr) -> io::Result<LogSocket>,
) -> io::Result<LogSocket> {
    let mut failed = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for addr in (host, port).to_socket_addrs()? {
        match open(addr) {
            Ok(socket) => return Ok(socket),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}
