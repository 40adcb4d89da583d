//! Which peers a setting holds for.

use ipnet::IpNet;

use crate::base::Peer;

/// Peers by their address: of trusted proxies, of senders of the PROXY protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peers {
    /// Addresses and networks.
    pub networks: Vec<IpNet>,
    /// What holds for peers on Unix sockets.
    pub unix: UnixPeers,
}

/// Whether peers on Unix sockets, which have no address, are among [`Peers`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnixPeers {
    /// They are.
    Included,
    /// They are not.
    #[default]
    Excluded,
}

impl Peers {
    /// Whether `peer` is one of them. An IPv4 address counts as such, in whatever form it came.
    pub fn have(&self, peer: Peer) -> bool {
        match peer {
            Peer::Ip(addr) => {
                let ip = addr.ip().to_canonical();
                self.networks.iter().any(|network| network.contains(&ip))
            }
            Peer::Unix => self.unix == UnixPeers::Included,
        }
    }
}
