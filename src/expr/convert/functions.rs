//! Converters that are one function: of a text or of a number, with what was compiled from their
//! arguments.

use std::fmt::Debug;
use std::ops::Range;

use crate::expr::facts::Facts;
use crate::expr::scratch::{Scratch, Value};

use super::Convert;
use super::arguments::Number;

/// Writes a text made of another one. The function returns whether there is one: if not, the value
/// is absent.
#[derive(Debug)]
pub(super) struct Rewrite<A>(pub(super) A, pub(super) fn(&A, &[u8], &mut Vec<u8>) -> bool);

/// A part of a text; `None`: absent.
#[derive(Debug)]
pub(super) struct Cut<A>(
    pub(super) A,
    pub(super) fn(&A, &[u8]) -> Option<Range<usize>>,
);

/// A number of a text; `None`: absent.
#[derive(Debug)]
pub(super) struct Measure<A>(pub(super) A, pub(super) fn(&A, &[u8]) -> Option<i64>);

/// A number of a number.
#[derive(Debug)]
pub(super) struct OfInt(pub(super) fn(i64) -> i64);

/// A question about a number.
#[derive(Debug)]
pub(super) struct IsInt(pub(super) fn(i64) -> bool);

/// A number of two; absent if a variable has none.
#[derive(Debug)]
pub(super) struct Arithmetic(pub(super) Option<Number>, pub(super) fn(i64, i64) -> i64);

/// A text made of a number.
#[derive(Debug)]
pub(super) struct Format<A>(pub(super) A, pub(super) fn(&A, i64, &mut Vec<u8>) -> bool);

impl<A: Debug + Send + Sync> Convert for Rewrite<A> {
    fn apply<'a>(&'a self, value: Value<'a>, _: &Facts<'a>, scratch: &mut Scratch) -> Value<'a> {
        scratch.rewrite(value, |text, into| (self.1)(&self.0, text, into))
    }
}

impl<A: Debug + Send + Sync> Convert for Cut<A> {
    fn apply<'a>(&'a self, value: Value<'a>, _: &Facts<'a>, scratch: &mut Scratch) -> Value<'a> {
        let range = scratch.text(value).and_then(|text| (self.1)(&self.0, text));
        range.map_or(Value::Absent, |range| {
            scratch.part(value, range.start, range.end)
        })
    }
}

impl<A: Debug + Send + Sync> Convert for Measure<A> {
    fn apply<'a>(&'a self, value: Value<'a>, _: &Facts<'a>, scratch: &mut Scratch) -> Value<'a> {
        let number = scratch.text(value).and_then(|text| (self.1)(&self.0, text));
        number.map_or(Value::Absent, Value::Int)
    }
}

impl Convert for OfInt {
    fn apply<'a>(&'a self, value: Value<'a>, _: &Facts<'a>, _: &mut Scratch) -> Value<'a> {
        match value {
            Value::Int(number) => Value::Int((self.0)(number)),
            _ => Value::Absent,
        }
    }
}

impl Convert for IsInt {
    fn apply<'a>(&'a self, value: Value<'a>, _: &Facts<'a>, _: &mut Scratch) -> Value<'a> {
        match value {
            Value::Int(number) => Value::Bool((self.0)(number)),
            _ => Value::Absent,
        }
    }
}

impl Convert for Arithmetic {
    fn apply<'a>(
        &'a self,
        value: Value<'a>,
        facts: &Facts<'a>,
        scratch: &mut Scratch,
    ) -> Value<'a> {
        let right = self
            .0
            .as_ref()
            .and_then(|right| right.value(facts, scratch));
        match (value, right) {
            (Value::Int(left), Some(right)) => Value::Int((self.1)(left, right)),
            _ => Value::Absent,
        }
    }
}

impl<A: Debug + Send + Sync> Convert for Format<A> {
    fn apply<'a>(&'a self, value: Value<'a>, _: &Facts<'a>, scratch: &mut Scratch) -> Value<'a> {
        let Value::Int(number) = value else {
            return Value::Absent;
        };
        let mut exists = false;
        let mark = scratch.mark();
        let text = scratch.write(|into| exists = (self.1)(&self.0, number, into));
        if exists {
            return text;
        }
        scratch.rewind(mark);
        Value::Absent
    }
}
