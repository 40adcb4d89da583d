//! What one worker holds of a backend: the shared backend, and its own connections to the servers.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;

use crate::base::Name;
use crate::base::clock::Instant;
use crate::exchange::TriedServer;
use crate::proxy::upstream::{ServerPools, Settings};

use super::{Backend, Server};

/// A backend on one worker. An exchange holds it by `Rc`, which costs no shared counter.
pub struct Local {
    /// Its name, for the exchanges that go to it.
    pub name: Rc<str>,
    /// What all workers share.
    pub shared: Arc<Backend>,
    /// How connections are opened.
    pub settings: Rc<Settings>,
    /// In the order of the servers that all workers share.
    pub(super) servers: Vec<Rc<LocalServer>>,
}

/// A server on one worker. A lease holds it by `Rc`.
pub struct LocalServer {
    /// What all workers share.
    pub shared: Arc<Server>,
    /// What exchanges that try it keep of it.
    pub tried: Rc<TriedServer>,
    /// The worker's connections to it.
    pub pools: ServerPools,
}

impl Local {
    /// The worker's part of `shared`. Connections to servers that `before` had too are kept, unless
    /// they would have to be opened in another way now.
    pub fn new(shared: Arc<Backend>, record_case: bool, before: Option<&Self>) -> Self {
        let settings = Rc::new(Settings::new(&shared.plan, shared.tls.clone(), record_case));
        let before = before.filter(|before| before.settings.are_like(&settings));
        let known: HashMap<&Name, &Rc<LocalServer>> = before
            .iter()
            .flat_map(|before| &before.servers)
            .map(|server| (&server.shared.name, server))
            .collect();
        let servers = shared
            .servers
            .iter()
            .map(|server| match known.get(&server.name) {
                Some(known) if Arc::ptr_eq(&known.shared, server) => Rc::clone(known),
                _ => Rc::new(LocalServer::new(server, &settings)),
            })
            .collect();
        Self {
            name: shared.plan.name.as_str().into(),
            shared,
            settings,
            servers,
        }
    }

    /// Closes up to `most` idle connections, and says how many.
    pub fn close_idle(&self, most: usize) -> usize {
        self.servers.iter().fold(0, |closed, server| {
            if closed == most {
                return closed;
            }
            closed + server.pools.close_idle(most - closed)
        })
    }

    /// Lets go of connections that are too old or that the server has closed.
    pub fn sweep(&self, now: Instant, cx: &mut Context<'_>) {
        let plan = &self.shared.plan;
        for server in &self.servers {
            server.pools.sweep(&plan.pool, &plan.http2, now, cx);
        }
    }
}

impl LocalServer {
    fn new(server: &Arc<Server>, settings: &Settings) -> Self {
        Self {
            tried: Rc::new(TriedServer {
                name: server.name.clone(),
                metrics: Arc::clone(&server.metrics),
            }),
            pools: settings.pools(&server.name, &server.address),
            shared: Arc::clone(server),
        }
    }
}
