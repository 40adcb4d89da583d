//! Which server: a backend's live servers, who of them takes traffic, and the slots at them.

mod server;

pub use server::{Health, Note, Server, ServerId};

use std::sync::Arc;

use crate::plan;

/// A backend as one snapshot has it: the plan's settings and the live servers, in the plan's order.
#[derive(Debug)]
pub struct Backend {
    /// Its settings.
    pub plan: plan::Backend,
    /// In the order of `plan.servers`.
    pub servers: Vec<Arc<Server>>,
}

impl Backend {
    /// Makes the servers' present states count: whoever changed one calls this afterwards.
    pub fn refresh(&self) {}

    /// Says that server number `index` has just come up, before [`Backend::refresh`]: it is eased
    /// into its share.
    pub fn came_up(&self, index: usize) {
        self.servers[index].came_up(0);
    }
}
