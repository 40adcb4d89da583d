//! A backend: a named pool of servers with one balancing method.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::base::{Address, ByteSize, Name, Position};
use crate::plan::{HeaderCase, Rule, ServerTls};

/// `[backend.NAME]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Backend {
    /// Unique among backends.
    pub name: Name,
    /// How a server is chosen.
    pub balance: Balance,
    /// In file order; may be empty, then every exchange is answered 503.
    pub servers: Vec<Server>,
    /// What the servers speak.
    pub protocol: Protocol,
    /// `None`: in the clear.
    pub tls: Option<ServerTls>,
    /// What servers are told of the client at the beginning of a connection.
    pub send_proxy: Option<SendProxy>,
    /// Deadlines towards servers.
    pub timeout: BackendTimeouts,
    /// Active checks; `None`: servers count as up.
    pub health: Option<Health>,
    /// What is done to exchanges that go there.
    pub rules: Vec<Rule>,
    /// How often one exchange is tried.
    pub attempts: Attempts,
    /// Exchanges that wait for a slot.
    pub queue: Queue,
    /// Connections kept for reuse.
    pub pool: Pool,
    /// Bounds of a response head.
    pub limits: BackendLimits,
    /// Connections that carry many exchanges.
    pub http2: BackendHttp2,
    /// How field names are written to servers.
    pub header_case: HeaderCase,
}

impl Backend {
    /// Its settings alone.
    #[must_use]
    pub fn without_servers(&self) -> Self {
        Self {
            servers: Vec::new(),
            ..self.clone()
        }
    }

    /// Whether its settings are those of `other`, whatever servers each has.
    #[must_use]
    pub fn has_settings_of(&self, other: &Self) -> bool {
        // One by one: to compare copies without servers would copy every rule at each reload.
        let Self {
            name,
            balance,
            servers: _,
            protocol,
            tls,
            send_proxy,
            timeout,
            health,
            rules,
            attempts,
            queue,
            pool,
            limits,
            http2,
            header_case,
        } = self;
        *name == other.name
            && *balance == other.balance
            && *protocol == other.protocol
            && *tls == other.tls
            && *send_proxy == other.send_proxy
            && *timeout == other.timeout
            && *health == other.health
            && *rules == other.rules
            && *attempts == other.attempts
            && *queue == other.queue
            && *pool == other.pool
            && *limits == other.limits
            && *http2 == other.http2
            && *header_case == other.header_case
    }

    /// The backend `name` with every default, which has no servers.
    pub fn new(name: Name) -> Self {
        Self {
            name,
            balance: Balance::default(),
            servers: Vec::new(),
            protocol: Protocol::default(),
            tls: None,
            send_proxy: None,
            timeout: BackendTimeouts::default(),
            health: None,
            rules: Vec::new(),
            attempts: Attempts::default(),
            queue: Queue::default(),
            pool: Pool::default(),
            limits: BackendLimits::default(),
            http2: BackendHttp2::default(),
            header_case: HeaderCase::default(),
        }
    }
}

/// What the servers of a backend speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Over TLS what both prefer, in the clear HTTP/1.1.
    #[default]
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2; in the clear it is spoken from the first byte on (prior knowledge).
    Http2,
}

/// `send_proxy` of a backend: connections begin with a PROXY header and are each client's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendProxy {
    /// Which form of it.
    pub version: ProxyVersion,
    /// Whether it names the host that the client asked for. Version 2 only.
    pub authority: bool,
    /// Whether it carries the id of the exchange that the connection was opened for. Version 2 only.
    pub unique_id: bool,
    /// Whether it says what the client's handshake came to. Version 2 only.
    pub tls: bool,
}

/// A version of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// How a server is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// In turn, by weight, exact across all workers.
    #[default]
    RoundRobin,
    /// The fewest exchanges in flight for its weight, in turn among equals.
    LeastConnections,
}

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
    /// `send_proxy` of the server.
    pub send_proxy: OwnSendProxy,
    /// `health.port` of the server; `None`: as the backend.
    pub check_port: Option<u16>,
}

/// Whether connections to one server begin with a PROXY header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OwnSendProxy {
    /// As those to the other servers of its backend.
    #[default]
    AsBackend,
    /// They do not.
    Off,
    /// With this one.
    On(SendProxy),
}

impl OwnSendProxy {
    /// The header that connections begin with, where the backend has `of_backend`.
    pub fn or<'a>(&'a self, of_backend: Option<&'a SendProxy>) -> Option<&'a SendProxy> {
        match self {
            Self::AsBackend => of_backend,
            Self::Off => None,
            Self::On(own) => Some(own),
        }
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

/// `[backend.NAME.timeout]`.
#[derive(Clone, Debug, PartialEq)]
pub struct BackendTimeouts {
    /// To open a connection.
    pub connect: Duration,
    /// From the last byte of the request to the response head.
    pub response: Duration,
    /// Between two pieces of a response body, while we wait for the server.
    pub body: Duration,
    /// For a free slot when every server is at its `max_connections`.
    pub queue: Duration,
}

impl Default for BackendTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            response: Duration::from_secs(60),
            body: Duration::from_secs(60),
            queue: Duration::from_secs(2),
        }
    }
}

/// `attempts` of a backend: 1 to 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts(pub u32);

impl Default for Attempts {
    fn default() -> Self {
        Self(3)
    }
}

/// `[backend.NAME.queue]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Exchanges that wait at a time; one more is answered 503. 0: nothing waits.
    pub max: usize,
}

impl Default for Queue {
    fn default() -> Self {
        Self { max: 1024 }
    }
}

/// `[backend.NAME.pool]`: each worker keeps its own connections.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// Idle connections to one server that each worker keeps. 0: none is reused.
    pub max_idle: usize,
    /// How long a connection waits to be used again.
    pub idle_timeout: Duration,
    /// How old a connection may be when it is used again; `None`: any age.
    pub max_age: Option<Duration>,
    /// How many requests one connection carries; `None`: any number.
    pub max_requests: Option<u64>,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            max_idle: 128,
            idle_timeout: Duration::from_secs(30),
            max_age: None,
            max_requests: None,
        }
    }
}

/// `[backend.NAME.http2]`.
#[derive(Clone, Debug, PartialEq)]
pub struct BackendHttp2 {
    /// Exchanges that one connection carries at a time, if the server allows as many; at least 1.
    pub max_streams: u32,
    /// How much of one response is taken ahead of its client.
    pub stream_window: ByteSize,
    /// How often a connection is asked whether it is alive; `None`: only when an answer is late.
    pub ping_interval: Option<Duration>,
    /// How long that answer may take; after it the connection counts as dead.
    pub ping_timeout: Duration,
}

impl Default for BackendHttp2 {
    fn default() -> Self {
        Self {
            max_streams: 100,
            stream_window: ByteSize(256 << 10),
            ping_interval: None,
            ping_timeout: Duration::from_secs(10),
        }
    }
}

/// `[backend.NAME.limits]`.
#[derive(Clone, Debug, PartialEq)]
pub struct BackendLimits {
    /// A response head in bytes; over it: 502.
    pub head: ByteSize,
    /// Fields of a response head; over it: 502.
    pub fields: usize,
}

impl Default for BackendLimits {
    fn default() -> Self {
        Self {
            head: ByteSize(64 << 10),
            fields: 100,
        }
    }
}

/// `[backend.NAME.health]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    /// What is asked.
    pub probe: Probe,
    /// Between two checks of one server in a steady state.
    pub interval: Duration,
    /// Between two checks while the state is changing (some passed or failed, not yet enough).
    pub fast_interval: Duration,
    /// For one whole check.
    pub timeout: Duration,
    /// Passed checks in a row until a server that was down is up; at least 1.
    pub rise: u32,
    /// Failed checks in a row until a server that was up is down; at least 1.
    pub fall: u32,
    /// Another port than the server's.
    pub port: Option<u16>,
    /// What a server is before its first check.
    pub initial: Initial,
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
            initial: Initial::default(),
        }
    }
}

/// What a check asks a server.
#[derive(Clone, Debug, PartialEq)]
pub enum Probe {
    /// Whether it accepts a connection.
    Tcp,
    /// Whether it answers a request well.
    Http(HttpCheck),
}

/// A `GET` and what is expected of its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpCheck {
    /// Target in origin form.
    pub path: String,
    /// The `Host` field; `None`: the server's address.
    pub host: Option<HeaderValue>,
    /// Sent besides.
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

/// What a server is before its first check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Initial {
    /// Down, until one check has passed, whatever `rise`.
    #[default]
    Checked,
    /// Up; its first check decides alone, as in HAProxy, and after that `fall` have to fail.
    Up,
}
