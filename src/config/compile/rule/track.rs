//! `track = { table = "…", key = "…" }`, and what changes a tracked entry.

use crate::config::compile::expression;
use crate::config::compile::name::table_name;
use crate::config::keys;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::plan::expr::{Argument, Expr, Fetch, Known, Type};
use crate::plan::{Element, LAST_COUNTER, SetTag, Track};

/// Compiles `track` of `rule`, which is the rule number `position` with it in its list, counted
/// from 0.
pub(in crate::config::compile) fn track(
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

/// Compiles `sc_inc_gpc` of `rule`.
pub(super) fn incremented(rule: &Section<'_>, report: &mut Report<'_>) -> Option<Element> {
    let section = rule.section("sc_inc_gpc", &keys::SC_INC_GPC, report)?;
    let mut element = Element {
        counter: 0,
        index: 0,
    };
    keys::SC_INC_GPC
        .whole()
        .read(&section, &mut element, report);
    needs_counter(&section, "sc_inc_gpc = { counter = 0 }", report)?;
    Some(element)
}

/// Compiles `sc_set_gpt` of `rule`.
pub(super) fn tagged(rule: &Section<'_>, known: Known, report: &mut Report<'_>) -> Option<SetTag> {
    let example = "sc_set_gpt = { counter = 0, value = 1 }";
    let section = rule.section("sc_set_gpt", &keys::SC_SET_GPT, report)?;
    let Some(setting) = section.setting("value") else {
        if section.lacks("value") {
            let help = format!("write `{example}`");
            report.error(section.span, "`sc_set_gpt` has no `value`", help);
        }
        return None;
    };
    let mut tag = SetTag {
        element: Element {
            counter: 0,
            index: 0,
        },
        value: tag_value(setting, known, report)?,
    };
    keys::SC_SET_GPT.whole().read(&section, &mut tag, report);
    needs_counter(&section, example, report)?;
    Some(tag)
}

fn tag_value(setting: Setting<'_>, known: Known, report: &mut Report<'_>) -> Option<Expr> {
    if setting.as_integer().is_some() {
        let number = setting.number(0, u32::MAX.into(), report)?;
        return Some(Expr {
            fetch: Fetch::Int,
            arguments: vec![Argument::Int(number)],
            converters: Vec::new(),
            at: report.position(setting.span()),
        });
    }
    let value = expression::expr(setting, known, report)?;
    if !value.yields().is_cast_to(Type::Int) {
        let message = format!("a tag is a number, and `{value}` yields none");
        report.error(setting.span(), message, "write another expression");
        return None;
    }
    Some(value)
}

/// Reports a missing `counter`: nothing says which entry is meant.
fn needs_counter(section: &Section<'_>, example: &str, report: &mut Report<'_>) -> Option<()> {
    if section.setting("counter").is_some() {
        return Some(());
    }
    if section.lacks("counter") {
        let message = format!(
            "`{}` has no `counter`",
            example.split(' ').next().unwrap_or("")
        );
        report.error(section.span, message, format!("write `{example}`"));
    }
    None
}
