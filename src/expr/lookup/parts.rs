//! Keys anywhere in a text: one pass of an automaton finds them all (Aho and Corasick, 1975).

use aho_corasick::AhoCorasick;

/// Keys anywhere in a text.
#[derive(Debug)]
pub struct Parts {
    /// `None`: it would need more states than it can count, and nothing is found.
    automaton: Option<AhoCorasick>,
    /// The indexes that were given with the keys.
    indexes: Box<[u32]>,
}

impl Parts {
    pub(super) fn of<'t>(texts: impl Iterator<Item = (u32, &'t str)>) -> Self {
        let (indexes, texts): (Vec<u32>, Vec<&str>) = texts.unzip();
        Self {
            automaton: AhoCorasick::new(texts).ok(),
            indexes: indexes.into(),
        }
    }

    /// The smallest index of all keys in `text`.
    pub(super) fn first(&self, text: &[u8]) -> Option<u32> {
        let matches = self.automaton.as_ref()?.find_overlapping_iter(text);
        matches.map(|found| self.indexes[found.pattern()]).min()
    }
}
