//! `rule` of a frontend, a route or a backend: an action on an exchange, and its condition.

mod answer;
mod auth;
mod capture;
mod cookie;
mod cors;
mod forward_auth;
mod jwt;
mod rate_limit;
mod replace;
mod stats;
mod track;
mod values;

use http::StatusCode;

use crate::base::{Name, Position};
use crate::config::compile::expression;
use crate::config::compile::name::name_of;
use crate::config::compile::route::named_backend;
use crate::config::keys::{self, Words, parts_of};
use crate::config::raw::{Kind, Text};
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::config::suggest;
use crate::plan::expr::Known;
use crate::plan::log::LogAs;
use crate::plan::{
    Action, Closing, Normalizer, On, Rule, SetTimeouts, Target, TargetPart, WaitForBody,
};

use answer::{closing, denied, monitor, redirect, returned, tarpit};
use capture::count_places;
use cookie::cookie_attributes;
use rate_limit::rate_limit;
use replace::{replace, replace_field};
use track::{incremented, tagged};
use values::removed;

pub(super) use capture::capture;
pub(super) use track::track;
pub(super) use values::{fields, sort_by_name, variable_names, variables};

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
    let mut before = Before::default();
    let rules = items.filter_map(|item| rule(item, title.clone(), known, &mut before, report));
    let mut rules: Vec<Rule> = rules.collect();
    count_places(&mut rules);
    rules
}

/// How many rules of a kind were read before in the same list.
#[derive(Clone, Copy, Default)]
struct Before {
    /// With `track`.
    tracks: usize,
    /// With `rate_limit`.
    limits: usize,
    /// With `capture`: for requests, and for answers.
    captures: [usize; 2],
}

fn rule(
    item: Setting<'_>,
    title: String,
    of_requests: Known,
    before: &mut Before,
    report: &mut Report<'_>,
) -> Option<Rule> {
    let section = Section::open(&keys::RULE, title, item, report)?;
    let on = On::at(&section, "on", report).unwrap_or_default();
    let known = known_in(on, of_requests);
    let when = section
        .setting("when")
        .map(|setting| expression::condition(setting, known, report));
    let action = action(&section, on, of_requests, *before, report);
    before.tracks += usize::from(section.setting("track").is_some());
    before.limits += usize::from(section.setting("rate_limit").is_some());
    let part = usize::from(on != On::Request);
    before.captures[part] += usize::from(section.setting("capture").is_some());
    let (action, action_at) = action?;
    Some(Rule {
        on,
        when: match when {
            Some(condition) => Some(condition?),
            None => None,
        },
        action,
        at: report.position(section.span),
        action_at,
    })
}

/// The one action of a rule.
fn action(
    section: &Section<'_>,
    on: On,
    of_requests: Known,
    before: Before,
    report: &mut Report<'_>,
) -> Option<(Action, Position)> {
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
    // In a part where the action cannot run, the part is the mistake, which `check` reports, and not what its
    // values read.
    let known = match parts_of(setting.key).contains(&on) {
        true => known_in(on, of_requests),
        false => of_requests,
    };
    let action = match setting.key {
        "deny" => denied(section, setting, known, report)
            .map(Box::new)
            .map(Action::Deny),
        "tarpit" => tarpit(section, setting, known, report)
            .map(Box::new)
            .map(Action::Tarpit),
        "reject" => closing(setting, Closing::Reset, report).map(Action::Close),
        "silent_drop" => closing(setting, Closing::Silent, report).map(Action::Close),
        "monitor" => monitor(section, setting, known, report)
            .map(Box::new)
            .map(Action::Monitor),
        "stats" => stats::stats(section, report)
            .map(Box::new)
            .map(Action::Stats),
        "set_log_level" => LogAs::of(setting, report).map(Action::SetLogLevel),
        "return" => returned(section, known, report)
            .map(Box::new)
            .map(Action::Return),
        "redirect" => redirect(section, known, report)
            .map(Box::new)
            .map(Action::Redirect),
        "set_header" => fields(setting, known, report).map(Action::SetHeader),
        "add_header" => fields(setting, known, report).map(Action::AddHeader),
        "del_header" => removed(setting, report)
            .map(Box::new)
            .map(Action::DelHeader),
        "replace_header" => replace_field(section, "replace_header", known, report)
            .map(Box::new)
            .map(Action::ReplaceHeader),
        "replace_value" => replace_field(section, "replace_value", known, report)
            .map(Box::new)
            .map(Action::ReplaceValue),
        "set_path" => set_target(TargetPart::Path, setting, known, report),
        "set_pathq" => set_target(TargetPart::PathAndQuery, setting, known, report),
        "set_query" => set_target(TargetPart::Query, setting, known, report),
        "set_uri" => set_target(TargetPart::Uri, setting, known, report),
        "replace_path" => replace(section, "replace_path", known, report)
            .map(|replace| Action::ReplaceTarget(TargetPart::Path, Box::new(replace))),
        "replace_pathq" => replace(section, "replace_pathq", known, report)
            .map(|replace| Action::ReplaceTarget(TargetPart::PathAndQuery, Box::new(replace))),
        "normalize_uri" => normalizers(setting, report).map(Action::NormalizeUri),
        "set_method" => expression::template(setting, known, report).map(Action::SetMethod),
        "set_status" => setting
            .number(200, 599, report)
            .and_then(|number| StatusCode::from_u16(number as u16).ok())
            .map(Action::SetStatus),
        "early_hint" => fields(setting, known, report).map(Action::EarlyHint),
        "cookie_attributes" => cookie_attributes(section, report)
            .map(Box::new)
            .map(Action::CookieAttributes),
        "set_var" => variables(setting, known, report).map(Action::SetVar),
        "unset_var" => variable_names(setting, known, report).map(Action::UnsetVar),
        "cors" => cors::cors(section, report).map(Box::new).map(Action::Cors),
        "auth" => auth::auth(section, report).map(Box::new).map(Action::Auth),
        "forward_auth" => forward_auth::forward_auth(section, known, report)
            .map(Box::new)
            .map(Action::ForwardAuth),
        "jwt" => jwt::jwt(section, report).map(Box::new).map(Action::Jwt),
        "security_headers" => cors::security_headers(section, report).map(Action::SecurityHeaders),
        "capture" => {
            let position = before.captures[usize::from(on != On::Request)];
            capture(section, position, known, report)
                .map(Box::new)
                .map(Action::Capture)
        }
        "set_timeout" => timeouts(section, report)
            .map(Box::new)
            .map(Action::SetTimeout),
        "max_body" => {
            let (least, most) = keys::MAX_BODY_SIZES;
            setting.size(least, most, report).map(Action::MaxBody)
        }
        "wait_for_body" => wait_for_body(section, report).map(Action::WaitForBody),
        "use_backend" => use_backend(section, setting, report)
            .map(Box::new)
            .map(Action::UseBackend),
        "use_server" => setting
            .text(report)
            .and_then(|text| server_name(text, setting, report))
            .map(Action::UseServer),
        "track" => track(section, before.tracks, known, report)
            .map(Box::new)
            .map(Action::Track),
        "rate_limit" => rate_limit(section, before.limits, known, report)
            .map(Box::new)
            .map(Action::RateLimit),
        "sc_inc_gpc" => incremented(section, report).map(Action::ScIncGpc),
        "sc_set_gpt" => tagged(section, known, report)
            .map(Box::new)
            .map(Action::ScSetGpt),
        _ => setting.positive_duration(report).map(Action::Pause),
    };
    Some((action?, report.position(setting.span())))
}

fn set_target(
    part: TargetPart,
    setting: Setting<'_>,
    known: Known,
    report: &mut Report<'_>,
) -> Option<Action> {
    let value = expression::template(setting, known, report)?;
    Some(Action::SetTarget(part, value))
}

fn normalizers(setting: Setting<'_>, report: &mut Report<'_>) -> Option<Vec<Normalizer>> {
    let items = setting.list();
    if items.is_empty() {
        report.error(
            setting.span(),
            "`normalize_uri` has no normalizer",
            format!("known are {}", suggest::list(Normalizer::words())),
        );
        return None;
    }
    let read = items.into_iter().map(|item| Normalizer::of(item, report));
    // All mistakes are reported.
    let read: Vec<Option<Normalizer>> = read.collect();
    read.into_iter().collect()
}

/// `wait_for_body = { … }`.
fn wait_for_body(rule: &Section<'_>, report: &mut Report<'_>) -> Option<WaitForBody> {
    let section = rule.section("wait_for_body", &keys::WAIT_FOR_BODY_TABLE, report)?;
    let Some(time) = section.setting("time") else {
        if section.lacks("time") {
            let help = "write `wait_for_body = { time = \"10s\" }`";
            report.error(section.span, "`wait_for_body` has no `time`", help);
        }
        return None;
    };
    let mut wait = WaitForBody::within(time.positive_duration(report)?);
    keys::WAIT_FOR_BODY_TABLE
        .whole()
        .read(&section, &mut wait, report);
    if let Some(least) = section.setting("at_least") {
        let most = wait.size;
        wait.at_least = Some(least.size(WaitForBody::SIZES.0, most, report)?);
    }
    Some(wait)
}

/// `set_timeout = { … }`.
fn timeouts(rule: &Section<'_>, report: &mut Report<'_>) -> Option<SetTimeouts> {
    let section = rule.section("set_timeout", &keys::SET_TIMEOUT_TABLE, report)?;
    let errors = report.errors();
    let mut read = |key| section.setting(key)?.positive_duration(report);
    let set = SetTimeouts {
        connect: read("connect"),
        response: read("response"),
        body: read("body"),
        queue: read("queue"),
        exchange: read("exchange"),
        tunnel: read("tunnel"),
    };
    if set == SetTimeouts::default() && report.errors() == errors && !section.has_unknown() {
        let help = "write `set_timeout = { response = \"5m\" }`";
        report.error(section.span, "`set_timeout` sets no deadline", help);
    }
    (set != SetTimeouts::default()).then_some(set)
}

/// `use_backend = "name"`, or a table.
fn use_backend(
    rule: &Section<'_>,
    setting: Setting<'_>,
    report: &mut Report<'_>,
) -> Option<Target> {
    let Kind::Table(_) = &setting.value.kind else {
        return named_backend(setting, None, report);
    };
    let section = rule.section("use_backend", &keys::USE_BACKEND_TABLE, report)?;
    let Some(name) = section.setting("backend") else {
        if section.lacks("backend") {
            let help = "write `use_backend = { backend = \"%[…]\", among = [\"app\"] }`";
            report.error(section.span, "`use_backend` has no `backend`", help);
        }
        return None;
    };
    named_backend(name, section.setting("among"), report)
}

/// The server that a rule chooses.
fn server_name(text: &Text, setting: Setting<'_>, report: &mut Report<'_>) -> Option<Name> {
    let written = &text.value;
    let (message, help) = if written.contains("%[") {
        (
            "`use_server` is a name, and not a template".to_owned(),
            "write one rule with `when` for each server",
        )
    } else if let Some((_, word)) = [" if ", " unless "]
        .iter()
        .find_map(|word| Some((written.find(word)?, word.trim())))
    {
        (
            format!("`use_server` is a name, and has no condition `{word}`"),
            "write the condition as `when`, beside `use_server`",
        )
    } else {
        return name_of(text, "server", setting.span(), report);
    };
    report.error(setting.span(), message, help);
    None
}

/// What is known in the part `on`, where `of_requests` is known of a request.
fn known_in(on: On, of_requests: Known) -> Known {
    match on {
        On::Request => of_requests,
        On::Response | On::After => Known::Response,
    }
}
