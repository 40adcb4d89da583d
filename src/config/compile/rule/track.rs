//! `track = { table = "…", key = "…" }`.

use crate::config::compile::expression;
use crate::config::compile::name::table_name;
use crate::config::keys;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::plan::expr::Known;
use crate::plan::{LAST_COUNTER, Track};

/// Compiles `track` of `rule`, which is the rule number `position` with it in its list, counted
/// from 0.
pub(super) fn track(
    rule: &Section<'_>,
    position: usize,
    known: Known,
    report: &mut Report<'_>,
) -> Option<Track> {
    let section = rule.section("track", &keys::TRACK, report)?;
    let example = "write `track = { table = \"clients\", key = \"src\" }`";
    for key in ["table", "key"] {
        if section.lacks(key) {
            let message = format!("`track` has no `{key}`");
            report.error(section.span, message, example);
        }
    }
    let table = section
        .setting("table")
        .and_then(|setting| table_name(setting, report));
    let key = section
        .setting("key")
        .and_then(|setting| expression::expr(setting, known, report));
    let counter = match section.setting("counter") {
        Some(setting) => setting.number(0, LAST_COUNTER.into(), report)?,
        None => position as i64,
    };
    let counter = u8::try_from(counter).unwrap_or(u8::MAX);
    if counter > LAST_COUNTER {
        let message = format!("this is the rule number {} with `track`", position + 1);
        let help = format!(
            "an exchange has the counters 0 to {LAST_COUNTER}: write which one, as in `counter = 0`"
        );
        report.error(section.span, message, help);
        return None;
    }
    Some(Track {
        table: table?,
        key: key?,
        counter,
    })
}
