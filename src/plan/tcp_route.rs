//! A route of TCP connections: conditions on the ClientHello, and the backend.

use crate::base::{Name, Position};
use crate::plan::expr::Condition;
use crate::plan::{BackendReference, HostPattern};

/// `[[frontend.NAME.route]]` in TCP mode.
///
/// It matches if each kind of its conditions holds.
#[derive(Clone, Debug, PartialEq)]
pub struct TcpRoute {
    /// The `name` key, else its number; unique in its frontend.
    pub name: Name,
    /// One of them is the client's SNI. Empty: any, or none.
    pub sni: Vec<HostPattern>,
    /// The client offers one of them (ALPN). Empty: any, or none.
    pub alpn: Vec<String>,
    /// What else must be true of the connection; `None`: nothing.
    pub when: Option<Condition>,
    /// Where matching connections go.
    pub backend: BackendReference,
    /// Where it is written.
    pub at: Position,
    /// The position of its name, or else of the route.
    pub named_at: Position,
}

impl TcpRoute {
    /// Whether it has a condition at all.
    pub fn has_conditions(&self) -> bool {
        self.asks_client_hello() || self.when.is_some()
    }

    /// Whether it has a condition on the ClientHello.
    pub fn asks_client_hello(&self) -> bool {
        !self.sni.is_empty() || !self.alpn.is_empty()
    }
}
