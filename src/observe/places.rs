//! What an exchange's places stand for.

use super::{RouteMetrics, ServerMetrics};
use crate::plan::RouteKind;

/// Names for the log and counters of servers, by the places that an exchange has noted. Kept by
/// the connection that settles the exchange: what it runs under, or as much of it as the exchange needs.
pub trait Places {
    /// The frontend's name.
    fn frontend(&self, frontend: u32) -> Option<&str>;

    /// The name of one of its routes: of those for requests, or of those for connections that are
    /// passed on as they are.
    fn route(&self, frontend: u32, route: u32, kind: RouteKind) -> Option<&str>;

    /// The counter of one of its routes.
    fn route_metrics(&self, frontend: u32, route: u32, kind: RouteKind) -> Option<&RouteMetrics>;

    /// The backend's name.
    fn backend(&self, backend: u32) -> Option<&str>;

    /// The name and the counters of one of its servers.
    fn server(&self, backend: u32, server: u32) -> Option<(&str, &ServerMetrics)>;
}
