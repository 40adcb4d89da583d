//! The permit for one exchange on an HTTP/2 connection.

use std::pin::pin;
use std::rc::Rc;

use ::h2::client::SendRequest;
use bytes::Bytes;

use crate::exchange::{Fault, Reason};
use crate::proxy::io::SocketTracker;

use super::connection::H2Connection;
use super::pool::{H2Pool, Waiting};

/// Permission for one exchange to use one stream of a connection. Dropping it gives the stream to
/// the next.
pub(in super::super) struct StreamPermit {
    connection: Rc<H2Connection>,
    pool: Rc<H2Pool>,
    was_used: bool,
}

impl StreamPermit {
    /// `connection` has been entered for it.
    pub(in super::super) fn of(connection: Rc<H2Connection>, pool: &Rc<H2Pool>) -> Self {
        Self {
            // The request that it is taken for counts already.
            was_used: connection.was_used_before(),
            connection,
            pool: Rc::clone(pool),
        }
    }

    /// Whether the connection has carried a request before.
    pub(in super::super) fn was_used(&self) -> bool {
        self.was_used
    }

    /// Notes that an answer on this connection is late: a PING tests the connection.
    pub(super) fn doubt(&self) {
        self.connection.doubt();
    }

    /// For one request; `None`: the connection takes no more.
    pub(super) fn sender(&self) -> Option<SendRequest<Bytes>> {
        self.connection.sender()
    }

    /// Reports what the server has taken.
    pub(super) fn tracker(&self) -> SocketTracker {
        self.connection.tracker()
    }

    /// Makes the connection take no other exchange.
    pub(super) fn leave(&self) {
        self.connection.leave();
    }

    /// Whether the server has sent its settings.
    pub(super) fn is_greeted(&self) -> bool {
        self.connection.is_greeted()
    }

    /// Notes that no request was sent after all, and gives the stream back.
    pub(in super::super) fn leave_unused(self) {
        self.connection.was_not_used();
    }

    /// Whether a stream may become a tunnel. Waits for the server's settings.
    ///
    /// # Errors
    ///
    /// The connection ended before; it is safe to try again.
    pub(in super::super) async fn takes_connect(&self) -> Result<bool, Fault> {
        let waiting = Waiting::enter(&self.pool);
        loop {
            let mut changed = pin!(waiting.changed());
            // From here on no change is missed.
            changed.as_mut().enable();
            if !self.connection.is_open() {
                let refused = || Fault::new(Reason::ServerStreamRefused);
                return Err(waiting.failed().unwrap_or_else(refused));
            }
            if self.connection.is_greeted() {
                return Ok(self.connection.takes_connect());
            }
            changed.await;
        }
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        self.pool.give_back(&self.connection);
    }
}
