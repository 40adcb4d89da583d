//! When each check is due, and how many may run at once.
//!
//! A table of due times, not a task with a timer for each server: ten thousand servers cost one
//! timer, and the order of overdue checks is decided in one place. Knows nothing of servers or
//! outcomes; [`super::Checker`] puts keys in and starts what it yields.

use std::collections::BTreeMap;

use crate::base::clock::{Duration, FAR, Instant};
use crate::base::rng::Rng;

use super::state::Pace;

/// Checks that run at a time. Each costs a descriptor and some 20 KiB; if all of them hang for a
/// timeout of 2 s, 256 servers a second still get their verdict. More at once could overload a
/// small network when ten thousand servers are checked for the first time.
pub(super) const MAX_RUNNING: usize = 512;

/// The part of them for servers out of use. If a rack is switched off, each check hangs for the
/// whole timeout: these must not hold all slots while servers in use wait.
pub(super) const MAX_RUNNING_OUT_OF_USE: usize = MAX_RUNNING / 2;

/// The shortest interval, whatever the plan says: with zero the thread would never sleep.
const SHORTEST: Duration = Duration::from_millis(1);

/// Keys with their due times, and the number of running ones.
#[derive(Debug)]
pub(super) struct Schedule<K> {
    in_use: Queue<K>,
    out_of_use: Queue<K>,
    /// Given to every ticket, so that all differ and equal due times keep their order.
    next_number: u64,
}

/// The position of a key in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) due: Instant,
    pub(super) rank: Rank,
    number: u64,
}

/// The order when not all can start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// Takes traffic, or waits for its first check to do so.
    InUse,
    /// Is down anyway.
    OutOfUse,
}

/// The moments at which a server is checked, one interval apart for ever.
///
/// Drawn once, by chance, so that the checks of many servers spread over the interval and stay
/// spread. Not `last check + interval`: slow answers would delay a server's checks, and over days
/// all servers would drift into step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticks {
    first: Instant,
    interval: Duration,
}

#[derive(Debug)]
struct Queue<K> {
    due: BTreeMap<(Instant, u64), K>,
    running: usize,
}

impl<K> Schedule<K> {
    pub(super) fn new() -> Self {
        Self {
            in_use: Queue::new(),
            out_of_use: Queue::new(),
            next_number: 0,
        }
    }

    /// Lets `key` be started at `due`, or as soon after as there is a slot.
    pub(super) fn put(&mut self, key: K, due: Instant, rank: Rank) -> Ticket {
        let number = self.next_number;
        self.next_number += 1;
        self.queue(rank).due.insert((due, number), key);
        Ticket { due, rank, number }
    }

    /// Removes a key that [`Schedule::put`] added, if it has not been started.
    pub(super) fn withdraw(&mut self, ticket: Ticket) {
        self.queue(ticket.rank)
            .due
            .remove(&(ticket.due, ticket.number));
    }

    /// The next key that is due, if a slot is free. It holds the slot until [`Schedule::ended`].
    pub(super) fn start(&mut self, now: Instant) -> Option<(K, Ticket)> {
        [Rank::InUse, Rank::OutOfUse]
            .into_iter()
            .find_map(|rank| self.start_of(rank, now))
    }

    /// Gives a slot back.
    pub(super) fn ended(&mut self, rank: Rank) {
        let queue = self.queue(rank);
        queue.running = queue.running.saturating_sub(1);
    }

    /// When [`Schedule::start`] yields a key, unless a slot is freed before; `None`: only then.
    pub(super) fn next_start(&self) -> Option<Instant> {
        [
            (Rank::InUse, &self.in_use),
            (Rank::OutOfUse, &self.out_of_use),
        ]
        .into_iter()
        .filter(|(rank, _)| self.has_slot(*rank))
        .filter_map(|(_, queue)| queue.due.first_key_value())
        .map(|((due, _), _)| *due)
        .min()
    }

    fn start_of(&mut self, rank: Rank, now: Instant) -> Option<(K, Ticket)> {
        if !self.has_slot(rank) {
            return None;
        }
        let queue = self.queue(rank);
        let first = queue.due.first_entry()?;
        let (due, number) = *first.key();
        if due > now {
            return None;
        }
        let key = first.remove();
        queue.running += 1;
        Some((key, Ticket { due, rank, number }))
    }

    fn has_slot(&self, rank: Rank) -> bool {
        self.in_use.running + self.out_of_use.running < MAX_RUNNING
            && (rank == Rank::InUse || self.out_of_use.running < MAX_RUNNING_OUT_OF_USE)
    }

    fn queue(&mut self, rank: Rank) -> &mut Queue<K> {
        match rank {
            Rank::InUse => &mut self.in_use,
            Rank::OutOfUse => &mut self.out_of_use,
        }
    }
}

impl<K> Queue<K> {
    fn new() -> Self {
        Self {
            due: BTreeMap::new(),
            running: 0,
        }
    }
}

impl Ticks {
    /// Ticks whose first one is somewhere in the interval that begins `now`.
    pub(super) fn drawn(now: Instant, interval: Duration, rng: &Rng) -> Self {
        // A year at most: a longer interval never ends, and could not be added to an instant.
        let interval = interval.clamp(SHORTEST, FAR);
        let offset = rng.below(interval.as_nanos() as u64);
        Self {
            first: now + Duration::from_nanos(offset),
            interval,
        }
    }

    /// The first of its moments after `instant`.
    pub(super) fn after(self, instant: Instant) -> Instant {
        if instant < self.first {
            return self.first;
        }
        instant + self.interval - remainder(instant - self.first, self.interval)
    }

    /// When the next check is due after one that was due at `due` and has ended now.
    ///
    /// Ticks that have passed meanwhile are left out, not made up for.
    pub(super) fn next(self, due: Instant, pace: Pace, fast: Duration, now: Instant) -> Instant {
        match pace {
            Pace::Steady => self.after(now.max(due)),
            Pace::Changing => {
                // From the due time and not from the end, as above.
                let fast = fast.clamp(SHORTEST, FAR);
                now + fast - remainder(now.saturating_duration_since(due), fast)
            }
        }
    }
}

fn remainder(duration: Duration, divisor: Duration) -> Duration {
    Duration::from_nanos((duration.as_nanos() % divisor.as_nanos()) as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::base::clock;
    use crate::base::rng::Rng;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Starts all that may start, and returns the keys in their order.
    fn started(schedule: &mut Schedule<u32>, now: Instant) -> Vec<u32> {
        std::iter::from_fn(|| schedule.start(now).map(|(key, _)| key)).collect()
    }

    #[test]
    fn due_checks_start_in_the_order_of_their_due_times() {
        let now = clock::now();
        let mut schedule = Schedule::new();
        schedule.put(1, now + SECOND, Rank::InUse);
        schedule.put(2, now, Rank::InUse);
        schedule.put(3, now, Rank::InUse);
        schedule.put(4, now + 2 * SECOND, Rank::InUse);
        assert_eq!(schedule.next_start(), Some(now));
        assert_eq!(started(&mut schedule, now + SECOND), [2, 3, 1]);
        assert_eq!(schedule.next_start(), Some(now + 2 * SECOND));
    }

    #[test]
    fn a_withdrawn_check_does_not_start() {
        let now = clock::now();
        let mut schedule = Schedule::new();
        let ticket = schedule.put(1, now, Rank::InUse);
        schedule.put(2, now, Rank::InUse);
        schedule.withdraw(ticket);
        assert_eq!(started(&mut schedule, now), [2]);
    }

    #[test]
    fn no_more_run_than_there_are_slots() {
        let now = clock::now();
        let mut schedule = Schedule::new();
        for key in 0..=MAX_RUNNING as u32 {
            schedule.put(key, now, Rank::InUse);
        }
        assert_eq!(started(&mut schedule, now).len(), MAX_RUNNING);
        assert_eq!(schedule.next_start(), None);
        schedule.ended(Rank::InUse);
        assert_eq!(schedule.next_start(), Some(now));
        assert_eq!(started(&mut schedule, now), [MAX_RUNNING as u32]);
    }

    #[test]
    fn servers_out_of_use_leave_slots_to_those_in_use() {
        let now = clock::now();
        let mut schedule = Schedule::new();
        for key in 0..MAX_RUNNING as u32 {
            schedule.put(key, now, Rank::OutOfUse);
        }
        assert_eq!(started(&mut schedule, now).len(), MAX_RUNNING_OUT_OF_USE);
        schedule.put(9_999, now, Rank::InUse);
        assert_eq!(started(&mut schedule, now), [9_999]);
    }

    #[test]
    fn servers_in_use_go_first_among_the_late() {
        let now = clock::now();
        let mut schedule = Schedule::new();
        schedule.put(1, now, Rank::OutOfUse);
        schedule.put(2, now + SECOND, Rank::InUse);
        assert_eq!(started(&mut schedule, now + SECOND), [2, 1]);
    }

    #[test]
    fn slow_checks_do_not_push_later_ones_back() {
        let due = clock::now();
        let ticks = Ticks {
            first: due,
            interval: 10 * SECOND,
        };
        for (took, next) in [(0, 10), (9, 10), (10, 20), (11, 20), (25, 30)] {
            let now = due + took * SECOND;
            assert_eq!(
                ticks.next(due, Pace::Steady, SECOND, now),
                due + next * SECOND
            );
        }
        for (took, next) in [(0, 2), (1, 2), (2, 4), (3, 4)] {
            let now = due + took * SECOND;
            assert_eq!(
                ticks.next(due, Pace::Changing, 2 * SECOND, now),
                due + next * SECOND
            );
        }
    }

    #[test]
    fn places_spread_over_the_interval() {
        let rng = Rng::seeded(3);
        let now = clock::now();
        let mut seconds = [0; 10];
        for _ in 0..10_000 {
            let ticks = Ticks::drawn(now, 10 * SECOND, &rng);
            let offset = ticks.after(now) - now;
            seconds[offset.as_secs().min(9) as usize] += 1;
        }
        assert!(seconds.iter().all(|&count| count > 900), "{seconds:?}");
    }

    proptest! {
        #[test]
        fn the_next_moment_is_later_and_belongs_to_the_place(
            interval in prop_oneof![Just(Duration::ZERO), Just(Duration::MAX), (0..100_000_u64).prop_map(Duration::from_millis)],
            fast in prop_oneof![Just(Duration::ZERO), Just(Duration::MAX), (0..10_000_u64).prop_map(Duration::from_millis)],
            seed in any::<u64>(),
            late in 0..1_000_000_u64,
        ) {
            let start = clock::now();
            let ticks = Ticks::drawn(start, interval, &Rng::seeded(seed));
            let due = ticks.after(start);
            prop_assert!(due > start && due - start <= ticks.interval);
            let now = due + Duration::from_millis(late);
            let steady = ticks.next(due, Pace::Steady, fast, now);
            prop_assert!(steady > now && steady - now <= ticks.interval);
            prop_assert_eq!(remainder(steady - due, ticks.interval), Duration::ZERO);
            let changing = ticks.next(due, Pace::Changing, fast, now);
            let fast = fast.clamp(SHORTEST, FAR);
            prop_assert!(changing > now && changing - now <= fast);
            prop_assert_eq!(remainder(changing - due, fast), Duration::ZERO);
        }
    }
}
