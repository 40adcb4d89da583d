//! The compiled, immutable configuration that an exchange runs under, and how workers read it.
//!
//! There is one [`Current`], a single `ArcSwap`. A worker keeps its own [`View`] of it and renews
//! it when the generation changed: an exchange reads one number that is hardly ever written, and
//! holds the view by `Rc`. An exchange keeps the view that it began with.

mod figures;
mod state;
mod target;
mod view;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

use crate::base::ListenAddress;
use crate::credentials::Verifier;
use crate::exchange::RouteMetrics;
use crate::plan::{HeaderCase, Plan};
use crate::proxy::backend::Backend;
use crate::proxy::frontend::{self, Gate};
use crate::proxy::route::{Router, TcpRoutes};
use crate::proxy::rules::{ConnectionRules, ErrorPages, Pipeline};
use crate::proxy::tls::Acceptor;
use crate::tables::Tables;

pub(crate) use state::Indices;
pub(crate) use target::{Names, Target};
pub(crate) use view::{View, Views};

/// One compiled configuration.
pub struct Snapshot {
    /// Rises by one with each change.
    pub generation: u64,
    /// The plan that it was compiled from.
    pub plan: Arc<Plan>,
    /// In the plan's order.
    pub frontends: Vec<Frontend>,
    /// In the plan's order.
    pub backends: Vec<Arc<Backend>>,
    /// The tables.
    pub tables: Arc<Tables>,
    /// Verifies passwords; the same one in all snapshots of a process.
    pub verifier: Arc<Verifier>,
    /// For each backend, its rules.
    pub backend_rules: Vec<Option<Arc<Pipeline>>>,
    /// For each backend, its error pages.
    pub backend_error_pages: Vec<Option<Arc<ErrorPages>>>,
    /// Whether any error page has content for clients that ask for JSON.
    pub has_json_pages: bool,
    /// The indices of backends by their names, if rules choose backends.
    pub backend_names: Option<Arc<Names>>,
    /// Whether any frontend, route or backend has rules. If none has, answers skip them.
    pub has_rules: bool,
    /// Where names lead, for expressions.
    pub indices: Indices,
}

/// A frontend of a snapshot.
#[derive(Clone)]
pub struct Frontend {
    /// Its live state.
    pub live: Arc<frontend::Frontend>,
    /// The acceptor for each TLS of its plan.
    pub tls: Vec<FrontendTls>,
    /// The index of the bind at each address. Every connection asks for it.
    pub bind_at: Arc<HashMap<ListenAddress, usize>>,
    /// Its rules for connections.
    pub connection_rules: Option<Arc<ConnectionRules>>,
    /// Its rules for the first bytes of connections.
    pub content_rules: Option<Arc<ConnectionRules>>,
    /// Its rules.
    pub rules: Option<Arc<Pipeline>>,
    /// Its error pages.
    pub error_pages: Option<Arc<ErrorPages>>,
    /// Its routes.
    pub router: Arc<Router>,
    /// For each route, its rules; empty when no route has any.
    pub route_rules: Arc<[Option<Arc<Pipeline>>]>,
    /// For each route, its target.
    pub route_targets: Arc<[Target]>,
    /// For each route, its counter.
    pub route_metrics: Arc<[Arc<RouteMetrics>]>,
    /// Its TCP routes.
    pub tcp_routes: Arc<TcpRoutes>,
    /// For each TCP route, the index of its backend.
    pub tcp_route_backends: Vec<u32>,
    /// For each TCP route, its counter.
    pub tcp_route_metrics: Arc<[Arc<RouteMetrics>]>,
    /// The index of the backend of requests that no route matches.
    pub default_backend: Option<u32>,
}

/// The acceptor for the binds of a frontend that have the same TLS.
#[derive(Clone)]
pub struct FrontendTls {
    /// Answers handshakes. `None`: its certificates were not read, and connections are closed.
    pub acceptor: Option<Arc<Acceptor>>,
    /// The handshakes in progress, and their limit. Lives as long as a bind with its address.
    pub handshakes: Arc<Gate>,
}

/// The present snapshot.
pub struct Current {
    snapshot: ArcSwap<Snapshot>,
    /// The generation of `snapshot`. Written by [`Current::swap`] after the snapshot, with
    /// `Release`; a worker that reads the new number with `Acquire` finds the new snapshot.
    generation: AtomicU64,
}

impl Snapshot {
    /// A copy of it with the next generation.
    pub fn following(&self) -> Self {
        Self {
            generation: self.generation + 1,
            plan: Arc::clone(&self.plan),
            frontends: self.frontends.clone(),
            backends: self.backends.clone(),
            tables: Arc::clone(&self.tables),
            verifier: Arc::clone(&self.verifier),
            backend_rules: self.backend_rules.clone(),
            backend_error_pages: self.backend_error_pages.clone(),
            has_json_pages: self.has_json_pages,
            backend_names: self.backend_names.clone(),
            has_rules: self.has_rules,
            indices: Indices::default(),
        }
    }

    /// The index of the frontend with the state `live`; `None` if it was removed.
    pub fn frontend_of(&self, live: &Arc<frontend::Frontend>) -> Option<usize> {
        // Every connection asks: the index is known except in earlier snapshots.
        self.frontend_at(live, live.index_hint())
    }

    /// The index of the frontend with the state `live`, which is looked up at `hint` first.
    fn frontend_at(&self, live: &Arc<frontend::Frontend>, hint: usize) -> Option<usize> {
        let is_it = |frontend: &Frontend| Arc::ptr_eq(&frontend.live, live);
        match self.frontends.get(hint).is_some_and(is_it) {
            true => Some(hint),
            false => self.frontends.iter().position(is_it),
        }
    }

    fn records_case(&self) -> bool {
        let frontends = self.plan.frontends.iter().map(|f| f.header_case);
        let backends = self.plan.backends.iter().map(|b| b.header_case);
        frontends
            .chain(backends)
            .any(|case| case == HeaderCase::Preserve)
    }
}

impl Frontend {
    /// How often TLS terms have changed in this snapshot, at any of its binds.
    #[inline]
    pub fn tls_version(&self) -> u64 {
        let acceptors = self.tls.iter().filter_map(|tls| tls.acceptor.as_ref());
        acceptors.map(|acceptor| acceptor.version()).sum()
    }
}

impl Current {
    /// Starts with `snapshot`.
    pub fn new(snapshot: Snapshot) -> Self {
        Self {
            generation: AtomicU64::new(snapshot.generation),
            snapshot: ArcSwap::from_pointee(snapshot),
        }
    }

    /// The present snapshot.
    pub fn load(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Makes `snapshot` the present one. Its generation is higher than the last one's.
    pub fn swap(&self, snapshot: Snapshot) {
        let generation = snapshot.generation;
        self.snapshot.store(Arc::new(snapshot));
        self.generation.store(generation, Ordering::Release);
    }
}
