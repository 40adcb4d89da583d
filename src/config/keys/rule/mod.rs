//! Rules: `rule` of a frontend, a route or a backend.

#[cfg(test)]
mod reference;
mod tables;

use crate::config::page::{
    duration, fields, key as quoted_key, list, rows, string, table, template,
};
use crate::plan::{Action, On, Reply, ReplyBody, Rule, TargetPart};

use super::kind::Shape;
use super::words::{Word, Words};
use super::{Keys, key};

pub(in crate::config) use tables::{
    COOKIE_ATTRIBUTES, MONITOR, NAME_PART, RATE_LIMIT, REDIRECT, REPLACE, REPLACE_FIELD, REPLY,
    SC_INC_GPC, SC_SET_GPT, TARPIT, TRACK,
};

const REQUEST: &[On] = &[On::Request];
const RESPONSE: &[On] = &[On::Response, On::After];
const REQUEST_OR_RESPONSE: &[On] = &[On::Request, On::Response];
const ALL: &[On] = &[On::Request, On::Response, On::After];

const FIELDS: Shape = Shape::Named(&Shape::Text);
/// The name of a field, or a part of it.
const REMOVED: Shape = Shape::AnyOf(&[Shape::Text, Shape::Table(&NAME_PART)]);
/// The same, or a table.
const REFUSAL: Shape =
    Shape::AnyOf(&[Shape::Switch, Shape::Number(200, 599), Shape::Table(&REPLY)]);
/// A status, or `true` for the usual one.
const STATUS: Shape = Shape::AnyOf(&[Shape::Switch, Shape::Number(200, 599)]);

/// All keys but `on` and `when` are actions, of which a rule has exactly one.
pub(in crate::config) static RULE: Keys<Rule> = Keys {
    keys: &[
        key("on")
            .means("\"request\", \"response\" (of a server), or \"after\": every answer.")
            .word(On::words, |rule| &mut rule.on),
        key("when")
            .means("The condition; without it the rule always runs.")
            .also("if condition")
            .compiled(Shape::Text, |rule| {
                rule.when.as_ref().map(|when| string(&when.to_string()))
            }),
        key("deny")
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
                        "The same with fields, and with a body in place of the usual text: a template in `body`, or a `file`.",
                    ),
                ],
            )
            .compiled(REFUSAL, |rule| match &rule.action {
                Action::Deny(reply) => Some(shown_refusal(reply)),
                _ => None,
            }),
        key("tarpit")
            .means("Refuse after a while.")
            .action(
                REQUEST,
                &[(
                    "tarpit = { time, status }",
                    "Refuses after this time, to slow a client down; `tarpit = \"10s\"` with 500. Reason `rule.tarpitted`.",
                )],
            )
            .compiled(
                Shape::AnyOf(&[Shape::Duration, Shape::Table(&TARPIT)]),
                |rule| match &rule.action {
                    Action::Tarpit(tarpit) => Some(TARPIT.whole().inline(tarpit)),
                    _ => None,
                },
            ),
        key("return")
            .means("Answer in place of a server.")
            .action(
                REQUEST_OR_RESPONSE,
                &[(
                    "return = { status, content_type, headers, body }",
                    "Answers in place of a server; `status` is 200 unless it is written. In place of `body`, a template, `file` is sent as it is. Reason `rule.returned`.",
                )],
            )
            .compiled(Shape::Table(&REPLY), |rule| match &rule.action {
                Action::Return(answer) => Some(REPLY.whole().inline(answer)),
                _ => None,
            }),
        key("monitor")
            .means("Answer whether Evenkeel serves, for a load balancer before it.")
            .action(
                REQUEST,
                &[(
                    "monitor = { path, fail }",
                    "Answers this very path with 200, or with 503 while the condition `fail` holds; `monitor = \"/healthz\"` without one. Not logged. Reason `rule.monitor`.",
                )],
            )
            .compiled(
                Shape::AnyOf(&[Shape::Text, Shape::Table(&MONITOR)]),
                |rule| match &rule.action {
                    Action::Monitor(monitor) => Some(MONITOR.whole().inline(monitor)),
                    _ => None,
                },
            ),
        key("redirect")
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
                        "redirect = { …, set_cookie = \"name=value\" }",
                        "The client also sets a cookie for all paths of the host, or removes one: `clear_cookie = \"name\"`.",
                    ),
                ],
            )
            .compiled(Shape::Table(&REDIRECT), |rule| match &rule.action {
                Action::Redirect(redirect) => Some(REDIRECT.whole().inline(redirect)),
                _ => None,
            }),
        key("set_header")
            .means("Set fields to one value.")
            .action(
                ALL,
                &[(
                    "set_header = { name = \"value\" }",
                    "Gives the fields this value, in place of all lines that they had.",
                )],
            )
            .compiled(FIELDS, |rule| match &rule.action {
                Action::SetHeader(set) => Some(fields(set)),
                _ => None,
            }),
        key("add_header")
            .means("Add a line to fields.")
            .action(
                ALL,
                &[(
                    "add_header = { name = \"value\" }",
                    "Adds a line to the fields.",
                )],
            )
            .compiled(FIELDS, |rule| match &rule.action {
                Action::AddHeader(added) => Some(fields(added)),
                _ => None,
            }),
        key("del_header")
            .means("Remove fields.")
            .action(
                ALL,
                &[
                    ("del_header = [\"name\"]", "Removes the fields."),
                    (
                        "del_header = { starts_with = \"x-\" }",
                        "Removes the fields whose names begin so; `ends_with`, `contains` and `matches` (a regular expression) likewise. A list may have names and these.",
                    ),
                ],
            )
            .compiled(Shape::List(&REMOVED), |rule| match &rule.action {
                Action::DelHeader(removed) => {
                    let names = removed.names.iter();
                    let names = names.map(|field| string(field.name.as_str()));
                    let parts = removed.parts.iter();
                    let parts = parts.map(|part| NAME_PART.whole().inline(part));
                    Some(list(names.chain(parts)))
                }
                _ => None,
            }),
        key("replace_header")
            .means("Replace the lines of a field that match a regular expression.")
            .action(
                ALL,
                &[(
                    "replace_header = { name, match, with }",
                    "Replaces each line of the field that matches: the whole line by `with`, in which `\\\\0` to `\\\\9` are the match and its groups.",
                )],
            )
            .compiled(Shape::Table(&REPLACE_FIELD), |rule| match &rule.action {
                Action::ReplaceHeader(field) => Some(REPLACE_FIELD.whole().inline(field)),
                _ => None,
            }),
        key("replace_value")
            .means("Replace the elements of a list in a field that match a regular expression.")
            .action(
                ALL,
                &[(
                    "replace_value = { name, match, with }",
                    "The same for each element of a list with commas, without the spaces around it.",
                )],
            )
            .compiled(Shape::Table(&REPLACE_FIELD), |rule| match &rule.action {
                Action::ReplaceValue(field) => Some(REPLACE_FIELD.whole().inline(field)),
                _ => None,
            }),
        key("set_path")
            .means("Replace the path; the query stays.")
            .action(
                REQUEST,
                &[(
                    "set_path = \"/path\"",
                    "Replaces the path; the query stays.",
                )],
            )
            .compiled(Shape::Text, |rule| set_target(rule, TargetPart::Path)),
        key("set_pathq")
            .means("Replace the path and the query.")
            .action(
                REQUEST,
                &[(
                    "set_pathq = \"/path?query\"",
                    "Replaces the path and the query.",
                )],
            )
            .compiled(Shape::Text, |rule| {
                set_target(rule, TargetPart::PathAndQuery)
            }),
        key("set_query")
            .means("Replace the query; the path stays.")
            .action(
                REQUEST,
                &[(
                    "set_query = \"a=b\"",
                    "Replaces what follows the first `?`; the path stays. Without a value, an existing `?` stays and none is added.",
                )],
            )
            .compiled(Shape::Text, |rule| set_target(rule, TargetPart::Query)),
        key("set_uri")
            .means("Replace the path and the query, and the host if the value has one.")
            .action(
                REQUEST,
                &[(
                    "set_uri = \"http://host/path?query\"",
                    "Replaces the path and the query, and the host if the value begins with `http://` or `https://`.",
                )],
            )
            .compiled(Shape::Text, |rule| set_target(rule, TargetPart::Uri)),
        key("replace_path")
            .means("Replace the path if it matches a regular expression; the query stays.")
            .action(
                REQUEST,
                &[(
                    "replace_path = { match, with }",
                    "Replaces the path if it matches: the whole path by `with`. The query stays.",
                )],
            )
            .compiled(Shape::Table(&REPLACE), |rule| {
                replace_target(rule, TargetPart::Path)
            }),
        key("replace_pathq")
            .means("Replace the path and the query if they match a regular expression.")
            .action(
                REQUEST,
                &[(
                    "replace_pathq = { match, with }",
                    "The same for the path with the query.",
                )],
            )
            .compiled(Shape::Table(&REPLACE), |rule| {
                replace_target(rule, TargetPart::PathAndQuery)
            }),
        key("normalize_uri")
            .means("Bring the path or the query to a normal form.")
            .action(
                REQUEST,
                &[(
                    "normalize_uri = [\"path-merge-slashes\"]",
                    "Rewrites the path or the query, in the order of the list: see below.",
                )],
            )
            .compiled(Shape::List(&Shape::Text), |rule| match &rule.action {
                Action::NormalizeUri(normalizers) => {
                    Some(list(normalizers.iter().map(|one| string(one.word()))))
                }
                _ => None,
            }),
        key("set_method")
            .means("Replace the method.")
            .action(
                REQUEST,
                &[(
                    "set_method = \"POST\"",
                    "Replaces the method. A client that asked with HEAD gets no body in any case.",
                )],
            )
            .compiled(Shape::Text, |rule| match &rule.action {
                Action::SetMethod(method) => Some(template(method)),
                _ => None,
            }),
        key("set_status")
            .means("Replace the status of an answer.")
            .action(
                RESPONSE,
                &[(
                    "set_status = 503",
                    "Replaces the status of an answer that has content. The reason phrase becomes the usual one.",
                )],
            )
            .compiled(Shape::Number(200, 599), |rule| match &rule.action {
                Action::SetStatus(status) => Some(status.as_u16().to_string()),
                _ => None,
            }),
        key("cookie_attributes")
            .means("Write attributes of the cookies that an answer sets.")
            .action(
                RESPONSE,
                &[(
                    "cookie_attributes = { names, secure, http_only, same_site }",
                    "Adds `Secure` and `HttpOnly` to the cookies that `Set-Cookie` sets, and replaces their `SameSite` (\"strict\", \"lax\" or \"none\"). Without `names`, to all cookies.",
                )],
            )
            .compiled(Shape::Table(&COOKIE_ATTRIBUTES), |rule| {
                match &rule.action {
                    Action::CookieAttributes(attributes) => {
                        Some(COOKIE_ATTRIBUTES.whole().inline(attributes))
                    }
                    _ => None,
                }
            }),
        key("early_hint")
            .means("Send the client these fields before the answer (103).")
            .action(
                REQUEST,
                &[(
                    "early_hint = { link = \"</a.css>; rel=preload\" }",
                    "Sends the client an interim answer 103 with these fields; rules of one table share one. HTTP/1.0 clients get none.",
                )],
            )
            .compiled(FIELDS, |rule| match &rule.action {
                Action::EarlyHint(set) => Some(fields(set)),
                _ => None,
            }),
        key("set_var")
            .means("Variables, which later rules read as `var(txn.name)`.")
            .action(
                ALL,
                &[(
                    "set_var = { \"txn.name\" = \"expression\" }",
                    "Gives the variables the values of expressions.",
                )],
            )
            .compiled(FIELDS, |rule| match &rule.action {
                Action::SetVar(variables) => {
                    let variables = variables.iter();
                    Some(table(variables.map(|(variable, expr)| {
                        let (variable, expr) = (variable.to_string(), expr.to_string());
                        (quoted_key(&variable), string(&expr))
                    })))
                }
                _ => None,
            }),
        key("unset_var")
            .means("Remove variables.")
            .action(
                ALL,
                &[("unset_var = [\"txn.name\"]", "Removes the variables.")],
            )
            .compiled(Shape::List(&Shape::Text), |rule| match &rule.action {
                Action::UnsetVar(variables) => {
                    let names = variables.iter();
                    Some(list(names.map(|name| string(&name.to_string()))))
                }
                _ => None,
            }),
        key("set_log_level")
            .means("\"silent\": leave the exchange out of the access log.")
            .action(
                REQUEST,
                &[(
                    "set_log_level = \"silent\"",
                    "Leaves the exchange out of the access log; it is still counted.",
                )],
            )
            .compiled(Shape::Words(&["silent"]), |rule| match &rule.action {
                Action::Unlogged => Some(string("silent")),
                _ => None,
            }),
        key("pause")
            .means("Wait before going on.")
            .action(
                REQUEST,
                &[(
                    "pause = \"100ms\"",
                    "Waits, then continues with the next rule. `timeout.exchange` keeps running.",
                )],
            )
            .compiled(Shape::Duration, |rule| match &rule.action {
                Action::Pause(time) => Some(duration(*time)),
                _ => None,
            }),
        key("use_server")
            .means("In rules of a backend: the server that gets the request, if it is up.")
            .action(
                REQUEST,
                &[(
                    "use_server = \"name\"",
                    "In rules of a backend, chooses the server: see below.",
                )],
            )
            .compiled(Shape::Text, |rule| match &rule.action {
                Action::UseServer(name) => Some(string(name)),
                _ => None,
            }),
        key("track")
            .means("Count the exchange in an entry of a table.")
            .also("track_sc track_sc0 track_sc1 track_sc2")
            .action(
                REQUEST_OR_RESPONSE,
                &[(
                    "track = { table, key }",
                    "Counts the exchange in an entry of a table until it is over: [tables.md](tables.md).",
                )],
            )
            .compiled(Shape::Table(&TRACK), |rule| match &rule.action {
                Action::Track(track) => Some(TRACK.whole().inline(track)),
                _ => None,
            }),
        key("sc_inc_gpc")
            .means("Increment a counter of a tracked entry.")
            .also("sc_inc_gpc0 sc_inc_gpc1 sc_add_gpc")
            .action(
                ALL,
                &[(
                    "sc_inc_gpc = { counter, index }",
                    "Increments the counter `index` (0 unless it is written) of `gpc`, and its `gpc_rate`, in the entry that is tracked as `counter`.",
                )],
            )
            .compiled(Shape::Table(&SC_INC_GPC), |rule| match &rule.action {
                Action::ScIncGpc(element) => Some(SC_INC_GPC.whole().inline(element)),
                _ => None,
            }),
        key("sc_set_gpt")
            .means("Set a tag of a tracked entry.")
            .also("sc_set_gpt0")
            .action(
                ALL,
                &[(
                    "sc_set_gpt = { counter, index, value }",
                    "Sets the tag `index` of `gpt` to a number, or to the number that an expression yields.",
                )],
            )
            .compiled(Shape::Table(&SC_SET_GPT), |rule| match &rule.action {
                Action::ScSetGpt(tag) => Some(SC_SET_GPT.whole().inline(tag)),
                _ => None,
            }),
        key("rate_limit")
            .means("Bound the requests of each client, or of any other key.")
            .also("limit_req limit ratelimit rate_limits throttle")
            .action(
                REQUEST,
                &[(
                    "rate_limit = { key, rate, burst, on_exceed, status, retry_after }",
                    "Bounds the requests of each key: see below. Reason `rule.rate_limited`.",
                )],
            )
            .compiled(Shape::Table(&RATE_LIMIT), |rule| match &rule.action {
                Action::RateLimit(limit) => Some(RATE_LIMIT.whole().inline(limit)),
                _ => None,
            }),
    ],
    hints: r#"
        unless: write `when = "not (…)"`
        block reject: write `deny = 403`
        status: write `deny = 403`, or `return = { status = 200 }`
        respond answer: write `return = { status = 200, body = "…" }`
        location: write `redirect = { location = "…" }`
        path: a condition of a rule is `when`: `when = 'path starts_with "/admin/"'`; a new path is `set_path = "…"`
        host hostname domain: a condition of a rule is `when`: `when = 'req.hdr(host) == "a.example.com"'`
        method: a condition of a rule is `when`: `when = 'method == "POST"'`
        query: a condition of a rule is `when`: `when = 'url_param(name) == "value"'`
        path_beg path_prefix prefix: a condition of a rule is `when`: `when = 'path starts_with "/admin/"'`
        path_regex path_reg: a condition of a rule is `when`: `when = 'path matches "^/item/[0-9]+$"'`
        cookie: a condition of a rule is `when`: `when = 'req.cook(name) == "value"'`
        src client_ip remote_ip remote_addr source: a condition of a rule is `when`: `when = 'src in ["10.0.0.0/8"]'`
        sni: a condition of a rule is `when`: `when = 'ssl_fc_sni == "a.example.com"'`
        client_certificate: a condition of a rule is `when`: `when = "ssl_c_used"`
        rewrite: write `set_path = "…"`
        replace_uri: write `replace_pathq = { match = "…", with = "…" }`: what a client sends as the target has a host in HTTP/2 and mostly none in HTTP/1.1
        method_override: write `set_method = "…"`
        normalise_uri: write `normalize_uri = ["…"]`
        cookie_flags cookie_attribute: write `cookie_attributes = { secure = true }`
        set_request_header: write `set_header = { x-name = "value" }`
        header headers: write `set_header = { x-name = "value" }`; as a condition: `when = 'req.hdr(x-name) == "value"'`
        remove_header: write `del_header = "x-name"`
        set_response_header: write `on = "response"` and `set_header = { x-name = "value" }`
        server server_name: write `use_server = "…"` with a name of one of the backend's `servers`
        delay: write `pause = "100ms"`
        set_var_fmt: write `set_var = { "txn.name" = "src" }`
    "#,
    ..Keys::EMPTY
};

/// The keys of which a rule has exactly one.
pub(in crate::config) fn actions() -> Vec<&'static str> {
    let keys = RULE.keys.iter().map(|key| &key.info);
    let actions = keys.filter(|info| !info.parts.is_empty());
    actions.map(|info| info.name).collect()
}

/// The parts of an exchange in which the action `key` can run.
pub(in crate::config) fn parts_of(key: &str) -> &'static [On] {
    let mut keys = RULE.keys.iter().map(|key| &key.info);
    keys.find(|info| info.name == key)
        .map_or(&[], |info| info.parts)
}

/// `deny`: the status alone if there is nothing else.
fn shown_refusal(reply: &Reply) -> String {
    match reply.headers.is_empty() && reply.body == ReplyBody::Usual {
        true => reply.status.as_u16().to_string(),
        false => REPLY.whole().inline(reply),
    }
}

fn set_target(rule: &Rule, part: TargetPart) -> Option<String> {
    match &rule.action {
        Action::SetTarget(of, value) if *of == part => Some(template(value)),
        _ => None,
    }
}

fn replace_target(rule: &Rule, part: TargetPart) -> Option<String> {
    match &rule.action {
        Action::ReplaceTarget(of, replace) if *of == part => Some(REPLACE.whole().inline(replace)),
        _ => None,
    }
}

/// `rules`, each on a line of its own; `None`: there is none.
pub(super) fn shown(rules: &[Rule]) -> Option<String> {
    let rules = rules.iter().map(|rule| RULE.whole().inline(rule));
    (rules.len() > 0).then(|| rows("    ", rules))
}
