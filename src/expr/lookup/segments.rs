//! Ranges that may overlap, as sorted segments that do not: one search finds the range.

use std::collections::BTreeSet;

use super::sorted::Sorted;

/// Segments, each with the index of the range that wins in it.
#[derive(Debug)]
pub struct Segments<T> {
    /// Where each segment begins. It ends where the next one begins.
    starts: Sorted<T>,
    /// For each segment; [`NONE`]: no range is there.
    found: Box<[u32]>,
}

const NONE: u32 = u32::MAX;

impl<T: Copy + Ord> Segments<T> {
    /// Of ranges: the first and the last value, a rank (the smallest wins), and the index (of equal
    /// ranks the smallest wins). `next` is the value after another; `None`: that was the last one.
    pub(super) fn of(
        ranges: impl Iterator<Item = (T, T, u8, u32)>,
        next: impl Fn(T) -> Option<T>,
    ) -> Self {
        let mut events: Vec<(T, bool, (u8, u32))> = Vec::new();
        for (first, last, rank, index) in ranges {
            events.push((first, true, (rank, index)));
            if let Some(after) = next(last) {
                events.push((after, false, (rank, index)));
            }
        }
        events.sort_unstable();
        let (mut starts, mut found): (Vec<T>, Vec<u32>) = (Vec::new(), Vec::new());
        let mut open = BTreeSet::new();
        for (at, events) in events
            .chunk_by(|one, other| one.0 == other.0)
            .map(|all| (all[0].0, all))
        {
            for (_, begins, range) in events {
                match begins {
                    true => drop(open.insert(*range)),
                    false => drop(open.remove(range)),
                }
            }
            let wins = open.first().map_or(NONE, |(_, index)| *index);
            if found.last() != Some(&wins) {
                starts.push(at);
                found.push(wins);
            }
        }
        Self {
            starts: Sorted::of(starts),
            found: found.into(),
        }
    }

    pub(super) fn find(&self, value: T) -> Option<u32> {
        let after = self.starts.count(|start| *start <= value);
        let found = self.found[after.checked_sub(1)?];
        (found != NONE).then_some(found)
    }
}
