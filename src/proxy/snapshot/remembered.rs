//! What an exchange that outlives its snapshot needs of it.
//!
//! A tunnel may be open for days and see thousands of reloads. It keeps names and counters for its
//! line in the log, and not the configuration that it began under: that of 1,000 backends takes
//! three megabytes.

use std::sync::Arc;

use super::Snapshot;
use crate::base::Name;
use crate::exchange::{Attempt, Record};
use crate::observe::{Places, RouteMetrics, ServerMetrics};
use crate::plan::RouteKind;

/// The places of one exchange.
pub(crate) struct Remembered {
    frontend: Name,
    route: Option<(Name, Arc<RouteMetrics>)>,
    /// What was tried last.
    last: Tried,
    /// What was tried before, almost always nothing.
    failed: Box<[Tried]>,
}

struct Tried {
    backend: u32,
    server: u32,
    backend_name: Name,
    name: Name,
    metrics: Arc<ServerMetrics>,
}

impl Remembered {
    /// Of `exchange`, which ran under `snapshot` and will try no other server; `None`: the snapshot is
    /// not the one, or nothing was tried.
    pub(crate) fn of(record: &Record, snapshot: &Snapshot) -> Option<Self> {
        let opening = &record.opening;
        let frontend = snapshot.plan.frontends.get(opening.frontend as usize)?;
        let kind = RouteKind::of(opening.first_bytes.is_some());
        let route = record.route.get();
        let failed = record.failed.borrow();
        Some(Self {
            frontend: frontend.name.clone(),
            route: route.and_then(|route| {
                let name = frontend.name_of_route(route, kind)?;
                let live = snapshot.frontends.get(opening.frontend as usize)?;
                Some((name.clone(), Arc::clone(live.counter_of(route, kind)?)))
            }),
            last: Tried::of(record.attempt.get()?, snapshot)?,
            failed: failed
                .iter()
                .filter_map(|attempt| Tried::of(*attempt, snapshot))
                .collect(),
        })
    }

    fn tried(&self) -> impl Iterator<Item = &Tried> {
        std::iter::once(&self.last).chain(&self.failed)
    }
}

impl Tried {
    fn of(attempt: Attempt, snapshot: &Snapshot) -> Option<Self> {
        let backend = snapshot.backends.get(attempt.backend as usize)?;
        let place = attempt.server as usize;
        Some(Self {
            backend: attempt.backend,
            server: attempt.server,
            backend_name: backend.plan.name.clone(),
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
        self.route.as_ref().map(|(name, _)| name.as_str())
    }

    fn route_metrics(&self, _: u32, _: u32, _: RouteKind) -> Option<&RouteMetrics> {
        self.route.as_ref().map(|(_, metrics)| &**metrics)
    }

    fn backend(&self, backend: u32) -> Option<&str> {
        let tried = self.tried().find(|tried| tried.backend == backend)?;
        Some(tried.backend_name.as_str())
    }

    fn server(&self, backend: u32, server: u32) -> Option<(&str, &ServerMetrics)> {
        let is_it = |tried: &&Tried| (tried.backend, tried.server) == (backend, server);
        let tried = self.tried().find(is_it)?;
        Some((tried.name.as_str(), &tried.metrics))
    }
}
