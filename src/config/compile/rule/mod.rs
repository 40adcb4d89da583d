//! `rule` of a frontend, a route or a backend: what is done to an exchange, and when.

mod answer;
mod own_fields;
mod values;

use http::{HeaderName, StatusCode};

use crate::config::check;
use crate::config::compile::expression;
use crate::config::diagnostic::Diagnostic;
use crate::config::keys::{self, Word, Words};
use crate::config::raw::{Entry, Kind};
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::config::source::Span;
use crate::plan::expr::Known;
use crate::plan::{Action, On, Rule};

use answer::{redirect, returned, status};
use values::{fields, names, path, variables};

pub(super) use own_fields::OwnFields;

/// Fields that rules write, and where.
type Writes = Vec<(HeaderName, Span)>;

/// The rules of `section`, where `known` is known of a request, and the fields of requests that they write.
pub(super) fn rules(
    section: &Section<'_>,
    known: Known,
    report: &mut Report<'_>,
) -> (Vec<Rule>, Writes) {
    let (mut rules, mut writes) = (Vec::new(), Vec::new());
    let Some(setting) = section.setting("rule") else {
        return (rules, writes);
    };
    let title = match section.title.starts_with("[[") {
        true => "rule = [{ … }]".to_owned(),
        false => format!("[[{}.rule]]", section.title.trim_matches(['[', ']'])),
    };
    let errors_before = report.errors();
    let items = setting.list();
    for item in &items {
        rules.extend(rule(*item, title.clone(), known, &mut writes, report));
    }
    // Where a rule has a mistake, it is not among them.
    if report.errors() == errors_before {
        for (idle, answers) in check::never_run(&rules) {
            let message = "this rule never runs";
            let related = "this one has no `when`, and answers all that come to it";
            report.add(
                Diagnostic::warning(items[idle].span(), message)
                    .related(items[answers].span(), related)
                    .help("rules run in the order of the file: put it before, or leave it out"),
            );
        }
    }
    (rules, writes)
}

/// Whether one of `rules` answers each request, so that none needs a backend.
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
    writes: &mut Writes,
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
    if on == On::Request {
        writes.extend(
            ["set_header", "add_header"]
                .iter()
                .flat_map(|key| written(&section, key)),
        );
    }
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

/// The fields in the table `key`.
fn written(section: &Section<'_>, key: &'static str) -> Writes {
    let Some(Kind::Table(table)) = section.setting(key).map(|setting| &setting.value.kind) else {
        return Vec::new();
    };
    let name = |entry: &Entry| {
        let name = HeaderName::from_bytes(entry.key.as_bytes()).ok()?;
        Some((name, entry.key_span))
    };
    table.entries.iter().filter_map(name).collect()
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
