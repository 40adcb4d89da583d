//! When each check is due, and how many may run at once.
//!
//! A table of due times, not a task with a timer for each server: ten thousand servers cost one
//! timer, and which of the late ones goes first is a decision that can be read here. Knows nothing
//! of servers or outcomes; [`super::Checker`] puts keys in and starts what comes out.

use std::collections::BTreeMap;

use crate::base::clock::{Duration, FAR, Instant};
use crate::base::rng::Rng;

use super::state::Pace;

/// Checks that run at a time. Each costs a descriptor and some 20 KiB; with all of them hanging for
/// a timeout of 2 s, 256 servers a second still get their verdict. More at once would be a burst
/// that a small network feels when ten thousand servers are checked for the first time.
pub(super) const MAX_RUNNING: usize = 512;

/// Those among them that are of servers out of use. A rack that is switched off hangs in every
/// check for the whole timeout: it must not hold all slots while servers in use wait for theirs.
pub(super) const MAX_RUNNING_OUT_OF_USE: usize = MAX_RUNNING / 2;

/// No interval is shorter, whatever the plan says: a zero would never let the thread rest.
const SHORTEST: Duration = Duration::from_millis(1);

/// Keys with their due times, and the count of those that run.
#[derive(Debug)]
pub(super) struct Schedule<K> {
    in_use: Queue<K>,
    out_of_use: Queue<K>,
    /// Given to every ticket, so that no two are the same and equal due times keep their order.
    next_number: u64,
}

/// A key's place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) due: Instant,
    pub(super) rank: Rank,
    number: u64,
}

/// Who goes first when not all can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// Takes traffic, or waits for its first check to do so.
    InUse,
    /// Is down anyway.
    OutOfUse,
}

/// A server's own place in time: moments one interval apart for ever.
///
/// Drawn once, by chance, so that the checks of a fleet spread over the interval and stay spread.
/// Not `last check + interval`: slow answers would push a server's checks back, and over days a
/// fleet would drift into step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    first: Instant,
    interval: Duration,
}

#[derive(Debug)]
struct Queue<K> {
    due: BTreeMap<(Instant, u64), K>,
    running: usize,
}

impl<K: Copy> Schedule<K> {
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

    /// Takes back what [`Schedule::put`] put in, if it has not been started.
    pub(super) fn withdraw(&mut self, ticket: Ticket) {
        self.queue(ticket.rank)
            .due
            .remove(&(ticket.due, ticket.number));
    }

    /// The next key that is due and has a slot, which it takes until [`Schedule::ended`].
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

    /// When [`Schedule::start`] has something to give, unless a slot is given back before; `None`:
    /// only then.
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

impl Place {
    /// A place somewhere in the interval that begins `now`.
    pub(super) fn drawn(now: Instant, interval: Duration, rng: &Rng) -> Self {
        // A year at most: what is longer is never checked again anyway, and could not be added to a time.
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

    /// When the check after the one that was due at `due` is due, now that that one has ended.
    ///
    /// Moments that have passed meanwhile are left out, not made up for.
    pub(super) fn next(self, due: Instant, pace: Pace, fast: Duration, now: Instant) -> Instant {
        match pace {
            Pace::Steady => self.after(now.max(due)),
            Pace::Changing => {
                // From the due time and not from the end, for the same reason as above.
                let fast = fast.clamp(SHORTEST, FAR);
                now + fast - remainder(now.saturating_duration_since(due), fast)
            }
        }
    }
}

fn remainder(duration: Duration, divisor: Duration) -> Duration {
    Duration::from_nanos((duration.as_nanos() % divisor.as_nanos()) as u64)
}
