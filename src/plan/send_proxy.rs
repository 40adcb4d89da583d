//! The PROXY header at the beginning of connections to servers.

/// `send_proxy` of a backend: connections begin with a PROXY header and are each client's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendProxy {
    /// The version of the header.
    pub version: ProxyVersion,
    /// Whether it names the host that the client asked for. Version 2 only.
    pub authority: bool,
    /// Whether it carries the id of the exchange that the connection was opened for. Version 2 only.
    pub unique_id: bool,
    /// Whether it has the facts of the client's TLS handshake. Version 2 only.
    pub tls: bool,
}

/// A version of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}
