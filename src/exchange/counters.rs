//! Counters and histograms of one worker: one thread writes them, any thread reads them.
//!
//! An exchange counts a dozen things. Shared counters would make each of them a locked instruction
//! on a cache line that all workers write; so every worker has its own, and a scrape adds them up.
//! The sum has each number as it was a moment ago, not all of one moment.
//!
//! Prior art: HAProxy's per-thread-group counters, the kernel's per-CPU counters.

use std::array;
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::base::clock::Duration;
use crate::exchange::Reason;

/// A number that one thread counts up.
///
/// Written by the worker that its shard belongs to, read by a scrape.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    #[inline]
    pub(crate) fn add(&self, count: u64) {
        // A plain load and a plain store, not `fetch_add`: with a single writer nothing can come
        // between them, and there is no locked instruction. Relaxed: no reader compares counters
        // with each other. Two writers would lose counts, and nothing worse.
        let sum = self.0.load(Ordering::Relaxed).wrapping_add(count);
        self.0.store(sum, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whether a scrape has shown a series: then each later one does, too. A series that disappears and
/// comes back would look like a restarted server.
///
/// Written and read by scrapes. Relaxed: two at once show the same.
#[derive(Debug, Default)]
pub(crate) struct Appeared(AtomicBool);

impl Appeared {
    /// Whether to show it; `is_something`: it has a value to show now.
    pub(crate) fn or(&self, is_something: bool) -> bool {
        if is_something {
            self.0.store(true, Ordering::Relaxed);
        }
        is_something || self.0.load(Ordering::Relaxed)
    }
}

/// How many of something there are now.
///
/// Written by the worker that its shard belongs to, read by a scrape.
#[derive(Debug, Default)]
pub(crate) struct Level(AtomicU64);

impl Level {
    #[inline]
    pub(crate) fn rise(&self) {
        // Load and store, as in `Counter`.
        let level = self.0.load(Ordering::Relaxed).wrapping_add(1);
        self.0.store(level, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn fall(&self) {
        let level = self.0.load(Ordering::Relaxed).wrapping_sub(1);
        self.0.store(level, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One `T` for each worker, made when that worker first needs it: for 10,000 idle servers it is a
/// word or two a worker, and no counters.
pub(crate) struct Shards<T> {
    /// Each is made by its worker. `OnceLock` publishes it to readers (release and acquire).
    of_worker: Box<[OnceLock<Box<Padded<T>>>]>,
}

/// Alone on its cache lines. 128 bytes: x86 fetches lines in pairs, and some arm64 lines are that
/// long.
#[repr(align(128))]
#[derive(Default)]
struct Padded<T>(T);

impl<T: Default> Shards<T> {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            of_worker: (0..workers).map(|_| OnceLock::new()).collect(),
        }
    }

    /// The shard of `worker`, for that worker to write.
    #[inline]
    pub(crate) fn of(&self, worker: usize) -> &T {
        &self.of_worker[worker].get_or_init(Box::default).0
    }

    /// All shards that have been made.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        let made = self.of_worker.iter().filter_map(OnceLock::get);
        made.map(|shard| &shard.0)
    }

    /// The sum of `read` over the workers.
    pub(crate) fn sum(&self, read: impl Fn(&T) -> u64) -> u64 {
        self.all().map(read).fold(0, u64::wrapping_add)
    }
}

impl<T> fmt::Debug for Shards<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shards of {} workers", self.of_worker.len())
    }
}

/// Counters by status. A page of a hundred exists from the first status of its class on.
#[derive(Debug, Default)]
pub(crate) struct StatusCounters {
    /// `1xx` to `9xx`.
    classes: [OnceLock<Box<[Counter; 100]>>; 9],
}

impl StatusCounters {
    /// Counts `status`; a status outside 100 to 999 counts as the nearest one inside.
    #[inline]
    pub(crate) fn add(&self, status: u16) {
        let status = usize::from(status.clamp(100, 999));
        let page = self.classes[status / 100 - 1]
            .get_or_init(|| Box::new(array::from_fn(|_| Counter::default())));
        page[status % 100].add(1);
    }
}

/// Adds up `counters` by status and hands out those that are not zero, in order.
pub(crate) fn each_status<'a>(
    counters: impl Iterator<Item = &'a StatusCounters>,
    mut each: impl FnMut(u16, u64),
) {
    let mut sums = [0_u64; 900];
    for shard in counters {
        for (class, page) in shard.classes.iter().enumerate() {
            for (index, counter) in page
                .get()
                .into_iter()
                .flat_map(|page| page.iter())
                .enumerate()
            {
                sums[class * 100 + index] += counter.read();
            }
        }
    }
    for (status, count) in (100..).zip(sums) {
        if count > 0 {
            each(status, count);
        }
    }
}

/// Counters by reason.
#[derive(Debug)]
pub(crate) struct ReasonCounters([Counter; Reason::ALL.len()]);

impl ReasonCounters {
    #[inline]
    pub(crate) fn add(&self, reason: Reason) {
        self.0[reason.index()].add(1);
    }

    pub(crate) fn read(&self, reason: Reason) -> u64 {
        self.0[reason.index()].read()
    }
}

impl Default for ReasonCounters {
    fn default() -> Self {
        Self(array::from_fn(|_| Counter::default()))
    }
}

/// Upper bounds of the buckets in microseconds, each included in its bucket; longer durations are
/// counted in one more bucket.
///
/// From less than the time of a server in the same rack, to the default `timeout.response`. In
/// steps of 2 to 2.5, so that a quantile is off by less than a step.
pub(crate) const BOUNDS_US: [u64; 17] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

/// Durations by bucket, and their sum.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    /// Not cumulative: one increment for a duration. The last one is for durations over the bounds.
    buckets: [Counter; BOUNDS_US.len() + 1],
    /// 64 bits of nanoseconds are 584 years.
    sum_ns: Counter,
}

impl Histogram {
    #[inline]
    pub(crate) fn observe(&self, duration: Duration) {
        let nanos = duration
            .as_secs()
            .wrapping_mul(1_000_000_000)
            .wrapping_add(u64::from(duration.subsec_nanos()));
        let bucket = BOUNDS_US.partition_point(|bound_us| bound_us * 1_000 < nanos);
        self.buckets[bucket].add(1);
        self.sum_ns.add(nanos);
    }
}

/// A histogram added up over the workers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct HistogramSum {
    /// Not cumulative, as in [`Histogram`].
    pub(crate) buckets: [u64; BOUNDS_US.len() + 1],
    pub(crate) sum_ns: u64,
}

impl HistogramSum {
    pub(crate) fn of<'a>(shards: impl Iterator<Item = &'a Histogram>) -> Self {
        let mut total = Self::default();
        for shard in shards {
            for (sum, counter) in total.buckets.iter_mut().zip(&shard.buckets) {
                *sum += counter.read();
            }
            total.sum_ns = total.sum_ns.wrapping_add(shard.sum_ns.read());
        }
        total
    }

    /// The number of durations. The sum of the buckets and no counter of its own: the `+Inf` bucket
    /// and the count of one scrape must be equal.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::tasks::spawn_thread;

    #[test]
    fn the_counts_of_all_workers_are_summed() {
        let shards: Arc<Shards<Counter>> = Arc::new(Shards::new(4));
        let threads: Vec<_> = (0..3)
            .map(|worker| {
                let shards = Arc::clone(&shards);
                let count = move || (0..10_000).for_each(|_| shards.of(worker).add(1));
                spawn_thread("worker", count).expect("a thread")
            })
            .collect();
        for thread in threads {
            thread.join().expect("it counts");
        }
        assert_eq!(shards.sum(Counter::read), 30_000);
        assert_eq!(shards.all().count(), 3, "the fourth worker counted nothing");
    }

    #[test]
    fn a_shard_has_its_cache_lines_for_itself() {
        let shards: Shards<Counter> = Shards::new(2);
        for worker in 0..2 {
            assert_eq!(std::ptr::from_ref(shards.of(worker)) as usize % 128, 0);
        }
        assert_eq!(size_of::<Padded<Counter>>(), 128);
    }

    #[test]
    fn every_status_is_counted_as_itself() {
        let counters = [StatusCounters::default(), StatusCounters::default()];
        for status in [100, 200, 200, 499, 503, 999] {
            counters[0].add(status);
        }
        counters[1].add(200);
        counters[1].add(0);
        let mut seen = Vec::new();
        each_status(counters.iter(), |status, count| seen.push((status, count)));
        assert_eq!(seen, [(100, 2), (200, 3), (499, 1), (503, 1), (999, 1)]);
        assert!(
            counters[1].classes[4].get().is_none(),
            "no page without need"
        );
    }

    #[test]
    fn a_bound_belongs_to_its_bucket_and_one_past_it_to_the_next() {
        let histogram = Histogram::default();
        histogram.observe(Duration::ZERO);
        histogram.observe(Duration::from_micros(250));
        histogram.observe(Duration::from_nanos(250_001));
        histogram.observe(Duration::from_secs(60));
        histogram.observe(Duration::from_nanos(60_000_000_001));
        let sum = HistogramSum::of([&histogram].into_iter());
        let (last, beyond) = (BOUNDS_US.len() - 1, BOUNDS_US.len());
        assert_eq!((sum.buckets[0], sum.buckets[1]), (2, 1));
        assert_eq!((sum.buckets[last], sum.buckets[beyond]), (1, 1));
        assert_eq!(sum.count(), 5);
        assert_eq!(
            sum.sum_ns,
            250_000 + 250_001 + 60_000_000_000 + 60_000_000_001
        );
    }

    #[test]
    fn bounds_rise() {
        assert!(BOUNDS_US.is_sorted_by(|lower, upper| lower < upper));
    }
}
