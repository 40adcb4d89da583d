//! Tests of the tables, beside a naive model, and of rates, with HAProxy's values.

use std::sync::Arc;

use proptest::prelude::*;

use super::rate::{self, Rate};
use super::table::{Handle, Table};
use crate::base::clock::{self, Duration, Instant};
use crate::base::{Name, Position};
use crate::plan::{self, Data, KeyType, Reading, Stored, WhenFull};

const HITS: Reading = Reading::Data(Data::Gpc0);
const RATE: Reading = Reading::Data(Data::HttpReqRate);
const OPEN: Reading = Reading::Data(Data::ConnCur);

fn stored(data: Data, count: u8, period_ms: u64) -> Stored {
    Stored {
        data,
        count,
        period: Duration::from_millis(period_ms),
    }
}

/// A table of `size` entries that keeps a counter and a rate.
fn plan(size: usize) -> plan::Table {
    let name = Name::new("t").expect("a name");
    plan::Table {
        key: KeyType::Integer,
        size,
        store: vec![
            stored(Data::HttpReqRate, 1, 100),
            stored(Data::Gpc0, 1, 0),
            stored(Data::ConnCur, 1, 0),
        ],
        ..plan::Table::new(name, Position::built_in())
    }
}

struct Bench {
    table: Arc<Table>,
    now: Instant,
}

impl Bench {
    fn of(plan: &plan::Table) -> Self {
        let now = clock::now();
        Self {
            table: Arc::new(Table::new(plan, now)),
            now,
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
    }

    /// Tracks `key` and counts a hit of it.
    fn track(&self, key: u32) -> Option<Handle> {
        self.table.track(&key.to_be_bytes(), self.now, |entry| {
            entry.count(Data::Gpc0, 0, 1);
            entry.count(Data::HttpReqRate, 0, 1);
        })
    }

    fn release(&self, handle: &Handle) {
        handle.with(self.now, |entry| {
            *entry.trackers() -= 1;
            entry.touch();
        });
    }

    fn hit(&self, key: u32) {
        if let Some(handle) = self.track(key) {
            self.release(&handle);
        }
    }

    fn read(&self, key: u32, reading: Reading) -> Option<u64> {
        self.table.read(&key.to_be_bytes(), reading, 0, self.now)
    }

    /// The hits of the keys 1, 2, …
    fn hits<const N: usize>(&self) -> [u64; N] {
        std::array::from_fn(|index| self.read(index as u32 + 1, HITS).expect("kept"))
    }
}

#[test]
fn a_rate_is_that_of_haproxy() {
    let mut words = [0; rate::WORDS];
    let at = |ms: u64| (1 << 44) + ms;
    let period = 10_000;
    // What a freq_ctr of HAProxy 2.6 yields after the same events.
    Rate(&mut words).add(1, at(0), period);
    assert_eq!(rate::events(&words, at(9_999), period), 1);
    // One event alone counts in full as long as a part of its period does.
    assert_eq!(rate::events(&words, at(19_999), period), 1);
    assert_eq!(rate::events(&words, at(20_001), period), 0);
    Rate(&mut words).add(9, at(5_000), period);
    assert_eq!(rate::events(&words, at(10_000), period), 10);
    assert_eq!(rate::events(&words, at(15_000), period), 5);
    assert_eq!(rate::events(&words, at(15_001), period), 4);
    Rate(&mut words).add(4, at(15_000), period);
    assert_eq!(rate::events(&words, at(15_000), period), 9);
    assert_eq!(rate::events(&words, at(17_500), period), 6);
    // After two periods without an event, the next one begins a period of its own.
    Rate(&mut words).add(1, at(70_000), period);
    assert_eq!(rate::events(&words, at(79_999), period), 1);
    assert_eq!(words, [at(70_000), 1, 0]);
}

proptest! {
    #[test]
    fn a_rate_lies_between_the_events_of_the_period_and_those_of_two(
        gaps in prop::collection::vec(0..150_u64, 1..60),
        rest in 0..250_u64,
    ) {
        let (mut words, mut now) = ([0; rate::WORDS], 1_u64 << 44);
        let mut times = Vec::new();
        for gap in gaps {
            now += gap;
            Rate(&mut words).add(1, now, 100);
            times.push(now);
        }
        now += rest;
        let within = |ms: u64| times.iter().filter(|time| now - **time <= ms).count() as u64;
        let found = rate::events(&words, now, 100);
        prop_assert!(found <= within(200), "{found} of {}", within(200));
        // All events since the present period began.
        let current = times.iter().filter(|time| **time >= words[0]).count() as u64;
        if now - words[0] <= 100 {
            prop_assert!(found >= current);
        }
    }
}

#[test]
fn the_entry_that_was_not_changed_for_the_longest_time_makes_room() {
    let mut bench = Bench::of(&plan(3));
    for key in [1, 2, 3, 1] {
        bench.hit(key);
        bench.pass(1);
    }
    bench.hit(4);
    assert_eq!(bench.hits(), [2, 0, 1, 1]);
    assert_eq!((bench.table.used(bench.now), bench.table.evicted()), (3, 1));
    // To read is no change.
    bench.read(3, HITS);
    bench.hit(5);
    assert_eq!(bench.hits(), [2, 0, 0, 1, 1]);
}

#[test]
fn an_entry_that_is_tracked_does_not_make_room() {
    let bench = Bench::of(&plan(2));
    let first = bench.track(1).expect("room");
    let second = bench.track(2).expect("room");
    assert!(bench.track(3).is_none());
    assert_eq!(bench.table.refused(), 1);
    bench.release(&second);
    assert!(bench.track(3).is_some());
    assert_eq!(bench.hits(), [1, 0, 1]);
    bench.release(&first);
}

#[test]
fn with_nopurge_a_full_table_takes_no_new_key() {
    let mut plan = plan(2);
    plan.when_full = WhenFull::Refuse;
    plan.expire = Some(Duration::from_millis(50));
    let mut bench = Bench::of(&plan);
    for key in [1, 2, 3, 2] {
        bench.hit(key);
    }
    assert_eq!(bench.hits(), [1, 2, 0]);
    assert_eq!((bench.table.evicted(), bench.table.refused()), (0, 1));
    // What has expired makes room.
    bench.pass(50);
    bench.hit(3);
    assert_eq!(bench.hits(), [0, 0, 1]);
}

#[test]
fn an_entry_expires_a_while_after_its_last_change_but_never_while_it_is_tracked() {
    let mut plan = plan(100);
    plan.expire = Some(Duration::from_millis(50));
    let mut bench = Bench::of(&plan);
    bench.hit(1);
    let handle = bench.track(2).expect("room");
    bench.pass(49);
    assert_eq!(bench.hits(), [1, 1]);
    bench.pass(1);
    assert_eq!(bench.hits(), [0, 1]);
    assert_eq!(bench.table.used(bench.now), 1);
    bench.release(&handle);
    bench.pass(49);
    assert_eq!(bench.hits(), [0, 1]);
    // It begins anew.
    bench.pass(1);
    bench.hit(2);
    assert_eq!(bench.hits(), [0, 1]);
}

#[test]
fn another_configuration_keeps_what_both_have() {
    let before = plan(10);
    let mut bench = Bench::of(&before);
    for _ in 0..3 {
        bench.hit(1);
    }
    bench.pass(1);
    bench.hit(2);
    let tracked = bench.track(2).expect("room");
    let mut after = plan(1);
    after.store = vec![
        stored(Data::HttpErrRate, 1, 10),
        stored(Data::HttpReqRate, 1, 100),
        stored(Data::Gpc, 3, 0),
        stored(Data::Gpc0, 1, 0),
    ];
    bench.table.adapt(&after);
    assert_eq!(bench.hits(), [3, 2]);
    assert_eq!(bench.read(1, RATE), Some(3));
    assert_eq!(bench.read(1, Reading::Data(Data::HttpErrRate)), Some(0));
    assert_eq!(bench.read(1, OPEN), None);
    // Entries go as new keys come, until the table has its new size.
    bench.release(&tracked);
    bench.hit(3);
    assert_eq!(bench.hits(), [0, 0, 1]);
    // A rate over another period is another rate.
    after.store[1].period = Duration::from_millis(200);
    bench.table.adapt(&after);
    assert_eq!(bench.read(3, RATE), Some(0));
}

#[test]
fn exchanges_that_are_open_when_a_reload_adds_conn_cur_are_counted_in_it() {
    let with = plan(10);
    let mut without = plan(10);
    without.store.retain(|stored| stored.data != Data::ConnCur);
    let bench = Bench::of(&without);
    let first = bench.track(1).expect("room");
    bench.table.adapt(&with);
    let second = bench.track(1).expect("room");
    assert_eq!(bench.read(1, OPEN), Some(2));
    bench.release(&first);
    assert_eq!(bench.read(1, OPEN), Some(1));
    // Removed, and added again, while one is open.
    bench.table.adapt(&without);
    assert_eq!(bench.read(1, OPEN), None);
    bench.table.adapt(&with);
    let third = bench.track(1).expect("room");
    assert_eq!(bench.read(1, OPEN), Some(2));
    bench.release(&second);
    bench.release(&third);
    assert_eq!(bench.read(1, OPEN), Some(0));
}

#[test]
fn the_first_counter_is_the_first_of_the_array() {
    let mut plan = plan(10);
    plan.store = vec![stored(Data::Gpc, 2, 0), stored(Data::GpcRate, 2, 100)];
    let bench = Bench::of(&plan);
    let handle = bench.track(1).expect("room");
    handle.with(bench.now, |entry| {
        entry.count(Data::Gpc, 1, 5);
        entry.count(Data::Gpc1Rate, 0, 5);
    });
    let read = |data, element| {
        bench.table.read(
            &1_u32.to_be_bytes(),
            Reading::Data(data),
            element,
            bench.now,
        )
    };
    assert_eq!(read(Data::Gpc0, 0), Some(1));
    assert_eq!(read(Data::Gpc1, 0), Some(5));
    assert_eq!(read(Data::GpcRate, 1), Some(5));
    assert_eq!(read(Data::Gpc, 2), None);
    assert_eq!(read(Data::Gpt0, 0), None);
    bench.release(&handle);
}

#[test]
fn a_large_table_never_has_more_entries_than_its_size() {
    let size = 2_000;
    let bench = Bench::of(&plan(size));
    for key in 0..10_000 {
        bench.hit(key);
        assert!(bench.table.used(bench.now) <= size || key % 100 != 0);
    }
    let used = bench.table.used(bench.now);
    assert!(used <= size && used > size * 9 / 10, "{used}");
}

/// What happens in the comparison with the naive model.
#[derive(Clone, Debug)]
enum Step {
    Hit(u32),
    Track(u32),
    /// Releases one of those that are tracked.
    Release(usize),
    Pass(u64),
}

/// The same table, as a list: key, last change, hits, trackers; the oldest change first.
#[derive(Debug, Default)]
struct Model(Vec<(u32, u64, u64, u32)>);

impl Model {
    const SIZE: usize = 4;
    const EXPIRE: u64 = 50;

    fn expire(&mut self, now: u64) {
        self.0
            .retain(|(_, changed, _, trackers)| *trackers > 0 || now - changed < Self::EXPIRE);
    }

    /// Returns whether there was room.
    fn track(&mut self, key: u32, now: u64) -> bool {
        self.expire(now);
        let found = self.0.iter().position(|(known, ..)| *known == key);
        let (_, _, hits, trackers) = match found {
            Some(index) => self.0.remove(index),
            None => {
                if self.0.len() >= Self::SIZE {
                    let Some(index) = self.0.iter().position(|(.., trackers)| *trackers == 0)
                    else {
                        return false;
                    };
                    self.0.remove(index);
                }
                (key, 0, 0, 0)
            }
        };
        self.0.push((key, now, hits + 1, trackers + 1));
        true
    }

    fn release(&mut self, key: u32, now: u64) {
        let index = self.0.iter().position(|(known, ..)| *known == key);
        let (key, _, hits, trackers) = self.0.remove(index.expect("tracked"));
        self.0.push((key, now, hits, trackers - 1));
    }

    fn hits(&mut self, key: u32, now: u64) -> u64 {
        self.expire(now);
        let found = self.0.iter().find(|(known, ..)| *known == key);
        found.map_or(0, |(_, _, hits, _)| *hits)
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1..8_u32).prop_map(Step::Hit),
        2 => (1..8_u32).prop_map(Step::Track),
        2 => (0..8_usize).prop_map(Step::Release),
        2 => (1..40_u64).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..80)
}

proptest! {
    #[test]
    fn a_table_is_what_a_naive_list_is(steps in steps()) {
        let mut plan = plan(Model::SIZE);
        plan.expire = Some(Duration::from_millis(Model::EXPIRE));
        let mut bench = Bench::of(&plan);
        let (mut model, mut now) = (Model::default(), 1_000);
        let mut tracked: Vec<(u32, Handle)> = Vec::new();
        for step in steps {
            match step {
                Step::Hit(key) => {
                    bench.hit(key);
                    if model.track(key, now) {
                        model.release(key, now);
                    }
                }
                Step::Track(key) => {
                    let handle = bench.track(key);
                    prop_assert_eq!(handle.is_some(), model.track(key, now));
                    tracked.extend(handle.map(|handle| (key, handle)));
                }
                Step::Release(index) if index < tracked.len() => {
                    let (key, handle) = tracked.swap_remove(index);
                    bench.release(&handle);
                    model.release(key, now);
                }
                Step::Release(_) => {}
                Step::Pass(ms) => {
                    bench.pass(ms);
                    now += ms;
                }
            }
            for key in 1..8 {
                prop_assert_eq!(bench.read(key, HITS), Some(model.hits(key, now)), "{}", key);
            }
            prop_assert_eq!(bench.table.used(bench.now), model.0.len());
        }
    }
}
