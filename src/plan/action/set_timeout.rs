//! `set_timeout`: deadlines of one exchange.

use std::time::Duration;

/// The deadlines that rules set, in place of those of the frontend and the backend; `None`: not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetTimeouts {
    /// To open a connection.
    pub connect: Option<Duration>,
    /// Until the server's response head.
    pub response: Option<Duration>,
    /// Between two pieces of the response body.
    pub body: Option<Duration>,
    /// For a free slot.
    pub queue: Option<Duration>,
    /// For the whole exchange, from the end of its request head on.
    pub exchange: Option<Duration>,
    /// For a tunnel without traffic.
    pub tunnel: Option<Duration>,
}

impl SetTimeouts {
    /// The same, where `later` does not set another.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        Self {
            connect: later.connect.or(self.connect),
            response: later.response.or(self.response),
            body: later.body.or(self.body),
            queue: later.queue.or(self.queue),
            exchange: later.exchange.or(self.exchange),
            tunnel: later.tunnel.or(self.tunnel),
        }
    }
}
