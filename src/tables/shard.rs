//! One part of a table: entries found by their keys, in the order of their last change.
//!
//! An entry is at the same index of some vectors, without an allocation of its own: its key, its
//! links, its data. Keys are found by chained hashing; a list through all entries, oldest change
//! first, yields both what expires next and what makes room. An entry that is tracked is never
//! removed, so its index stays valid as long as it is tracked.

use super::layout::Layout;

/// No entry.
const NONE: u32 = u32::MAX;

/// How many expired entries a new one removes. More than one, so that they become fewer.
const REMOVED_FOR_ONE: usize = 2;

/// How many of the oldest entries are passed over because they are tracked.
const MOST_PASSED: usize = 64;

#[derive(Debug)]
pub(super) struct Shard {
    /// The bytes of a key.
    key_bytes: usize,
    pub(super) layout: Layout,
    keys: Vec<u8>,
    slots: Vec<Slot>,
    data: Vec<u64>,
    /// The first entry of each chain; a power of two of them.
    chains: Vec<u32>,
    /// The first of the unused slots, which are chained by `next`.
    unused: u32,
    oldest: u32,
    newest: u32,
    used: usize,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// When it was changed last, in milliseconds.
    changed: u64,
    /// How many exchanges track it.
    trackers: u32,
    /// The next one of its chain.
    next: u32,
    older: u32,
    newer: u32,
}

/// What a shard needs to know of the table and of the moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// The present time in milliseconds.
    pub(super) now: u64,
    /// How long an entry stays after its last change; `u64::MAX`: for ever.
    pub(super) expire: u64,
}

/// The outcome of making room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Removed {
    /// Entries whose time was over.
    pub(super) expired: usize,
    /// Entries that made room for another.
    pub(super) evicted: usize,
}

impl Shard {
    pub(super) fn new(key_bytes: usize, layout: Layout) -> Self {
        Self {
            key_bytes,
            layout,
            keys: Vec::new(),
            slots: Vec::new(),
            data: Vec::new(),
            chains: Vec::new(),
            unused: NONE,
            oldest: NONE,
            newest: NONE,
            used: 0,
        }
    }

    /// The bytes that it occupies.
    pub(super) fn bytes(&self) -> usize {
        self.keys.capacity()
            + self.slots.capacity() * size_of::<Slot>()
            + self.data.capacity() * size_of::<u64>()
            + self.chains.capacity() * size_of::<u32>()
    }

    /// The entry with `key`, if there is one and its time is not over.
    pub(super) fn find(&self, key: &[u8], hash: u64, terms: Terms) -> Option<u32> {
        let mut index = *self.chains.get(self.chain_of(hash))?;
        while index != NONE {
            if self.key(index) == key {
                return (!self.is_over(index, terms)).then_some(index);
            }
            index = self.slots[index as usize].next;
        }
        None
    }

    /// A new entry with `key`, which no other entry has.
    pub(super) fn insert(
        &mut self,
        key: &[u8],
        hash: u64,
        terms: Terms,
        hash_of: impl Fn(&[u8]) -> u64,
    ) -> u32 {
        if self.used >= self.chains.len() {
            self.grow(hash_of);
        }
        let index = self.free_slot();
        let words = self.layout.words();
        let at = index as usize;
        self.keys[at * self.key_bytes..][..self.key_bytes].copy_from_slice(key);
        self.data[at * words..][..words].fill(0);
        let chain = self.chain_of(hash);
        self.slots[at] = Slot {
            changed: terms.now,
            trackers: 0,
            next: std::mem::replace(&mut self.chains[chain], index),
            older: NONE,
            newer: NONE,
        };
        self.append(index);
        self.used += 1;
        index
    }

    /// Removes the first entries whose time is over, at most `most`. Returns how many.
    pub(super) fn remove_expired(
        &mut self,
        terms: Terms,
        most: usize,
        hash_of: impl Fn(&[u8]) -> u64,
    ) -> usize {
        let mut removed = 0;
        while removed < most
            && let Some(index) = self.oldest_untracked(terms)
            && self.is_over(index, terms)
        {
            self.remove(index, &hash_of);
            removed += 1;
        }
        removed
    }

    /// Removes the entry with `key`, of which [`find`](Self::find) says that there is none: its time
    /// is over. Returns how many were removed.
    pub(super) fn remove_over(
        &mut self,
        key: &[u8],
        hash: u64,
        hash_of: impl Fn(&[u8]) -> u64,
    ) -> usize {
        let for_ever = Terms {
            now: 0,
            expire: u64::MAX,
        };
        match self.find(key, hash, for_ever) {
            Some(index) => {
                self.remove(index, hash_of);
                1
            }
            None => 0,
        }
    }

    /// Removes some entries whose time is over and, as long as `is_full` holds for the number of
    /// entries that were removed, the oldest ones.
    pub(super) fn make_room(
        &mut self,
        terms: Terms,
        is_full: impl Fn(usize) -> bool,
        hash_of: impl Fn(&[u8]) -> u64,
    ) -> Removed {
        let mut removed = Removed {
            expired: self.remove_expired(terms, REMOVED_FOR_ONE, &hash_of),
            evicted: 0,
        };
        // More than one if the table has become smaller.
        while removed.evicted < REMOVED_FOR_ONE && is_full(removed.expired + removed.evicted) {
            let Some(index) = self.oldest_untracked(terms) else {
                break;
            };
            self.remove(index, &hash_of);
            removed.evicted += 1;
        }
        removed
    }

    /// Notes that the entry was changed now.
    pub(super) fn touch(&mut self, index: u32, terms: Terms) {
        self.slots[index as usize].changed = terms.now;
        if self.newest != index {
            self.unlink(index);
            self.append(index);
        }
    }

    /// How many track the entry.
    pub(super) fn trackers(&mut self, index: u32) -> &mut u32 {
        &mut self.slots[index as usize].trackers
    }

    pub(super) fn key(&self, index: u32) -> &[u8] {
        &self.keys[index as usize * self.key_bytes..][..self.key_bytes]
    }

    /// The data of the entry.
    pub(super) fn data(&self, index: u32) -> &[u64] {
        let words = self.layout.words();
        &self.data[index as usize * words..][..words]
    }

    /// The same, to be changed.
    pub(super) fn data_mut(&mut self, index: u32) -> &mut [u64] {
        let words = self.layout.words();
        &mut self.data[index as usize * words..][..words]
    }

    /// Gives all entries the layout `after`: data that both have is kept.
    pub(super) fn change_layout(&mut self, after: Layout) {
        if self.layout.is(&after) {
            return;
        }
        let (before, words) = (self.layout.words(), after.words());
        let mut data = Vec::with_capacity(self.slots.capacity() * words);
        data.resize(self.slots.len() * words, 0);
        for index in 0..self.slots.len() {
            for (from, to) in self.layout.shared_with(&after) {
                let from = &self.data[index * before..][from];
                data[index * words..][to].copy_from_slice(from);
            }
        }
        self.data = data;
        self.layout = after;
    }

    /// The entry that was not changed for the longest time.
    pub(super) fn first(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// The entry that was changed next after `index`.
    pub(super) fn after(&self, index: u32) -> Option<u32> {
        let newer = self.slots[index as usize].newer;
        (newer != NONE).then_some(newer)
    }

    /// Milliseconds until the entry expires; `None`: never.
    pub(super) fn left(&self, index: u32, terms: Terms) -> Option<u64> {
        let age = terms.now.saturating_sub(self.slots[index as usize].changed);
        (terms.expire != u64::MAX).then(|| terms.expire.saturating_sub(age))
    }

    pub(super) fn is_over(&self, index: u32, terms: Terms) -> bool {
        let slot = &self.slots[index as usize];
        slot.trackers == 0 && terms.now.saturating_sub(slot.changed) >= terms.expire
    }

    fn chain_of(&self, hash: u64) -> usize {
        // Of the highest bits depends which part of the table it is.
        hash as usize & self.chains.len().wrapping_sub(1)
    }

    /// The oldest entry that is not tracked. Tracked ones on the way count as changed now: they
    /// are in use, and the next search does not meet them again.
    fn oldest_untracked(&mut self, terms: Terms) -> Option<u32> {
        for _ in 0..MOST_PASSED {
            let index = self.oldest;
            if index == NONE {
                return None;
            }
            if self.slots[index as usize].trackers == 0 {
                return Some(index);
            }
            self.touch(index, terms);
        }
        None
    }

    fn remove(&mut self, index: u32, hash_of: impl Fn(&[u8]) -> u64) {
        let chain = self.chain_of(hash_of(self.key(index)));
        let next = self.slots[index as usize].next;
        if self.chains[chain] == index {
            self.chains[chain] = next;
        } else {
            let mut before = self.chains[chain];
            while self.slots[before as usize].next != index {
                before = self.slots[before as usize].next;
            }
            self.slots[before as usize].next = next;
        }
        self.unlink(index);
        self.slots[index as usize].next = std::mem::replace(&mut self.unused, index);
        self.used -= 1;
    }

    fn free_slot(&mut self) -> u32 {
        if self.unused != NONE {
            let index = self.unused;
            self.unused = self.slots[index as usize].next;
            return index;
        }
        let index = self.slots.len();
        if index == self.slots.capacity() {
            // By a quarter, not by doubling: a table of a million entries would have room for
            // another million.
            let more = (index / 4).max(8);
            self.slots.reserve_exact(more);
            self.keys.reserve_exact(more * self.key_bytes);
            self.data.reserve_exact(more * self.layout.words());
        }
        self.slots.push(Slot {
            changed: 0,
            trackers: 0,
            next: NONE,
            older: NONE,
            newer: NONE,
        });
        self.keys.resize(self.slots.len() * self.key_bytes, 0);
        self.data.resize(self.slots.len() * self.layout.words(), 0);
        index as u32
    }

    fn grow(&mut self, hash_of: impl Fn(&[u8]) -> u64) {
        let chains = (self.chains.len() * 2).max(8);
        self.chains = vec![NONE; chains];
        let mut index = self.oldest;
        while index != NONE {
            let chain = self.chain_of(hash_of(self.key(index)));
            let slot = &mut self.slots[index as usize];
            slot.next = std::mem::replace(&mut self.chains[chain], index);
            index = slot.newer;
        }
    }

    fn unlink(&mut self, index: u32) {
        let Slot { older, newer, .. } = self.slots[index as usize];
        match older {
            NONE => self.oldest = newer,
            older => self.slots[older as usize].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => self.slots[newer as usize].older = older,
        }
    }

    fn append(&mut self, index: u32) {
        let older = std::mem::replace(&mut self.newest, index);
        let slot = &mut self.slots[index as usize];
        (slot.older, slot.newer) = (older, NONE);
        match older {
            NONE => self.oldest = index,
            older => self.slots[older as usize].newer = index,
        }
    }
}
