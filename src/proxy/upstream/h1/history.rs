//! What a connection has been through: how old it is, and how often it was used.

use crate::base::clock::{self, Duration, Instant};
use crate::plan;

/// What a connection has been through.
pub(in super::super) struct History {
    opened: Instant,
    requests: u64,
    idle_since: Instant,
}

impl History {
    /// Of a connection that has just been opened.
    pub(super) fn begin() -> Self {
        let now = clock::now();
        Self {
            opened: now,
            requests: 0,
            idle_since: now,
        }
    }

    /// Counts a request.
    pub(super) fn count_request(&mut self) {
        self.requests += 1;
    }

    /// Whether it has carried a request.
    pub(super) fn was_used(&self) -> bool {
        self.requests > 0
    }

    /// Says that it is idle from `now` on.
    pub(super) fn idle_from(&mut self, now: Instant) {
        self.idle_since = now;
    }

    /// Whether `limits` let the connection be used at `now`.
    pub(in super::super) fn is_within(&self, limits: &plan::Pool, now: Instant) -> bool {
        let age = now.saturating_duration_since(self.opened);
        self.idle_for(now) < limits.idle_timeout
            && limits.max_age.is_none_or(|max_age| age < max_age)
            && limits.max_requests.is_none_or(|max| self.requests < max)
    }

    /// How long it has been idle.
    pub(in super::super) fn idle_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.idle_since)
    }
}
