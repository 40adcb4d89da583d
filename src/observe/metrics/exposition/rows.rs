//! The rows of a scrape: one for each frontend, route, backend, server and certificate.

use crate::exchange::{Appeared, RouteMetrics, ServerMetrics};
use crate::observe::metrics::frontend::FrontendMetrics;
use crate::observe::metrics::health::{HealthMetrics, ServerState};

use super::family::Row;

/// The process's connections to servers.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerConnections {
    /// How many are open.
    pub open: u64,
    /// The limit.
    pub limit: u64,
    /// How many were closed to make room for others.
    pub closed_for_room: u64,
}

/// A frontend as a scrape sees it.
#[derive(Clone, Copy, Debug)]
pub struct FrontendRow<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its counters.
    pub metrics: &'a FrontendMetrics,
    /// Open client connections now.
    pub open_connections: u64,
    /// Open tunnels now.
    pub open_tunnels: u64,
}

/// A route as a scrape sees it.
#[derive(Clone, Copy, Debug)]
pub struct RouteRow<'a> {
    /// Its frontend's name.
    pub frontend: &'a str,
    /// Its name.
    pub route: &'a str,
    /// Its counter.
    pub metrics: &'a RouteMetrics,
}

/// A backend as a scrape sees it.
#[derive(Clone, Copy, Debug)]
pub struct BackendRow<'a> {
    /// Its name.
    pub name: &'a str,
    /// Exchanges that wait for a slot now.
    pub queued: u64,
    /// Whether an exchange waited at a scrape.
    pub queue_has_appeared: &'a QueueAppeared,
}

/// Whether a backend's queue has been shown.
#[derive(Debug, Default)]
pub struct QueueAppeared(pub(super) Appeared);

/// A table as a scrape sees it.
#[derive(Clone, Copy, Debug)]
pub struct TableRow<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its entries.
    pub entries: u64,
    /// The bytes that they occupy.
    pub bytes: u64,
    /// Entries that made room for others.
    pub evictions: u64,
    /// Keys that found no room.
    pub refusals: u64,
}

/// A rate limit as a scrape sees it.
#[derive(Clone, Copy, Debug)]
pub struct RateLimitRow<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its keys.
    pub keys: u64,
    /// Keys that made room for others.
    pub evictions: u64,
    /// Requests over the limit, by outcome.
    pub over: [(&'static str, u64); 3],
}

/// A server as a scrape sees it.
#[derive(Clone, Copy, Debug)]
pub struct ServerRow<'a> {
    /// Its backend's name.
    pub backend: &'a str,
    /// Its name.
    pub server: &'a str,
    /// Its counters.
    pub metrics: &'a ServerMetrics,
    /// The metrics of its health.
    pub health: &'a HealthMetrics,
    /// Whether it can take traffic now.
    pub state: ServerState,
    /// Exchanges that wait for it alone now.
    pub queued: u64,
    /// Exchanges that hold one of its slots now.
    pub in_flight: u64,
}

/// A certificate as a scrape sees it.
#[derive(Clone, Copy, Debug)]
pub struct CertificateRow<'a> {
    /// One of its names.
    pub name: &'a str,
    /// When it expires, in seconds since 1970.
    pub expires: i64,
}

impl Row for FrontendRow<'_> {
    fn values(&self) -> (&str, Option<&str>) {
        (self.name, None)
    }
}

impl Row for RouteRow<'_> {
    fn values(&self) -> (&str, Option<&str>) {
        (self.frontend, Some(self.route))
    }
}

impl Row for BackendRow<'_> {
    fn values(&self) -> (&str, Option<&str>) {
        (self.name, None)
    }
}

impl Row for CertificateRow<'_> {
    fn values(&self) -> (&str, Option<&str>) {
        (self.name, None)
    }
}

impl Row for ServerRow<'_> {
    fn values(&self) -> (&str, Option<&str>) {
        (self.backend, Some(self.server))
    }
}

impl Row for TableRow<'_> {
    fn values(&self) -> (&str, Option<&str>) {
        (self.name, None)
    }
}

impl Row for RateLimitRow<'_> {
    fn values(&self) -> (&str, Option<&str>) {
        (self.name, None)
    }
}
