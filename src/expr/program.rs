//! An expression, compiled: a fetch, and the converters that its value passes through.

use std::ops::ControlFlow;

use crate::plan::expr::{Argument, Expr, Fetch, Type};

use super::convert::Conversion;
use super::facts::Facts;
use super::fetch;
use super::scratch::{Scratch, Value};

/// A compiled expression.
#[derive(Debug)]
pub struct Program {
    fetch: Fetch,
    arguments: Box<[Argument]>,
    conversions: Box<[Conversion]>,
    /// Whether a condition looks at several values.
    has_many: bool,
    yields: Type,
}

impl Program {
    /// The compiled form of `expr`.
    pub fn compile(expr: &Expr) -> Self {
        let mut yields = expr.fetch.row().yields;
        let conversions = expr.converters.iter().map(|each| {
            let from = std::mem::replace(&mut yields, each.converter.row().yields);
            Conversion::compile(each, from)
        });
        Self {
            fetch: expr.fetch,
            arguments: expr.arguments.as_slice().into(),
            conversions: conversions.collect(),
            has_many: expr.has_many(),
            yields: expr.yields(),
        }
    }

    /// What it yields when there is a value.
    pub fn yields(&self) -> Type {
        self.yields
    }

    /// Its one value: of several, the last one.
    pub fn value<'a>(&'a self, facts: &Facts<'a>, scratch: &mut Scratch) -> Value<'a> {
        let value = fetch::one(self.fetch, &self.arguments, facts, scratch);
        self.converted(value, scratch)
    }

    /// Whether `test` holds for one of its values; it sees none when there is none.
    pub(super) fn any<'a>(
        &'a self,
        facts: &Facts<'a>,
        scratch: &mut Scratch,
        mut test: impl FnMut(Value<'a>, &mut Scratch) -> bool,
    ) -> bool {
        let mut test = |value: Value<'a>, scratch: &mut Scratch| {
            let mark = scratch.mark();
            let value = self.converted(value, scratch);
            let holds = value != Value::Absent && test(value, scratch);
            scratch.rewind(mark);
            holds
        };
        if !self.has_many {
            let value = fetch::one(self.fetch, &self.arguments, facts, scratch);
            return test(value, scratch);
        }
        let found = fetch::each(self.fetch, &self.arguments, facts, |value| {
            match test(value, scratch) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        found.is_break()
    }

    fn converted<'a>(&'a self, mut value: Value<'a>, scratch: &mut Scratch) -> Value<'a> {
        for conversion in &self.conversions {
            if value == Value::Absent {
                return value;
            }
            value = conversion.apply(value, scratch);
        }
        value
    }
}

/// How a value is cast to what a converter takes.
pub(super) fn cast<'a>(value: Value<'a>, to: Type, scratch: &mut Scratch) -> Value<'a> {
    match to {
        Type::Text => scratch.text_of(value),
        Type::Int => scratch.int_of(value),
        Type::Ip => scratch.ip_of(value),
        Type::Bool => value,
    }
}
