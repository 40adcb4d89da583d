//! `connection_rule` and `content_rule` of a frontend.

use crate::config::compile::name::backend_name;
use crate::config::compile::{expression, rule};
use crate::config::keys::{self, Keys};
use crate::config::raw;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::plan::expr::{Expr, Known, Type};
use crate::plan::{ConnectionAction, ConnectionRule, Mode};

/// Rules of one kind.
struct Kind {
    /// Their list in the frontend.
    key: &'static str,
    keys: &'static Keys<ConnectionRule>,
    known: Known,
}

/// How many rules of a kind were read before in the same list.
#[derive(Clone, Copy, Default)]
struct Before {
    tracks: usize,
    captures: usize,
}

/// Compiles the rules for connections of the frontend `section`.
pub(super) fn rules(section: &Section<'_>, report: &mut Report<'_>) -> Vec<ConnectionRule> {
    let kind = Kind {
        key: "connection_rule",
        keys: &keys::CONNECTION_RULE,
        known: Known::Accept,
    };
    rules_of(&kind, section, report)
}

/// Compiles the rules for content of the frontend `section`, which has this mode.
pub(super) fn content_rules(
    section: &Section<'_>,
    mode: Mode,
    report: &mut Report<'_>,
) -> Vec<ConnectionRule> {
    let kind = Kind {
        key: "content_rule",
        keys: &keys::CONTENT_RULE,
        known: known_of_content(section, mode),
    };
    let mut rules = rules_of(&kind, section, report);
    let captures = || {
        rules.iter().filter_map(|rule| match &rule.action {
            ConnectionAction::Capture(capture) => Some(capture.id + 1),
            _ => None,
        })
    };
    // A line has the places of all, as in HAProxy.
    let used = captures().max().unwrap_or_default();
    for rule in &mut rules {
        if let ConnectionAction::Capture(capture) = &mut rule.action {
            capture.places = used;
        }
    }
    rules
}

/// What is known of the first bytes of a connection to the frontend `section`.
pub(super) fn known_of_content(section: &Section<'_>, mode: Mode) -> Known {
    let has_own_tls = |item: &Setting<'_>| match &item.value.kind {
        raw::Kind::Table(table) => table.entry("tls").is_some(),
        _ => false,
    };
    let listen = section.setting("listen");
    let mut items = listen.into_iter().flat_map(|listen| listen.list());
    match mode {
        Mode::Tcp if section.setting("tls").is_none() && !items.any(|item| has_own_tls(&item)) => {
            Known::Content
        }
        Mode::Tcp | Mode::Http => Known::Decrypted,
    }
}

fn rules_of(kind: &Kind, section: &Section<'_>, report: &mut Report<'_>) -> Vec<ConnectionRule> {
    let Some(setting) = section.setting(kind.key) else {
        return Vec::new();
    };
    let title = section.title.trim_matches(['[', ']']);
    let title = format!("[[{title}.{}]]", kind.key);
    let mut before = Before::default();
    let items = setting.list().into_iter();
    let rules = items.filter_map(|item| connection_rule(kind, item, &title, &mut before, report));
    rules.collect()
}

/// Compiles one rule.
fn connection_rule(
    kind: &Kind,
    item: Setting<'_>,
    title: &str,
    before: &mut Before,
    report: &mut Report<'_>,
) -> Option<ConnectionRule> {
    let section = Section::open(kind.keys, title.to_owned(), item, report)?;
    let when = section
        .setting("when")
        .map(|setting| expression::condition(setting, kind.known, report));
    let setting = only_action(kind, &section, report);
    let action = setting.and_then(|setting| action(kind, &section, setting, *before, report));
    before.tracks += usize::from(section.setting("track").is_some());
    before.captures += usize::from(section.setting("capture").is_some());
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
fn only_action<'a>(
    kind: &Kind,
    section: &Section<'a>,
    report: &mut Report<'_>,
) -> Option<Setting<'a>> {
    let actions = keys::connection_actions(kind.keys);
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
    kind: &Kind,
    section: &Section<'_>,
    setting: Setting<'_>,
    before: Before,
    report: &mut Report<'_>,
) -> Option<ConnectionAction> {
    let known = kind.known;
    if known == Known::Decrypted && matches!(setting.key, "capture" | "use_backend") {
        let message = format!(
            "`{}` of a rule for content needs `mode = \"tcp\"`",
            setting.key
        );
        let help = "write it in a `[[frontend.NAME.rule]]`, for each request";
        report.error(setting.span(), message, help);
        return None;
    }
    match setting.key {
        "accept" => switched(setting, ConnectionAction::Accept, report),
        "reject" => switched(setting, ConnectionAction::Reject, report),
        "silent_drop" => switched(setting, ConnectionAction::SilentDrop, report),
        "expect_proxy" => switched(setting, ConnectionAction::ExpectProxy, report),
        "set_src" => address(setting, known, report).map(ConnectionAction::SetSrc),
        "set_src_port" => port(setting, known, report).map(ConnectionAction::SetSrcPort),
        "set_dst" => address(setting, known, report).map(ConnectionAction::SetDst),
        "set_dst_port" => port(setting, known, report).map(ConnectionAction::SetDstPort),
        "set_var" => rule::variables(setting, known, report).map(ConnectionAction::SetVar),
        "unset_var" => rule::variable_names(setting, known, report).map(ConnectionAction::UnsetVar),
        "capture" => rule::capture(section, before.captures, known, report)
            .map(Box::new)
            .map(ConnectionAction::Capture),
        "use_backend" => backend_name(setting, report).map(ConnectionAction::UseBackend),
        _ => rule::track(section, before.tracks, known, report)
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

/// An expression that can yield a port.
fn port(setting: Setting<'_>, known: Known, report: &mut Report<'_>) -> Option<Expr> {
    let value = expression::expr(setting, known, report)?;
    if !value.yields().is_cast_to(Type::Int) {
        let message = format!("`{}` needs a port, and `{value}` yields none", setting.key);
        report.error(setting.span(), message, "write another expression");
        return None;
    }
    Some(value)
}

/// An expression that can yield an address.
fn address(setting: Setting<'_>, known: Known, report: &mut Report<'_>) -> Option<Expr> {
    let value = expression::expr(setting, known, report)?;
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
