//! Bounds actions that cost the client nothing and us something.
//!
//! Three leaky buckets: streams that it resets (Rapid Reset, CVE-2023-44487) or breaks so that they
//! are reset (MadeYouReset, CVE-2025-8671), frames without effect (floods of settings, pings, empty
//! frames: CVE-2019-9511 to -9518), and window updates for more bytes than were sent. An honest client
//! stays far below; above, the connection ends with GOAWAY (`ENHANCE_YOUR_CALM`, RFC 9113 §7).
//!
//! Pure: counts and the time come in, a verdict comes out. Prior art: HAProxy's
//! `tune.h2.fe.glitches-threshold`, Envoy's `max_inbound_priority_frames_per_stream` and its kin.

use crate::base::clock::{Duration, Instant};
use crate::plan::Http2;

use super::frames::Counts;

/// A bucket holds as much as leaks out of it in so many seconds.
const DEPTH_SECONDS: u64 = 5;

/// One grant of window for so many sent bytes is normal: the smallest frame that is worth a grant.
const BYTES_FOR_A_GRANT: u64 = 1024;

/// The rest of one client connection's budget.
#[derive(Debug)]
pub(super) struct Budget {
    resets: Bucket,
    idle_frames: Bucket,
    grants: Bucket,
}

/// Is filled by events, and leaks at a steady rate.
#[derive(Debug)]
struct Bucket {
    level: u64,
    leak_per_second: u64,
    at: Instant,
}

impl Budget {
    /// The budget of a connection with `limits` from `now` on.
    pub(super) fn new(limits: &Http2, now: Instant) -> Self {
        let bucket = |leak_per_second| Bucket {
            level: 0,
            leak_per_second,
            at: now,
        };
        Self {
            resets: bucket(u64::from(limits.resets_per_second)),
            idle_frames: bucket(u64::from(limits.idle_frames_per_second)),
            // A grant lets bytes be sent, or has no effect either.
            grants: bucket(u64::from(limits.idle_frames_per_second)),
        }
    }

    /// Subtracts the counts; returns whether they were within the budget. `now` is called only if a
    /// count is not zero.
    pub(super) fn takes(&mut self, counts: &Counts, now: impl Fn() -> Instant) -> bool {
        let resets = counts.resets.take();
        let idle_frames = counts.idle_frames.take();
        let updates = counts.window_updates.take();
        if resets == 0 && idle_frames == 0 && updates == 0 {
            return true;
        }
        let excused = counts.bytes_out.take() / BYTES_FOR_A_GRANT;
        let grants = u64::from(updates).saturating_sub(excused);
        let now = now();
        self.resets.takes(u64::from(resets), now)
            && self.idle_frames.takes(u64::from(idle_frames), now)
            && self.grants.takes(grants, now)
    }
}

impl Bucket {
    fn takes(&mut self, number: u64, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at);
        let leaked = (passed.as_millis() as u64).saturating_mul(self.leak_per_second) / 1000;
        if leaked > 0 {
            self.level = self.level.saturating_sub(leaked);
            // Only by the leaked amount, not by the elapsed time: the rest of a drop is not lost.
            self.at += Duration::from_millis(leaked * 1000 / self.leak_per_second);
        }
        self.level = self.level.saturating_add(number);
        self.level <= self.leak_per_second.saturating_mul(DEPTH_SECONDS)
    }
}

#[cfg(test)]
mod tests {
    use crate::base::clock;

    use super::*;

    fn budget(now: Instant) -> Budget {
        let limits = Http2 {
            resets_per_second: 10,
            idle_frames_per_second: 100,
            ..Http2::default()
        };
        Budget::new(&limits, now)
    }

    fn resets(number: u32) -> Counts {
        let counts = Counts::default();
        counts.resets.set(number);
        counts
    }

    #[test]
    fn a_burst_is_accepted_up_to_the_depth_and_no_further() {
        let now = clock::now();
        assert!(budget(now).takes(&resets(50), || now));
        assert!(!budget(now).takes(&resets(51), || now));
    }

    #[test]
    fn a_steady_rate_is_accepted_for_ever_and_a_higher_one_is_not() {
        let start = clock::now();
        let at = |second| start + Duration::from_secs(second);
        let mut steady = budget(start);
        assert!((0..1000).all(|second| steady.takes(&resets(10), || at(second))));
        let mut eager = budget(start);
        assert!(!(0..1000).all(|second| eager.takes(&resets(11), || at(second))));
    }

    #[test]
    fn window_updates_are_free_in_proportion_to_the_bytes_they_release() {
        let now = clock::now();
        let counts = Counts::default();
        counts.window_updates.set(100_000);
        assert!(!budget(now).takes(&counts, || now));
        counts.window_updates.set(100_000);
        counts.bytes_out.set(100_000 * BYTES_FOR_A_GRANT);
        assert!(budget(now).takes(&counts, || now));
    }

    #[test]
    fn a_silent_client_costs_no_read_of_the_clock() {
        let now = clock::now();
        let counts = Counts::default();
        assert!(budget(now).takes(&counts, || unreachable!("nothing to take")));
    }
}
