//! Sorted values with an index of several levels: a search reads one cache line of each.
//!
//! A binary search among a million values reads some twenty lines, most of which are in no cache.
//! Here each level has every sixteenth value of the one below.

/// Sorted values.
#[derive(Debug)]
pub(super) struct Sorted<T> {
    /// The values themselves come first.
    levels: Box<[Box<[T]>]>,
}

/// How many values of a level belong to one value of the level above.
const WIDTH: usize = 16;

impl<T: Copy + Ord> Sorted<T> {
    /// `values` are sorted.
    pub(super) fn of(values: Vec<T>) -> Self {
        let mut levels = vec![values.into_boxed_slice()];
        while let Some(last) = levels.last().filter(|last| last.len() > WIDTH) {
            let above = last.iter().step_by(WIDTH).copied().collect();
            levels.push(above);
        }
        Self {
            levels: levels.into(),
        }
    }

    /// How many values are before the first one for which `is_before` is false. It is true for all
    /// values up to one, and false for all others.
    pub(super) fn count(&self, is_before: impl Fn(&T) -> bool) -> usize {
        let mut from = 0;
        for level in self.levels.iter().rev() {
            let rest = &level[from..];
            // Not a binary search: a block is a few lines at most, and this has no branch to guess.
            // The length of a whole block is known when this is compiled.
            let count = from
                + match rest.first_chunk::<WIDTH>() {
                    Some(block) => block.iter().filter(|value| is_before(value)).count(),
                    None => rest.iter().filter(|value| is_before(value)).count(),
                };
            if count == 0 {
                return 0;
            }
            from = (count - 1) * WIDTH;
            if std::ptr::eq(level, &self.levels[0]) {
                return count;
            }
        }
        0
    }
}
