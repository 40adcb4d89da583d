//! Listening and connecting: the only room that names tokio's sockets.
//!
//! A [`Network`] is handed to whoever needs one, so that the same program runs on the system's
//! network or on a simulated one. What comes out is always a [`Stream`].

mod bind;
mod other;
mod secured;
mod stream;

pub use bind::{Listener, Socket};
pub use other::{Io, OtherListener, OtherNetwork, Pending};
pub use secured::{Greeted, HandshakeFault, Secured, TlsFacts};
pub use stream::{HalfClose, Stream};

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;

/// Where sockets come from.
#[derive(Clone, Default)]
pub enum Network {
    /// The system's own.
    #[default]
    System,
    /// Somebody else's: a simulation.
    Other(Arc<dyn OtherNetwork>),
}

impl Network {
    /// Binds `addr` once for each of `copies` workers.
    ///
    /// The sockets share the address by `SO_REUSEPORT`, and the kernel spreads connections over
    /// them. Port 0 takes one free port for all of them. A network that is not the system's gives
    /// one socket, whatever `copies`.
    ///
    /// # Errors
    ///
    /// What the system says; [`io::ErrorKind::AddrInUse`] also when another process holds the
    /// address with `SO_REUSEPORT`, where a plain bind would share it silently.
    pub async fn bind(&self, addr: SocketAddr, copies: usize) -> io::Result<Vec<Socket>> {
        match self {
            Self::System => bind::bind_shared(addr, copies),
            Self::Other(network) => Ok(vec![Socket::other(network.bind(addr).await?)]),
        }
    }

    /// Opens a connection to `addr`, without delay for small segments (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Cancel safety
    ///
    /// A connection that is not there yet is given up when it is dropped.
    pub async fn connect(&self, addr: SocketAddr) -> io::Result<Stream> {
        match self {
            Self::System => {
                let stream = TcpStream::connect(addr).await?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Self::Other(network) => Ok(Stream::Other(network.connect(addr).await?)),
        }
    }
}
