//! The simulator's sockets as the proxy takes them.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use evenkeel::net::{Io, OtherListener, OtherNetwork, Pending};
use turmoil::net::{TcpListener, TcpStream};

/// Connecting there panics: a defect in what an exchange stands on.
pub(crate) const DEFECT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 9, 9));

/// The network of the simulated host that is running.
pub(crate) struct Simulated;

/// A listening socket. What is accepted next is a future that outlives a poll: dropping it would
/// lose the simulator's wake-up.
struct Listening {
    listener: Arc<TcpListener>,
    accepting: RefCell<Accepting>,
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
            };
            Ok(Box::new(listening) as Box<dyn OtherListener>)
        })
    }

    fn connect(&self, addr: SocketAddr) -> Pending<'_, io::Result<Box<dyn Io>>> {
        Box::pin(async move {
            if addr.ip() == DEFECT {
                // As `panic!` does it, without a word on standard error.
                resume_unwind(Box::new("no such luck"));
            }
            let stream = TcpStream::connect(addr).await?;
            Ok(Box::new(stream) as Box<dyn Io>)
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
        let boxed = |(stream, peer)| (Box::new(stream) as Box<dyn Io>, peer);
        Poll::Ready(accepted.map(boxed))
    }
}

fn accept(listener: &Arc<TcpListener>) -> Accepting {
    let listener = Arc::clone(listener);
    Box::pin(async move { listener.accept().await })
}
