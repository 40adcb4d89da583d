//! `field` and `word`: a part of a text between delimiters.

use std::ops::Range;

use super::arguments::Arguments;

/// A part of a text between delimiters.
#[derive(Debug)]
pub(super) struct Part {
    /// From 1, or from -1 backwards; 0: no part.
    index: i64,
    /// The number of parts; `None`: all that follow.
    count: Option<u64>,
    delimiters: [bool; 256],
    kind: PartKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartKind {
    /// Parts may be empty.
    Field,
    /// Adjacent delimiters count as one.
    Word,
}

impl Part {
    pub(super) fn of(arguments: Arguments<'_>, kind: PartKind) -> Self {
        Self {
            index: arguments.int(0).unwrap_or_default(),
            count: match arguments.int(2).unwrap_or(1) {
                0 => None,
                count => Some(count.unsigned_abs()),
            },
            delimiters: arguments.bytes(1),
            kind,
        }
    }

    /// The range of the part.
    pub(super) fn find(&self, text: &[u8]) -> Option<Range<usize>> {
        let is_delimiter = |byte: &u8| self.delimiters[usize::from(*byte)];
        let mut parts = text
            .split(is_delimiter)
            .filter(|part| self.kind == PartKind::Field || !part.is_empty());
        let nth = usize::try_from(self.index.unsigned_abs().checked_sub(1)?).ok()?;
        // With fewer parts than wanted, all that follow.
        let more = self
            .count
            .map(|count| usize::try_from(count - 1).unwrap_or(usize::MAX));
        let start_of = |part: &[u8]| part.as_ptr() as usize - text.as_ptr() as usize;
        if self.index > 0 {
            let first = parts.nth(nth)?;
            let last = match more {
                Some(0) => Some(first),
                Some(more) => parts.nth(more - 1),
                None => None,
            };
            let end = last.map_or(text.len(), |last| start_of(last) + last.len());
            return Some(start_of(first)..end);
        }
        let last = parts.nth_back(nth)?;
        let first = match more {
            Some(0) => Some(last),
            Some(more) => parts.nth_back(more - 1),
            None => None,
        };
        Some(first.map_or(0, start_of)..start_of(last) + last.len())
    }
}
