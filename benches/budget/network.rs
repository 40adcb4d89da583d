//! A network in memory: passing a byte needs no system call.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use evenkeel::net::{Io, OtherListener, OtherNetwork, Pending};
use tokio::io::DuplexStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The capacity of a connection, in each direction.
const PIPE_BYTES: usize = 64 << 10;

/// The source of connections whose address is not read.
const PEER: ([u8; 4], u16) = ([10, 0, 2, 1], 50_000);

type Accepted = (DuplexStream, SocketAddr);

/// Addresses and their listeners. A clone is the same network.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    listeners: Arc<Mutex<HashMap<SocketAddr, UnboundedSender<Accepted>>>>,
}

/// A listening socket.
pub(crate) struct Listening {
    addr: SocketAddr,
    accepted: Mutex<UnboundedReceiver<Accepted>>,
}

impl Memory {
    pub(crate) fn listen(&self, addr: SocketAddr) -> Listening {
        let (sender, receiver) = unbounded_channel();
        let mut listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        listeners.insert(addr, sender);
        Listening {
            addr,
            accepted: Mutex::new(receiver),
        }
    }

    pub(crate) fn dial(&self, addr: SocketAddr) -> io::Result<DuplexStream> {
        let listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let listener = listeners
            .get(&addr)
            .ok_or(io::ErrorKind::ConnectionRefused)?;
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let sent = listener.send((theirs, SocketAddr::from(PEER)));
        sent.map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(ours)
    }
}

impl Listening {
    pub(crate) async fn accept(&mut self) -> Option<DuplexStream> {
        let accepted = self.accepted.get_mut();
        let accepted = accepted.unwrap_or_else(PoisonError::into_inner);
        Some(accepted.recv().await?.0)
    }
}

impl OtherNetwork for Memory {
    fn bind(&self, addr: SocketAddr) -> Pending<'_, io::Result<Box<dyn OtherListener>>> {
        Box::pin(async move { Ok(Box::new(self.listen(addr)) as Box<dyn OtherListener>) })
    }

    fn connect(&self, addr: SocketAddr) -> Pending<'_, io::Result<Box<dyn Io>>> {
        Box::pin(async move { Ok(Box::new(self.dial(addr)?) as Box<dyn Io>) })
    }
}

impl OtherListener for Listening {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.addr)
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Box<dyn Io>, SocketAddr)>> {
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        let (stream, peer) = ready!(accepted.poll_recv(cx)).ok_or(io::ErrorKind::NotConnected)?;
        Poll::Ready(Ok((Box::new(stream), peer)))
    }
}
