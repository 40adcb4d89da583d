//! When the log may report again what every request may repeat.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::clock::{self, Duration, Instant};

/// At most one report in this time.
const EVERY: Duration = Duration::from_secs(10);

/// The time of the last report. Shared by all workers: a lost update is one more line in the log, so
/// relaxed loads and stores are enough.
#[derive(Debug)]
pub(super) struct Seldom {
    made: Instant,
    /// Milliseconds from `made` to the last report, plus 1; 0: there was none.
    last_ms: AtomicU64,
}

impl Default for Seldom {
    fn default() -> Self {
        Self {
            made: clock::now(),
            last_ms: AtomicU64::new(0),
        }
    }
}

impl Seldom {
    /// Whether a report is due. If so, it counts as made now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        let now = now.saturating_duration_since(self.made).as_millis() as u64 + 1;
        let last = self.last_ms.load(Ordering::Relaxed);
        let is_due = last == 0 || now >= last + EVERY.as_millis() as u64;
        if is_due {
            self.last_ms.store(now, Ordering::Relaxed);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_reports_one_is_due_in_a_while() {
        let seldom = Seldom::default();
        let now = clock::now();
        assert!(seldom.is_due(now));
        assert!(!seldom.is_due(now));
        assert!(!seldom.is_due(now + EVERY - Duration::from_millis(2)));
        assert!(seldom.is_due(now + EVERY + Duration::from_millis(2)));
    }
}
