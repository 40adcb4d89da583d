//! A frontend: a named set of binds with its routes and limits.

use std::time::Duration;

use http::HeaderName;

use crate::base::{ByteSize, ListenAddress, Name, Position};
use crate::plan::{
    BackendReference, Bind, ClientFields, Compression, ConnectionRule, ErrorPage, Http2, Peers,
    Route, Rule, TcpRoute, Tls,
};
use crate::wire::field_names::FieldNames;

/// `[frontend.NAME]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Frontend {
    /// Unique among frontends.
    pub name: Name,
    /// Where it is written.
    pub at: Position,
    /// At least one.
    pub binds: Vec<Bind>,
    /// The mode of its connections.
    pub mode: Mode,
    /// The TLS of its binds, in the order of the binds, without duplicates: binds with equal TLS
    /// share it.
    pub tls: Vec<Tls>,
    /// Rules for each connection.
    pub connection_rules: Vec<ConnectionRule>,
    /// Rules for the first bytes of each connection.
    pub content_rules: Vec<ConnectionRule>,
    /// How long those bytes are waited for at most.
    pub inspect_delay: Duration,
    /// Rules for each exchange.
    pub rules: Vec<Rule>,
    /// Routes of requests; the first match wins.
    pub routes: Vec<Route>,
    /// Routes of TCP connections; the first match wins.
    pub tcp_routes: Vec<TcpRoute>,
    /// The backend when no route matches; `None`: such a request is answered 404.
    pub backend: Option<BackendReference>,
    /// The most client connections at a time; at the limit, accepting pauses. `None`: only the
    /// process's limit.
    pub max_connections: Option<u64>,
    /// The most connections of one client's address at a time; more are closed. `None`: no limit.
    pub max_connections_per_ip: Option<u32>,
    /// Deadlines towards the client.
    pub timeout: FrontendTimeouts,
    /// Bounds of a request head.
    pub limits: FrontendLimits,
    /// HTTP/2 with clients, and its bounds.
    pub http2: Http2,
    /// Whether an exchange continues after the client closed its sending side.
    pub half_close: bool,
    /// Whether requests without a host are refused (RFC 9112 §3.2); only HTTP/1.0 may have none.
    pub requires_host: bool,
    /// Peers whose `X-Forwarded-*`, `Forwarded` and request id are trusted.
    pub trusted_proxies: Peers,
    /// The field of trusted proxies that names the client.
    pub client_field: ClientField,
    /// The fields about the client in requests to servers.
    pub forwarding: Forwarding,
    /// Whether requests have an id, and in which field.
    pub request_id: RequestIds,
    /// How fields are treated whose names have other characters than letters, digits and `-`.
    pub field_names: OddNames,
    /// How field names are written to clients.
    pub header_case: HeaderCase,
    /// Protocols to which a connection may be upgraded, by the tokens of `Upgrade` (RFC 9110 §7.8).
    pub upgrades: Vec<String>,
    /// For the answers of backends that compress nothing themselves.
    pub compression: Compression,
    /// The content of our own answers, after those of the backend; the first that fits is used.
    pub error_pages: Vec<ErrorPage>,
}

impl Frontend {
    /// The default of `inspect_delay`: time for a client to say hello over a bad line.
    pub const USUAL_INSPECT_DELAY: Duration = Duration::from_secs(5);

    /// The index of the bind at `address`; `None`: the frontend does not listen there.
    pub fn bind_at(&self, address: &ListenAddress) -> Option<usize> {
        self.binds.iter().position(|bind| bind.addr == *address)
    }

    /// The TLS settings of the bind with this index; `None`: no TLS.
    pub fn tls_of(&self, bind: usize) -> Option<&Tls> {
        self.tls.get(self.binds.get(bind)?.tls?)
    }

    /// The frontend `name`, which is written at `at`, with every default: without binds and
    /// backend.
    pub fn new(name: Name, at: Position) -> Self {
        Self {
            name,
            at,
            binds: Vec::new(),
            mode: Mode::default(),
            tls: Vec::new(),
            connection_rules: Vec::new(),
            content_rules: Vec::new(),
            inspect_delay: Self::USUAL_INSPECT_DELAY,
            rules: Vec::new(),
            routes: Vec::new(),
            tcp_routes: Vec::new(),
            backend: None,
            max_connections: None,
            max_connections_per_ip: None,
            timeout: FrontendTimeouts::default(),
            limits: FrontendLimits::default(),
            http2: Http2::default(),
            half_close: false,
            requires_host: true,
            trusted_proxies: Peers::default(),
            client_field: ClientField::default(),
            forwarding: Forwarding::default(),
            request_id: RequestIds::default(),
            field_names: OddNames::default(),
            header_case: HeaderCase::default(),
            upgrades: vec!["websocket".to_owned()],
            compression: Compression::default(),
            error_pages: Vec::new(),
        }
    }
}

/// `[frontend.NAME.timeout]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FrontendTimeouts {
    /// From the first byte of a request head to its last.
    pub head: Duration,
    /// Between two pieces of a request body, while we wait for the client.
    pub body: Duration,
    /// From the end of an answer to the next request.
    pub keep_alive: Duration,
    /// After an answer before the end of its request: how long the rest is read and discarded.
    pub linger: Duration,
    /// For a whole exchange; `None`: no bound.
    pub exchange: Option<Duration>,
    /// For a whole TLS handshake; in TCP mode, for the ClientHello.
    pub handshake: Duration,
    /// For a tunnel without traffic; `None`: no bound.
    pub tunnel: Option<Duration>,
}

/// The mode of a frontend's connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Requests.
    #[default]
    Http,
    /// Bytes: each connection is passed on to a server unchanged.
    Tcp,
}

impl Default for FrontendTimeouts {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            keep_alive: Duration::from_secs(60),
            linger: Duration::from_secs(30),
            exchange: None,
            handshake: Duration::from_secs(10),
            tunnel: Some(Duration::from_secs(60 * 60)),
        }
    }
}

/// `[frontend.NAME.limits]`.
#[derive(Clone, Debug, PartialEq)]
pub struct FrontendLimits {
    /// The most bytes of a request head; over it: 431.
    pub head: ByteSize,
    /// The most fields of a request head; over it: 431.
    pub fields: usize,
    /// The most bytes of a request target; over it: 414.
    pub target: ByteSize,
    /// The most bytes that are read and discarded of a request that was answered before its end.
    pub linger: ByteSize,
}

impl Default for FrontendLimits {
    fn default() -> Self {
        Self {
            head: ByteSize(64 << 10),
            fields: 100,
            target: ByteSize(16 << 10),
            linger: ByteSize(64 << 20),
        }
    }
}

/// `client_field` of a frontend. One and not both: a proxy that writes one of them passes the other
/// on as its client sent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientField {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// `[frontend.NAME.forwarding]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarding {
    /// `X-Forwarded-For`, `-Proto` and `-Host`.
    pub x_forwarded: bool,
    /// `Forwarded` (RFC 7239).
    pub forwarded: bool,
    /// `Via` (RFC 9110 §7.6.3), on requests and responses.
    pub via: bool,
    /// Whether `Forwarded` and `X-Forwarded-*` of peers that are not trusted go on to servers.
    pub pass_untrusted: bool,
    /// More fields that only trusted proxies may send.
    pub trusted_only: FieldNames,
    /// The client's certificate, in fields.
    pub client_certificate: ClientFields,
}

impl Default for Forwarding {
    fn default() -> Self {
        Self {
            x_forwarded: true,
            forwarded: false,
            via: false,
            pass_untrusted: false,
            trusted_only: Self::default_trusted_only(),
            client_certificate: ClientFields::default(),
        }
    }
}

impl Forwarding {
    /// The default of `trusted_only`: fields by which proxies report to applications the client,
    /// its connection, and the path that it asked for.
    pub fn default_trusted_only() -> FieldNames {
        const NAMES: [&str; 11] = [
            "true-client-ip",
            "x-client-ip",
            "x-cluster-client-ip",
            "x-forwarded-port",
            "x-forwarded-prefix",
            "x-forwarded-scheme",
            "x-forwarded-server",
            "x-forwarded-ssl",
            "x-original-url",
            "x-real-ip",
            "x-rewrite-url",
        ];
        NAMES.map(HeaderName::from_static).into_iter().collect()
    }
}

/// `field_names` of a frontend: the treatment of a request field whose name has other characters
/// than letters, digits and `-`. Other spellings of fields that only some clients may set never
/// pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OddNames {
    /// It is passed on.
    #[default]
    Pass,
    /// It is removed.
    Drop,
    /// The request is refused.
    Reject,
}

/// `request_id` of a frontend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestIds {
    /// Requests to servers have no id of ours; the log still has one.
    Off,
    /// Taken from this field if it is a valid id, else made; sent to the server in the same field.
    /// Accepted from every client: an id proves nothing about the client, and is most useful from
    /// its origin on.
    Field(HeaderName),
}

impl Default for RequestIds {
    fn default() -> Self {
        Self::Field(HeaderName::from_static("x-request-id"))
    }
}

/// How field names are written to an HTTP/1 peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeaderCase {
    /// `content-type`.
    #[default]
    Lower,
    /// `Content-Type`.
    Title,
    /// As the other side wrote it.
    Preserve,
}
