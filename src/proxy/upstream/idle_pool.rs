//! A worker's idle connections to one server, the warmest on top.
//!
//! Last in, first out: under falling load the connections at the bottom grow old and are let go,
//! and those in use stay few and warm. One that has been idle for a second cools: hyper's state and
//! buffers are given back and the bare socket is kept, as `http::h1` does with clients'. No lock,
//! no sharing: each worker has its own.

use std::cell::RefCell;
use std::task::Context;

use crate::base::clock::{Duration, Instant};
use crate::plan;

use super::h1::{Bare, H1Connection};
use super::settings::Settings;

/// How long an idle connection keeps its buffers.
const COOL_AFTER: Duration = Duration::from_secs(1);

/// Idle connections to one server.
#[derive(Default)]
pub(super) struct IdlePool {
    idle: RefCell<Vec<Idle>>,
}

enum Idle {
    Warm(H1Connection),
    Cold(Bare),
}

impl IdlePool {
    /// The warmest connection that can carry another request.
    pub(super) fn take(
        &self,
        limits: &plan::Pool,
        settings: &Settings,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Option<H1Connection> {
        loop {
            let mut idle = self.idle.borrow_mut().pop()?;
            if !idle.is_usable(limits, now, cx) {
                continue;
            }
            let warm = match idle {
                Idle::Warm(connection) => Some(connection),
                Idle::Cold(bare) => bare.warmed(settings),
            };
            if warm.is_some() {
                return warm;
            }
        }
    }

    /// Keeps `connection`, unless there are enough.
    pub(super) fn keep(&self, mut connection: H1Connection, limits: &plan::Pool, now: Instant) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < limits.max_idle && !connection.is_finished() {
            connection.idle_from(now);
            idle.push(Idle::Warm(connection));
        }
    }

    /// Lets go of what is too old and of what the server has closed, and cools what is idle.
    pub(super) fn sweep(&self, limits: &plan::Pool, now: Instant, cx: &mut Context<'_>) {
        let mut idle = self.idle.borrow_mut();
        let before = std::mem::take(&mut *idle);
        idle.extend(before.into_iter().filter_map(|mut idle| {
            let usable = idle.is_usable(limits, now, cx);
            usable.then(|| idle.cooled(now)).flatten()
        }));
    }

    /// Closes up to `most` of them, the oldest first, and says how many.
    pub(super) fn close_oldest(&self, most: usize) -> usize {
        let mut idle = self.idle.borrow_mut();
        let closed = most.min(idle.len());
        drop(idle.drain(..closed));
        closed
    }

    /// Keeps none of them.
    pub(super) fn clear(&self) {
        self.idle.borrow_mut().clear();
    }

    /// Whether none is kept.
    pub(super) fn is_empty(&self) -> bool {
        self.idle.borrow().is_empty()
    }
}

impl Idle {
    fn is_usable(&mut self, limits: &plan::Pool, now: Instant, cx: &mut Context<'_>) -> bool {
        match self {
            Self::Warm(connection) => {
                connection.history().is_within(limits, now) && connection.is_reusable(cx)
            }
            Self::Cold(bare) => bare.history().is_within(limits, now) && bare.is_open(cx),
        }
    }

    fn cooled(self, now: Instant) -> Option<Self> {
        match self {
            Self::Warm(connection) if connection.history().idle_for(now) >= COOL_AFTER => {
                connection.cooled().map(Self::Cold)
            }
            idle => Some(idle),
        }
    }
}
