//! Keys that stand in a text between delimiters, as HAProxy's `dir` and `dom` find them.
//!
//! A key may contain delimiters (`a/b`). Each part of the text from the beginning of a word to the
//! end of one is looked up, with no more words than the longest key has.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// Keys between delimiters.
#[derive(Debug)]
pub struct Words {
    /// Which bytes separate words.
    delimiters: [bool; 256],
    /// Without delimiters around them.
    keys: HashMap<Box<[u8]>, u32, RandomState>,
    /// Whether a key has so many bytes: most parts of a text need no look-up.
    has_length: Vec<bool>,
    /// The most words of one key.
    most: usize,
}

/// Keys with more words need memory for each search.
const ON_STACK: usize = 16;

impl Words {
    pub(super) fn of<'t>(delimiters: &[u8], texts: impl Iterator<Item = (u32, &'t str)>) -> Self {
        let mut words = Self {
            delimiters: [false; 256],
            keys: HashMap::default(),
            has_length: Vec::new(),
            most: 0,
        };
        for delimiter in delimiters {
            words.delimiters[usize::from(*delimiter)] = true;
        }
        for (index, text) in texts {
            let key = words.trimmed(text.as_bytes());
            // It would match nothing in HAProxy.
            if key.is_empty() {
                continue;
            }
            let lengths = words.has_length.len().max(key.len() + 1);
            words.has_length.resize(lengths, false);
            words.has_length[key.len()] = true;
            words.most = words.most.max(words.count(key));
            words.keys.entry(key.into()).or_insert(index);
        }
        words
    }

    fn is_delimiter(&self, byte: u8) -> bool {
        self.delimiters[usize::from(byte)]
    }

    fn trimmed<'k>(&self, key: &'k [u8]) -> &'k [u8] {
        let is_part = |byte: &u8| !self.is_delimiter(*byte);
        match (key.iter().position(is_part), key.iter().rposition(is_part)) {
            (Some(first), Some(last)) => &key[first..=last],
            _ => &[],
        }
    }

    /// The number of words in a text.
    fn count(&self, text: &[u8]) -> usize {
        let words = text.split(|byte| self.is_delimiter(*byte));
        words.filter(|word| !word.is_empty()).count()
    }

    /// The smallest index of all keys in `text`.
    pub(super) fn first(&self, text: &[u8]) -> Option<u32> {
        let mut stack = [0; ON_STACK];
        let mut heap = Vec::new();
        // Where the last words began, as many as a key can have.
        let starts = match stack.get_mut(..self.most) {
            Some(starts) => starts,
            None => {
                heap.resize(self.most, 0);
                &mut heap
            }
        };
        let (mut found, mut count): (Option<u32>, usize) = (None, 0);
        let mut is_within = false;
        for (at, byte) in text.iter().chain([&b'/']).enumerate() {
            let is_word = at < text.len() && !self.is_delimiter(*byte);
            if is_word && !is_within && !starts.is_empty() {
                starts[count % starts.len()] = at;
                count += 1;
            }
            if !is_word && is_within {
                for start in starts.iter().take(count) {
                    let index = self.index(&text[*start..at]);
                    found = match (found, index) {
                        (Some(found), Some(index)) => Some(found.min(index)),
                        (found, index) => found.or(index),
                    };
                }
            }
            is_within = is_word;
        }
        found
    }

    fn index(&self, part: &[u8]) -> Option<u32> {
        match self.has_length.get(part.len()) {
            Some(true) => self.keys.get(part).copied(),
            _ => None,
        }
    }
}
