//! A worker's idle connections to one server, the warmest on top.
//!
//! Last in, first out: under falling load the connections at the bottom grow old and are let go,
//! and those in use stay few and warm. No lock, no sharing: each worker has its own.

use std::cell::RefCell;
use std::task::Context;

use crate::base::clock::Instant;
use crate::plan;

use super::connection::Connection;

/// Idle connections to one server.
#[derive(Default)]
pub struct Pool {
    idle: RefCell<Vec<Connection>>,
}

impl Pool {
    /// The warmest connection that can carry another request.
    pub fn take(
        &self,
        limits: &plan::Pool,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Option<Connection> {
        loop {
            let mut connection = self.idle.borrow_mut().pop()?;
            if connection.is_within(limits, now) && connection.is_reusable(cx) {
                return Some(connection);
            }
        }
    }

    /// Keeps `connection`, unless there are enough.
    pub fn keep(&self, mut connection: Connection, limits: &plan::Pool, now: Instant) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < limits.max_idle && !connection.is_finished() {
            connection.rest_from(now);
            idle.push(connection);
        }
    }

    /// Lets go of what is too old and of what the server has closed.
    pub fn sweep(&self, limits: &plan::Pool, now: Instant, cx: &mut Context<'_>) {
        let mut idle = self.idle.borrow_mut();
        idle.retain_mut(|connection| {
            connection.is_within(limits, now) && connection.is_reusable(cx)
        });
        if idle.is_empty() {
            idle.shrink_to_fit();
        }
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.idle.borrow().len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.idle.borrow().is_empty()
    }
}
