//! Time: the only place that reads a clock or sleeps.
//!
//! Everything goes through tokio's clock, so that a test with paused time, or a simulated network,
//! controls the time. The wall clock is read here too, for log lines and for the validity of
//! certificates; no other decision depends on it.

#![expect(
    clippy::disallowed_methods,
    reason = "this is where clocks are read and slept on for everyone else"
)]

use std::future::Future;
use std::time::SystemTime;

pub use std::time::Duration;
pub use tokio::time::{Instant, Sleep};

/// One moment on both clocks. The wall-clock time of other moments is computed from it: reading a
/// clock costs as much as some of the work that is timed.
#[derive(Clone, Copy, Debug)]
pub struct Anchor {
    instant: Instant,
    wall: SystemTime,
}

impl Anchor {
    /// The present moment.
    pub fn now() -> Self {
        Self {
            instant: now(),
            wall: wall(),
        }
    }

    /// The wall-clock time of that moment.
    pub fn wall(&self) -> SystemTime {
        self.wall
    }

    /// The wall-clock time at `instant`, unless the wall clock was set in between.
    pub fn wall_at(&self, instant: Instant) -> SystemTime {
        match instant.checked_duration_since(self.instant) {
            Some(after) => self.wall + after,
            None => self.wall - self.instant.duration_since(instant),
        }
    }
}

/// A time so far away that it never comes, for deadlines that are switched off.
pub const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// The CPU time of this thread. Elapsed time says little about the cost of something while other
/// threads run.
#[cfg(test)]
pub(crate) fn computed() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(spent.tv_sec as u64, spent.tv_nsec as u32)
}

/// The present moment, on a clock that never goes back.
#[inline]
pub fn now() -> Instant {
    Instant::now()
}

/// The wall-clock time, for people to read.
#[inline]
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// Seconds since 1970, as in certificates; 0 for earlier times.
pub fn unix_seconds(wall: SystemTime) -> i64 {
    let since = wall.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() as i64)
}

/// Waits until `deadline`.
///
/// # Cancel safety
///
/// Nothing is lost when it is dropped.
pub fn sleep_until(deadline: Instant) -> Sleep {
    tokio::time::sleep_until(deadline)
}

/// Waits for `duration`.
///
/// # Cancel safety
///
/// Nothing is lost when it is dropped.
pub fn sleep(duration: Duration) -> Sleep {
    tokio::time::sleep(duration)
}

/// The output of `future`, if it ends within `duration`.
///
/// # Errors
///
/// [`Elapsed`] if the time is over first; `future` has been dropped by then.
pub async fn within<F: Future>(duration: Duration, future: F) -> Result<F::Output, Elapsed> {
    tokio::time::timeout(duration, future)
        .await
        .map_err(|_| Elapsed)
}

/// The time was over first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;
