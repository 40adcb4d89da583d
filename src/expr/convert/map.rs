//! `map`: values by keys.

use std::collections::HashMap;

use crate::expr::facts::Facts;
use crate::expr::scratch::{Scratch, Value};
use crate::plan::expr::Argument;

use super::Convert;
use super::arguments::Arguments;

/// Values by keys.
#[derive(Debug)]
pub(super) struct Map {
    values: HashMap<Box<[u8]>, Box<[u8]>>,
    default: Option<Box<[u8]>>,
}

impl Map {
    pub(super) fn of(arguments: Arguments<'_>) -> Self {
        let mut values = HashMap::new();
        if let Some(Argument::Map(map)) = arguments.get(0) {
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

impl Convert for Map {
    fn apply<'a>(&'a self, value: Value<'a>, _: &Facts<'a>, scratch: &mut Scratch) -> Value<'a> {
        let found = scratch.text(value).and_then(|key| self.values.get(key));
        let found = found.or(self.default.as_ref());
        found.map_or(Value::Absent, |value| Value::Text(value))
    }
}
