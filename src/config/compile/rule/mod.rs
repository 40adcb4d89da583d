//! `rule` of a frontend, a route or a backend: an action on an exchange, and its condition.

mod answer;
mod values;

use http::StatusCode;

use crate::config::compile::expression;
use crate::config::keys::{self, Word, Words};
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::plan::expr::Known;
use crate::plan::{Action, On, Rule};

use answer::{redirect, returned, status};
use values::{fields, names, path, variables};

/// Compiles the rules of `section`, where `known` is known of a request.
pub(super) fn rules(section: &Section<'_>, known: Known, report: &mut Report<'_>) -> Vec<Rule> {
    let Some(setting) = section.setting("rule") else {
        return Vec::new();
    };
    let title = match section.title.starts_with("[[") {
        true => "rule = [{ … }]".to_owned(),
        false => format!("[[{}.rule]]", section.title.trim_matches(['[', ']'])),
    };
    let items = setting.list().into_iter();
    let rules = items.filter_map(|item| rule(item, title.clone(), known, report));
    rules.collect()
}

/// Whether one of `rules` answers each request, so that no backend is needed.
pub(super) fn answers_all(rules: &[Rule]) -> bool {
    let answers = |action: &Action| {
        matches!(
            action,
            Action::Deny(_) | Action::Return(_) | Action::Redirect(_)
        )
    };
    let mut rules = rules.iter();
    rules.any(|rule| rule.on == On::Request && rule.when.is_none() && answers(&rule.action))
}

fn rule(
    item: Setting<'_>,
    title: String,
    of_requests: Known,
    report: &mut Report<'_>,
) -> Option<Rule> {
    let section = Section::open(&keys::RULE, title, item, report)?;
    let on = On::at(&section, "on", report).unwrap_or_default();
    let known = match on {
        On::Request => of_requests,
        On::Response | On::After => Known::Response,
    };
    let when = section
        .setting("when")
        .map(|setting| expression::condition(setting, known, report));
    let action = action(&section, on, known, report);
    Some(Rule {
        on,
        when: match when {
            Some(condition) => Some(condition?),
            None => None,
        },
        action: action?,
        at: report.position(section.span),
    })
}

/// The one action of a rule.
fn action(section: &Section<'_>, on: On, known: Known, report: &mut Report<'_>) -> Option<Action> {
    let actions = keys::actions();
    let mut written = actions.iter().filter_map(|key| section.setting(key));
    let Some(setting) = written.next() else {
        if !section.has_unknown() {
            report.error(
                section.span,
                "this rule does nothing",
                format!("write one of `{}`", actions.join("`, `")),
            );
        }
        return None;
    };
    if let Some(second) = written.next() {
        report.error(
            second.span(),
            format!(
                "a rule has one action, and this one has `{}` and `{}`",
                setting.key, second.key
            ),
            "write two rules: they run in the order of the file",
        );
        return None;
    }
    check_part(setting, on, report)?;
    match setting.key {
        "deny" => status(setting, 400..=599, StatusCode::FORBIDDEN, report).map(Action::Deny),
        "return" => returned(section, known, report)
            .map(Box::new)
            .map(Action::Return),
        "redirect" => redirect(section, known, report)
            .map(Box::new)
            .map(Action::Redirect),
        "set_header" => fields(setting, on, known, report).map(Action::SetHeader),
        "add_header" => fields(setting, on, known, report).map(Action::AddHeader),
        "del_header" => names(setting, on, report).map(Action::DelHeader),
        "set_path" => path(setting, known, report).map(Action::SetPath),
        "set_var" => variables(setting, known, report).map(Action::SetVar),
        _ => setting.positive_duration(report).map(Action::Pause),
    }
}

/// Whether the action can run in this part of an exchange.
fn check_part(setting: Setting<'_>, on: On, report: &mut Report<'_>) -> Option<()> {
    let parts: &[On] = match setting.key {
        "set_path" | "pause" | "redirect" => &[On::Request],
        "deny" | "return" => &[On::Request, On::Response],
        _ => return Some(()),
    };
    if parts.contains(&on) {
        return Some(());
    }
    let parts: Vec<String> = parts
        .iter()
        .map(|on| format!("`on = {:?}`", on.word()))
        .collect();
    report.error(
        setting.span(),
        format!("`{}` cannot run with `on = {:?}`", setting.key, on.word()),
        format!("it runs with {}", parts.join(" or ")),
    );
    None
}
