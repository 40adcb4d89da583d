//! The monotonic clock as a number, so that two processes can compare times.
//!
//! `std::time::Instant` is the same clock but cannot be written to a file; `reload` sets the load
//! generator's samples beside its own reloads.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since a moment that is the same for all processes of this machine.
pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).expect("the monotonic clock starts at zero");
    let nanos = u64::try_from(now.tv_nsec).expect("a timespec's nanoseconds are never negative");
    seconds * 1_000_000_000 + nanos
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("a benchmark does not last 500 years")
}
