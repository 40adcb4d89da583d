//! What one worker holds of a backend: the shared backend, and its own connections to the servers.

use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;

use crate::base::clock::Instant;
use crate::proxy::upstream::{Pool, Settings};

use super::{Backend, ServerId};

/// A backend on one worker. An exchange holds it by `Rc`, which costs no shared counter.
pub struct Local {
    /// Its place in the plan's backends.
    pub index: u32,
    /// What all workers share.
    pub shared: Arc<Backend>,
    /// How connections are opened.
    pub settings: Settings,
    /// One for each server, in the plan's order.
    pools: Vec<Rc<Pool>>,
}

impl Local {
    /// The worker's part of `shared`. Connections to servers that `before` had too are kept, unless
    /// they would have to be opened in another way now.
    pub fn new(index: u32, shared: Arc<Backend>, record_case: bool, before: Option<&Self>) -> Self {
        let settings = Settings::new(&shared.plan, record_case);
        let before = before.filter(|before| before.settings.are_like(&settings));
        let pool_of = |id: ServerId| -> Option<Rc<Pool>> {
            let before = before?;
            let servers = &before.shared.servers;
            let place = servers.iter().position(|server| server.id == id)?;
            Some(Rc::clone(&before.pools[place]))
        };
        let pools = shared
            .servers
            .iter()
            .map(|server| pool_of(server.id).unwrap_or_default())
            .collect();
        Self {
            index,
            shared,
            settings,
            pools,
        }
    }

    /// The worker's connections to server number `index`.
    pub fn pool(&self, index: usize) -> &Rc<Pool> {
        &self.pools[index]
    }

    /// Lets go of connections that are too old or that the server has closed.
    pub fn sweep(&self, now: Instant, cx: &mut Context<'_>) {
        for pool in &self.pools {
            if !pool.is_empty() {
                pool.sweep(&self.shared.plan.pool, now, cx);
            }
        }
    }
}
