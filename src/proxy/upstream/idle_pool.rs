//! A worker's idle connections to one server, the last used on top.
//!
//! Last in, first out: under falling load the connections at the bottom become too old and are
//! closed, and the used ones stay few and warm. One that has been idle for a second releases its
//! buffers. No lock, no sharing: each worker has its own.

use std::cell::RefCell;
use std::task::Context;

use crate::base::clock::{Duration, Instant};
use crate::plan;

use super::h1::H1Connection;

/// How long an idle connection keeps its buffers.
const COOL_AFTER: Duration = Duration::from_secs(1);

/// Idle connections to one server.
#[derive(Default)]
pub(super) struct IdlePool {
    idle: RefCell<Vec<H1Connection>>,
}

impl IdlePool {
    /// The last used connection that can carry another request.
    pub(super) fn take(
        &self,
        limits: &plan::Pool,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Option<H1Connection> {
        loop {
            let mut connection = self.idle.borrow_mut().pop()?;
            if is_usable(&mut connection, limits, now, cx) {
                return Some(connection);
            }
        }
    }

    /// Keeps `connection`, unless the pool is full.
    pub(super) fn keep(&self, mut connection: H1Connection, limits: &plan::Pool, now: Instant) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < limits.max_idle && !connection.is_finished() {
            connection.idle_from(now);
            idle.push(connection);
        }
    }

    /// Drops connections that are too old or that the server has closed, and frees the buffers of
    /// idle ones.
    pub(super) fn sweep(&self, limits: &plan::Pool, now: Instant, cx: &mut Context<'_>) {
        let mut idle = self.idle.borrow_mut();
        idle.retain_mut(|connection| is_usable(connection, limits, now, cx));
        for connection in idle.iter_mut() {
            if connection.history().idle_for(now) >= COOL_AFTER {
                connection.free_buffers();
            }
        }
    }

    /// Closes up to `most` of them, the oldest first, and returns how many.
    pub(super) fn close_oldest(&self, most: usize) -> usize {
        let mut idle = self.idle.borrow_mut();
        let closed = most.min(idle.len());
        drop(idle.drain(..closed));
        closed
    }

    /// Drops all of them.
    pub(super) fn clear(&self) {
        self.idle.borrow_mut().clear();
    }

    /// Whether none is kept.
    pub(super) fn is_empty(&self) -> bool {
        self.idle.borrow().is_empty()
    }
}

/// Whether another request can be sent on `connection`.
fn is_usable(
    connection: &mut H1Connection,
    limits: &plan::Pool,
    now: Instant,
    cx: &mut Context<'_>,
) -> bool {
    connection.history().is_within(limits, now) && connection.is_reusable(cx)
}
