//! A bind: one listening address with its own TLS and PROXY settings.

use crate::base::{FileMode, ListenAddress, Peer, Position};
use crate::plan::Peers;

/// One listening address.
#[derive(Clone, Debug, PartialEq)]
pub struct Bind {
    /// Port 0 takes a free one.
    pub addr: ListenAddress,
    /// Who may connect, when it is a Unix socket with a file.
    pub mode: FileMode,
    /// The index of its TLS settings in the `tls` of the frontend; `None`: no TLS.
    pub tls: Option<usize>,
    /// Which peers must begin connections there with a PROXY header.
    pub proxy_protocol: ProxyProtocol,
    /// Where it is written.
    pub at: Position,
}

/// `proxy_protocol`: which peers must begin with a PROXY header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// None, and a header is not read.
    #[default]
    Off,
    /// All of them.
    Required,
    /// These; all others are clients.
    From(Peers),
}

impl Bind {
    /// A bind at `addr` with every default: without TLS and PROXY headers.
    pub fn new(addr: ListenAddress, at: Position) -> Self {
        Self {
            addr,
            mode: FileMode::default(),
            tls: None,
            proxy_protocol: ProxyProtocol::default(),
            at,
        }
    }
}

impl ProxyProtocol {
    /// Whether a connection of `peer`, the other end of the socket, must begin with a PROXY header.
    pub fn wants_header_from(&self, peer: Peer) -> bool {
        match self {
            Self::Off => false,
            Self::Required => true,
            Self::From(peers) => peers.have(peer),
        }
    }
}
