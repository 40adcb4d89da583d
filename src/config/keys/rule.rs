//! Rules: `rule` of a frontend, a route or a backend.

use crate::config::page::{
    duration, fields, key as quoted_key, list, rows, string, table, template,
};
use crate::plan::{Action, On, Redirect, RedirectTo, Return, Rule};

use super::kind::Shape;
use super::words::Words;
use super::{Keys, key};

const REQUEST: &[On] = &[On::Request];
const REQUEST_OR_RESPONSE: &[On] = &[On::Request, On::Response];
const ALL: &[On] = &[On::Request, On::Response, On::After];

const FIELDS: Shape = Shape::Named(&Shape::Text);
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
                &[(
                    "deny = 403",
                    "Refuses: a status from 400 to 599, or `true` for 403. Reason `rule.denied`.",
                )],
            )
            .compiled(STATUS, |rule| match &rule.action {
                Action::Deny(status) => Some(status.as_u16().to_string()),
                _ => None,
            }),
        key("return")
            .means("Answer in place of a server.")
            .action(
                REQUEST_OR_RESPONSE,
                &[(
                    "return = { status, content_type, headers, body }",
                    "Answers in place of a server; `status` is 200 unless it is written. Reason `rule.returned`.",
                )],
            )
            .compiled(Shape::Table(&RETURN), |rule| match &rule.action {
                Action::Return(answer) => Some(RETURN.whole().inline(answer)),
                _ => None,
            }),
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
            .action(ALL, &[("del_header = [\"name\"]", "Removes the fields.")])
            .compiled(Shape::List(&Shape::Text), |rule| match &rule.action {
                Action::DelHeader(names) => {
                    let names = names.iter().map(|field| string(field.name.as_str()));
                    Some(list(names))
                }
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
            .compiled(Shape::Text, |rule| match &rule.action {
                Action::SetPath(path) => Some(template(path)),
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
        replace_path: write `set_path = "%[path,regsub(…)]"`
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

pub(in crate::config) static RETURN: Keys<Return> = Keys {
    keys: &[
        key("status")
            .means("The status, from 200 to 599.")
            .compiled(STATUS, |answer| Some(answer.status.as_u16().to_string())),
        key("content_type")
            .means("The field `content-type`.")
            .not_shown(Shape::Text),
        key("headers")
            .means("Other fields.")
            .compiled(FIELDS, |answer| {
                (!answer.headers.is_empty()).then(|| fields(&answer.headers))
            }),
        key("body")
            .means("The body.")
            .also("string lf_string text")
            .compiled(Shape::Text, |answer| {
                (!answer.body.pieces.is_empty()).then(|| template(&answer.body))
            }),
    ],
    hints: "hdr header: write `headers = { x-name = \"value\" }`",
    ..Keys::EMPTY
};

pub(in crate::config) static REDIRECT: Keys<Redirect> = Keys {
    keys: &[
        key("status")
            .means("301, 302, 303, 307 or 308.")
            .also("code")
            .compiled(Shape::Number(301, 308), |redirect| {
                Some(redirect.status.as_u16().to_string())
            }),
        key("location")
            .means("Where to.")
            .also("to url")
            .compiled(Shape::Text, |redirect| match &redirect.to {
                RedirectTo::Location(to) => Some(template(to)),
                _ => None,
            }),
        key("prefix")
            .means("Where to; the path and the query of the request follow.")
            .compiled(Shape::Text, |redirect| match &redirect.to {
                RedirectTo::Prefix(to) => Some(template(to)),
                _ => None,
            }),
        key("scheme")
            .means("The same URL with another scheme.")
            .compiled(Shape::Text, |redirect| match &redirect.to {
                RedirectTo::Scheme(to) => Some(template(to)),
                _ => None,
            }),
    ],
    ..Keys::EMPTY
};

/// `rules`, each on a line of its own; `None`: there is none.
pub(super) fn shown(rules: &[Rule]) -> Option<String> {
    let rules = rules.iter().map(|rule| RULE.whole().inline(rule));
    (rules.len() > 0).then(|| rows("    ", rules))
}
