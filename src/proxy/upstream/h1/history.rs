//! The age of a connection, how often it was used, and since when it is idle.

use crate::base::clock::{self, Duration, Instant};
use crate::plan;

/// The values to compare with the limits of a pool.
pub(in super::super) struct History {
    opened: Instant,
    requests: u64,
    idle_since: Instant,
}

impl History {
    /// The history of a connection that has just been opened.
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

    /// Whether the connection has carried a request.
    pub(super) fn was_used(&self) -> bool {
        self.requests > 0
    }

    /// Whether it has carried one before the request that it carries now.
    pub(super) fn was_used_before(&self) -> bool {
        self.requests > 1
    }

    /// Notes that the connection is idle from `now` on.
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

    /// How long the connection has been idle.
    pub(in super::super) fn idle_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.idle_since)
    }
}
