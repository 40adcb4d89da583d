//! The keys of rules that answer in place of a server.

use crate::config::keys::kind::Shape;
use crate::config::keys::{Key, key};
use crate::plan::{Action, Closing, Reply, ReplyBody, Rule};

use super::{REQUEST, REQUEST_OR_RESPONSE, tables};

/// The same, or a table.
const REFUSAL: Shape = Shape::AnyOf(&[
    Shape::Switch,
    Shape::Number(200, 599),
    Shape::Table(&tables::REPLY),
]);

/// A time, or a table.
const HELD: Shape = Shape::AnyOf(&[Shape::Duration, Shape::Table(&tables::TARPIT)]);
/// A path, or a table.
const MONITORED: Shape = Shape::AnyOf(&[Shape::Text, Shape::Table(&tables::MONITOR)]);

pub(super) const DENY: Key<Rule> = key("deny")
    .means("Refuse, with a status from 400 to 599.")
    .action(
        REQUEST_OR_RESPONSE,
        &[
            (
                "deny = 403",
                "Refuses: a status from 400 to 599, or `true` for 403. Reason `rule.denied`.",
            ),
            (
                "deny = { status, content_type, headers, body }",
                "The same with fields, and with a body in place of the usual text: a template in `body`, a `file`, or an `errorfile`, which is a whole answer.",
            ),
        ],
    )
    .compiled(REFUSAL, |rule| match &rule.action {
        Action::Deny(reply) => Some(shown_refusal(reply)),
        _ => None,
    });

pub(super) const TARPIT: Key<Rule> = key("tarpit")
    .means("Refuse after a while.")
    .action(
        REQUEST,
        &[(
            "tarpit = { time, status, content_type, headers, body }",
            "Refuses after this time, to slow a client down; `tarpit = \"10s\"` with 500. The rest is as with `deny`. Reason `rule.tarpitted`.",
        )],
    )
    .compiled(
        HELD,
        |rule| match &rule.action {
            Action::Tarpit(tarpit) => Some(tables::TARPIT.whole().inline(tarpit)),
            _ => None,
        },
    );

pub(super) const REJECT: Key<Rule> = key("reject")
    .means("Reset the client's connection without an answer: true.")
    .action(
        REQUEST,
        &[(
            "reject = true",
            "Resets the client's connection without an answer; in HTTP/2 its other requests end too. Reason `rule.rejected`.",
        )],
    )
    .compiled(Shape::Switch, |rule| shown_closing(rule, Closing::Reset));

pub(super) const SILENT_DROP: Key<Rule> = key("silent_drop")
    .means("Close the client's connection so that it does not notice: true.")
    .action(
        REQUEST,
        &[(
            "silent_drop = true",
            "The same, so that the client does not notice and waits: the reset ends at the first router. A client in the same network sees it. Reason `rule.dropped`.",
        )],
    )
    .compiled(Shape::Switch, |rule| shown_closing(rule, Closing::Silent));

pub(super) const RETURN: Key<Rule> = key("return")
    .means("Answer in place of a server.")
    .action(
        REQUEST_OR_RESPONSE,
        &[(
            "return = { status, content_type, headers, body }",
            "Answers in place of a server; `status` is 200 unless it is written. In place of `body`, a template, `file` is sent as it is; `errorfile` is a whole answer. Reason `rule.returned`.",
        )],
    )
    .compiled(Shape::Table(&tables::REPLY), |rule| match &rule.action {
        Action::Return(answer) => Some(tables::REPLY.whole().inline(answer)),
        _ => None,
    });

pub(super) const MONITOR: Key<Rule> = key("monitor")
    .means("Answer whether Evenkeel serves, for a load balancer before it.")
    .action(
        REQUEST,
        &[(
            "monitor = { path, fail }",
            "Answers this very path with 200, or with 503 while the condition `fail` holds; `monitor = \"/healthz\"` without one. Not logged. Reason `rule.monitor`.",
        )],
    )
    .compiled(
        MONITORED,
        |rule| match &rule.action {
            Action::Monitor(monitor) => Some(tables::MONITOR.whole().inline(monitor)),
            _ => None,
        },
    );

pub(super) const REDIRECT: Key<Rule> = key("redirect")
    .means("Send the client somewhere else.")
    .action(
        REQUEST,
        &[
            (
                "redirect = { location }",
                "Sends the client there. Reason `rule.redirected`.",
            ),
            (
                "redirect = { prefix }",
                "The same, followed by the path and the query of the request.",
            ),
            (
                "redirect = { scheme }",
                "The same URL with another scheme.",
            ),
            (
                "redirect = { …, drop_query, append_slash }",
                "With a prefix or a scheme: without the query, and with `/` at the end.",
            ),
            (
                "redirect = { location, keep_query }",
                "With a location: the query of the request follows, after `?` or `&`.",
            ),
            (
                "redirect = { …, ignore_empty }",
                "With an empty value of `location`, `prefix` or `scheme` the rule has no effect.",
            ),
            (
                "redirect = { …, set_cookie = \"name=value\" }",
                "The client also sets a cookie for all paths of the host, or removes one: `clear_cookie = \"name\"`.",
            ),
        ],
    )
    .compiled(Shape::Table(&tables::REDIRECT), |rule| match &rule.action {
        Action::Redirect(redirect) => Some(tables::REDIRECT.whole().inline(redirect)),
        _ => None,
    });

fn shown_closing(rule: &Rule, closing: Closing) -> Option<String> {
    (rule.action == Action::Close(closing)).then(|| "true".to_owned())
}

/// `deny`: the status alone if there is nothing else.
fn shown_refusal(reply: &Reply) -> String {
    match reply.headers.is_empty() && reply.body == ReplyBody::Usual {
        true => reply.status.as_u16().to_string(),
        false => tables::REPLY.whole().inline(reply),
    }
}
