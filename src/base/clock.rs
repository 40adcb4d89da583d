//! Time: the only place that reads a clock or sleeps.
//!
//! Everything goes through tokio's clock, so that a test with paused time, or a simulated network,
//! controls the time. The wall clock is read here too, for log lines and for the validity of
//! certificates; no other decision depends on it.

#![expect(
    clippy::disallowed_methods,
    reason = "this is where clocks are read and slept on for everyone else"
)]

use std::cell::Cell;
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

/// Checks that `work` of 32 times as much costs about 32 times as much, by the CPU time of this
/// thread; `work` prepares something of a size and returns what is to be measured.
///
/// 1,024 times as much is what it costs when each part is compared with each. The limit lies between
/// the two, more than five times from either, and the least of three runs counts: caches, page
/// faults and neighbours make a single run two to three times as expensive.
#[cfg(test)]
#[track_caller]
pub(crate) fn assert_linear<R, W: FnOnce() -> R>(work: impl Fn(usize) -> W) {
    let spent = || {
        let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(spent.tv_sec as u64, spent.tv_nsec as u32)
    };
    let cost = |size| {
        let run = |()| {
            let work = work(size);
            let before = spent();
            let result = work();
            let cost = spent() - before;
            drop(result);
            cost
        };
        [(); 3].map(run).into_iter().min().expect("three runs")
    };
    let (few, many) = (cost(500), cost(16_000));
    assert!(many < few * 181, "{few:?}, {many:?}");
}

/// The present moment, on a clock that never goes back. Within [`in_one_turn`] it does not go on.
#[inline]
pub fn now() -> Instant {
    match TURN.get() {
        Turn::At(now) => now,
        Turn::Unread => {
            let now = Instant::now();
            TURN.set(Turn::At(now));
            now
        }
        Turn::None => Instant::now(),
    }
}

/// What [`now`] returns on this thread.
#[derive(Clone, Copy)]
enum Turn {
    /// The clock.
    None,
    /// The clock, once, and then the same moment.
    Unread,
    /// This moment.
    At(Instant),
}

thread_local! {
    static TURN: Cell<Turn> = const { Cell::new(Turn::None) };
}

/// The result of `work`, which is over soon: for it, time stands still from the first look at the
/// clock on. A request looks at it some fifteen times in two polls, and each look costs as much as
/// a small allocation.
#[inline]
pub fn in_one_turn<T>(work: impl FnOnce() -> T) -> T {
    struct Ending(Turn);
    impl Drop for Ending {
        fn drop(&mut self) {
            TURN.set(self.0);
        }
    }
    let before = TURN.get();
    if matches!(before, Turn::None) {
        TURN.set(Turn::Unread);
    }
    let _ending = Ending(before);
    work()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_stands_still_within_a_turn_and_goes_on_after_it() {
        let start = now();
        tokio::time::advance(Duration::from_secs(1)).await;
        let mut advance = Box::pin(tokio::time::advance(Duration::from_secs(1)));
        let (first, second) = in_one_turn(|| {
            let first = now();
            let waker = std::task::Waker::noop();
            let _ = advance
                .as_mut()
                .poll(&mut std::task::Context::from_waker(waker));
            (first, now())
        });
        assert_eq!(first, start + Duration::from_secs(1));
        assert_eq!(second, first);
        assert_eq!(now(), first + Duration::from_secs(1));
    }

    #[test]
    fn a_panic_within_a_turn_ends_it() {
        let panicking = || std::panic::resume_unwind(Box::new("as the test wants"));
        let caught = std::panic::catch_unwind(|| in_one_turn(panicking));
        assert!(caught.is_err() && matches!(TURN.get(), Turn::None));
    }

    #[test]
    fn a_turn_within_a_turn_is_part_of_it() {
        in_one_turn(|| {
            let outer = now();
            assert_eq!(in_one_turn(now), outer);
            assert_eq!(now(), outer);
        });
    }
}
