//! The arguments of a converter, when it is compiled. Their kinds were checked at load: one of
//! another kind reads as one that is left out.

use crate::expr::facts::Facts;
use crate::expr::scratch::{Scratch, Value};
use crate::plan::expr::{Argument, Variable};

/// The arguments of a converter, by position.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'p>(pub(super) &'p [Argument]);

/// A number in the configuration, or in a variable.
#[derive(Clone, Debug)]
pub(super) enum Number {
    Is(i64),
    In(Variable),
}

impl<'p> Arguments<'p> {
    pub(super) fn get(self, index: usize) -> Option<&'p Argument> {
        self.0.get(index)
    }

    /// Empty if it is left out.
    pub(super) fn text(self, index: usize) -> &'p str {
        self.maybe_text(index).unwrap_or_default()
    }

    pub(super) fn maybe_text(self, index: usize) -> Option<&'p str> {
        match self.get(index) {
            Some(Argument::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(super) fn owned(self, index: usize) -> Box<[u8]> {
        self.text(index).as_bytes().into()
    }

    pub(super) fn int(self, index: usize) -> Option<i64> {
        match self.get(index) {
            Some(Argument::Int(number)) => Some(*number),
            _ => None,
        }
    }

    /// Whether it is a number and not 0.
    pub(super) fn is_set(self, index: usize) -> bool {
        self.int(index).is_some_and(|number| number != 0)
    }

    pub(super) fn number(self, index: usize) -> Option<Number> {
        match self.get(index) {
            Some(Argument::Int(number)) => Some(Number::Is(*number)),
            Some(Argument::Variable(variable)) => Some(Number::In(variable.clone())),
            _ => None,
        }
    }

    pub(super) fn variable(self, index: usize) -> Option<Variable> {
        match self.get(index) {
            Some(Argument::Variable(variable)) => Some(variable.clone()),
            _ => None,
        }
    }

    /// The bytes of a text as a set.
    pub(super) fn bytes(self, index: usize) -> [bool; 256] {
        let mut set = [false; 256];
        for byte in self.text(index).bytes() {
            set[usize::from(byte)] = true;
        }
        set
    }
}

impl Number {
    /// `None`: the variable is not set, or has no number.
    pub(super) fn value(&self, facts: &Facts<'_>, scratch: &mut Scratch) -> Option<i64> {
        let variable = match self {
            Self::Is(number) => return Some(*number),
            Self::In(variable) => variable,
        };
        let mark = scratch.mark();
        let value = facts.variable(variable, scratch);
        let number = scratch.int_of(value);
        scratch.rewind(mark);
        match number {
            Value::Int(number) => Some(number),
            _ => None,
        }
    }
}
