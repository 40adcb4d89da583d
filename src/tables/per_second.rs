//! Events of the last second, which all workers count together: the rates of frontends and backends.
//!
//! Nothing is counted, and no clock is read, until an expression asks for the first time.

use std::sync::{Mutex, OnceLock, PoisonError};

use crate::base::clock::{self, Instant};

use super::layout::milliseconds;
use super::rate::{self, Rate};

/// A rate, if an expression has ever asked for it.
#[derive(Debug, Default)]
pub struct PerSecond(OnceLock<Counted>);

#[derive(Debug)]
struct Counted {
    began: Instant,
    /// Written by each event on any worker, for the time of a few memory accesses.
    words: Mutex<[u64; rate::WORDS]>,
}

const PERIOD_MS: u64 = 1000;

/// The time when counting begins, in milliseconds: more than two periods.
const BEGINNING: u64 = 1 << 44;

impl PerSecond {
    /// Counts an event that happens now.
    #[inline]
    pub fn count(&self) {
        if let Some(counted) = self.0.get() {
            counted.add(clock::now());
        }
    }

    /// The events of the last second. From the first call on they are counted.
    pub fn events(&self) -> u64 {
        let now = clock::now();
        let counted = self.0.get_or_init(|| Counted {
            began: now,
            words: Mutex::default(),
        });
        counted.read(now)
    }
}

impl Counted {
    fn add(&self, now: Instant) {
        let now = self.milliseconds(now);
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        Rate(&mut *words).add(1, now, PERIOD_MS);
    }

    fn read(&self, now: Instant) -> u64 {
        let now = self.milliseconds(now);
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        rate::events(&*words, now, PERIOD_MS)
    }

    fn milliseconds(&self, now: Instant) -> u64 {
        BEGINNING + milliseconds(now.saturating_duration_since(self.began))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn events_count_for_a_second_from_the_first_question_on() {
        let rate = PerSecond::default();
        rate.count();
        assert_eq!(rate.events(), 0);
        for _ in 0..10 {
            rate.count();
        }
        assert_eq!(rate.events(), 10);
        tokio::time::advance(Duration::from_millis(1500)).await;
        assert_eq!(rate.events(), 5);
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(rate.events(), 0);
    }
}
