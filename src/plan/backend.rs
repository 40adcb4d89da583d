//! A backend: a named pool of servers with one balancing method.

use std::time::Duration;

use crate::base::{ByteSize, Name, Position};
use crate::plan::{
    Compression, ErrorPage, HeaderCase, Health, OwnSettings, Retry, Rule, SendProxy, Server,
    ServerTls,
};

/// `[backend.NAME]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Backend {
    /// Unique among backends.
    pub name: Name,
    /// Where it is written.
    pub at: Position,
    /// How a server is chosen.
    pub balance: Balance,
    /// In file order; if it is empty, every exchange is answered 503.
    pub servers: Vec<Server>,
    /// The protocol of the servers.
    pub protocol: Protocol,
    /// TLS to servers that have no `tls` of their own; `None`: no TLS.
    pub tls: Option<ServerTls>,
    /// The PROXY header at the beginning of connections to servers.
    pub send_proxy: Option<SendProxy>,
    /// Deadlines towards servers.
    pub timeout: BackendTimeouts,
    /// Active checks; `None`: servers count as up.
    pub health: Option<Health>,
    /// Rules for the exchanges of this backend.
    pub rules: Vec<Rule>,
    /// The number of attempts of one exchange, and the failures after which another server is
    /// tried.
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
    /// The compression of its answers; if it is off, that of the frontend.
    pub compression: Compression,
    /// The content of our own answers, before those of the frontend; the first that fits is used.
    pub error_pages: Vec<ErrorPage>,
}

impl Backend {
    /// The settings without servers.
    #[must_use]
    pub fn without_servers(&self) -> Self {
        Self {
            servers: Vec::new(),
            ..self.clone()
        }
    }

    /// Whether its settings equal those of `other`, apart from the servers.
    #[must_use]
    pub fn has_settings_of(&self, other: &Self) -> bool {
        // One by one: a comparison of copies without servers would copy every rule at each reload.
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
            compression,
            error_pages,
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
            && *compression == other.compression
            && *error_pages == other.error_pages
    }

    /// TLS to the server that has the settings `own`; `None`: no TLS.
    pub fn tls_of<'a>(&'a self, own: &'a OwnSettings) -> Option<&'a ServerTls> {
        own.tls.or(self.tls.as_ref())
    }

    /// TLS for checks of the server that has the settings `own`; `None`: no TLS. The `health` of
    /// the server comes first, then that of the backend, then the TLS of exchanges.
    pub fn check_tls_of<'a>(&'a self, own: &'a OwnSettings) -> Option<&'a ServerTls> {
        let of_exchanges = self.tls_of(own);
        let of_checks = match &self.health {
            Some(health) => health.tls.or(of_exchanges),
            None => of_exchanges,
        };
        own.check.tls.or(of_checks)
    }

    /// All TLS settings to its servers, those for checks included. Equal ones are repeated.
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
            compression: Compression::default(),
            error_pages: Vec::new(),
        }
    }
}

/// The protocol of the servers of a backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Over TLS, the result of ALPN; else HTTP/1.1.
    #[default]
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2; without TLS it is used from the first byte on (prior knowledge).
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
    /// The most exchanges that wait at a time; one more is answered 503. 0: nothing waits.
    pub max: usize,
}

impl Default for Queue {
    fn default() -> Self {
        Self { max: 1024 }
    }
}

/// `[backend.NAME.pool]`: each worker has its own connections.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// The most idle connections to one server that each worker keeps. 0: none is reused.
    pub max_idle: usize,
    /// How long a connection is kept for reuse.
    pub idle_timeout: Duration,
    /// The greatest age of a connection at its reuse; `None`: any age.
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
    /// The most exchanges at a time on one connection, if the server allows as many; at least 1.
    pub max_streams: u32,
    /// How many bytes of one response are read before its client takes them.
    pub stream_window: ByteSize,
    /// The time between two PINGs on a connection; `None`: one is sent only when an answer is late.
    pub ping_interval: Option<Duration>,
    /// The longest time for the answer to a PING; then the connection counts as dead.
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
    /// The most bytes of a response head; over it: 502.
    pub head: ByteSize,
    /// The most fields of a response head; over it: 502.
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
