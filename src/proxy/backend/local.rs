//! The part of a backend that belongs to one worker: its connections to the servers.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;

use crate::base::Name;
use crate::base::clock::Instant;
use crate::exchange::TriedServer;
use crate::observe::AttemptCounter;
use crate::plan::{Own, OwnSettings, ServerTls};
use crate::proxy::upstream::{ServerPools, Settings};

use super::{Backend, Server, ServerSet};

/// A backend on one worker. An exchange holds it by `Rc`, which costs no shared counter.
pub struct Local {
    /// Its name, for its exchanges.
    pub name: Rc<str>,
    /// The part that all workers share.
    pub shared: Arc<Backend>,
    /// How connections are opened to servers that have no settings of their own for it.
    settings: Rc<Settings>,
    /// Counts the attempts at its servers.
    pub(super) attempts: AttemptCounter,
    set: RefCell<Rc<LocalSet>>,
}

/// A server set on one worker.
pub(super) struct LocalSet {
    /// The part that all workers share.
    pub(super) shared: Arc<ServerSet>,
    /// In the order of the shared servers.
    pub(super) servers: Rc<[Rc<LocalServer>]>,
    /// Their indices. Made for the first exchange for which a rule names a server.
    by_name: Rc<OnceCell<HashMap<Name, usize>>>,
}

/// A server on one worker. A lease holds it by `Rc`.
pub struct LocalServer {
    /// The part that all workers share.
    pub shared: Arc<Server>,
    /// The facts that an exchange records when it tries this server.
    pub tried: Rc<TriedServer>,
    /// How connections are opened.
    pub settings: Rc<Settings>,
    /// The worker's connections to it.
    pub pools: ServerPools,
    /// Whether the server is in the set that this worker has seen last. Written when that set changes.
    is_member: Cell<bool>,
}

impl Local {
    /// The worker's part of `shared`. Connections to servers that `before` had too are kept, unless
    /// they would be opened with other settings now. `attempts` is the worker's.
    pub fn new(
        shared: Arc<Backend>,
        attempts: AttemptCounter,
        record_case: bool,
        before: Option<&Self>,
    ) -> Self {
        let transport = shared.transport(&OwnSettings::default());
        let settings = Rc::new(Settings::new(&shared.plan, transport, record_case));
        let known = before.map(|before| Rc::clone(&before.set.borrow()));
        let known = known.iter().flat_map(|known| known.servers.iter());
        let set = LocalSet::of(&shared, shared.set(), known, &settings);
        Self {
            name: shared.plan.name.as_str().into(),
            set: RefCell::new(Rc::new(set)),
            shared,
            settings,
            attempts,
        }
    }

    /// The servers that the backend has now.
    #[inline]
    pub(super) fn set(&self) -> Rc<LocalSet> {
        {
            let set = self.set.borrow();
            if set.shared.version() == self.shared.set.version() {
                return Rc::clone(&set);
            }
        }
        self.renew_set()
    }

    #[cold]
    fn renew_set(&self) -> Rc<LocalSet> {
        let next = {
            let before = self.set.borrow();
            Rc::new(before.followed_by(&self.shared, &self.settings))
        };
        // Dropped when the cell is no longer borrowed: it may close connections.
        drop(self.set.replace(Rc::clone(&next)));
        next
    }

    /// Drops servers that were removed from the backend. An exchange does this too; this call is
    /// for a worker without exchanges.
    pub fn renew(&self) {
        self.set();
    }

    /// Whether the backend still has `server`.
    pub(super) fn has(&self, server: &LocalServer) -> bool {
        self.set();
        server.is_member.get()
    }

    /// Closes up to `most` idle connections, and returns how many.
    pub fn close_idle(&self, most: usize) -> usize {
        self.set().servers.iter().fold(0, |closed, server| {
            if closed == most {
                return closed;
            }
            closed + server.pools.close_idle(most - closed)
        })
    }

    /// Drops connections that are too old or that the server has closed.
    pub fn sweep(&self, now: Instant, cx: &mut Context<'_>) {
        let plan = &self.shared.plan;
        for server in self.set().servers.iter() {
            server.pools.sweep(&plan.pool, &plan.http2, now, cx);
        }
    }
}

impl LocalSet {
    /// The worker's part of `shared`, a set of `backend`. Servers that are in `known` keep their connections.
    fn of<'a>(
        backend: &Backend,
        shared: Arc<ServerSet>,
        known: impl Iterator<Item = &'a Rc<LocalServer>>,
        settings: &Rc<Settings>,
    ) -> Self {
        let known: HashMap<*const Server, &Rc<LocalServer>> = known
            .map(|server| (Arc::as_ptr(&server.shared), server))
            .collect();
        // Made once for all servers with equal settings of their own.
        let mut own: HashMap<&Own<ServerTls>, Rc<Settings>> = HashMap::new();
        let servers = shared.servers().iter();
        let servers = servers.map(|server| {
            let settings = match &server.own.tls {
                Own::Inherited => settings,
                tls => own
                    .entry(tls)
                    .or_insert_with(|| Rc::new(settings.with(backend.transport(&server.own)))),
            };
            match known.get(&Arc::as_ptr(server)) {
                Some(known) if known.settings.are_like(settings) => Rc::clone(known),
                _ => Rc::new(LocalServer::new(server, settings)),
            }
        });
        Self {
            servers: servers.collect(),
            shared,
            by_name: Rc::default(),
        }
    }

    /// The server called `name`.
    pub(super) fn named(&self, name: &Name) -> Option<&Rc<LocalServer>> {
        let by_name = self.by_name.get_or_init(|| {
            let names = self.servers.iter().map(|server| server.shared.name.clone());
            names.zip(0..).collect()
        });
        self.servers.get(*by_name.get(name)?)
    }

    /// The set that follows this one. If only states of servers have changed, the list is kept: it
    /// may have thousands of servers.
    fn followed_by(&self, backend: &Backend, settings: &Rc<Settings>) -> Self {
        let shared = backend.set();
        if Arc::ptr_eq(self.shared.servers(), shared.servers()) {
            return Self {
                shared,
                servers: Rc::clone(&self.servers),
                by_name: Rc::clone(&self.by_name),
            };
        }
        let next = Self::of(backend, shared, self.servers.iter(), settings);
        self.servers.iter().for_each(|one| one.is_member.set(false));
        next.servers.iter().for_each(|one| one.is_member.set(true));
        next
    }
}

impl LocalServer {
    fn new(server: &Arc<Server>, settings: &Rc<Settings>) -> Self {
        Self {
            tried: Rc::new(TriedServer {
                name: server.name.clone(),
                metrics: Arc::clone(&server.metrics),
            }),
            pools: ServerPools::to(settings.transport(), &server.name, &server.address),
            settings: Rc::clone(settings),
            shared: Arc::clone(server),
            is_member: Cell::new(true),
        }
    }
}
