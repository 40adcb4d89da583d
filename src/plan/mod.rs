//! The validated configuration: plain data that can be compared, with every default filled in.
//!
//! `config` makes it from text, `control::assemble` makes a running snapshot from it. No handles
//! and no I/O: two plans are equal when they mean the same, wherever in a file their values are
//! written.

mod action;
mod backend;
mod bind;
mod command_socket;
mod compression;
mod connection_rule;
mod error_page;
pub mod expr;
mod frontend;
mod health;
mod http2;
pub mod log;
mod peers;
mod process;
mod reference;
mod retry;
mod route;
mod rule;
mod send_proxy;
mod server;
mod server_tls;
mod table;
mod tcp_route;
mod tls;

pub use action::{
    Action, AllowedFields, Argon2, Auth, Capture, Closing, CookieAttributes, Cors, DelHeader,
    Element, Field, FieldName, ForwardAuth, FrameOptions, Frequency, Jwt, JwtAlgorithm, JwtKey,
    KeyKind, LAST_CAPTURE, LAST_COUNTER, MOST_CAPTURED_BYTES, MOST_JWT_KEYS, MOST_METHOD_BYTES,
    MOST_PASSWORD_BYTES, Monitor, NamePart, NoKeys, Normalizer, NotAPassword, OnExceed, Origin,
    Origins, Password, RateLimit, Redirect, RedirectCookie, RedirectTo, ReferrerPolicy, Replace,
    ReplaceField, Reply, ReplyBody, SameSite, Scheme, SecurityHeaders, SetTag, SetTimeouts, Stats,
    StatsFormat, TargetPart, Tarpit, Track, USUAL_CAPTURED_BYTES, User, WaitForBody, WithoutAnswer,
};
pub use backend::{
    Backend, BackendHttp2, BackendLimits, BackendTimeouts, Balance, Pool, Protocol, Queue,
};
pub use bind::{Bind, ProxyProtocol};
pub use command_socket::{CommandLevel, CommandSocket};
pub use compression::{Coding, Compression, TypePattern};
pub use connection_rule::{ConnectionAction, ConnectionRule};
pub use error_page::{ErrorPage, PageBody, PageJson, WholeAnswer};
pub use frontend::{
    ClientField, Forwarding, Frontend, FrontendLimits, FrontendTimeouts, HeaderCase, Mode,
    OddNames, RequestIds,
};
pub use health::{Health, HttpCheck, Initial, Probe, StatusSet};
pub use http2::Http2;
pub use log::{AccessLog, Log, LogFormat, LogLevel, LogTarget};
pub use peers::{Peers, UnixPeers};
pub use process::{Admin, Process, Reload, Shutdown};
pub use reference::{BackendReference, FrontendReference, ServerReference, TableReference};
pub use retry::{Retry, RetryOn};
pub use route::{
    Among, ClientCertificate, HostPattern, PathPattern, Predicate, Route, Target, ValuePattern,
};
pub use rule::{On, Rule};
pub use table::{Data, DataKind, KeyType, MOST_ELEMENTS, Reading, Stored, Table, WhenFull};
pub use tcp_route::TcpRoute;

pub use tls::{
    Certificates, ClientAuth, ClientCertificates, ClientFields, DEFAULT_ALPN, DefaultName, FileAt,
    NameRules, Need, Tls, TlsRules, UnknownNames,
};

pub use send_proxy::{ProxyVersion, SendProxy};
pub use server::{Own, OwnCheck, OwnSettings, Server};
pub use server_tls::{Identity, ServerTls, Sni, Trust};

use http::HeaderName;

use crate::base::{FoldMap, Name};

/// One whole configuration.
///
/// Names are unique within their kind, and every backend that a frontend or a route names exists:
/// `config` returns no other plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Workers and limits of the process.
    pub process: Process,
    /// Diagnostics and the access log.
    pub log: Log,
    /// The cause of automatic reloads.
    pub reload: Reload,
    /// How the process ends.
    pub shutdown: Shutdown,
    /// Metrics, probes and the API; `None`: off.
    pub admin: Option<Admin>,
    /// Sockets for HAProxy's commands.
    pub command_sockets: Vec<CommandSocket>,
    /// In file order, which has no meaning: see [`Plan::in_order_of`].
    pub frontends: Vec<Frontend>,
    /// The same.
    pub backends: Vec<Backend>,
    /// The same.
    pub tables: Vec<Table>,
}

impl Plan {
    /// The fields for servers about clients' certificates, of all frontends. Only we may write any
    /// of them, whichever frontend a request comes in by: frontends may share a server.
    pub fn client_fields(&self) -> Vec<HeaderName> {
        let frontends = self.frontends.iter();
        let fields = frontends.flat_map(|frontend| frontend.forwarding.client_certificate.iter());
        let mut fields: Vec<HeaderName> = fields.cloned().collect();
        fields.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        fields.dedup();
        fields
    }

    /// All rules: of frontends, of their routes, and of backends.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        let of_frontends = self.frontends.iter().flat_map(|frontend| {
            let of_routes = frontend.routes.iter().flat_map(|route| &route.rules);
            frontend.rules.iter().chain(of_routes)
        });
        let of_backends = self.backends.iter().flat_map(|backend| &backend.rules);
        of_frontends.chain(of_backends)
    }

    /// The same plan with frontends, backends and tables in the order of `other`, if the names are the
    /// same. A plan with the same meaning as `other` then equals it, with the same index for
    /// everything.
    #[must_use]
    pub fn in_order_of(mut self, other: &Self) -> Self {
        reorder(&mut self.frontends, &other.frontends, |one| &one.name);
        reorder(&mut self.backends, &other.backends, |one| &one.name);
        reorder(&mut self.tables, &other.tables, |one| &one.name);
        self
    }
}

/// Brings `things` into the order of `other`, unless one of the two has a name that the other
/// lacks.
fn reorder<T>(things: &mut [T], other: &[T], name_of: impl Fn(&T) -> &Name) {
    let indices: FoldMap<&Name, usize> = other
        .iter()
        .enumerate()
        .map(|(index, thing)| (name_of(thing), index))
        .collect();
    let is_known = |thing: &T| indices.contains_key(name_of(thing));
    if things.len() == other.len() && things.iter().all(is_known) {
        things.sort_by_key(|thing| indices.get(name_of(thing)).copied());
    }
}
