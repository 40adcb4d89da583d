//! The validated configuration: plain data that can be compared, with every default filled in.
//!
//! `config` makes it from text, `control::assemble` makes a running snapshot from it. There are no
//! handles here and there is no I/O: two plans are equal when they mean the same, wherever their
//! values stand in the file.

mod backend;
mod frontend;
mod http2;
mod passage;
mod peers;
mod process;
mod route;

pub use backend::{
    Attempts, Backend, BackendHttp2, BackendLimits, BackendTimeouts, Balance, Health, HttpCheck,
    Initial, Pool, Probe, Protocol, Queue, Server, StatusSet,
};
pub use frontend::{
    ClientField, Forwarding, Frontend, FrontendLimits, FrontendTimeouts, HeaderCase, Listen, Mode,
    RequestIds,
};
pub use http2::Http2;
pub use passage::Passage;
pub use peers::{Peers, UnixPeers};
pub use process::{
    AccessLog, Admin, Log, LogFormat, LogLevel, LogTarget, Process, Reload, Shutdown,
};
pub use route::{HostPattern, PathPattern, Predicate, Route, ValuePattern};

use crate::base::Name;

/// One whole configuration.
///
/// Names are unique within their kind, and every backend that a frontend or a route names exists:
/// `config` gives no plan for which that is not so.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Workers and limits of the process.
    pub process: Process,
    /// Diagnostics and the access log.
    pub log: Log,
    /// What starts a reload by itself.
    pub reload: Reload,
    /// How the process ends.
    pub shutdown: Shutdown,
    /// Metrics, probes and the API; `None` when it is off.
    pub admin: Option<Admin>,
    /// In file order.
    pub frontends: Vec<Frontend>,
    /// In file order.
    pub backends: Vec<Backend>,
}

impl Plan {
    /// The place of backend `name` in [`Plan::backends`].
    pub fn backend_index(&self, name: &Name) -> Option<usize> {
        self.backends
            .iter()
            .position(|backend| backend.name == *name)
    }
}
