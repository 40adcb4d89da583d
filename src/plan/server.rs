//! The servers of a backend, and what each has in place of the backend's settings.

use std::net::IpAddr;

use crate::base::{Address, Name, Position};
use crate::plan::{SendProxy, ServerTls};

/// One server of a backend.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// The `name` key, else the address as written: the identity that live state belongs to.
    /// Unique in its backend.
    pub name: Name,
    /// Where it listens.
    pub address: Address,
    /// 0 to 256; 0 takes no new traffic.
    pub weight: u16,
    /// Exchanges at a time over all workers; `None`: no bound.
    pub max_connections: Option<u32>,
    /// Used only while no other server of the backend can be.
    pub backup: bool,
    /// What holds for it in place of what the backend has.
    pub own: OwnSettings,
    /// Where it is written.
    pub at: Position,
}

/// What one server has in place of the settings of its backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnSettings {
    /// Whether connections to it begin with a PROXY header.
    pub send_proxy: Own<SendProxy>,
    /// Whether connections to it are under TLS.
    pub tls: Own<ServerTls>,
    /// `health` of the server.
    pub check: OwnCheck,
}

/// What is other in checks of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnCheck {
    /// Another IP address than the server's.
    pub address: Option<IpAddr>,
    /// Another port than the server's, and than `health` of the backend says.
    pub port: Option<u16>,
    /// TLS, where it is other than `health` of the backend says, or than in exchanges.
    pub tls: Own<ServerTls>,
}

/// A setting that can be written in one place for a part of what another place holds for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Own<T> {
    /// Nothing is written: the other place decides.
    #[default]
    Inherited,
    /// Off, whatever the other place says.
    Off,
    /// On, with this.
    On(Box<T>),
}

impl<T> Own<T> {
    /// What holds, where the other place says `outer`; `None`: off.
    pub fn or<'a>(&'a self, outer: Option<&'a T>) -> Option<&'a T> {
        match self {
            Self::Inherited => outer,
            Self::Off => None,
            Self::On(own) => Some(own),
        }
    }

    /// What is written, if it is on.
    pub fn on(&self) -> Option<&T> {
        self.or(None)
    }
}

impl Server {
    /// The server `name` at `address`, which is written at `at`, with every default.
    pub fn new(name: Name, address: Address, at: Position) -> Self {
        Self {
            name,
            address,
            weight: 1,
            max_connections: None,
            backup: false,
            own: OwnSettings::default(),
            at,
        }
    }
}
