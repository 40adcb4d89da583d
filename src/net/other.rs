//! The trait of a network that is not the system's, for simulations.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

/// A future behind a pointer: only simulations pay for it.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A connection of a simulated network.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// A network with its own sockets and addresses.
pub trait OtherNetwork: Send + Sync {
    /// Listens on `addr`.
    fn bind(&self, addr: SocketAddr) -> Pending<'_, io::Result<Box<dyn OtherListener>>>;

    /// Opens a connection to `addr`.
    fn connect(&self, addr: SocketAddr) -> Pending<'_, io::Result<Box<dyn Io>>>;
}

/// A listening socket of a simulated network.
pub trait OtherListener: Send {
    /// The address it listens on.
    ///
    /// # Errors
    ///
    /// The network's error.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// The next connection and its peer.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Box<dyn Io>, SocketAddr)>>;
}
