//! `stats = { path = "…" }`.

use crate::config::keys;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::plan::{Stats, StatsFormat};

/// Compiles `stats` of `rule`.
pub(super) fn stats(rule: &Section<'_>, report: &mut Report<'_>) -> Option<Stats> {
    let section = rule.section("stats", &keys::STATS_TABLE, report)?;
    let Some(path) = section.setting("path") else {
        if section.lacks("path") {
            let help = "write `stats = { path = \"/stats\" }`";
            report.error(section.span, "`stats` has no `path`", help);
        }
        return None;
    };
    let text = path.text(report)?;
    if !text.value.starts_with('/') {
        let help = "write the beginning of a path, such as \"/stats\"";
        report.error(path.span(), "a path begins with `/`", help);
        return None;
    }
    let mut scope = Vec::new();
    if let Some(setting) = section.setting("scope") {
        for item in setting.list() {
            scope.push(item.text(report)?.value.clone());
        }
    }
    let title = match section.setting("title") {
        Some(setting) => Some(setting.text(report)?.value.clone()),
        None => None,
    };
    let mut stats = Stats {
        path: text.value.clone(),
        format: StatsFormat::Page,
        refresh: None,
        hide_version: false,
        title,
        scope,
    };
    keys::STATS_TABLE.whole().read(&section, &mut stats, report);
    Some(stats)
}
