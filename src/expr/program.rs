//! An expression, compiled: a fetch, and the converters that its value passes through.

use std::ops::ControlFlow;

use crate::plan::expr::{Argument, Expr, Fetch};

use super::case::Case;
use super::convert::{self, Conversion};
use super::facts::{Facts, RequestFacts};
use super::scratch::{Scratch, Value};
use super::{fetch, process_fetch};

/// A compiled expression.
#[derive(Debug)]
pub struct Program {
    fetch: Fetch,
    arguments: Box<[Argument]>,
    /// The value, if it was known when the program was compiled.
    known: Option<Box<[u8]>>,
    conversions: Box<[Conversion]>,
    /// Whether a condition looks at several values.
    has_many: bool,
    /// The case of its values. If it is ignored, they are in lower case, and there is one value for
    /// each spelling of the path.
    case: Case,
}

impl Program {
    /// The compiled form of `expr`.
    pub fn compile(expr: &Expr) -> Self {
        Self::compile_for(expr, Case::Counts)
    }

    pub(super) fn compile_for(expr: &Expr, case: Case) -> Self {
        let mut yields = expr.fetch.row().yields;
        let conversions = expr.converters.iter().map(|each| {
            let from = std::mem::replace(&mut yields, each.converter.row().yields);
            Conversion::compile(each, from, case)
        });
        Self {
            fetch: expr.fetch,
            arguments: expr.arguments.as_slice().into(),
            known: process_fetch::known(expr.fetch, &expr.arguments),
            conversions: conversions.collect(),
            has_many: expr.has_many(),
            case,
        }
    }

    /// The same with one value, where a condition would look at several. Two lists that a client
    /// sends are never compared item by item, which would cost the product of their lengths.
    pub(super) fn with_one_value(self) -> Self {
        Self {
            has_many: false,
            ..self
        }
    }

    /// The one value: of several, the last one.
    pub fn value<'a>(&'a self, facts: &Facts<'a>, scratch: &mut Scratch) -> Value<'a> {
        let value = self.fetched(facts, scratch);
        self.converted(value, facts, scratch)
    }

    /// Whether `test` holds for one of its values; it is not called if there is none.
    pub(super) fn any<'a>(
        &'a self,
        facts: &Facts<'a>,
        scratch: &mut Scratch,
        mut test: impl FnMut(Value<'a>, &mut Scratch) -> bool,
    ) -> bool {
        if self.any_of_path(facts, scratch, &mut test) {
            return true;
        }
        let (Case::Ignored, Some(request)) = (self.case, facts.request) else {
            return false;
        };
        request.also.iter().any(|path| {
            let request = Some(RequestFacts { path, ..request });
            let facts = Facts { request, ..*facts };
            self.any_of_path(&facts, scratch, &mut test)
        })
    }

    /// The same for one spelling of the path.
    fn any_of_path<'a>(
        &'a self,
        facts: &Facts<'a>,
        scratch: &mut Scratch,
        test: &mut impl FnMut(Value<'a>, &mut Scratch) -> bool,
    ) -> bool {
        let mut test = |value: Value<'a>, scratch: &mut Scratch| {
            let mark = scratch.mark();
            let mut value = self.converted(value, facts, scratch);
            if self.case == Case::Ignored {
                value = convert::lower(value, scratch);
            }
            let holds = value != Value::Absent && test(value, scratch);
            scratch.rewind(mark);
            holds
        };
        if !self.has_many {
            let value = self.fetched(facts, scratch);
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

    fn fetched<'a>(&'a self, facts: &Facts<'a>, scratch: &mut Scratch) -> Value<'a> {
        match &self.known {
            Some(text) => Value::Text(text),
            None => fetch::one(self.fetch, &self.arguments, facts, scratch),
        }
    }

    fn converted<'a>(
        &'a self,
        mut value: Value<'a>,
        facts: &Facts<'a>,
        scratch: &mut Scratch,
    ) -> Value<'a> {
        for conversion in &self.conversions {
            if value == Value::Absent {
                return value;
            }
            value = conversion.apply(value, facts, scratch);
        }
        value
    }
}
