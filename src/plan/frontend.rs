//! A frontend: a named set of listening addresses with its routes and limits.

use std::time::Duration;

use http::HeaderName;

use crate::base::{ByteSize, FileMode, ListenAddress, Name, Peer, Position};
use crate::plan::{ClientFields, Http2, Peers, Route, Rule, TcpRoute, Tls};
use crate::wire::field_names::FieldNames;

/// `[frontend.NAME]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Frontend {
    /// Unique among frontends.
    pub name: Name,
    /// At least one.
    pub binds: Vec<Bind>,
    /// What its connections carry.
    pub mode: Mode,
    /// What is spoken at those of its addresses that have TLS; `None`: none has.
    pub tls: Option<Tls>,
    /// What is done to each exchange.
    pub rules: Vec<Rule>,
    /// Of requests; first match wins.
    pub routes: Vec<Route>,
    /// Of connections that are passed on as they are; first match wins.
    pub tcp_routes: Vec<TcpRoute>,
    /// The backend when no route matches; `None`: such a request is answered 404.
    pub backend: Option<Name>,
    /// Client connections at a time; over it, accepting pauses. `None`: only the process's limit.
    pub max_connections: Option<u64>,
    /// Deadlines towards the client.
    pub timeout: FrontendTimeouts,
    /// Bounds of a request head.
    pub limits: FrontendLimits,
    /// Whether and how far clients may speak HTTP/2.
    pub http2: Http2,
    /// Whether an exchange goes on after the client closed its sending side.
    pub half_close: bool,
    /// Who must begin its connections with a PROXY header, where an address does not say so itself.
    pub proxy_protocol: ProxyProtocol,
    /// Peers whose `X-Forwarded-*`, `Forwarded` and request id are believed.
    pub trusted_proxies: Peers,
    /// By which field trusted proxies say who the client is.
    pub client_field: ClientField,
    /// What is said to servers about the client.
    pub forwarding: Forwarding,
    /// Whether requests carry an id, and in which field.
    pub request_id: RequestIds,
    /// What becomes of fields whose names have other characters than letters, digits and `-`.
    pub field_names: OddNames,
    /// How field names are written to clients.
    pub header_case: HeaderCase,
    /// Protocols that a connection may go on in, by the tokens of `Upgrade` (RFC 9110 §7.8).
    pub upgrades: Vec<String>,
}

impl Frontend {
    /// What clients speak who connect to `address`. With TLS when it is no address of this frontend any
    /// more: what may be secret is not sent in the clear.
    pub fn security_at(&self, address: &ListenAddress) -> Security {
        if self.tls.is_none() {
            return Security::Clear;
        }
        let bind = self.binds.iter().find(|bind| bind.addr == *address);
        bind.map_or(Security::Tls, |bind| bind.security)
    }

    /// Who must begin connections to `address` with a PROXY header.
    pub fn proxy_protocol_at(&self, address: &ListenAddress) -> &ProxyProtocol {
        let bind = self.binds.iter().find(|bind| bind.addr == *address);
        let own = bind.and_then(|bind| bind.proxy_protocol.as_ref());
        own.unwrap_or(&self.proxy_protocol)
    }

    /// The frontend `name` with every default, which listens nowhere and leads nowhere.
    pub fn new(name: Name) -> Self {
        Self {
            name,
            binds: Vec::new(),
            mode: Mode::default(),
            tls: None,
            rules: Vec::new(),
            routes: Vec::new(),
            tcp_routes: Vec::new(),
            backend: None,
            max_connections: None,
            timeout: FrontendTimeouts::default(),
            limits: FrontendLimits::default(),
            http2: Http2::default(),
            half_close: false,
            proxy_protocol: ProxyProtocol::default(),
            trusted_proxies: Peers::default(),
            client_field: ClientField::default(),
            forwarding: Forwarding::default(),
            request_id: RequestIds::default(),
            field_names: OddNames::default(),
            header_case: HeaderCase::default(),
            upgrades: vec!["websocket".to_owned()],
        }
    }
}

/// One listening address.
#[derive(Clone, Debug, PartialEq)]
pub struct Bind {
    /// Port 0 takes a free one.
    pub addr: ListenAddress,
    /// Who may connect, when it is a Unix socket with a file.
    pub mode: FileMode,
    /// What clients speak there.
    pub security: Security,
    /// Who must begin connections there with a PROXY header; `None`: as the frontend says.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// Where it is written.
    pub at: Position,
}

/// Whether clients speak TLS at an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// They do not.
    #[default]
    Clear,
    /// They do.
    Tls,
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
    /// After an answer that came before the end of its request: as long, the rest is read and discarded.
    pub linger: Duration,
    /// For a whole exchange; `None`: no such bound.
    pub exchange: Option<Duration>,
    /// For a whole TLS handshake; in TCP mode, for what a client of TLS says first.
    pub handshake: Duration,
    /// For a tunnel with no byte passing; `None`: no such bound.
    pub tunnel: Option<Duration>,
}

/// What the connections of a frontend carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Requests.
    #[default]
    Http,
    /// Bytes: each connection is passed on to a server as it is.
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
    /// A request head in bytes; over it: 431.
    pub head: ByteSize,
    /// Fields of a request head; over it: 431.
    pub fields: usize,
    /// A request target in bytes; over it: 414.
    pub target: ByteSize,
    /// What is read and discarded of a request that was answered before its end.
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

/// `proxy_protocol` of a frontend: which peers must begin with a PROXY header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// None, and a header is not read.
    #[default]
    Off,
    /// All of them.
    Required,
    /// These; all others are clients themselves.
    From(Peers),
}

impl ProxyProtocol {
    /// Whether a connection of `peer`, the other end of the socket, must begin with a PROXY header.
    pub fn wants_header_from(&self, peer: Peer) -> bool {
        match self {
            Self::Off => false,
            Self::Required => true,
            Self::From(peers) => peers.have(peer),
        }
    }
}

/// `client_field` of a frontend. One and not both: a proxy that writes one of them passes the other
/// on as its own client sent it.
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
    /// Fields that only trusted proxies may send, besides those above.
    pub trusted_only: FieldNames,
    /// The certificate that the client showed.
    pub client_certificate: ClientFields,
}

impl Default for Forwarding {
    fn default() -> Self {
        Self {
            x_forwarded: true,
            forwarded: false,
            via: false,
            trusted_only: Self::default_trusted_only(),
            client_certificate: ClientFields::default(),
        }
    }
}

impl Forwarding {
    /// `trusted_only` where nothing is said of it: fields by which proxies tell applications who the
    /// client is, how it came, and which path it asked for.
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

/// `field_names` of a frontend: what becomes of a field of a request whose name has other characters
/// than letters, digits and `-`. Other spellings of fields that not every client may set never pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OddNames {
    /// It is passed on.
    #[default]
    Pass,
    /// It is taken off.
    Drop,
    /// The request is refused.
    Reject,
}

/// `request_id` of a frontend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestIds {
    /// Requests to servers carry none of ours; the log still has one.
    Off,
    /// Taken from this field if it can be an id, else made; sent to the server in the same field.
    /// From every client: an id says nothing about who asks, and is of most use where it began.
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
