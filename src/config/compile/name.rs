//! Names: of frontends, backends, servers and routes, and the names of backends where another table has them.

use crate::base::{Name, Position};
use crate::config::raw::Text;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::config::source::Span;
use crate::plan::{BackendReference, TableReference};

/// `text` as a name; an invalid one is reported.
pub(super) fn name_of(
    text: &Text,
    what: &str,
    span: Span,
    report: &mut Report<'_>,
) -> Option<Name> {
    match Name::new(&text.value) {
        Ok(name) => Some(name),
        Err(error) => {
            report.error(
                span,
                format!("{:?} cannot be the name of a {what}", text.shown()),
                error.to_string(),
            );
            None
        }
    }
}

/// A table's key as a name; an invalid one is reported.
pub(super) fn name_of_key(
    key: &str,
    what: &str,
    span: Span,
    report: &mut Report<'_>,
) -> Option<Name> {
    match Name::new(key) {
        Ok(name) => Some(name),
        Err(error) => {
            report.error(
                span,
                format!("{key:?} cannot be the name of a {what}"),
                error.to_string(),
            );
            None
        }
    }
}

/// The backend that `setting` names.
pub(super) fn backend_name(
    setting: Setting<'_>,
    report: &mut Report<'_>,
) -> Option<BackendReference> {
    let text = setting.text(report)?;
    let name = name_of(text, "backend", setting.span(), report)?;
    let at = report.position(setting.span());
    Some(BackendReference { name, at })
}

/// The table that `setting` names.
pub(super) fn table_name(setting: Setting<'_>, report: &mut Report<'_>) -> Option<TableReference> {
    let text = setting.text(report)?;
    let name = name_of(text, "table", setting.span(), report)?;
    let at = report.position(setting.span());
    Some(TableReference { name, at })
}

/// The name of a route, and its position: that of `name`, or of its number.
pub(super) fn route_name(
    section: &Section<'_>,
    number: usize,
    report: &mut Report<'_>,
) -> Option<(Name, Position)> {
    let Some(setting) = section.setting("name") else {
        let name = Name::new(&number.to_string()).ok()?;
        return Some((name, report.position(section.span)));
    };
    let text = setting.text(report)?;
    let name = name_of(text, "route", setting.span(), report)?;
    Some((name, report.position(setting.span())))
}
