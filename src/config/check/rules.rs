//! Rules that cannot do what they say, and rules that never run.

use http::{HeaderName, StatusCode, header};

use crate::base::Position;
use crate::config::diagnostic::Diagnostic;
use crate::config::keys::{Word, parts_of};
use crate::config::report::Report;
use crate::plan::{
    Action, ConnectionRule, Field, FieldName, Frontend, On, Plan, Reply, ReplyBody, Rule,
};

use super::constants;

/// Fields of the connection or of the framing, which rules must not write. HTTP/2 has none of them
/// except `Content-Length` and `TE` (RFC 9113 §8.2.2).
const RESERVED: [HeaderName; 8] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Reports rules that cannot do what they say.
pub(super) fn refuse(plan: &Plan, report: &mut Report<'_>) {
    for rule in all(plan).flatten() {
        let key = rule.action.key();
        let parts = parts_of(key);
        if !parts.contains(&rule.on) {
            let parts = parts.iter().map(|on| format!("`on = {:?}`", on.word()));
            let parts: Vec<String> = parts.collect();
            let message = format!("`{key}` cannot run with `on = {:?}`", rule.on.word());
            let help = format!("it runs with {}", parts.join(" or "));
            report.add(Diagnostic::at(&rule.action_at, message, help));
            continue;
        }
        constants::refuse(rule, report);
        match &rule.action {
            Action::SetHeader(fields) | Action::AddHeader(fields) => {
                refuse_fields(fields, key, rule.on, report);
            }
            // They are fields of an answer.
            Action::EarlyHint(fields) => refuse_fields(fields, key, On::Response, report),
            Action::DelHeader(removed) => {
                for FieldName { name, at } in &removed.names {
                    refuse_field(name, at, key, rule.on, report);
                }
            }
            Action::ReplaceHeader(replaced) | Action::ReplaceValue(replaced) => {
                let FieldName { name, at } = &replaced.field;
                refuse_field(name, at, key, rule.on, report);
            }
            Action::Deny(reply) | Action::Return(reply) => refuse_reply(reply, report),
            Action::Tarpit(tarpit) => refuse_reply(&tarpit.reply, report),
            Action::SetStatus(StatusCode::PARTIAL_CONTENT) => {
                let message = "`set_status` cannot make a part (206) of an answer";
                let help = "write another status; the server makes parts";
                report.add(Diagnostic::at(&rule.action_at, message, help));
            }
            Action::SetStatus(status) if is_bodyless(*status) => {
                let status = status.as_u16();
                let message = format!("an answer with the status {status} has no body");
                let help = "`set_status` keeps the body; write `return` or another status";
                report.add(Diagnostic::at(&rule.action_at, message, help));
            }
            Action::Close(_)
            | Action::Monitor(_)
            | Action::Stats(_)
            | Action::SetLogLevel(_)
            | Action::Redirect(_)
            | Action::SetTarget(..)
            | Action::ReplaceTarget(..)
            | Action::NormalizeUri(_)
            | Action::SetMethod(_)
            | Action::SetStatus(_)
            | Action::CookieAttributes(_)
            | Action::SetVar(_)
            | Action::UnsetVar(_)
            | Action::Pause(_)
            | Action::WaitForBody(_)
            | Action::Capture(_)
            | Action::SetTimeout(_)
            | Action::MaxBody(_)
            | Action::UseBackend(_)
            | Action::UseServer(_)
            | Action::Track(_)
            | Action::ScIncGpc(_)
            | Action::ScSetGpt(_)
            | Action::RateLimit(_)
            | Action::Cors(_)
            | Action::SecurityHeaders(_)
            | Action::Auth(_)
            | Action::Jwt(_)
            | Action::ForwardAuth(_) => {}
        }
    }
}

/// Reports rules of routes and of backends that choose a backend.
pub(super) fn refuse_backends_without_frontend(plan: &Plan, report: &mut Report<'_>) {
    let routes = plan.frontends.iter().flat_map(|frontend| &frontend.routes);
    let of_routes = routes.map(|route| &route.rules);
    let of_backends = plan.backends.iter().map(|backend| &backend.rules);
    for rule in of_routes.chain(of_backends).flatten() {
        if let Action::UseBackend(_) = &rule.action {
            let message =
                "`use_backend` belongs to the rules of a frontend: here the backend is chosen";
            let help =
                "write it there, or write a `[[frontend.NAME.route]]` with `when` and `backend`";
            report.add(Diagnostic::at(&rule.action_at, message, help));
        }
    }
}

/// Reports rules of frontends and routes that choose a server: the backend has it.
pub(super) fn refuse_servers_without_backend(plan: &Plan, report: &mut Report<'_>) {
    for rule in plan.frontends.iter().flat_map(of_frontend).flatten() {
        if let Action::UseServer(_) = &rule.action {
            let message = "`use_server` belongs to the rules of a backend, which has the server";
            let help = "write a `[[backend.NAME.rule]]` with it and with the same `when`";
            report.add(Diagnostic::at(&rule.action_at, message, help));
        }
    }
}

pub(super) fn refuse_fields(fields: &[Field], key: &str, on: On, report: &mut Report<'_>) {
    for Field { name, at, .. } in fields {
        refuse_field(name, at, key, on, report);
    }
    constants::refuse_values(fields, on, report);
}

/// Reports the field `name` if the action `key` cannot write it.
fn refuse_field(name: &HeaderName, at: &Position, key: &str, on: On, report: &mut Report<'_>) {
    if RESERVED.contains(name) {
        let message = format!("`{name}` belongs to the connection, and Evenkeel writes it");
        report.add(Diagnostic::at(at, message, "leave it out"));
    } else if on == On::Request && *name == header::EXPECT {
        let message = format!("`{name}` belongs to the client, and Evenkeel answers it");
        report.add(Diagnostic::at(at, message, "leave it out"));
    } else if on == On::Request
        && *name == header::HOST
        && !matches!(key, "set_header" | "replace_header")
    {
        // RFC 9110 §7.2: one `Host` only, also if a rule adds one to the client's.
        let help = "write `set_header = { host = \"…\" }`, which replaces it";
        report.add(Diagnostic::at(at, "a request has exactly one `host`", help));
    }
}

fn refuse_reply(reply: &Reply, report: &mut Report<'_>) {
    // In a rule for requests, too, these are fields of a response.
    refuse_fields(&reply.headers, "headers", On::Response, report);
    let has_body = match &reply.body {
        ReplyBody::Usual => false,
        ReplyBody::Template(body) => !body.pieces.is_empty(),
        ReplyBody::File { content, .. } => !content.is_empty(),
        // It has a status of its own.
        ReplyBody::ErrorFile { .. } => return,
    };
    if is_bodyless(reply.status) && has_body {
        let status = reply.status.as_u16();
        let message = format!("an answer with the status {status} has no body");
        let help = "leave `body` out, or write another `status`";
        report.add(Diagnostic::at(&reply.body_at, message, help));
    }
}

/// Whether an answer with `status` has no content (RFC 9110 §6.4.1, §15.3.6).
fn is_bodyless(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
    )
}

/// Warns of rules that never run.
pub(super) fn warn_of_idle(plan: &Plan, report: &mut Report<'_>) {
    for rules in all(plan) {
        for (idle, answers) in never_run(rules) {
            let help = "rules run in the order of the file: put it before, or leave it out";
            let diagnostic = Diagnostic::warning_at(&rules[idle].at, "this rule never runs", help);
            let related = "this one has no `when`, and answers all that come to it";
            report.add_related(diagnostic, &rules[answers].at, related);
        }
    }
    let lists = plan.frontends.iter();
    let lists = lists.flat_map(|one| [&one.connection_rules, &one.content_rules]);
    for rules in lists {
        let ends = rules.iter().position(ConnectionRule::ends_all);
        if let Some((ends, idle)) = ends.and_then(|ends| Some((ends, rules.get(ends + 1)?))) {
            let help = "rules run in the order of the file: put it before, or leave it out";
            let diagnostic = Diagnostic::warning_at(&idle.at, "this rule never runs", help);
            let related = "this one has no `when`, and no rule runs after it";
            report.add_related(diagnostic, &rules[ends].at, related);
        }
    }
}

/// For each value of `on`: the first rule that never runs, and the earlier one that answers every exchange,
/// as indices into `rules`.
fn never_run(rules: &[Rule]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for part in [On::Request, On::Response, On::After] {
        let of_part = || (0..rules.len()).filter(|index| rules[*index].on == part);
        let Some(answers) = of_part().find(|index| rules[*index].answers_all()) else {
            continue;
        };
        let next = of_part().find(|index| *index > answers);
        found.extend(next.map(|next| (next, answers)));
    }
    found
}

/// The rules of each frontend, of each route, and of each backend.
pub(super) fn all(plan: &Plan) -> impl Iterator<Item = &Vec<Rule>> {
    let of_backends = plan.backends.iter().map(|backend| &backend.rules);
    let of_frontends = plan.frontends.iter().flat_map(of_frontend);
    of_frontends.chain(of_backends)
}

/// The rules for connections and for content of each frontend.
pub(super) fn of_connections(plan: &Plan) -> impl Iterator<Item = &ConnectionRule> {
    let frontends = plan.frontends.iter();
    frontends.flat_map(|one| one.connection_rules.iter().chain(&one.content_rules))
}

/// The rules of each route of `frontend`, and its own.
fn of_frontend(frontend: &Frontend) -> impl Iterator<Item = &Vec<Rule>> {
    let of_routes = frontend.routes.iter().map(|route| &route.rules);
    of_routes.chain([&frontend.rules])
}
