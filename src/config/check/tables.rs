//! Tables: unknown names, data that a table does not keep, keys of another type, and tables that
//! nothing uses.

use std::collections::HashMap;

use crate::base::Name;
use crate::config::diagnostic::Diagnostic;
use crate::config::expression::noun;
use crate::config::keys::form_of;
use crate::config::report::Report;
use crate::config::suggest;
use crate::plan::expr::{Argument, Expr};
use crate::plan::{Action, ConnectionAction, Data, Plan, Reading, Table, TableReference, Track};

use super::expressions::each_expr;
use super::rules;

/// The tables of a plan by their names.
type Tables<'p> = HashMap<&'p Name, &'p Table>;

fn by_name(plan: &Plan) -> Tables<'_> {
    plan.tables
        .iter()
        .map(|table| (&table.name, table))
        .collect()
}

/// Reports names of tables that do not exist.
pub(super) fn refuse_unknown(plan: &Plan, report: &mut Report<'_>) {
    let tables = by_name(plan);
    let mut refuse = |reference: &TableReference| {
        let TableReference { name, at } = reference;
        if tables.contains_key(name) {
            return;
        }
        let names = || plan.tables.iter().map(|table| table.name.as_str());
        let shown = report.shown_at(at, name);
        let message = match plan.tables.is_empty() {
            true => format!("table `{shown}` is not defined; no table is"),
            false => format!(
                "table `{shown}` is not defined; defined are {}",
                suggest::list(names())
            ),
        };
        let help = match suggest::nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write a `[table.{shown}]` with its `key`, `size` and `store`"),
        };
        report.add(Diagnostic::at(at, message, help));
    };
    for track in tracks(plan) {
        refuse(&track.table);
    }
    each_expr(plan, &mut |expr| {
        table_arguments(expr).for_each(&mut refuse)
    });
}

/// Reports keys that a table cannot have, and data that it does not keep.
pub(super) fn refuse_misfits(plan: &Plan, report: &mut Report<'_>) {
    let tables = by_name(plan);
    for Track { table, key, .. } in tracks(plan) {
        if let Some(live) = tables.get(&table.name) {
            refuse_key(live, key, report);
        }
    }
    each_expr(plan, &mut |expr| {
        refuse_reading(&tables, expr, report);
        refuse_conversions(&tables, expr, report);
    });
}

fn refuse_key(table: &Table, key: &Expr, report: &mut Report<'_>) {
    let takes = table.key.takes();
    if !key.yields().is_cast_to(takes) {
        let message = format!(
            "a key of `[table.{}]` is {}, and `{key}` yields {}",
            table.name,
            noun(takes),
            noun(key.yields())
        );
        let help = "write another expression, or another `key` in the table";
        report.add(Diagnostic::at(&key.at, message, help));
    }
}

fn refuse_reading(tables: &Tables<'_>, expr: &Expr, report: &mut Report<'_>) {
    let Some(reading) = expr.fetch.reading() else {
        return;
    };
    let element = match expr.arguments.first() {
        Some(Argument::Int(index)) if expr.fetch.has_element() => *index,
        _ => 0,
    };
    for reference in table_arguments(expr) {
        if let Some(table) = tables.get(&reference.name) {
            refuse_data(table, reading, element, expr, report);
        }
    }
}

/// Reports converters that look up a key that their table cannot have, or data that it does not keep.
fn refuse_conversions(tables: &Tables<'_>, expr: &Expr, report: &mut Report<'_>) {
    let mut before = Expr {
        converters: Vec::new(),
        ..expr.clone()
    };
    for conversion in &expr.converters {
        let table = conversion
            .arguments
            .iter()
            .find_map(|argument| match argument {
                Argument::Table(table) => tables.get(&table.name),
                _ => None,
            });
        if let (Some(table), Some(reading)) = (table, conversion.converter.reading()) {
            refuse_key(table, &before, report);
            let element = match conversion.arguments.first() {
                Some(Argument::Int(index)) => *index,
                _ => 0,
            };
            refuse_data(table, reading, element, expr, report);
        }
        before.converters.push(conversion.clone());
    }
}

fn refuse_data(
    table: &Table,
    reading: Reading,
    element: i64,
    expr: &Expr,
    report: &mut Report<'_>,
) {
    let Some(data) = reading.data() else {
        return;
    };
    let element = usize::try_from(element).unwrap_or(usize::MAX);
    if table.has_element(data, element) {
        return;
    }
    let message = format!("`[table.{}]` does not keep what `{expr}` reads", table.name);
    report.add(Diagnostic::at(&expr.at, message, help_for(data)));
}

fn help_for(data: Data) -> String {
    format!("add \"{}\" to its `store`", form_of(data))
}

/// Warns of `sc_…` that are always absent.
pub(super) fn warn_of_untracked(plan: &Plan, report: &mut Report<'_>) {
    let tables = by_name(plan);
    let mut tracked: HashMap<u8, Vec<&Table>> = HashMap::new();
    for track in tracks(plan) {
        let of_counter = tracked.entry(track.counter).or_default();
        of_counter.extend(tables.get(&track.table.name).copied());
    }
    for rule in rules::all(plan).flatten() {
        let (counter, data) = match &rule.action {
            Action::ScIncGpc(element) => (element.counter, Data::Gpc),
            Action::ScSetGpt(tag) => (tag.element.counter, Data::Gpt),
            _ => continue,
        };
        let key = rule.action.key();
        let (message, help) = match tracked.get(&counter) {
            None => (
                format!("no rule tracks the counter {counter}, so `{key}` does nothing"),
                "write a rule before it: `track = { table = \"…\", key = \"src\" }`".to_owned(),
            ),
            Some(of_counter) if !of_counter.iter().any(|table| keeps_for_rules(table, data)) => (
                format!("no table of the counter {counter} keeps what `{key}` changes"),
                help_for(data),
            ),
            Some(_) => continue,
        };
        report.add(Diagnostic::warning_at(&rule.action_at, message, help));
    }
    each_expr(plan, &mut |expr| {
        let Some(reading) = expr.fetch.reading() else {
            return;
        };
        let counter = counter_of(expr);
        let Some(of_counter) = u8::try_from(counter).ok().and_then(|it| tracked.get(&it)) else {
            let message = format!("no rule tracks the counter {counter}, which `{expr}` reads");
            let help = "write a rule before it: `track = { table = \"…\", key = \"src\" }`";
            report.add(Diagnostic::warning_at(&expr.at, message, help));
            return;
        };
        let has_table = table_arguments(expr).next().is_some();
        if let Some(data) = reading.data()
            && !has_table
            && !of_counter.iter().any(|table| table.has(data))
        {
            let message = format!("no table of the counter {counter} keeps what `{expr}` reads");
            report.add(Diagnostic::warning_at(&expr.at, message, help_for(data)));
        }
    });
}

/// Whether `table` has counters (`gpc`) or tags (`gpt`) in any form.
fn keeps_for_rules(table: &Table, data: Data) -> bool {
    let all: &[Data] = match data {
        Data::Gpt => &[Data::Gpt, Data::Gpt0],
        _ => &[
            Data::Gpc,
            Data::Gpc0,
            Data::Gpc1,
            Data::GpcRate,
            Data::Gpc0Rate,
            Data::Gpc1Rate,
        ],
    };
    all.iter().any(|data| table.has(*data))
}

/// Warns of each table that no rule and no expression uses.
pub(super) fn warn_of_unused(plan: &Plan, report: &mut Report<'_>) {
    let mut used: Vec<Name> = tracks(plan).map(|track| track.table.name.clone()).collect();
    each_expr(plan, &mut |expr| {
        used.extend(table_arguments(expr).map(|table| table.name.clone()));
    });
    for table in &plan.tables {
        if !used.contains(&table.name) {
            let message = format!("nothing uses the table `{}`", table.name);
            let help = "write a rule with `track = { table = \"…\", key = \"src\" }`, or remove it";
            report.add(Diagnostic::warning_at(&table.at, message, help));
        }
    }
}

/// The number of the counter that `sc_…` reads.
fn counter_of(expr: &Expr) -> i64 {
    let index = usize::from(expr.fetch.has_element());
    match expr.arguments.get(index) {
        Some(Argument::Int(counter)) => *counter,
        _ => 0,
    }
}

fn tracks(plan: &Plan) -> impl Iterator<Item = &Track> {
    let of_connections = rules::of_connections(plan);
    let of_connections = of_connections.filter_map(|rule| match &rule.action {
        ConnectionAction::Track(track) => Some(&**track),
        _ => None,
    });
    let all = rules::all(plan).flatten();
    let of_exchanges = all.filter_map(|rule| match &rule.action {
        Action::Track(track) => Some(&**track),
        _ => None,
    });
    of_connections.chain(of_exchanges)
}

fn table_arguments(expr: &Expr) -> impl Iterator<Item = &TableReference> {
    let of_converters = expr.converters.iter().flat_map(|each| &each.arguments);
    let arguments = expr.arguments.iter().chain(of_converters);
    arguments.filter_map(|argument| match argument {
        Argument::Table(table) => Some(table),
        _ => None,
    })
}
