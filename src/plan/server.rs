//! The servers of a backend, and the settings of each that replace the backend's.

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
    /// Used only while no other server of the backend is usable.
    pub backup: bool,
    /// Settings that replace those of the backend.
    pub own: OwnSettings,
    /// Where it is written.
    pub at: Position,
    /// The position of its name: its `name` key, or the text in its place.
    pub named_at: Position,
}

/// The settings of one server that replace those of its backend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnSettings {
    /// Whether connections to it begin with a PROXY header.
    pub send_proxy: Own<SendProxy>,
    /// TLS to the server.
    pub tls: Own<ServerTls>,
    /// `health` of the server.
    pub check: OwnCheck,
}

/// The settings for checks of one server that replace those of `health` of the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnCheck {
    /// Another IP address than the server's.
    pub address: Option<IpAddr>,
    /// Another port than that of the server and of the backend's `health`.
    pub port: Option<u16>,
    /// TLS, if it differs from that of the backend's `health` and of exchanges.
    pub tls: Own<ServerTls>,
    /// Its position, if it is written.
    pub at: Position,
}

impl Default for OwnCheck {
    /// None: the settings of the backend apply.
    fn default() -> Self {
        Self {
            address: None,
            port: None,
            tls: Own::default(),
            at: Position::built_in(),
        }
    }
}

/// A setting that replaces, for one server or for checks, the setting of an outer table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Own<T> {
    /// Not written: the outer setting holds.
    #[default]
    Inherited,
    /// Off, whatever the outer setting is.
    Off,
    /// On, with this.
    On(Box<T>),
}

impl<T> Own<T> {
    /// The setting that holds if the outer one is `outer`; `None`: off.
    pub fn or<'a>(&'a self, outer: Option<&'a T>) -> Option<&'a T> {
        match self {
            Self::Inherited => outer,
            Self::Off => None,
            Self::On(own) => Some(own),
        }
    }

    /// Its own setting, if it is on.
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
            named_at: at.clone(),
            at,
        }
    }
}
