//! The values of rules: fields with templates, names of fields, a path, variables.

use http::HeaderName;

use crate::config::compile::expression;
use crate::config::raw::{Entry, Kind};
use crate::config::report::Report;
use crate::config::setting::Setting;
use crate::plan::expr::{Expr, Known, Variable};
use crate::plan::{DelHeader, Field, FieldName};

use super::replace::name_part;

/// A table of fields with a template each. By name: their order means nothing.
pub(in crate::config::compile) fn fields(
    setting: Setting<'_>,
    known: Known,
    report: &mut Report<'_>,
) -> Option<Vec<Field>> {
    let table = setting.table(report)?;
    let mut fields = Vec::new();
    let mut is_right = !table.entries.is_empty();
    if table.entries.is_empty() {
        let example = format!("write `{} = {{ x-name = \"value\" }}`", setting.key);
        report.error(
            setting.span(),
            format!("`{}` has no field", setting.key),
            example,
        );
    }
    for entry in &table.entries {
        let name = field_name(entry, report);
        let value = Setting {
            key: &entry.key,
            value: &entry.value,
        };
        match (name, expression::template(value, known, report)) {
            (Some(name), Some(value)) => fields.push(Field {
                name,
                value,
                at: report.position(entry.key_span),
            }),
            _ => is_right = false,
        }
    }
    sort_by_name(&mut fields);
    for pair in fields.windows(2) {
        if pair[0].name == pair[1].name {
            report.error(
                setting.span(),
                format!("`{}` has the field `{}` twice", setting.key, pair[0].name),
                "upper and lower case are the same in field names; keep one of them",
            );
            is_right = false;
        }
    }
    is_right.then_some(fields)
}

pub(in crate::config::compile) fn sort_by_name(fields: &mut [Field]) {
    fields.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
}

/// The name of the field in `entry`.
fn field_name(entry: &Entry, report: &mut Report<'_>) -> Option<HeaderName> {
    let text = &entry.key;
    let Ok(name) = HeaderName::from_bytes(text.as_bytes()) else {
        report.error(
            entry.key_span,
            format!("`{text}` is not a valid field name"),
            "field names have letters, digits and `-`",
        );
        return None;
    };
    Some(name)
}

pub(super) fn removed(setting: Setting<'_>, report: &mut Report<'_>) -> Option<DelHeader> {
    let mut removed = DelHeader::default();
    let mut is_right = true;
    for item in setting.list() {
        if let Kind::Table(_) = &item.value.kind {
            match name_part(item, report) {
                Some(part) => removed.parts.push(part),
                None => is_right = false,
            }
            continue;
        }
        let name = item.text(report).and_then(|text| {
            let name = HeaderName::from_bytes(text.value.as_bytes());
            if name.is_err() {
                report.error(
                    item.span(),
                    format!(
                        "`del_header = {:?}` is not a valid field name",
                        text.shown()
                    ),
                    "field names have letters, digits and `-`",
                );
            }
            name.ok()
        });
        let Some(name) = name else {
            is_right = false;
            continue;
        };
        let at = report.position(item.span());
        removed.names.push(FieldName { name, at });
    }
    let names = &mut removed.names;
    if names.is_empty() && removed.parts.is_empty() && is_right {
        report.error(
            setting.span(),
            "`del_header` has no field",
            "write `del_header = \"server\"`",
        );
        is_right = false;
    }
    names.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
    names.dedup_by(|one, other| one.name == other.name);
    is_right.then_some(removed)
}

/// A list of names of variables.
pub(in crate::config::compile) fn variable_names(
    setting: Setting<'_>,
    known: Known,
    report: &mut Report<'_>,
) -> Option<Vec<Variable>> {
    let items = setting.list();
    if items.is_empty() {
        let example = "write `unset_var = [\"txn.name\"]`";
        report.error(setting.span(), "`unset_var` has no variable", example);
        return None;
    }
    let read = items.into_iter().map(|item| {
        let text = item.text(report)?;
        expression::variable_in(&text.value, item.span(), known, report)
    });
    // All mistakes are reported.
    let read: Vec<Option<Variable>> = read.collect();
    read.into_iter().collect()
}

pub(in crate::config::compile) fn variables(
    setting: Setting<'_>,
    known: Known,
    report: &mut Report<'_>,
) -> Option<Vec<(Variable, Expr)>> {
    let table = setting.table(report)?;
    let mut variables = Vec::new();
    let mut is_right = !table.entries.is_empty();
    if table.entries.is_empty() {
        let example = "write `set_var = { \"txn.name\" = \"src\" }`";
        report.error(setting.span(), "`set_var` has no variable", example);
    }
    for entry in &table.entries {
        if let Kind::Table(_) = &entry.value.kind {
            let message = format!(
                "the name of the variable `{}.…` is not in quotes",
                entry.key
            );
            let help = format!("write `set_var = {{ \"{}.name\" = \"src\" }}`", entry.key);
            report.error(entry.key_span, message, help);
            is_right = false;
            continue;
        }
        let variable = expression::variable(entry, known, report);
        let value = Setting {
            key: &entry.key,
            value: &entry.value,
        };
        match (variable, expression::expr(value, known, report)) {
            (Some(variable), Some(expr)) => variables.push((variable, expr)),
            _ => is_right = false,
        }
    }
    is_right.then_some(variables)
}
