//! Converters that cut, join and compare texts.

use std::ops::Range;

use crate::expr::facts::Facts;
use crate::expr::scratch::{Scratch, Value};
use crate::plan::expr::Variable;

use super::Convert;
use super::arguments::{Arguments, Number};

/// The text in lower case (ASCII only).
#[derive(Debug)]
pub(super) struct Lower;

/// The text in upper case (ASCII only).
#[derive(Debug)]
pub(super) struct Upper;

/// The bytes from one on.
#[derive(Debug)]
pub(super) struct Bytes {
    offset: Option<Number>,
    /// `None`: up to the end.
    length: Option<Number>,
}

/// A text with other texts and a variable after it.
#[derive(Debug)]
pub(super) struct Concat {
    start: Box<[u8]>,
    variable: Option<Variable>,
    end: Box<[u8]>,
}

/// A text with an item of a list after it.
#[derive(Debug)]
pub(super) struct AddItem {
    delimiter: Box<[u8]>,
    variable: Option<Variable>,
    suffix: Box<[u8]>,
}

/// A comparison with the text of a variable.
#[derive(Debug)]
pub(super) struct Compare {
    pub(super) variable: Option<Variable>,
    pub(super) result: fn(&[u8], &[u8]) -> Value<'static>,
}

/// One of two texts.
#[derive(Debug)]
pub(super) struct Iif {
    pub(super) yes: Box<[u8]>,
    pub(super) no: Box<[u8]>,
}

impl Convert for Lower {
    fn apply<'a>(&'a self, value: Value<'a>, _: &Facts<'a>, scratch: &mut Scratch) -> Value<'a> {
        lower(value, scratch)
    }
}

impl Convert for Upper {
    fn apply<'a>(&'a self, value: Value<'a>, _: &Facts<'a>, scratch: &mut Scratch) -> Value<'a> {
        changed(value, scratch, u8::is_ascii_lowercase, |text| {
            text.make_ascii_uppercase();
        })
    }
}

/// The text in lower case (ASCII only).
pub(in crate::expr) fn lower<'a>(value: Value<'a>, scratch: &mut Scratch) -> Value<'a> {
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

impl Bytes {
    pub(super) fn of(arguments: Arguments<'_>) -> Self {
        Self {
            offset: arguments.number(0),
            length: arguments.number(1),
        }
    }
}

impl Convert for Bytes {
    fn apply<'a>(
        &'a self,
        value: Value<'a>,
        facts: &Facts<'a>,
        scratch: &mut Scratch,
    ) -> Value<'a> {
        let mut number = |number: &Option<Number>, otherwise: usize| match number {
            None => Some(otherwise),
            Some(number) => usize::try_from(number.value(facts, scratch)?).ok(),
        };
        let (Some(offset), Some(length)) =
            (number(&self.offset, 0), number(&self.length, usize::MAX))
        else {
            return Value::Absent;
        };
        let whole = scratch.text(value).map_or(0, <[u8]>::len);
        let start = offset.min(whole);
        scratch.part(value, start, start.saturating_add(length).min(whole))
    }
}

pub(super) fn ltrim(characters: &[bool; 256], text: &[u8]) -> Option<Range<usize>> {
    let is_kept = |byte: &u8| !characters[usize::from(*byte)];
    Some(text.iter().position(is_kept).unwrap_or(text.len())..text.len())
}

pub(super) fn rtrim(characters: &[bool; 256], text: &[u8]) -> Option<Range<usize>> {
    let is_kept = |byte: &u8| !characters[usize::from(*byte)];
    Some(0..text.iter().rposition(is_kept).map_or(0, |last| last + 1))
}

pub(super) fn cut_crlf((): &(), text: &[u8]) -> Option<Range<usize>> {
    Some(0..memchr::memchr2(b'\r', b'\n', text).unwrap_or(text.len()))
}

/// A parameter of a query.
#[derive(Debug)]
pub(super) struct Param {
    name: Box<[u8]>,
    delimiter: Box<[u8]>,
}

impl Param {
    pub(super) fn of(arguments: Arguments<'_>) -> Self {
        Self {
            name: arguments.owned(0),
            delimiter: delimiter(arguments.maybe_text(1).unwrap_or("&")),
        }
    }
}

/// The bytes of `text`; `0x26` is one byte by its number, as in HAProxy.
fn delimiter(text: &str) -> Box<[u8]> {
    let number = text.strip_prefix("0x").filter(|digits| !digits.is_empty());
    match number.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
        Some(byte) => [byte].into(),
        None => text.as_bytes().into(),
    }
}

pub(super) fn param(param: &Param, text: &[u8]) -> Option<Range<usize>> {
    let mut at = 0;
    while at <= text.len() {
        let rest = &text[at..];
        let length = match param.delimiter.is_empty() {
            true => None,
            false => memchr::memmem::find(rest, &param.delimiter),
        };
        let part = &rest[..length.unwrap_or(rest.len())];
        let equals = memchr::memchr(b'=', part);
        if part[..equals.unwrap_or(part.len())] == *param.name {
            let value = equals.map_or(part.len(), |equals| equals + 1);
            return Some(at + value..at + part.len());
        }
        at += length? + param.delimiter.len();
    }
    None
}

pub(super) fn reverse((): &(), bytes: &[u8], into: &mut Vec<u8>) -> bool {
    into.extend(bytes.iter().rev());
    true
}

pub(super) fn reverse_dom((): &(), text: &[u8], into: &mut Vec<u8>) -> bool {
    let text = text.strip_suffix(b".").unwrap_or(text);
    let labels = text.rsplit(|byte| *byte == b'.');
    for (index, label) in labels.enumerate() {
        // It is no name of a host.
        if label.is_empty() {
            return false;
        }
        if index > 0 {
            into.push(b'.');
        }
        into.extend_from_slice(label);
    }
    true
}

/// The index of the colon before the port.
fn colon(text: &[u8]) -> Option<usize> {
    let last = memchr::memrchr2(b':', b']', text)?;
    (text[last] == b':').then_some(last)
}

pub(super) fn host_only((): &(), text: &[u8], into: &mut Vec<u8>) -> bool {
    let host = colon(text).map_or(text, |colon| &text[..colon]);
    into.extend(host.iter().map(u8::to_ascii_lowercase));
    true
}

pub(super) fn port_only((): &(), text: &[u8]) -> Option<i64> {
    let digits = colon(text).map_or(&[][..], |colon| &text[colon + 1..]);
    Some(str::from_utf8(digits).ok()?.parse().unwrap_or_default())
}

impl Concat {
    pub(super) fn of(arguments: Arguments<'_>) -> Self {
        Self {
            start: arguments.owned(0),
            variable: arguments.variable(1),
            end: arguments.owned(2),
        }
    }
}

impl Convert for Concat {
    fn apply<'a>(
        &'a self,
        value: Value<'a>,
        facts: &Facts<'a>,
        scratch: &mut Scratch,
    ) -> Value<'a> {
        let variable = text_of(self.variable.as_ref(), facts, scratch);
        scratch.joined([
            value,
            Value::Text(&self.start),
            variable,
            Value::Text(&self.end),
        ])
    }
}

impl AddItem {
    pub(super) fn of(arguments: Arguments<'_>) -> Self {
        Self {
            delimiter: arguments.owned(0),
            variable: arguments.variable(1),
            suffix: arguments.owned(2),
        }
    }
}

impl Convert for AddItem {
    fn apply<'a>(
        &'a self,
        value: Value<'a>,
        facts: &Facts<'a>,
        scratch: &mut Scratch,
    ) -> Value<'a> {
        let variable = text_of(self.variable.as_ref(), facts, scratch);
        let is_empty = |value| scratch.text(value).is_none_or(<[u8]>::is_empty);
        let has_item = !is_empty(variable) || !self.suffix.is_empty();
        let delimiter = match has_item && !is_empty(value) {
            true => Value::Text(&self.delimiter),
            false => Value::Absent,
        };
        scratch.joined([value, delimiter, variable, Value::Text(&self.suffix)])
    }
}

impl Convert for Compare {
    fn apply<'a>(
        &'a self,
        value: Value<'a>,
        facts: &Facts<'a>,
        scratch: &mut Scratch,
    ) -> Value<'a> {
        let variable = text_of(self.variable.as_ref(), facts, scratch);
        match (scratch.text(value), scratch.text(variable)) {
            (Some(text), Some(other)) => (self.result)(text, other),
            _ => Value::Absent,
        }
    }
}

pub(super) fn ordering(text: &[u8], other: &[u8]) -> Value<'static> {
    Value::Int(text.cmp(other) as i64)
}

pub(super) fn equal_in_constant_time(text: &[u8], other: &[u8]) -> Value<'static> {
    Value::Bool(aws_lc_rs::constant_time::verify_slices_are_equal(text, other).is_ok())
}

impl Convert for Iif {
    fn apply<'a>(&'a self, value: Value<'a>, _: &Facts<'a>, _: &mut Scratch) -> Value<'a> {
        match value {
            Value::Bool(true) => Value::Text(&self.yes),
            Value::Bool(false) => Value::Text(&self.no),
            _ => Value::Absent,
        }
    }
}

/// The value of a variable as a text; absent if it is not set.
pub(super) fn text_of<'a>(
    variable: Option<&Variable>,
    facts: &Facts<'a>,
    scratch: &mut Scratch,
) -> Value<'a> {
    let Some(variable) = variable else {
        return Value::Absent;
    };
    let value = facts.variable(variable, scratch);
    scratch.text_of(value)
}
