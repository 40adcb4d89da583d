//! Rules that replace by regular expression, and patterns of names.

use http::HeaderName;

use crate::config::compile::expression;
use crate::config::keys;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::plan::expr::{Known, Pattern};
use crate::plan::{FieldName, NamePart, Replace, ReplaceField};

/// `replace_path = { … }` and the like.
pub(super) fn replace(
    rule: &Section<'_>,
    key: &'static str,
    known: Known,
    report: &mut Report<'_>,
) -> Option<Replace> {
    let section = rule.section(key, &keys::REPLACE, report)?;
    replacement(&section, key, known, report)
}

/// `replace_header = { … }` and `replace_value = { … }`.
pub(super) fn replace_field(
    rule: &Section<'_>,
    key: &'static str,
    known: Known,
    report: &mut Report<'_>,
) -> Option<ReplaceField> {
    let section = rule.section(key, &keys::REPLACE_FIELD, report)?;
    let field = match section.setting("name") {
        Some(setting) => field_name(setting, report),
        None => {
            missing(&section, key, "name", report);
            None
        }
    };
    let replace = replacement(&section, key, known, report);
    Some(ReplaceField {
        field: field?,
        replace: replace?,
    })
}

fn replacement(
    section: &Section<'_>,
    key: &str,
    known: Known,
    report: &mut Report<'_>,
) -> Option<Replace> {
    let found = section
        .setting("match")
        .map(|setting| pattern(setting, report));
    let with = section
        .setting("with")
        .map(|setting| expression::template(setting, known, report));
    for (word, is_written) in [("match", found.is_some()), ("with", with.is_some())] {
        if !is_written {
            missing(section, key, word, report);
        }
    }
    Some(Replace {
        pattern: found??,
        with: with??,
    })
}

fn missing(section: &Section<'_>, key: &str, word: &'static str, report: &mut Report<'_>) {
    if section.lacks(word) {
        let name = match key {
            "replace_header" | "replace_value" => "name = \"x-name\", ",
            _ => "",
        };
        report.error(
            section.span,
            format!("`{key}` has no `{word}`"),
            format!("write `{key} = {{ {name}match = \"^/old/(.*)\", with = \"/new/\\\\1\" }}`"),
        );
    }
}

/// A regular expression.
pub(super) fn pattern(setting: Setting<'_>, report: &mut Report<'_>) -> Option<Pattern> {
    let text = setting.text(report)?;
    Pattern::new(&text.value)
        .map_err(|why| {
            let help = "see https://docs.rs/regex/latest/regex/#syntax";
            report.error(setting.span(), why, help);
        })
        .ok()
}

fn field_name(setting: Setting<'_>, report: &mut Report<'_>) -> Option<FieldName> {
    let text = setting.text(report)?;
    let Ok(name) = HeaderName::from_bytes(text.value.as_bytes()) else {
        report.error(
            setting.span(),
            format!("{} is not a valid field name", text.quoted()),
            "field names have letters, digits and `-`",
        );
        return None;
    };
    let at = report.position(setting.span());
    Some(FieldName { name, at })
}

/// `{ starts_with = "x-" }` in `del_header`.
pub(super) fn name_part(item: Setting<'_>, report: &mut Report<'_>) -> Option<NamePart> {
    let title = "del_header = { … }".to_owned();
    let section = Section::open(&keys::NAME_PART, title, item, report)?;
    let kinds = ["starts_with", "ends_with", "contains", "matches"];
    let mut written = kinds.iter().filter_map(|key| section.setting(key));
    let usage = "write `del_header = { starts_with = \"x-internal-\" }`, with `ends_with`, `contains` or `matches` likewise";
    let Some(setting) = written.next() else {
        if !section.has_unknown() {
            report.error(section.span, "`del_header` names no field", usage);
        }
        return None;
    };
    if let Some(second) = written.next() {
        let message = format!("`{}` and `{}` exclude each other", setting.key, second.key);
        report.error(second.span(), message, "write two elements of the list");
        return None;
    }
    if setting.key == "matches" {
        return pattern(setting, report).map(NamePart::Matches);
    }
    let text = setting.text(report)?;
    if text.value.is_empty() {
        let message = format!("`{}` is empty, so it would remove all fields", setting.key);
        report.error(setting.span(), message, usage);
        return None;
    }
    let part = text.value.to_ascii_lowercase();
    Some(match setting.key {
        "starts_with" => NamePart::StartsWith(part),
        "ends_with" => NamePart::EndsWith(part),
        _ => NamePart::Contains(part),
    })
}
