//! What one worker holds of a backend: the shared backend, and its own connections to the servers.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;

use crate::base::clock::Instant;
use crate::proxy::upstream::{ServerPools, Settings};

use super::{Backend, ServerId};

/// A backend on one worker. An exchange holds it by `Rc`, which costs no shared counter.
pub struct Local {
    /// Its place in the plan's backends.
    pub index: u32,
    /// What all workers share.
    pub shared: Arc<Backend>,
    /// How connections are opened.
    pub settings: Rc<Settings>,
    /// One for each server, in the plan's order.
    pools: Vec<Rc<ServerPools>>,
}

impl Local {
    /// The worker's part of `shared`. Connections to servers that `before` had too are kept, unless
    /// they would have to be opened in another way now.
    pub fn new(index: u32, shared: Arc<Backend>, record_case: bool, before: Option<&Self>) -> Self {
        let settings = Rc::new(Settings::new(&shared.plan, shared.tls.clone(), record_case));
        let before = before.filter(|before| before.settings.are_like(&settings));
        let known: HashMap<ServerId, &Rc<ServerPools>> = before
            .iter()
            .flat_map(|before| before.shared.servers.iter().zip(&before.pools))
            .map(|(server, pools)| (server.id, pools))
            .collect();
        let pools = shared
            .servers
            .iter()
            .zip(&shared.plan.servers)
            .map(|(server, plan)| {
                let pools = known.get(&server.id).copied().map(Rc::clone);
                pools.unwrap_or_else(|| Rc::new(settings.pools(&plan.name, &server.address)))
            })
            .collect();
        Self {
            index,
            shared,
            settings,
            pools,
        }
    }

    /// The worker's connections to server number `index`.
    pub fn pools(&self, index: usize) -> &ServerPools {
        &self.pools[index]
    }

    /// Closes up to `most` idle connections, and says how many.
    pub fn close_idle(&self, most: usize) -> usize {
        self.pools.iter().fold(0, |closed, pools| {
            if closed == most {
                return closed;
            }
            closed + pools.close_idle(most - closed)
        })
    }

    /// Lets go of connections that are too old or that the server has closed.
    pub fn sweep(&self, now: Instant, cx: &mut Context<'_>) {
        let plan = &self.shared.plan;
        for pools in &self.pools {
            pools.sweep(&plan.pool, &plan.http2, now, cx);
        }
    }
}
