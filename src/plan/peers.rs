//! The peers for which a setting holds.

use ipnet::IpNet;

use crate::base::Peer;

/// Peers by their address: trusted proxies, or senders of the PROXY protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peers {
    /// Addresses and networks.
    pub networks: Vec<IpNet>,
    /// Whether peers on Unix sockets are included.
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
    /// Whether `peer` is one of them. An IPv4 address counts as one, also in IPv6 form.
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
