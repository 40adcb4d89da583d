//! The values of rules: fields with templates, names of fields, a path, variables.

use http::{HeaderName, header};

use crate::config::compile::expression;
use crate::config::raw::Entry;
use crate::config::report::Report;
use crate::config::setting::Setting;
use crate::plan::expr::{Expr, Known, Piece, Template, Variable};

/// Fields that belong to the connection or to the framing, which are not for rules to write.
const RESERVED: [HeaderName; 5] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::TE,
];

/// A table of fields with a template each. By name: their order means nothing.
pub(super) fn fields(
    setting: Setting<'_>,
    known: Known,
    report: &mut Report<'_>,
) -> Option<Vec<(HeaderName, Template)>> {
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
        let name = field_name(&entry.key, entry, report);
        let value = Setting {
            key: &entry.key,
            value: &entry.value,
        };
        match (name, expression::template(value, known, report)) {
            (Some(name), Some(template)) => fields.push((name, template)),
            _ => is_right = false,
        }
    }
    sort_by_name(&mut fields);
    for pair in fields.windows(2) {
        if pair[0].0 == pair[1].0 {
            report.error(
                setting.span(),
                format!("`{}` has the field `{}` twice", setting.key, pair[0].0),
                "upper and lower case are the same in field names; keep one of them",
            );
            is_right = false;
        }
    }
    is_right.then_some(fields)
}

pub(super) fn sort_by_name(fields: &mut [(HeaderName, Template)]) {
    fields.sort_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
}

fn field_name(text: &str, entry: &Entry, report: &mut Report<'_>) -> Option<HeaderName> {
    let Ok(name) = HeaderName::from_bytes(text.as_bytes()) else {
        report.error(
            entry.key_span,
            format!("`{text}` is not a valid field name"),
            "field names have letters, digits and `-`",
        );
        return None;
    };
    if RESERVED.contains(&name) {
        report.error(
            entry.key_span,
            format!("`{name}` belongs to the connection, and Evenkeel writes it"),
            "leave it out",
        );
        return None;
    }
    Some(name)
}

pub(super) fn names(setting: Setting<'_>, report: &mut Report<'_>) -> Option<Vec<HeaderName>> {
    let mut names = Vec::new();
    let mut is_right = true;
    for item in setting.list() {
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
        match name {
            Some(name) if RESERVED.contains(&name) => {
                report.error(
                    item.span(),
                    format!("`{name}` belongs to the connection, and Evenkeel writes it"),
                    "leave it out",
                );
                is_right = false;
            }
            Some(name) => names.push(name),
            None => is_right = false,
        }
    }
    if names.is_empty() && is_right {
        report.error(
            setting.span(),
            "`del_header` has no field",
            "write `del_header = \"server\"`",
        );
        is_right = false;
    }
    names.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    names.dedup();
    is_right.then_some(names)
}

pub(super) fn path(
    setting: Setting<'_>,
    known: Known,
    report: &mut Report<'_>,
) -> Option<Template> {
    let template = expression::template(setting, known, report)?;
    if let Some(Piece::Text(text)) = template.pieces.first()
        && !text.starts_with('/')
    {
        report.error(
            setting.span(),
            "a path begins with `/`",
            format!("write `set_path = \"/{template}\"`"),
        );
        return None;
    }
    Some(template)
}

pub(super) fn variables(
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
