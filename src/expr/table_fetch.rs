//! The fetches that read tables.

use crate::plan::Reading;
use crate::plan::expr::{Argument, Fetch};

use super::facts::Facts;
use super::scratch::Value;

/// The value of `sc_…`.
pub(super) fn tracked<'a>(
    reading: Reading,
    fetch: Fetch,
    arguments: &[Argument],
    facts: &Facts<'a>,
) -> Value<'a> {
    let mut arguments = arguments;
    let mut element = 0;
    if fetch.has_element() {
        element = number(arguments.first());
        arguments = arguments.get(1..).unwrap_or_default();
    }
    let counter = number(arguments.first());
    let table = match arguments.get(1) {
        Some(Argument::Table(table)) => Some(&table.name),
        _ => None,
    };
    let found = facts
        .tracked
        .and_then(|tracked| tracked.read(counter as u8, table, reading, element));
    match (reading, found) {
        // HAProxy: false where nothing is tracked.
        (Reading::Exists, found) => Value::Bool(found.is_some_and(|found| found > 0)),
        (_, found) => value(found),
    }
}

/// The value of `table_cnt` and `table_avl`.
pub(super) fn used<'a>(fetch: Fetch, arguments: &[Argument], facts: &Facts<'a>) -> Value<'a> {
    let (Some(tables), Some(Argument::Table(table))) = (facts.connection.tables, arguments.first())
    else {
        return Value::Absent;
    };
    let used = tables.used(&table.name);
    value(used.map(|(used, available)| match fetch {
        Fetch::TableCnt => used,
        _ => available,
    }))
}

fn value<'a>(found: Option<u64>) -> Value<'a> {
    found.map_or(Value::Absent, |found| {
        Value::Int(i64::try_from(found).unwrap_or(i64::MAX))
    })
}

fn number(argument: Option<&Argument>) -> usize {
    match argument {
        Some(Argument::Int(number)) => usize::try_from(*number).unwrap_or(usize::MAX),
        _ => 0,
    }
}
