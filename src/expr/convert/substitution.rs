//! `regsub`: matches of a regular expression, replaced.

use regex::bytes::{Captures, Regex};

use crate::expr::case::Case;
use crate::expr::scratch::MOST_BYTES;
use crate::plan::expr::Argument;

use super::arguments::Arguments;

/// A replacement by a regular expression.
#[derive(Debug)]
pub(super) struct Substitution {
    /// `None`: it never matches.
    regex: Option<Regex>,
    replacement: Replacement,
    is_global: bool,
}

/// The most matches of one value that are replaced. Each search begins at the end of the last
/// match, and may read all of the rest: without a bound, the cost is quadratic.
const MOST_MATCHES: usize = 4096;

/// A text with groups of a regular expression.
#[derive(Debug)]
pub(super) struct Replacement(Box<[Piece]>);

/// A piece of a replacement.
#[derive(Debug)]
enum Piece {
    Text(Box<[u8]>),
    Group(usize),
}

impl Substitution {
    pub(super) fn of(arguments: Arguments<'_>, case: Case) -> Self {
        let flags = arguments.text(2);
        let case = match flags.contains('i') {
            true => Case::Ignored,
            false => case,
        };
        let regex = match arguments.get(0) {
            Some(Argument::Pattern(pattern)) => Some(case.regex(pattern)),
            // The type checker allows nothing else.
            _ => None,
        };
        Self {
            regex,
            replacement: Replacement::of(arguments.text(1)),
            is_global: flags.contains('g'),
        }
    }

    /// Whether something is to be replaced.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        let regex = self.regex.as_ref();
        regex.is_some_and(|regex| regex.is_match(text))
    }

    /// Writes `text` with its matches replaced. Returns whether it fits into `into`.
    pub(super) fn write(&self, text: &[u8], into: &mut Vec<u8>) -> bool {
        let Some(regex) = &self.regex else {
            into.extend_from_slice(text);
            return true;
        };
        let mut from = 0;
        let limit = if self.is_global { usize::MAX } else { 1 };
        for (count, captures) in regex.captures_iter(text).take(limit).enumerate() {
            let Some(whole) = captures.get(0) else {
                continue;
            };
            if count == MOST_MATCHES || into.len() > MOST_BYTES {
                return false;
            }
            into.extend_from_slice(&text[from..whole.start()]);
            self.replacement.write(&captures, into);
            from = whole.end();
        }
        into.extend_from_slice(&text[from..]);
        true
    }
}

impl Replacement {
    /// `\1` is a group; any other character after a backslash is itself.
    pub(super) fn of(text: &str) -> Self {
        Self(pieces(text))
    }

    pub(super) fn write(&self, captures: &Captures<'_>, into: &mut Vec<u8>) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => into.extend_from_slice(text),
                Piece::Group(index) => {
                    if let Some(group) = captures.get(*index) {
                        into.extend_from_slice(group.as_bytes());
                    }
                }
            }
        }
    }
}

fn pieces(replacement: &str) -> Box<[Piece]> {
    let mut pieces = Vec::new();
    let mut text = Vec::new();
    let mut bytes = replacement.bytes();
    while let Some(byte) = bytes.next() {
        let escaped = (byte == b'\\').then(|| bytes.next()).flatten();
        match escaped {
            Some(digit) if digit.is_ascii_digit() => {
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text).into()));
                }
                pieces.push(Piece::Group(usize::from(digit - b'0')));
            }
            Some(other) => text.push(other),
            None => text.push(byte),
        }
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text.into()));
    }
    pieces.into()
}
