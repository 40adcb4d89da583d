//! `cookie_attributes`: what is added to the cookies of an answer.

use crate::config::keys::{self, Words};
use crate::config::report::Report;
use crate::config::section::Section;
use crate::plan::{CookieAttributes, SameSite};

pub(super) fn cookie_attributes(
    rule: &Section<'_>,
    report: &mut Report<'_>,
) -> Option<CookieAttributes> {
    let section = rule.section("cookie_attributes", &keys::COOKIE_ATTRIBUTES, report)?;
    let mut attributes = CookieAttributes::default();
    keys::COOKIE_ATTRIBUTES
        .whole()
        .read(&section, &mut attributes, report);
    if let Some(setting) = section.setting("same_site") {
        attributes.same_site = Some(SameSite::of(setting, report)?);
    }
    if let Some(setting) = section.setting("names") {
        for item in setting.list() {
            attributes.names.push(item.text(report)?.value.clone());
        }
    }
    let is_idle = !attributes.secure && !attributes.http_only && attributes.same_site.is_none();
    if is_idle && !section.has_unknown() {
        report.error(
            section.span,
            "`cookie_attributes` changes nothing",
            "write `cookie_attributes = { secure = true, http_only = true, same_site = \"lax\" }`",
        );
        return None;
    }
    Some(attributes)
}
