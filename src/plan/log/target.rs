//! Where the lines of an access log go.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

/// Where log lines go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum LogTarget {
    /// Nowhere.
    Off,
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error.
    Stderr,
    /// Appended to this file, which is reopened when it was renamed.
    File(PathBuf),
    /// A syslog server, a datagram for each line.
    Udp(LogServer),
    /// A syslog server, a line of the connection for each line (RFC 6587 §3.4.2).
    Tcp(LogServer),
    /// The datagram socket of the system's log: `/dev/log`.
    Unix(PathBuf),
}

/// A syslog server. A name is resolved when it is connected to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogServer {
    /// An IP address, or a name.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl LogTarget {
    /// Whether its lines are syslog messages.
    pub fn is_syslog(&self) -> bool {
        matches!(self, Self::Udp(_) | Self::Tcp(_) | Self::Unix(_))
    }
}

/// As it is written.
impl Display for LogTarget {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Stdout => f.write_str("stdout"),
            Self::Stderr => f.write_str("stderr"),
            Self::File(path) => path.display().fmt(f),
            Self::Udp(server) => write!(f, "udp://{server}"),
            Self::Tcp(server) => write!(f, "tcp://{server}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Display for LogServer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}
