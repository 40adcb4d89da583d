//! How an HTTP/2 client connects to a proxy: without TLS, or by ALPN.
//!
//! The same must hold with TLS, where other code reads, writes and ends the connection. A case with
//! a [`Way`] is made two tests by `by_each_way`.

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

/// The certificates for both sides of a handshake.
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

    /// The setup of a proxy that can be reached this way.
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

    /// Connects, sends the preface, and grants no dynamic table.
    #[track_caller]
    pub(crate) fn connect(&self, address: SocketAddr) -> Framed {
        self.greeting(address, &[(1, 0)])
    }

    /// Connects and sends the preface with these settings.
    #[track_caller]
    pub(crate) fn greeting(&self, address: SocketAddr, values: &[(u16, u32)]) -> Framed {
        let mut client = self.silent(address);
        client.send(PREFACE).send(settings(values));
        client
    }

    /// Connects and sends nothing.
    #[track_caller]
    pub(crate) fn silent(&self, address: SocketAddr) -> Framed {
        self.after(Framed::silent(address))
    }

    /// Connects with a small receive buffer, and sends nothing.
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

    /// Another client that connects the same way, and requests `target` by HTTP/1 again and again:
    /// returns the status.
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
