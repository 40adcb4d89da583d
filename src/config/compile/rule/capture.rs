//! `capture = { value = "…", len = 64 }`.

use crate::config::compile::expression;
use crate::config::keys;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::plan::expr::Known;
use crate::plan::{Action, Capture, LAST_CAPTURE, On, Rule, USUAL_CAPTURED_BYTES};

/// Compiles `capture` of `rule`, which is the rule number `position` with it in its list and its part,
/// counted from 0.
pub(in crate::config::compile) fn capture(
    rule: &Section<'_>,
    position: usize,
    known: Known,
    report: &mut Report<'_>,
) -> Option<Capture> {
    let section = rule.section("capture", &keys::CAPTURE_TABLE, report)?;
    let Some(value) = section.setting("value") else {
        if section.lacks("value") {
            let help = "write `capture = { value = \"req.hdr(host)\", len = 64 }`";
            report.error(section.span, "`capture` has no `value`", help);
        }
        return None;
    };
    let id = u8::try_from(position).unwrap_or(u8::MAX);
    if id > LAST_CAPTURE && section.setting("id").is_none() {
        let message = format!("this is the rule number {} with `capture`", position + 1);
        let help =
            format!("there are the places 0 to {LAST_CAPTURE}: write which one, as in `id = 0`");
        report.error(section.span, message, help);
        return None;
    }
    let mut capture = Capture {
        value: expression::expr(value, known, report)?,
        len: USUAL_CAPTURED_BYTES,
        id,
        places: 0,
    };
    keys::CAPTURE_TABLE
        .whole()
        .read(&section, &mut capture, report);
    Some(capture)
}

/// Notes how many places `rules` use: a line has all of them, as in HAProxy.
pub(super) fn count_places(rules: &mut [Rule]) {
    for part in [On::Request, On::Response] {
        let of_part = |rule: &&mut Rule| rule.on == part;
        let captures = rules.iter_mut().filter(of_part);
        let mut captures: Vec<&mut Capture> = captures.filter_map(capture_of).collect();
        let places = captures.iter().map(|capture| capture.id + 1).max();
        for capture in &mut captures {
            capture.places = places.unwrap_or_default();
        }
    }
}

fn capture_of(rule: &mut Rule) -> Option<&mut Capture> {
    match &mut rule.action {
        Action::Capture(capture) => Some(capture),
        _ => None,
    }
}
