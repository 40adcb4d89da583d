//! The proxies' configuration files, each as its maintainers recommend for production.
//!
//! All three do the same work: one worker, keep-alive on both sides, two servers by round robin,
//! `X-Forwarded-For/-Proto/-Host` towards the server. With logs and metrics on, each writes one line a
//! request to a file and keeps its counters. Limits that would end a connection within a run are raised
//! alike. `benches/README.md` says why each setting is as it is.

pub(crate) mod evenkeel;
pub(crate) mod haproxy;
pub(crate) mod many;
pub(crate) mod nginx;

use std::net::SocketAddr;
use std::path::Path;

/// The addresses and files of a proxy.
#[derive(Clone, Copy)]
pub(crate) struct Setup<'a> {
    pub(crate) listen: SocketAddr,
    /// Metrics, statistics, administration.
    pub(crate) admin: SocketAddr,
    pub(crate) servers: [SocketAddr; 2],
    /// The access log.
    pub(crate) log: &'a Path,
    /// For files that only the proxy itself needs.
    pub(crate) dir: &'a Path,
}
