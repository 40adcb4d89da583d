//! The present state of frontends, backends and servers by their names, for expressions.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::base::FoldMap;
use crate::expr::{Figures, State};
use crate::plan::expr::{BackendReading, FrontendReading, ServerReading};
use crate::proxy::backend::{Backend, Server};

use super::figures::figures;
use super::{Frontend, Snapshot};

/// The indices of a snapshot's frontends and backends by their names. Made when an expression asks
/// for the first time: most configurations have none that does.
#[derive(Debug, Default)]
pub struct Indices(OnceLock<ByName>);

#[derive(Debug)]
struct ByName {
    frontends: FoldMap<Box<str>, u32>,
    backends: FoldMap<Box<str>, u32>,
}

impl Snapshot {
    fn by_name(&self) -> &ByName {
        self.indices.0.get_or_init(|| {
            let frontends = self.plan.frontends.iter().map(|frontend| &frontend.name);
            let backends = self.plan.backends.iter().map(|backend| &backend.name);
            ByName {
                frontends: (frontends.map(|name| name.as_str().into()).zip(0..)).collect(),
                backends: (backends.map(|name| name.as_str().into()).zip(0..)).collect(),
            }
        })
    }

    fn frontend_named(&self, name: &str) -> Option<&Frontend> {
        self.frontends
            .get(*self.by_name().frontends.get(name)? as usize)
    }

    /// The index of the backend with this name.
    pub(crate) fn backend_index(&self, name: &str) -> Option<usize> {
        self.by_name()
            .backends
            .get(name)
            .map(|index| *index as usize)
    }

    fn backend_named(&self, name: &str) -> Option<&Backend> {
        let index = *self.by_name().backends.get(name)? as usize;
        self.backends.get(index).map(|backend| &**backend)
    }
}

impl State for Snapshot {
    fn figures(&self) -> Figures {
        figures(self)
    }

    fn of_backend(&self, backend: &str, reading: BackendReading) -> Option<i64> {
        let backend = self.backend_named(backend)?;
        Some(match reading {
            BackendReading::Usable => count(backend.available()),
            BackendReading::Exchanges => count(backend.in_flight() + backend.queued()),
            BackendReading::FreeSlots => backend.free_slots().map_or(-1, count),
            BackendReading::FreePlaces => {
                let places = backend.plan.queue.max.saturating_sub(backend.queued());
                let all = backend.free_slots().map(|slots| slots + places);
                all.map_or(-1, count)
            }
            BackendReading::Queue => count(backend.queued()),
            // As HAProxy's: if no server can take an exchange, the wait counts twice.
            BackendReading::QueuePerServer => count(match backend.available() {
                0 => backend.queued() * 2,
                servers => backend.queued().div_ceil(servers),
            }),
            BackendReading::Rate => i64::try_from(backend.rate().events()).unwrap_or(i64::MAX),
        })
    }

    fn of_server(&self, backend: &str, server: &str, reading: ServerReading) -> Option<i64> {
        let backend = self.backend_named(backend)?;
        let set = backend.set();
        let is_it = |known: &Arc<Server>| known.name.as_str() == server;
        let index = set.servers().iter().position(is_it)?;
        let server = &set.servers()[index];
        Some(match reading {
            ServerReading::IsUp => i64::from(server.is_usable()),
            ServerReading::Exchanges => server.in_flight().into(),
            ServerReading::FreeSlots => server.free_slots().map_or(-1, i64::from),
            ServerReading::Queue => count(backend.queued_at(server)),
            ServerReading::Weight => server.weight().into(),
            ServerReading::Number => count(index + 1),
        })
    }

    fn of_frontend(&self, frontend: &str, reading: FrontendReading) -> Option<i64> {
        let live = &self.frontend_named(frontend)?.live;
        let figure = match reading {
            FrontendReading::Connections => live.gate.open(),
            FrontendReading::Rate => live.requests.events(),
        };
        i64::try_from(figure).ok()
    }
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

// For the facts of an exchange, which print it where a test fails.
impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Snapshot");
        shown.field("generation", &self.generation);
        shown.finish_non_exhaustive()
    }
}
