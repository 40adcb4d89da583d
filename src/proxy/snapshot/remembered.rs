//! What an exchange that outlives its snapshot needs of it.
//!
//! A tunnel may be open for days and see thousands of reloads. It keeps names and counters for its
//! line in the log, and not the configuration that it began under: that of 1,000 backends takes
//! three megabytes.

use std::sync::Arc;

use super::Snapshot;
use crate::base::Name;
use crate::exchange::{Attempt, Exchange};
use crate::observe::{Places, ServerMetrics};
use crate::plan::RouteKind;

/// The places of one exchange.
pub struct Remembered {
    frontend: Name,
    route: Option<Name>,
    /// Those that were tried, and the one that was chosen.
    backends: Box<[(u32, Name)]>,
    /// Those that were tried.
    servers: Box<[Tried]>,
}

struct Tried {
    backend: u32,
    server: u32,
    name: Name,
    metrics: Arc<ServerMetrics>,
}

impl Remembered {
    /// Of `exchange`, which ran under `snapshot` and will try no other server; `None`: its frontend
    /// is none of the snapshot's.
    pub fn of(exchange: &Exchange, snapshot: &Snapshot) -> Option<Self> {
        let opening = &exchange.opening;
        let frontend = snapshot.plan.frontends.get(opening.frontend as usize)?;
        let kind = RouteKind::of(opening.first_bytes.is_some());
        let route = exchange.route.get();
        let failed = exchange.failed.borrow();
        let tried = || failed.iter().copied().chain(exchange.attempt.get());
        let mut backends: Vec<u32> = tried().map(|attempt| attempt.backend).collect();
        backends.extend(exchange.backend.get());
        backends.sort_unstable();
        backends.dedup();
        let named = |place: u32| {
            let backend = snapshot.plan.backends.get(place as usize)?;
            Some((place, backend.name.clone()))
        };
        Some(Self {
            frontend: frontend.name.clone(),
            route: route.and_then(|route| frontend.name_of_route(route, kind).cloned()),
            backends: backends.into_iter().filter_map(named).collect(),
            servers: tried()
                .filter_map(|attempt| Tried::of(attempt, snapshot))
                .collect(),
        })
    }
}

impl Tried {
    fn of(attempt: Attempt, snapshot: &Snapshot) -> Option<Self> {
        let backend = snapshot.backends.get(attempt.backend as usize)?;
        let place = attempt.server as usize;
        Some(Self {
            backend: attempt.backend,
            server: attempt.server,
            name: backend.plan.servers.get(place)?.name.clone(),
            metrics: Arc::clone(&backend.servers.get(place)?.metrics),
        })
    }
}

impl Places for Remembered {
    fn frontend(&self, _: u32) -> Option<&str> {
        Some(self.frontend.as_str())
    }

    fn route(&self, _: u32, _: u32, _: RouteKind) -> Option<&str> {
        self.route.as_ref().map(Name::as_str)
    }

    fn backend(&self, backend: u32) -> Option<&str> {
        let mut backends = self.backends.iter();
        let (_, name) = backends.find(|(place, _)| *place == backend)?;
        Some(name.as_str())
    }

    fn server(&self, backend: u32, server: u32) -> Option<(&str, &ServerMetrics)> {
        let mut servers = self.servers.iter();
        let tried = servers.find(|tried| (tried.backend, tried.server) == (backend, server))?;
        Some((tried.name.as_str(), &tried.metrics))
    }
}
