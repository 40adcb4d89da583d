//! Chance: a small, fast generator that a seed makes repeatable.
//!
//! For request ids, spreading checks in time and choosing among equals. Never for secrets.
//!
//! Prior art: wyrand (Wang Yi, 2019).

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

/// A generator for one thread.
#[derive(Debug)]
pub struct Rng {
    state: Cell<u64>,
}

impl Rng {
    /// A generator that always yields the same numbers for the same `seed`.
    pub fn seeded(seed: u64) -> Self {
        Self {
            state: Cell::new(seed),
        }
    }

    /// A generator that differs at each start of the process.
    pub fn from_entropy() -> Self {
        // The standard library seeds each `RandomState` from the system; the hash of nothing yields
        // that seed.
        Self::seeded(RandomState::new().hash_one(0_u64))
    }

    /// The next 64 bits.
    #[inline]
    pub fn next_u64(&self) -> u64 {
        let state = self.state.get().wrapping_add(0xa076_1d64_78bd_642f);
        self.state.set(state);
        let wide = u128::from(state) * u128::from(state ^ 0xe703_7ed1_a0b4_28db);
        (wide >> 64) as u64 ^ wide as u64
    }

    /// A number below `bound`; 0 when `bound` is 0.
    #[inline]
    pub fn below(&self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_row() {
        let (first, second) = (Rng::seeded(7), Rng::seeded(7));
        let row: Vec<u64> = (0..100).map(|_| first.next_u64()).collect();
        assert!(row.iter().all(|&value| value == second.next_u64()));
        assert_ne!(row[0], row[1]);
    }

    #[test]
    fn below_stays_below_and_reaches_every_value() {
        let rng = Rng::seeded(1);
        let mut seen = [0; 5];
        for _ in 0..5_000 {
            seen[rng.below(5) as usize] += 1;
        }
        assert!(seen.iter().all(|&count| count > 800), "{seen:?}");
        assert_eq!(rng.below(0), 0);
    }
}
