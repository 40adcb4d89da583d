//! One live table, shared by all workers.
//!
//! A key's hash chooses one of its parts, each with a lock of its own that is held for the time of
//! a few memory accesses: two workers wait for each other only when both touch the same part at the
//! same moment. A small table has one part, and then it is exact which entry makes room for
//! another: the one that was not changed for the longest time. Of a large table that holds within
//! each part.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::CachePadded;
use crate::base::clock::Instant;
use crate::expr::{Scratch, Value};
use crate::plan::expr::Type;
use crate::plan::{self, Data, KeyType, Reading, WhenFull};

use super::key::{Key, bytes_of};
use super::layout::{Layout, milliseconds};
use super::rate::{self, Rate};
use super::shard::{Shard, Terms};

/// Tables of this size and above have many parts.
pub(super) const LARGE: usize = 1024;

/// The parts of a large table: with many more of them than workers, two seldom meet.
pub(super) const PARTS: usize = 64;

/// The time at the birth of a table, in milliseconds: more than two of the longest periods.
const BEGINNING: u64 = 1 << 44;

/// How many expired entries are removed under one lock.
const REMOVED_AT_ONCE: usize = 256;

/// One live table.
#[derive(Debug)]
pub struct Table {
    /// The type of its keys; another type is another table.
    pub(super) key: KeyType,
    shards: Box<[CachePadded<Mutex<Shard>>]>,
    /// Keyed at random: a client cannot choose keys that share a part or a chain.
    hasher: RandomState,
    began: Instant,
    /// The most entries. This and the next two are written by `control` at a reload; `Relaxed`,
    /// because a change need not be seen at once.
    size: AtomicUsize,
    /// How long an entry stays after its last change, in milliseconds; `u64::MAX`: for ever.
    expire: AtomicU64,
    refuses: AtomicBool,
    /// The entries. Written under the lock of a part when one is added or removed; `Relaxed`: it
    /// orders nothing.
    used: AtomicUsize,
    /// Entries that made room for others, since the start. The same.
    evicted: AtomicU64,
    /// Keys that found no room, since the start. The same.
    refused: AtomicU64,
}

/// An entry that is tracked: it stays until it is released.
#[derive(Clone, Debug)]
pub(super) struct Handle {
    pub(super) table: Arc<Table>,
    shard: u32,
    index: u32,
}

/// An entry under the lock of its part.
pub(super) struct Entry<'s> {
    pub(super) shard: &'s mut Shard,
    pub(super) index: u32,
    pub(super) terms: Terms,
}

impl Table {
    /// The table of `plan`, without entries.
    pub fn new(plan: &plan::Table, now: Instant) -> Self {
        let parts = if plan.size < LARGE { 1 } else { PARTS };
        let shard = || Shard::new(bytes_of(plan.key), Layout::of(&plan.store));
        let table = Self {
            key: plan.key,
            shards: (0..parts)
                .map(|_| CachePadded::from(Mutex::new(shard())))
                .collect(),
            hasher: RandomState::new(),
            began: now,
            size: AtomicUsize::new(plan.size),
            expire: AtomicU64::new(u64::MAX),
            refuses: AtomicBool::new(false),
            used: AtomicUsize::new(0),
            evicted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        };
        table.set_bounds(plan);
        table
    }

    /// Whether the entries can be those of `plan`.
    pub fn suits(&self, plan: &plan::Table) -> bool {
        self.key == plan.key
    }

    /// Adapts to `plan`, which [`suits`](Self::suits): data that it keeps too is kept.
    pub fn adapt(&self, plan: &plan::Table) {
        self.set_bounds(plan);
        for shard in &self.shards {
            locked(shard).change_layout(Layout::of(&plan.store));
        }
    }

    fn set_bounds(&self, plan: &plan::Table) {
        let expire = plan.expire.map_or(u64::MAX, milliseconds);
        self.size.store(plan.size, Ordering::Relaxed);
        self.expire.store(expire, Ordering::Relaxed);
        let refuses = plan.when_full == WhenFull::Refuse;
        self.refuses.store(refuses, Ordering::Relaxed);
    }

    /// The number of entries whose time is not over.
    pub fn used(&self, now: Instant) -> usize {
        let terms = self.terms(now);
        for shard in &self.shards {
            let mut shard = locked(shard);
            let removed = shard.remove_expired(terms, REMOVED_AT_ONCE, |key| self.hash(key));
            self.used.fetch_sub(removed, Ordering::Relaxed);
        }
        self.used.load(Ordering::Relaxed)
    }

    /// The most entries.
    pub fn size(&self) -> usize {
        self.size.load(Ordering::Relaxed)
    }

    /// How many entries have made room for others.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    /// How many keys found no room.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// The bytes that its entries occupy.
    pub fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| locked(shard).bytes()).sum()
    }

    /// The key for `value`; `None`: it has none.
    pub(super) fn key_of(&self, value: Value<'_>, scratch: &mut Scratch) -> Option<Key> {
        let value = scratch.cast(value, Type::Any, self.key.takes());
        Key::of(self.key, value, scratch)
    }

    /// Reads the entry with `key`. `Some(0)`: there is none; `None`: the table does not keep that.
    pub(super) fn read(
        &self,
        key: &[u8],
        reading: Reading,
        element: usize,
        now: Instant,
    ) -> Option<u64> {
        let (hash, terms) = (self.hash(key), self.terms(now));
        let (_, mut shard) = self.shard(hash);
        let Some(index) = shard.find(key, hash, terms) else {
            return Some(0);
        };
        let shard = &mut *shard;
        Entry {
            shard,
            index,
            terms,
        }
        .read(reading, element)
    }

    /// Tracks the entry with `key`, which is made if there is none, and hands it to `then`. `None`:
    /// there is no room.
    pub(super) fn track(
        self: &Arc<Self>,
        key: &[u8],
        now: Instant,
        then: impl FnOnce(&mut Entry<'_>),
    ) -> Option<Handle> {
        let (hash, terms) = (self.hash(key), self.terms(now));
        let (part, mut shard) = self.shard(hash);
        let index = self.find_or_insert(&mut shard, key, hash, terms)?;
        let mut entry = Entry {
            shard: &mut shard,
            index,
            terms,
        };
        *entry.trackers() += 1;
        then(&mut entry);
        entry.touch();
        Some(Handle {
            table: Arc::clone(self),
            shard: part,
            index,
        })
    }

    fn find_or_insert(
        &self,
        shard: &mut Shard,
        key: &[u8],
        hash: u64,
        terms: Terms,
    ) -> Option<u32> {
        if let Some(index) = shard.find(key, hash, terms) {
            return Some(index);
        }
        let hash_of = |key: &[u8]| self.hash(key);
        let over = shard.remove_over(key, hash, hash_of);
        self.used.fetch_sub(over, Ordering::Relaxed);
        let size = self.size();
        let refuses = self.refuses.load(Ordering::Relaxed);
        let used = self.used.load(Ordering::Relaxed);
        let must_go = |removed: usize| !refuses && used.saturating_sub(removed) >= size;
        let removed = shard.make_room(terms, must_go, hash_of);
        let fewer = removed.expired + removed.evicted;
        self.used.fetch_sub(fewer, Ordering::Relaxed);
        self.evicted
            .fetch_add(removed.evicted as u64, Ordering::Relaxed);
        // Counted first: several workers may add the last entry at the same moment.
        if self.used.fetch_add(1, Ordering::Relaxed) >= size {
            self.used.fetch_sub(1, Ordering::Relaxed);
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(shard.insert(key, hash, terms, hash_of))
    }

    fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    fn shard(&self, hash: u64) -> (u32, MutexGuard<'_, Shard>) {
        let part = (hash >> 32) as usize % self.shards.len();
        (part as u32, locked(&self.shards[part]))
    }

    pub(super) fn shards(&self) -> &[CachePadded<Mutex<Shard>>] {
        &self.shards
    }

    pub(super) fn terms(&self, now: Instant) -> Terms {
        Terms {
            now: BEGINNING + milliseconds(now.saturating_duration_since(self.began)),
            expire: self.expire.load(Ordering::Relaxed),
        }
    }
}

/// A panic under the lock leaves numbers as they were: nothing else can be broken.
pub(super) fn locked(shard: &CachePadded<Mutex<Shard>>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Handle {
    /// The result of `then` on the entry.
    pub(super) fn with<R>(&self, now: Instant, then: impl FnOnce(&mut Entry<'_>) -> R) -> R {
        let terms = self.table.terms(now);
        let mut shard = locked(&self.table.shards[self.shard as usize]);
        then(&mut Entry {
            shard: &mut shard,
            index: self.index,
            terms,
        })
    }
}

impl Entry<'_> {
    /// Its key.
    pub(super) fn key(&self) -> Key {
        let key = self.shard.key(self.index);
        Key::from(key, key.len())
    }

    /// How many track it.
    pub(super) fn trackers(&mut self) -> &mut u32 {
        self.shard.trackers(self.index)
    }

    /// Notes that it was changed.
    pub(super) fn touch(&mut self) {
        self.shard.touch(self.index, self.terms);
    }

    /// Whether the table keeps `data`.
    pub(super) fn has(&self, data: Data) -> bool {
        self.shard.layout.has(data)
    }

    /// Counts `events` in the element `index` of `data`, if the table keeps it.
    pub(super) fn count(&mut self, data: Data, index: usize, events: u64) {
        let Some(place) = self.shard.layout.place(data, index) else {
            return;
        };
        let words = &mut self.shard.data_mut(self.index)[place.words()];
        match (place.period, words) {
            (0, [number]) => *number = number.saturating_add(events),
            (period, words) => Rate(words).add(events, self.terms.now, period),
        }
    }

    /// Changes the number in the element `index` of `data`, if the table keeps it.
    pub(super) fn change(&mut self, data: Data, index: usize, change: impl FnOnce(&mut u64)) {
        if let Some(place) = self.shard.layout.place(data, index)
            && let [number] = &mut self.shard.data_mut(self.index)[place.words()]
        {
            change(number);
        }
    }

    /// What `reading` says of it; `None`: the table does not keep that.
    pub(super) fn read(&mut self, reading: Reading, element: usize) -> Option<u64> {
        let number = |data: Data| {
            let place = self.shard.layout.place(data, element)?;
            let words = &self.shard.data(self.index)[place.words()];
            Some(match (place.period, words) {
                (0, [number]) => *number,
                (period, words) => rate::events(words, self.terms.now, period),
            })
        };
        match reading {
            Reading::Data(Data::ConnCur) => {
                let has_it = self.has(Data::ConnCur);
                has_it.then(|| (*self.trackers()).into())
            }
            Reading::Data(data) => number(data),
            Reading::Kilobytes(data) => number(data).map(|bytes| bytes >> 10),
            Reading::Trackers => Some((*self.trackers()).into()),
            Reading::Exists => Some(1),
        }
    }
}
