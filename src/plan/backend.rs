//! A backend: a named pool of servers with one balancing method.

use std::time::Duration;

use crate::base::{ByteSize, Name, Position};
use crate::plan::{HeaderCase, Health, OwnSettings, Retry, Rule, SendProxy, Server, ServerTls};

/// `[backend.NAME]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Backend {
    /// Unique among backends.
    pub name: Name,
    /// Where it is written.
    pub at: Position,
    /// How a server is chosen.
    pub balance: Balance,
    /// In file order; may be empty, then every exchange is answered 503.
    pub servers: Vec<Server>,
    /// What the servers speak.
    pub protocol: Protocol,
    /// TLS to servers that have no `tls` of their own; `None`: in the clear.
    pub tls: Option<ServerTls>,
    /// What servers are told of the client at the beginning of a connection.
    pub send_proxy: Option<SendProxy>,
    /// Deadlines towards servers.
    pub timeout: BackendTimeouts,
    /// Active checks; `None`: servers count as up.
    pub health: Option<Health>,
    /// What is done to exchanges that go there.
    pub rules: Vec<Rule>,
    /// How often one exchange is tried, and what another server is tried after.
    pub retry: Retry,
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
            at: _,
            balance,
            servers: _,
            protocol,
            tls,
            send_proxy,
            timeout,
            health,
            rules,
            retry,
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
            && *retry == other.retry
            && *queue == other.queue
            && *pool == other.pool
            && *limits == other.limits
            && *http2 == other.http2
            && *header_case == other.header_case
    }

    /// TLS to the server that has the settings `own`; `None`: in the clear.
    pub fn tls_of<'a>(&'a self, own: &'a OwnSettings) -> Option<&'a ServerTls> {
        own.tls.or(self.tls.as_ref())
    }

    /// TLS in checks of the server that has the settings `own`; `None`: in the clear. What is written closest
    /// to the check holds: at the server's `health`, at the backend's, else that of exchanges.
    pub fn check_tls_of<'a>(&'a self, own: &'a OwnSettings) -> Option<&'a ServerTls> {
        let of_exchanges = self.tls_of(own);
        let of_checks = match &self.health {
            Some(health) => health.tls.or(of_exchanges),
            None => of_exchanges,
        };
        own.check.tls.or(of_checks)
    }

    /// All settings of TLS to its servers, those for checks included. Equal ones come as often as they are
    /// written.
    pub fn all_tls(&self) -> impl Iterator<Item = &ServerTls> {
        let of_checks = self.health.iter().filter_map(|health| health.tls.on());
        let servers = self.servers.iter();
        let of_servers =
            servers.flat_map(|server| [server.own.tls.on(), server.own.check.tls.on()]);
        let of_all = self.tls.iter().chain(of_checks);
        of_all.chain(of_servers.flatten())
    }

    /// The backend `name`, which is written at `at`, with every default and no servers.
    pub fn new(name: Name, at: Position) -> Self {
        Self {
            name,
            at,
            balance: Balance::default(),
            servers: Vec::new(),
            protocol: Protocol::default(),
            tls: None,
            send_proxy: None,
            timeout: BackendTimeouts::default(),
            health: None,
            rules: Vec::new(),
            retry: Retry::default(),
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

/// How a server is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// In turn, by weight, exact across all workers.
    #[default]
    RoundRobin,
    /// The fewest exchanges in flight for its weight, in turn among equals.
    LeastConnections,
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
