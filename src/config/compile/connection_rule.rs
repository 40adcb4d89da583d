//! `connection_rule` of a frontend.

use crate::config::compile::{expression, rule};
use crate::config::keys;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::plan::expr::{Expr, Known, Type};
use crate::plan::{ConnectionAction, ConnectionRule};

/// Compiles the rules for connections of the frontend `section`.
pub(super) fn rules(section: &Section<'_>, report: &mut Report<'_>) -> Vec<ConnectionRule> {
    let Some(setting) = section.setting("connection_rule") else {
        return Vec::new();
    };
    let title = format!(
        "[[{}.connection_rule]]",
        section.title.trim_matches(['[', ']'])
    );
    let mut tracks = 0;
    let items = setting.list().into_iter();
    let rules = items.filter_map(|item| connection_rule(item, &title, &mut tracks, report));
    rules.collect()
}

/// Compiles one rule. `tracks` counts those with `track` in the list.
fn connection_rule(
    item: Setting<'_>,
    title: &str,
    tracks: &mut usize,
    report: &mut Report<'_>,
) -> Option<ConnectionRule> {
    let section = Section::open(&keys::CONNECTION_RULE, title.to_owned(), item, report)?;
    let when = section
        .setting("when")
        .map(|setting| expression::condition(setting, Known::Accept, report));
    let setting = only_action(&section, report);
    let action = setting.and_then(|setting| action(&section, setting, *tracks, report));
    *tracks += usize::from(section.setting("track").is_some());
    Some(ConnectionRule {
        when: match when {
            Some(condition) => Some(condition?),
            None => None,
        },
        action: action?,
        at: report.position(section.span),
        action_at: report.position(setting?.span()),
    })
}

/// The one action of a rule.
fn only_action<'a>(section: &Section<'a>, report: &mut Report<'_>) -> Option<Setting<'a>> {
    let actions = keys::connection_actions();
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
    Some(setting)
}

fn action(
    section: &Section<'_>,
    setting: Setting<'_>,
    tracks: usize,
    report: &mut Report<'_>,
) -> Option<ConnectionAction> {
    match setting.key {
        "accept" => switched(setting, ConnectionAction::Accept, report),
        "reject" => switched(setting, ConnectionAction::Reject, report),
        "silent_drop" => switched(setting, ConnectionAction::SilentDrop, report),
        "expect_proxy" => switched(setting, ConnectionAction::ExpectProxy, report),
        "set_src" => address(setting, report).map(ConnectionAction::SetSrc),
        _ => rule::track(section, tracks, Known::Accept, report)
            .map(Box::new)
            .map(ConnectionAction::Track),
    }
}

/// `action` if `setting` is true.
fn switched(
    setting: Setting<'_>,
    action: ConnectionAction,
    report: &mut Report<'_>,
) -> Option<ConnectionAction> {
    if setting.boolean(report)? {
        return Some(action);
    }
    let message = format!("`{} = false` does nothing", setting.key);
    report.error(setting.span(), message, "leave the rule out");
    None
}

/// An expression that can yield an address.
fn address(setting: Setting<'_>, report: &mut Report<'_>) -> Option<Expr> {
    let value = expression::expr(setting, Known::Accept, report)?;
    if !value.yields().is_cast_to(Type::Ip) {
        let message = format!(
            "`{}` needs an address, and `{value}` yields none",
            setting.key
        );
        report.error(setting.span(), message, "write another expression");
        return None;
    }
    Some(value)
}
