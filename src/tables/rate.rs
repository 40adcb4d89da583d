//! Events in a sliding period: HAProxy's frequency counter.
//!
//! Two periods are counted: the present one, and the one before. A reader gets the events of the
//! present one, and of the one before it the part that is still within one period of now. That
//! assumes that events of the last period were evenly spread, and costs three numbers however many
//! events there are.
//!
//! Prior art: HAProxy, `include/haproxy/freq_ctr.h`, with which it agrees to the event.

/// The words of a rate in an entry.
pub(super) const WORDS: usize = 3;

/// A rate, in the words of its entry: when the present period began, its events, and those of the
/// period before. All zero at first.
pub(super) struct Rate<'w>(pub(super) &'w mut [u64]);

impl Rate<'_> {
    /// Counts `events` that happen now. Times are in milliseconds, and begin far above 0.
    pub(super) fn add(&mut self, events: u64, now: u64, period: u64) {
        let [start, current, previous] = self.0 else {
            return;
        };
        let passed = now.saturating_sub(*start);
        if passed < period {
            *current = current.saturating_add(events);
            return;
        }
        // Two periods or more without an event: nothing of them counts any more.
        let follows = passed < 2 * period;
        *previous = if follows { *current } else { 0 };
        *start = if follows { *start + period } else { now };
        *current = events;
    }
}

/// The events within the last `period` before `now`, in the rate whose words are `words`.
pub(super) fn events(words: &[u64], now: u64, period: u64) -> u64 {
    let [start, current, previous] = *words else {
        return 0;
    };
    let passed = now.saturating_sub(start);
    let (current, past, remain) = if passed <= period {
        (current, previous, period - passed)
    } else if passed <= 2 * period {
        (0, current, 2 * period - passed)
    } else {
        (0, 0, 0)
    };
    // A single event would else be 0 at once: it counts until its period is over.
    if current == 0 && past <= 1 {
        return past;
    }
    let part = u128::from(past) * u128::from(remain) / u128::from(period.max(1));
    current.saturating_add(part as u64)
}
