//! Active health checks of a backend's servers.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::base::Position;
use crate::plan::{Own, ServerTls};

/// `[backend.NAME.health]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    /// The kind of check.
    pub probe: Probe,
    /// Between two checks of one server in a stable state.
    pub interval: Duration,
    /// Between two checks while the state is changing (some passed or failed, too few for a
    /// transition).
    pub fast_interval: Duration,
    /// For one whole check.
    pub timeout: Duration,
    /// Passed checks in a row until a server that was down is up; at least 1.
    pub rise: u32,
    /// Failed checks in a row until a server that was up is down; at least 1.
    pub fall: u32,
    /// Another port than the server's.
    pub port: Option<u16>,
    /// TLS for checks, if it differs from exchanges.
    pub tls: Own<ServerTls>,
    /// The state of a server before its first check.
    pub initial: Initial,
    /// Where it is written.
    pub at: Position,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            probe: Probe::Http(HttpCheck::default()),
            interval: Duration::from_secs(2),
            fast_interval: Duration::from_secs(2),
            timeout: Duration::from_secs(2),
            rise: 2,
            fall: 3,
            port: None,
            tls: Own::Inherited,
            initial: Initial::default(),
            at: Position::built_in(),
        }
    }
}

/// The kind of a check.
#[derive(Clone, Debug, PartialEq)]
pub enum Probe {
    /// Whether it accepts a connection.
    Tcp,
    /// Whether its answer to a request is as expected.
    Http(HttpCheck),
}

/// A `GET` and its expected answer.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpCheck {
    /// Target in origin form.
    pub path: String,
    /// The `Host` field; `None`: the server's address.
    pub host: Option<HeaderValue>,
    /// Additional fields.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Statuses that pass.
    pub status: StatusSet,
    /// A text that the first 64 KiB of the body must contain.
    pub body: Option<String>,
}

impl Default for HttpCheck {
    fn default() -> Self {
        Self {
            path: "/".to_owned(),
            host: None,
            headers: Vec::new(),
            status: StatusSet::default(),
            body: None,
        }
    }
}

/// Statuses, as ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusSet(pub Vec<RangeInclusive<u16>>);

impl StatusSet {
    /// Whether `status` is one of them.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

impl Default for StatusSet {
    fn default() -> Self {
        Self(vec![200..=399])
    }
}

/// The state of a server before its first check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Initial {
    /// Down, until one check has passed, whatever `rise` is.
    #[default]
    Checked,
    /// Up; its first check decides alone, as in HAProxy, and after that `fall` checks must fail.
    Up,
}
