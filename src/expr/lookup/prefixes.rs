//! The longest key that a text begins with, and the first key that it ends with.
//!
//! The keys are sorted. All keys between a prefix of a text and the text itself begin with that
//! prefix; so the last key that is not greater than the text either is the longest prefix, or has it
//! among its own prefixes, and each key knows the next shorter one.

use super::sorted::Sorted;

/// Keys for searches of the longest prefix.
#[derive(Debug)]
pub struct Prefixes {
    /// What all keys begin with.
    common: Box<[u8]>,
    /// Of each key the eight bytes after `common`: they decide most comparisons.
    heads: Sorted<u64>,
    /// Sorted, without duplicates.
    keys: Box<[Key]>,
    /// The bytes of all keys.
    bytes: Box<[u8]>,
}

#[derive(Debug)]
struct Key {
    /// Where its bytes begin, and how many there are.
    start: u32,
    length: u32,
    /// The longest key that is a prefix of it; [`NONE`] if there is none.
    shorter: u32,
    /// The index that was given with it: of equal keys the first one's.
    index: u32,
    /// The smallest index of it and of its prefixes.
    first: u32,
}

const NONE: u32 = u32::MAX;

/// Keys for searches of suffixes: the same with the bytes of each key in reverse.
#[derive(Debug)]
pub struct Suffixes {
    reversed: Prefixes,
    longest: usize,
}

/// As many bytes as a name may have (RFC 1035 §2.3.4): of a longer suffix, the reversed text is
/// allocated.
const ON_STACK: usize = 256;

impl Prefixes {
    pub(super) fn of<'t>(keys: impl Iterator<Item = (u32, &'t str)>) -> Self {
        Self::of_bytes(keys.map(|(index, key)| (index, key.as_bytes().to_vec())))
    }

    fn of_bytes(keys: impl Iterator<Item = (u32, Vec<u8>)>) -> Self {
        let mut sorted: Vec<(Vec<u8>, u32)> = keys.map(|(index, key)| (key, index)).collect();
        sorted.sort_unstable();
        sorted.dedup_by(|next, kept| next.0 == kept.0);
        let common: Box<[u8]> = match (sorted.first(), sorted.last()) {
            (Some((first, _)), Some((last, _))) => {
                let equal = first
                    .iter()
                    .zip(last)
                    .take_while(|(one, other)| one == other);
                first[..equal.count()].into()
            }
            _ => Box::default(),
        };
        let heads = sorted.iter().map(|(text, _)| head(&text[common.len()..]));
        let heads = Sorted::of(heads.collect());
        let (mut keys, mut bytes): (Vec<Key>, Vec<u8>) = (Vec::new(), Vec::new());
        // The prefixes of the last key, the longest last.
        let mut open: Vec<u32> = Vec::new();
        for (text, index) in &sorted {
            while let Some(last) = open.last() {
                if text.starts_with(&sorted[*last as usize].0) {
                    break;
                }
                open.pop();
            }
            let shorter = open.last().copied().unwrap_or(NONE);
            let first = match keys.get(shorter as usize) {
                Some(shorter) => shorter.first.min(*index),
                None => *index,
            };
            open.push(keys.len() as u32);
            keys.push(Key {
                start: bytes.len() as u32,
                length: text.len() as u32,
                shorter,
                index: *index,
                first,
            });
            bytes.extend_from_slice(text);
        }
        Self {
            common,
            heads,
            keys: keys.into(),
            bytes: bytes.into(),
        }
    }

    fn bytes(&self, key: &Key) -> &[u8] {
        &self.bytes[key.start as usize..][..key.length as usize]
    }

    fn find(&self, text: &[u8]) -> Option<&Key> {
        let wanted = head(text.strip_prefix(&*self.common)?);
        let least = self.heads.count(|head| *head < wanted);
        let most = self.heads.count(|head| *head <= wanted);
        let alike = &self.keys[least..most];
        let after = least + alike.partition_point(|key| self.bytes(key) <= text);
        let mut at = after.checked_sub(1)?;
        loop {
            let key = &self.keys[at];
            if text.starts_with(self.bytes(key)) {
                return Some(key);
            }
            at = key.shorter as usize;
            if key.shorter == NONE {
                return None;
            }
        }
    }

    /// The index of the longest key that `text` begins with.
    pub(super) fn longest(&self, text: &[u8]) -> Option<u32> {
        self.find(text).map(|key| key.index)
    }

    /// The smallest index of all keys that `text` begins with.
    fn first(&self, text: &[u8]) -> Option<u32> {
        self.find(text).map(|key| key.first)
    }
}

impl Suffixes {
    pub(super) fn of<'t>(keys: impl Iterator<Item = (u32, &'t str)>) -> Self {
        let mut longest = 0;
        let reversed = keys.map(|(index, key)| {
            longest = longest.max(key.len());
            (index, key.bytes().rev().collect())
        });
        Self {
            reversed: Prefixes::of_bytes(reversed),
            longest,
        }
    }

    /// The smallest index of all keys that `text` ends with.
    pub(super) fn first(&self, text: &[u8]) -> Option<u32> {
        // One byte more than the longest key: it tells a whole text from a longer one.
        let end = &text[text.len().saturating_sub(self.longest + 1)..];
        let mut stack = [0; ON_STACK];
        if let Some(reversed) = stack.get_mut(..end.len()) {
            reversed.copy_from_slice(end);
            reversed.reverse();
            return self.reversed.first(reversed);
        }
        let reversed: Vec<u8> = end.iter().rev().copied().collect();
        self.reversed.first(&reversed)
    }
}

/// The first eight bytes as a number that sorts as they do; a shorter text ends with zeros.
fn head(text: &[u8]) -> u64 {
    let mut head = [0; 8];
    let length = text.len().min(8);
    head[..length].copy_from_slice(&text[..length]);
    u64::from_be_bytes(head)
}
