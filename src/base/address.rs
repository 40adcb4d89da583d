//! Addresses to listen on and to connect to, and the peers of connections.
//!
//! Text and values only: `config` reads them, `net` makes sockets of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::base::Name;

/// The most bytes of the name of a Unix socket (`sun_path`), without the zero that ends a path or
/// begins an abstract name.
pub(crate) const LONGEST_UNIX_NAME: usize = 107;

/// An IPv4 address as text, as the standard library writes it. The standard library formats an
/// address twice, to be able to pad it, and each connection needs one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dotted {
    text: [u8; 15],
    length: usize,
}

impl Dotted {
    /// Formats `ip`.
    pub(crate) fn of(ip: Ipv4Addr) -> Self {
        let mut dotted = Self {
            text: [0; 15],
            length: 0,
        };
        for (index, octet) in ip.octets().into_iter().enumerate() {
            if index > 0 {
                dotted.push(b'.');
            }
            if octet >= 100 {
                dotted.push(b'0' + octet / 100);
            }
            if octet >= 10 {
                dotted.push(b'0' + octet / 10 % 10);
            }
            dotted.push(b'0' + octet % 10);
        }
        dotted
    }

    /// The text, in ASCII.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text[..self.length]
    }

    fn push(&mut self, byte: u8) {
        self.text[self.length] = byte;
        self.length += 1;
    }
}

/// An address to connect to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// An IP address and a port.
    Ip(SocketAddr),
    /// A link-local address with its interface (`[fe80::1%eth0]:80`). The number of the interface
    /// is looked up at each use, because it may change.
    Zoned {
        /// Link-local.
        ip: Ipv6Addr,
        /// The interface.
        zone: Name,
        /// The port.
        port: u16,
    },
    /// A Unix socket.
    Unix(UnixName),
}

/// The name of a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum UnixName {
    /// A file.
    Path(PathBuf),
    /// An abstract name (`@name`), which has no file and ends with the socket. Linux only.
    Abstract(String),
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    /// An address that we bind.
    At(Address),
    /// A socket that the process which started us has bound.
    Inherited(Descriptor),
}

/// A descriptor that was open when the process started.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Descriptor {
    /// `fd://3`.
    Number(u32),
    /// `fd://web`: by its name in `LISTEN_FDNAMES`.
    Name(Name),
}

/// Who may connect to a Unix socket: the permission bits of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMode(pub u32);

impl Default for FileMode {
    /// Owner and group. The operator decides whether others may connect.
    fn default() -> Self {
        Self(0o660)
    }
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A peer with an IP address.
    Ip(SocketAddr),
    /// A process of this host, by a Unix socket: it has no address of its own.
    Unix,
}

/// Both ends of a client connection, as trusted proxies before us report them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The client that the connection is from.
    pub client: Peer,
    /// Where the client connected to; `None`: no IP address.
    pub local: Option<SocketAddr>,
}

impl Address {
    /// The IP address and port, if it is that.
    pub fn ip(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(addr) => Some(*addr),
            Self::Zoned { .. } | Self::Unix(_) => None,
        }
    }

    /// Its port; a Unix socket has none.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Ip(addr) => Some(addr.port()),
            Self::Zoned { port, .. } => Some(*port),
            Self::Unix(_) => None,
        }
    }

    /// The same address with another port; a Unix socket has none.
    #[must_use]
    pub fn with_port(&self, port: u16) -> Self {
        match self {
            Self::Ip(addr) => Self::Ip(SocketAddr::new(addr.ip(), port)).with_scope_of(addr),
            Self::Zoned { ip, zone, .. } => Self::Zoned {
                ip: *ip,
                zone: zone.clone(),
                port,
            },
            Self::Unix(_) => self.clone(),
        }
    }

    fn with_scope_of(mut self, other: &SocketAddr) -> Self {
        if let (Self::Ip(SocketAddr::V6(addr)), SocketAddr::V6(other)) = (&mut self, other) {
            addr.set_scope_id(other.scope_id());
        }
        self
    }

    /// The `Host` of a request that names no host (RFC 9110 §7.2): without a zone, which means
    /// nothing to the server (RFC 6874 §4), and `localhost` for a Unix socket.
    pub fn as_host(&self) -> String {
        match self {
            Self::Ip(SocketAddr::V4(addr)) => addr.to_string(),
            Self::Ip(SocketAddr::V6(addr)) => format!("[{}]:{}", addr.ip(), addr.port()),
            Self::Zoned { ip, port, .. } => format!("[{ip}]:{port}"),
            Self::Unix(_) => "localhost".to_owned(),
        }
    }
}

impl ListenAddress {
    /// The IP address and port, if it is that.
    pub fn ip(&self) -> Option<SocketAddr> {
        match self {
            Self::At(address) => address.ip(),
            Self::Inherited(_) => None,
        }
    }

    /// The file of a Unix socket that we bind.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::At(Address::Unix(UnixName::Path(path))) => Some(path),
            _ => None,
        }
    }

    /// Whether each bind gets another address.
    pub fn is_any_port(&self) -> bool {
        match self {
            Self::At(Address::Ip(addr)) => addr.port() == 0,
            Self::At(Address::Zoned { port, .. }) => *port == 0,
            Self::At(Address::Unix(_)) | Self::Inherited(_) => false,
        }
    }
}

impl Peer {
    /// Its IP address, if it has one.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Ip(addr) => Some(addr.ip()),
            Self::Unix => None,
        }
    }

    /// Its port, if it has one.
    pub fn port(self) -> Option<u16> {
        match self {
            Self::Ip(addr) => Some(addr.port()),
            Self::Unix => None,
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(addr: SocketAddr) -> Self {
        Self::Ip(addr)
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(addr: SocketAddr) -> Self {
        Self::At(Address::Ip(addr))
    }
}

impl From<SocketAddr> for Peer {
    fn from(addr: SocketAddr) -> Self {
        Self::Ip(addr)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(addr) => addr.fmt(f),
            Self::Zoned { ip, zone, port } => write!(f, "[{ip}%{zone}]:{port}"),
            Self::Unix(name) => name.fmt(f),
        }
    }
}

impl fmt::Display for UnixName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Abstract(name) => write!(f, "@{name}"),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(address) => address.fmt(f),
            Self::Inherited(Descriptor::Number(number)) => write!(f, "fd://{number}"),
            Self::Inherited(Descriptor::Name(name)) => write!(f, "fd://{name}"),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(addr) => addr.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Address {
        Address::Ip(text.parse().expect("an address"))
    }

    #[test]
    fn an_ipv4_address_is_written_as_the_standard_library_does() {
        // Each value of each octet.
        for octet in 0..=255 {
            for index in 0..4 {
                let mut octets = [7, 42, 199, 250];
                octets[index] = octet;
                let ip = Ipv4Addr::from(octets);
                assert_eq!(Dotted::of(ip).as_bytes(), ip.to_string().as_bytes());
            }
        }
    }

    #[test]
    fn a_host_has_no_zone_and_no_path() {
        assert_eq!(ip("10.0.0.1:80").as_host(), "10.0.0.1:80");
        assert_eq!(ip("[fe80::1%3]:80").as_host(), "[fe80::1]:80");
        let unix = Address::Unix(UnixName::Path("/run/app.sock".into()));
        assert_eq!(unix.as_host(), "localhost");
    }

    #[test]
    fn another_port_is_on_the_same_interface() {
        assert_eq!(ip("[fe80::1%3]:80").with_port(81), ip("[fe80::1%3]:81"));
        let zone = Name::new("eth0").expect("a name");
        let zoned = Address::Zoned {
            ip: "fe80::1".parse().expect("an address"),
            zone,
            port: 80,
        };
        assert_eq!(zoned.with_port(81).to_string(), "[fe80::1%eth0]:81");
    }
}
