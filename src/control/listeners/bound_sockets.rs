//! The sockets of one address: one for each worker, or one for the admin listener.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::address::UnixName;
use crate::base::{Address, ListenAddress};
use crate::control::moves::{Held, Owner, Site};
use crate::net::{Network, Socket, Trace};

/// Sockets at one address, for all workers.
pub(in super::super) struct BoundSockets {
    /// As bound: in place of port 0, the real port.
    pub(in super::super) addr: ListenAddress,
    pub(super) site: Site,
    is_dual: bool,
    traces: Vec<Trace>,
}

impl BoundSockets {
    pub(super) fn of(
        wanted: &ListenAddress,
        sockets: &[Socket],
        network: &Network,
    ) -> io::Result<Self> {
        let mut bound = Self {
            addr: wanted.clone(),
            site: site_of(wanted, network),
            is_dual: sockets.first().is_some_and(Socket::is_dual),
            traces: sockets.iter().map(Socket::trace).collect(),
        };
        if let Some(socket) = sockets.first() {
            let at = socket.local_addr()?;
            if let Some(Address::Ip(addr)) = at {
                bound.site = Site::Ip(addr);
            }
            bound.addr = bound_at(wanted, at);
        }
        Ok(bound)
    }

    pub(in super::super) fn held(&self, listen: &ListenAddress, owner: Owner) -> Held {
        Held {
            listen: listen.clone(),
            site: self.site.clone(),
            is_dual: self.is_dual,
            owner,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.traces.iter().any(Trace::is_open)
    }

    pub(super) fn inodes(&self) -> impl Iterator<Item = u64> {
        self.traces.iter().filter_map(Trace::inode)
    }
}

/// Where a socket for `listen` will be.
pub(super) fn site_of(listen: &ListenAddress, network: &Network) -> Site {
    match listen {
        ListenAddress::At(_) if listen.is_any_port() => Site::Unknown,
        ListenAddress::At(Address::Unix(UnixName::Path(path))) => {
            Site::Unix(UnixName::Path(real_path(path)))
        }
        ListenAddress::At(Address::Unix(name)) => Site::Unix(name.clone()),
        ListenAddress::At(address) => network.resolved(address).map_or(Site::Unknown, Site::Ip),
        ListenAddress::Inherited(_) => Site::Unknown,
    }
}

/// `path` without symbolic links in its directories. The file itself is a socket, so it is no link.
fn real_path(path: &Path) -> PathBuf {
    let real = || {
        let parent = match path.parent()? {
            parent if parent.as_os_str().is_empty() => Path::new("."),
            parent => parent,
        };
        Some(parent.canonicalize().ok()?.join(path.file_name()?))
    };
    real().unwrap_or_else(|| path.to_owned())
}

/// The address of a socket that was bound for `wanted`, at `bound`: the port may be another one.
fn bound_at(wanted: &ListenAddress, bound: Option<Address>) -> ListenAddress {
    match (wanted, bound) {
        // In the words of the file: people do not know interfaces by number.
        (ListenAddress::At(wanted), Some(Address::Ip(bound))) => ListenAddress::At(match wanted {
            Address::Zoned { .. } => wanted.with_port(bound.port()),
            _ => Address::Ip(bound),
        }),
        (ListenAddress::Inherited(_), Some(bound)) => ListenAddress::At(bound),
        (wanted, _) => wanted.clone(),
    }
}
