//! The converters: functions on values. The table is [`crate::plan::expr::Converter`].

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use regex::bytes::{Captures, Regex};

use crate::plan::expr::{self, Argument, Converter, Type};

use super::case::Case;
use super::scratch::{MOST_BYTES, Scratch, Value};

/// One converter with its arguments, ready to run.
#[derive(Debug)]
pub(super) struct Conversion {
    /// The type to which the value is cast first; `None`: it has the type already.
    cast: Option<Type>,
    action: Action,
}

#[derive(Debug)]
enum Action {
    Lower,
    Upper,
    Length,
    Part(Part),
    Regsub(Substitution),
    Ipmask(Ipv4Addr, Option<Ipv6Addr>),
    Map(Map),
}

/// A part of a text between delimiters.
#[derive(Debug)]
struct Part {
    /// From 1, or from -1 backwards; 0: no part.
    index: i64,
    /// The number of parts; `None`: all that follow.
    count: Option<u64>,
    delimiters: Box<[bool; 256]>,
    kind: PartKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PartKind {
    /// Parts may be empty.
    Field,
    /// Adjacent delimiters count as one.
    Word,
}

/// A replacement by a regular expression.
#[derive(Debug)]
struct Substitution {
    /// `None`: it never matches.
    regex: Option<Regex>,
    replacement: Box<[Piece]>,
    is_global: bool,
}

/// Values by keys.
#[derive(Debug)]
struct Map {
    values: HashMap<Box<[u8]>, Box<[u8]>>,
    default: Option<Box<[u8]>>,
}

/// The most matches of one value that are replaced. Each search begins at the end of the last
/// match, and may read all of the rest: without a bound, the cost is quadratic.
const MOST_MATCHES: usize = 4096;

/// A piece of a replacement.
#[derive(Debug)]
enum Piece {
    Text(Box<[u8]>),
    Group(usize),
}

impl Conversion {
    /// `from` is the type of the value.
    pub(super) fn compile(conversion: &expr::Conversion, from: Type, case: Case) -> Self {
        let takes = conversion.converter.row().takes;
        Self {
            cast: (takes != from).then_some(takes),
            action: Action::of(conversion.converter, &conversion.arguments, case),
        }
    }

    pub(super) fn apply<'a>(&'a self, value: Value<'a>, scratch: &mut Scratch) -> Value<'a> {
        let value = match self.cast {
            Some(to) => scratch.cast(value, to),
            None => value,
        };
        match &self.action {
            Action::Lower => lower(value, scratch),
            Action::Upper => changed(value, scratch, u8::is_ascii_lowercase, |text| {
                text.make_ascii_uppercase();
            }),
            Action::Length => match scratch.text(value) {
                Some(text) => Value::Int(text.len() as i64),
                None => Value::Absent,
            },
            Action::Part(part) => {
                let found = scratch.text(value).and_then(|text| part.find(text));
                match found {
                    Some((start, end)) => scratch.part(value, start, end),
                    None => Value::Absent,
                }
            }
            Action::Regsub(substitution) => {
                let matches = |text: &[u8]| {
                    let regex = substitution.regex.as_ref();
                    regex.is_some_and(|regex| regex.is_match(text))
                };
                match scratch.text(value).is_some_and(matches) {
                    true => scratch.rewrite(value, |text, into| substitution.write(text, into)),
                    false => value,
                }
            }
            Action::Map(map) => {
                let found = scratch.text(value).and_then(|key| map.values.get(key));
                let found = found.or(map.default.as_ref());
                found.map_or(Value::Absent, |value| Value::Text(value))
            }
            Action::Ipmask(mask4, mask6) => match (value, mask6) {
                (Value::Ip(IpAddr::V4(addr)), _) => Value::Ip((addr & *mask4).into()),
                (Value::Ip(IpAddr::V6(addr)), Some(mask)) => Value::Ip((addr & *mask).into()),
                _ => Value::Absent,
            },
        }
    }
}

/// The text in lower case (ASCII only).
pub(super) fn lower<'a>(value: Value<'a>, scratch: &mut Scratch) -> Value<'a> {
    changed(value, scratch, u8::is_ascii_uppercase, |text| {
        text.make_ascii_lowercase();
    })
}

/// The text with `change` applied; copied only if that changes a byte.
fn changed<'a>(
    value: Value<'a>,
    scratch: &mut Scratch,
    is_changed: fn(&u8) -> bool,
    change: impl FnOnce(&mut [u8]),
) -> Value<'a> {
    let needs_change = |text: &[u8]| text.iter().any(is_changed);
    match scratch.text(value).is_some_and(needs_change) {
        true => scratch.rewrite(value, |text, into| {
            into.extend_from_slice(text);
            change(into);
            true
        }),
        false => value,
    }
}

impl Action {
    fn of(converter: Converter, arguments: &[Argument], case: Case) -> Self {
        match converter {
            Converter::Lower => Self::Lower,
            Converter::Upper => Self::Upper,
            Converter::Length => Self::Length,
            Converter::Field => Self::Part(Part::of(arguments, PartKind::Field)),
            Converter::Word => Self::Part(Part::of(arguments, PartKind::Word)),
            Converter::Regsub => Self::Regsub(Substitution::of(arguments, case)),
            Converter::Map => Self::Map(Map::of(arguments)),
            Converter::Ipmask => Self::Ipmask(
                match arguments.first() {
                    Some(Argument::Mask4(mask)) => *mask,
                    _ => Ipv4Addr::BROADCAST,
                },
                match arguments.get(1) {
                    Some(Argument::Mask6(mask)) => Some(*mask),
                    _ => None,
                },
            ),
        }
    }
}

fn text(argument: Option<&Argument>) -> &str {
    match argument {
        Some(Argument::Text(text)) => text,
        _ => "",
    }
}

impl Map {
    fn of(arguments: &[Argument]) -> Self {
        let mut values = HashMap::new();
        if let Some(Argument::Map(map)) = arguments.first() {
            for (key, value) in map.entries.iter() {
                // Of equal keys the first counts.
                let entry = values.entry(key.as_bytes().into());
                entry.or_insert_with(|| value.as_bytes().into());
            }
        }
        Self {
            values,
            default: match arguments.get(1) {
                Some(Argument::Text(default)) => Some(default.as_bytes().into()),
                _ => None,
            },
        }
    }
}

impl Part {
    fn of(arguments: &[Argument], kind: PartKind) -> Self {
        let number = |index: usize| match arguments.get(index) {
            Some(Argument::Int(number)) => Some(*number),
            _ => None,
        };
        let mut delimiters = Box::new([false; 256]);
        for byte in text(arguments.get(1)).bytes() {
            delimiters[usize::from(byte)] = true;
        }
        Self {
            index: number(0).unwrap_or_default(),
            count: match number(2).unwrap_or(1) {
                0 => None,
                count => Some(count.unsigned_abs()),
            },
            delimiters,
            kind,
        }
    }

    /// The beginning and the end of the part.
    fn find(&self, text: &[u8]) -> Option<(usize, usize)> {
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
            return Some((start_of(first), end));
        }
        let last = parts.nth_back(nth)?;
        let first = match more {
            Some(0) => Some(last),
            Some(more) => parts.nth_back(more - 1),
            None => None,
        };
        Some((first.map_or(0, start_of), start_of(last) + last.len()))
    }
}

impl Substitution {
    fn of(arguments: &[Argument], case: Case) -> Self {
        let flags = text(arguments.get(2));
        let case = match flags.contains('i') {
            true => Case::Ignored,
            false => case,
        };
        let regex = match arguments.first() {
            Some(Argument::Pattern(pattern)) => Some(case.regex(pattern)),
            // The type checker allows nothing else.
            _ => None,
        };
        Self {
            regex,
            replacement: pieces(text(arguments.get(1))),
            is_global: flags.contains('g'),
        }
    }

    /// Writes `text` with its matches replaced. Returns whether it fits into `into`.
    fn write(&self, text: &[u8], into: &mut Vec<u8>) -> bool {
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
            self.write_replacement(&captures, into);
            from = whole.end();
        }
        into.extend_from_slice(&text[from..]);
        true
    }

    fn write_replacement(&self, captures: &Captures<'_>, into: &mut Vec<u8>) {
        for piece in &self.replacement {
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

/// `\1` is a group; any other character after a backslash is itself.
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
