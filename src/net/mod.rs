//! Listening and connecting: the only room that names tokio's sockets.
//!
//! A [`Network`] is passed to each room that needs one, so that the same program runs on the
//! system's network or on a simulated one. All connections are a [`Stream`].

mod bind;
mod counted;
mod descriptors;
mod dialer;
mod inherited;
mod log_socket;
mod notify;
mod other;
mod pipe;
mod readable;
mod rewind;
mod send_queue;

mod stream;
mod taken;
mod tls_error;
mod tls_stream;
mod tls_wire;
mod unix;

pub use bind::{Listener, Socket, Trace};
pub use counted::Counted;
pub use descriptors::{By, Claim, Descriptors, Permit, Room};
pub use dialer::{Dialer, is_shortage};
pub use log_socket::LogSocket;
pub use notify::tell_service_manager;
pub use other::{Io, OtherListener, OtherNetwork, Pending};
pub use pipe::{Pipe, Pipes};
pub use readable::Readable;
pub use rewind::Rewind;
pub use stream::{HalfClose, Stream};
pub use tls_error::{CERTIFICATE_REFUSED, TlsPeer, tls_error};
pub use tls_stream::{Greeted, HandshakeFault, TlsFacts, TlsStream};

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;

use tokio::net::{TcpStream, UnixStream};

use crate::base::address::UnixName;
use crate::base::{Address, FileMode, ListenAddress};

/// Whether `ip` is an address of this machine: the system lets a socket have no other. Three system calls.
pub fn is_local(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

/// The source of sockets.
#[derive(Clone, Default)]
pub enum Network {
    /// The system's own.
    #[default]
    System,
    /// Another one: a simulation.
    Other(Arc<dyn OtherNetwork>),
}

impl Network {
    /// Binds `address` once for each of `copies` workers; `mode` is for the file of a Unix socket.
    /// Clients can connect after [`Socket::listen`].
    ///
    /// Sockets of IP addresses share their address by `SO_REUSEPORT`, and the kernel spreads
    /// connections over them; for any other address there is one socket, with a descriptor for each
    /// worker. Port 0 takes one free port for all of them. A simulated network returns one socket,
    /// whatever `copies`.
    ///
    /// # Errors
    ///
    /// The system's error; [`io::ErrorKind::AddrInUse`] also if another process holds the address
    /// with `SO_REUSEPORT`, where a plain bind would share it silently, or listens on the Unix
    /// socket. Our own sockets with the inodes `own` do not count.
    pub async fn bind(
        &self,
        address: &ListenAddress,
        mode: FileMode,
        copies: usize,
        own: &[u64],
    ) -> io::Result<Vec<Socket>> {
        match self {
            Self::System => bind::bind(address, mode, copies, own),
            Self::Other(network) => {
                let addr = address.ip().ok_or(io::ErrorKind::Unsupported)?;
                Ok(vec![Socket::other(network.bind(addr).await?)])
            }
        }
    }

    /// The present IP address and port of `address`, if it has one.
    pub fn resolved(&self, address: &Address) -> Option<SocketAddr> {
        match (self, address) {
            (_, Address::Ip(addr)) => Some(*addr),
            (Self::System, Address::Zoned { ip, zone, port }) => {
                bind::with_zone(*ip, zone, *port).ok()
            }
            (Self::Other(_), Address::Zoned { .. }) | (_, Address::Unix(_)) => None,
        }
    }

    /// Sets who may connect to our Unix socket at `path`.
    ///
    /// # Errors
    ///
    /// The system's error.
    pub fn set_mode(&self, path: &Path, mode: FileMode) -> io::Result<()> {
        unix::set_mode(path, mode)
    }

    /// Opens a connection to `address`, without delay for small segments (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// The system's error.
    ///
    /// # Cancel safety
    ///
    /// An unfinished connection is aborted when it is dropped.
    pub async fn connect(&self, address: &Address) -> io::Result<Stream> {
        match (self, address) {
            (Self::System, Address::Ip(addr)) => connect_tcp(*addr).await,
            (Self::System, Address::Zoned { ip, zone, port }) => {
                connect_tcp(bind::with_zone(*ip, zone, *port)?).await
            }
            (Self::System, Address::Unix(UnixName::Path(path))) => {
                Ok(Stream::Unix(UnixStream::connect(path).await?.into()))
            }
            (Self::System, Address::Unix(UnixName::Abstract(name))) => {
                // tokio takes the kernel's form: a zero in front.
                Ok(Stream::Unix(
                    UnixStream::connect(format!("\0{name}")).await?.into(),
                ))
            }
            (Self::Other(network), Address::Ip(addr)) => {
                Ok(Stream::Other(network.connect(*addr).await?))
            }
            (Self::Other(_), _) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

async fn connect_tcp(addr: SocketAddr) -> io::Result<Stream> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    Ok(Stream::Tcp(stream.into()))
}
