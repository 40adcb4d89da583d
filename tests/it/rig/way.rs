//! How a client of HTTP/2 comes to a proxy: in the clear, or by TLS that agrees on it.
//!
//! What holds in the clear must hold behind a handshake, where other code reads, writes and ends
//! the connection. A case that takes a [`Way`] is made a test of either by `by_each_way`.

use std::net::SocketAddr;

use super::client::Client;
use super::folder::Folder;
use super::framed::{Framed, PREFACE, settings};
use super::proxy::Setup;
use super::tls::{Authority, Speech};

const NAME: &str = "test";
const FILE: &str = "test.pem";

/// Makes each function that takes a `&Way` two tests: `clear` and `tls`.
macro_rules! by_each_way {
    ($($case:ident),* $(,)?) => {
        mod clear {
            $(#[test] fn $case() { super::$case(&crate::rig::Way::Clear); })*
        }
        mod tls {
            $(#[test] fn $case() { super::$case(&crate::rig::Way::tls()); })*
        }
    };
}

pub(crate) use by_each_way;

/// A way to a proxy.
pub(crate) enum Way {
    /// With prior knowledge.
    Clear,
    /// By ALPN.
    Tls(Box<Safe>),
}

/// What either side of a handshake needs.
pub(crate) struct Safe {
    folder: Folder,
    authority: Authority,
}

impl Way {
    /// By TLS, with a certificate of its own.
    pub(crate) fn tls() -> Self {
        let folder = Folder::new();
        let authority = Authority::new("Test CA");
        folder.write(FILE, &authority.pair(&[NAME]).whole());
        Self::Tls(Box::new(Safe { folder, authority }))
    }

    /// A proxy that can be reached so.
    pub(crate) fn of(&self, setup: Setup) -> Setup {
        match self {
            Self::Clear => setup,
            Self::Tls(safe) => {
                let path = safe.folder.path(FILE);
                setup.frontend(&format!(
                    "tls = {{ certificates = \"{}\" }}",
                    path.display()
                ))
            }
        }
    }

    /// Connects, greets, and grants no dynamic table.
    #[track_caller]
    pub(crate) fn connect(&self, address: SocketAddr) -> Framed {
        self.greeting(address, &[(1, 0)])
    }

    /// Connects and greets with these settings.
    #[track_caller]
    pub(crate) fn greeting(&self, address: SocketAddr, values: &[(u16, u32)]) -> Framed {
        let mut client = self.silent(address);
        client.send(PREFACE).send(settings(values));
        client
    }

    /// Connects and says nothing.
    #[track_caller]
    pub(crate) fn silent(&self, address: SocketAddr) -> Framed {
        self.after(Framed::silent(address))
    }

    /// Connects with a small receive buffer, and says nothing.
    #[track_caller]
    pub(crate) fn narrow(&self, address: SocketAddr) -> Framed {
        self.after(Framed::narrow(address))
    }

    #[track_caller]
    fn after(&self, client: Framed) -> Framed {
        match self {
            Self::Clear => client,
            Self::Tls(safe) => client.behind(&Speech::of_http2(&safe.authority), NAME),
        }
    }

    /// Another client that comes the same way, and asks by HTTP/1 for `target` again and again: gives
    /// the status.
    #[track_caller]
    pub(crate) fn neighbour(
        &self,
        address: SocketAddr,
        target: &'static str,
    ) -> Box<dyn FnMut() -> u16 + Send> {
        match self {
            Self::Clear => {
                let mut client = Client::connect(address);
                Box::new(move || client.get(target).status())
            }
            Self::Tls(safe) => {
                let mut client = Speech::trusting(&safe.authority).connect(address, NAME);
                Box::new(move || client.get(NAME, target).status())
            }
        }
    }
}
