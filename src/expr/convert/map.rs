//! `map` and `map_…`: values by keys.

use std::net::IpAddr;

use crate::expr::facts::Facts;
use crate::expr::lookup::Lookup;
use crate::expr::scratch::{Scratch, Value};
use crate::plan::expr::{Argument, Converter, Kind, MapKeys, MapValues};

use super::Convert;
use super::arguments::Arguments;
use super::substitution::Replacement;

/// Values by keys.
#[derive(Debug)]
pub(super) struct Map {
    keys: Lookup,
    values: Box<[Output]>,
    default: Output,
}

/// A value of a map.
#[derive(Debug)]
enum Output {
    Absent,
    Text(Box<[u8]>),
    Int(i64),
    Ip(IpAddr),
    /// With the groups of the key, a regular expression.
    Replacement(Replacement),
}

impl Map {
    pub(super) fn of(arguments: Arguments<'_>, converter: Converter) -> Self {
        let parameter = converter.row().parameters.first();
        let (keys, values) = match parameter.map(|parameter| parameter.kind) {
            Some(Kind::Map(keys, values)) => (keys, values),
            // Only maps are compiled here.
            _ => (MapKeys::Whole, MapValues::Texts),
        };
        let entries = match arguments.get(0) {
            Some(Argument::Map(map)) => map.entries.as_slice(),
            _ => &[],
        };
        let output = |text: &str| match values {
            MapValues::Texts if keys == MapKeys::PatternsWithGroups => {
                Output::Replacement(Replacement::of(text))
            }
            MapValues::Texts => Output::Text(text.as_bytes().into()),
            MapValues::Numbers => text.parse().map_or(Output::Absent, Output::Int),
            MapValues::Addresses => text.parse().map_or(Output::Absent, Output::Ip),
        };
        Self {
            keys: Lookup::of(keys, entries.iter().map(|(key, _)| key.as_str())),
            values: entries.iter().map(|(_, value)| output(value)).collect(),
            default: match arguments.get(1) {
                Some(Argument::Text(default)) => Output::Text(default.as_bytes().into()),
                Some(Argument::Int(default)) => Output::Int(*default),
                Some(Argument::Ip(default)) => Output::Ip(*default),
                _ => Output::Absent,
            },
        }
    }
}

impl Convert for Map {
    fn apply<'a>(&'a self, value: Value<'a>, _: &Facts<'a>, scratch: &mut Scratch) -> Value<'a> {
        let found = self.keys.find(value, scratch);
        let output = found.map_or(&self.default, |index| &self.values[index as usize]);
        match output {
            Output::Absent => Value::Absent,
            Output::Text(text) => Value::Text(text),
            Output::Int(number) => Value::Int(*number),
            Output::Ip(addr) => Value::Ip(addr.to_canonical()),
            Output::Replacement(replacement) => scratch.rewrite(value, |text, into| {
                let Lookup::Patterns(patterns) = &self.keys else {
                    return false;
                };
                let captures = patterns
                    .find(text)
                    .and_then(|(_, regex)| regex.captures(text));
                captures.is_some_and(|captures| {
                    replacement.write(&captures, into);
                    true
                })
            }),
        }
    }
}
