//! Makes the tables that a file in TOML would have.

use crate::config::raw::{Entry, Kind, Table, Text, Value};
use crate::config::source::Span;

/// Keys with values, each with the words that it stands for.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys(Vec<Entry>);

impl Keys {
    /// Sets `key`, in place of an earlier value.
    pub(super) fn set(&mut self, key: &str, value: Value) {
        match self.0.iter_mut().find(|entry| entry.key == key) {
            Some(entry) => {
                entry.key_span = value.span;
                entry.value = value;
            }
            None => self.0.push(Entry {
                key: key.to_owned(),
                key_span: value.span,
                value,
            }),
        }
    }

    /// Removes `key`.
    pub(super) fn remove(&mut self, key: &str) {
        self.0.retain(|entry| entry.key != key);
    }

    /// Adds `key`, which must not be there yet, with the words of its name.
    pub(super) fn named(&mut self, key: &str, key_span: Span, value: Value) {
        self.0.push(Entry {
            key: key.to_owned(),
            key_span,
            value,
        });
    }

    /// The value of `key`, if it is a text.
    pub(super) fn text_of(&self, key: &str) -> Option<String> {
        let entry = self.0.iter().find(|entry| entry.key == key)?;
        match &entry.value.kind {
            Kind::String(text) => Some(text.value.clone()),
            _ => None,
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|entry| entry.key == key)
    }

    /// Whether it has the same keys with the same texts and numbers.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().all(|entry| {
                let others = other.0.iter().find(|other| other.key == entry.key);
                others.is_some_and(|other| other.value.describe() == entry.value.describe())
            })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_table(self) -> Table {
        Table::of(self.0)
    }

    /// As a value that stands for the words at `span`.
    pub(super) fn at(self, span: Span) -> Value {
        Value {
            kind: Kind::Table(self.into_table()),
            span,
        }
    }
}

pub(super) fn text(span: Span, text: impl Into<String>) -> Value {
    Value {
        kind: Kind::String(Text::plain(text.into())),
        span,
    }
}

pub(super) fn number(span: Span, number: i64) -> Value {
    Value {
        kind: Kind::Integer(number),
        span,
    }
}

pub(super) fn switch(span: Span, value: bool) -> Value {
    Value {
        kind: Kind::Boolean(value),
        span,
    }
}

pub(super) fn list(span: Span, items: Vec<Value>) -> Value {
    Value {
        kind: Kind::Array(items),
        span,
    }
}

/// A table of one key.
pub(super) fn table(span: Span, key: &str, value: Value) -> Value {
    let mut keys = Keys::default();
    keys.set(key, value);
    keys.at(span)
}
