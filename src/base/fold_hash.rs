//! Maps and sets whose keys come from the configuration.
//!
//! Not the standard library's hash, which costs more than all else in a search: it prevents
//! attackers from filling a table with colliding keys, but only the configuration adds keys here.
//! The worst case for a client's key is the number of the configuration's keys that collide by
//! chance. Never for a map that clients' or servers' bytes add keys to.
//!
//! Prior art: the folded multiplication of wyhash (Wang Yi, 2019).

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A map that only the configuration adds keys to.
pub type FoldMap<K, V> = HashMap<K, V, BuildHasherDefault<FoldHasher>>;

/// A set that only the configuration adds values to.
pub type FoldSet<T> = HashSet<T, BuildHasherDefault<FoldHasher>>;

/// Eight bytes at a time, one multiplication each.
#[derive(Clone, Copy, Debug, Default)]
pub struct FoldHasher {
    state: u64,
}

impl Hasher for FoldHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, tail) = bytes.as_chunks::<8>();
        for word in words {
            self.fold(u64::from_le_bytes(*word));
        }
        if !tail.is_empty() {
            let mut word = [0; 8];
            word[..tail.len()].copy_from_slice(tail);
            self.fold(u64::from_le_bytes(word));
        }
    }

    /// The byte that ends a `str`.
    #[inline]
    fn write_u8(&mut self, byte: u8) {
        self.fold(u64::from(byte));
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.state
    }
}

impl FoldHasher {
    #[inline]
    fn fold(&mut self, word: u64) {
        // Two odd numbers without a pattern; the first keeps a word of zeros from making the
        // product zero, which would drop all earlier input.
        let mixed = self.state.rotate_left(23) ^ word ^ 0xa076_1d64_78bd_642f;
        let wide = u128::from(mixed) * 0xe703_7ed1_a0b4_28db;
        self.state = (wide >> 64) as u64 ^ wide as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::{BuildHasher, BuildHasherDefault};

    use super::*;

    #[test]
    fn names_that_are_alike_do_not_meet() {
        let build = BuildHasherDefault::<FoldHasher>::default();
        let names = (0..10_000).map(|n| format!("host-{n}.example.com"));
        let hashes: Vec<u64> = names.map(|name| build.hash_one(name.as_str())).collect();
        let different: HashSet<u64> = hashes.iter().copied().collect();
        assert_eq!(different.len(), hashes.len());

        // The table takes the low bits for the slot and the seven highest for the first comparison.
        let mut low = [0; 256];
        let mut high = [0; 128];
        for hash in hashes {
            low[(hash & 0xff) as usize] += 1;
            high[(hash >> 57) as usize] += 1;
        }
        assert!(low.iter().all(|count| (10..90).contains(count)), "{low:?}");
        assert!(
            high.iter().all(|count| (40..130).contains(count)),
            "{high:?}"
        );
    }
}
