//! Rules: `rule` of a frontend, a route or a backend.

mod answering;
mod bodies;
mod capture;
mod changing;
mod forward_auth;
#[cfg(test)]
mod reference;
mod stats;
mod steering;
mod tables;

use crate::config::page::{duration, key as quoted_key, list, rows, string, table};
use crate::plan::{Action, On, Rule};

use super::auth::AUTH;
use super::cors::{CORS, SECURITY_HEADERS};
use super::jwt::JWT;
use super::kind::Shape;
use super::words::{Word, Words};
use super::{Keys, key};

pub(in crate::config) use bodies::{MAX_BODY_SIZES, WAIT_FOR_BODY_TABLE};
pub(in crate::config) use capture::CAPTURE_TABLE;
pub(in crate::config) use forward_auth::FORWARD_AUTH;
pub(in crate::config) use stats::STATS_TABLE;
pub(in crate::config) use steering::{SET_TIMEOUT_TABLE, USE_BACKEND_TABLE};
pub(in crate::config) use tables::{
    COOKIE_ATTRIBUTES, MONITOR, NAME_PART, RATE_LIMIT, REDIRECT, REPLACE, REPLACE_FIELD, REPLY,
    SC_INC_GPC, SC_SET_GPT, TARPIT, TRACK,
};

const REQUEST: &[On] = &[On::Request];
const RESPONSE: &[On] = &[On::Response, On::After];
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
        answering::DENY,
        answering::TARPIT,
        answering::REJECT,
        answering::SILENT_DROP,
        answering::RETURN,
        answering::MONITOR,
        stats::STATS,
        answering::REDIRECT,
        changing::SET_HEADER,
        changing::ADD_HEADER,
        changing::DEL_HEADER,
        changing::REPLACE_HEADER,
        changing::REPLACE_VALUE,
        changing::SET_PATH,
        changing::SET_PATHQ,
        changing::SET_QUERY,
        changing::SET_URI,
        changing::REPLACE_PATH,
        changing::REPLACE_PATHQ,
        changing::NORMALIZE_URI,
        changing::SET_METHOD,
        changing::SET_STATUS,
        changing::COOKIE_ATTRIBUTES,
        changing::EARLY_HINT,
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
            .means("The severity of its messages to a syslog, or \"silent\": no lines.")
            .action(
                ALL,
                &[
                    (
                        "set_log_level = \"silent\"",
                        "Leaves the exchange out of the access log; it is still counted.",
                    ),
                    (
                        "set_log_level = \"notice\"",
                        "A syslog gets this severity in place of that of the outcome: \"emerg\", \"alert\", \"crit\", \"err\", \"warning\", \"notice\", \"info\" or \"debug\". The last such rule decides.",
                    ),
                ],
            )
            .compiled(
                Shape::Words(&[
                    "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug", "silent",
                ]),
                |rule| match &rule.action {
                    Action::SetLogLevel(level) => Some(string(level.word())),
                    _ => None,
                },
            ),
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
        capture::CAPTURE,
        bodies::MAX_BODY,
        bodies::WAIT_FOR_BODY,
        steering::SET_TIMEOUT,
        steering::USE_BACKEND,
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
        key("auth")
            .means("Let only users with a password pass.")
            .also("basic_auth auth_basic basicauth http_auth")
            .action(
                REQUEST,
                &[(
                    "auth = { realm, required, users, file, groups }",
                    "Lets only requests with the password of a user pass, and asks for it with 401: see below. Reason `rule.unauthorized`.",
                )],
            )
            .compiled(Shape::Table(&AUTH), |rule| match &rule.action {
                Action::Auth(auth) => Some(AUTH.whole().inline(auth)),
                _ => None,
            }),
        forward_auth::FORWARD_AUTH_KEY,
        key("jwt")
            .means("Let only requests with a signed token pass.")
            .also("jwt_verify auth_jwt bearer")
            .action(
                REQUEST,
                &[(
                    "jwt = { file, secret, algorithms, issuer, audience, leeway, claims }",
                    "Lets only requests with a token (JWT) that is signed by a known key pass: see below. Reason `rule.unauthorized`.",
                )],
            )
            .compiled(Shape::Table(&JWT), |rule| match &rule.action {
                Action::Jwt(jwt) => Some(JWT.whole().inline(jwt)),
                _ => None,
            }),
        key("cors")
            .means("Which pages of other origins may read answers.")
            .action(
                REQUEST,
                &[(
                    "cors = { origins, methods, headers, expose, credentials, max_age }",
                    "Answers preflights, and lets pages of these origins read answers: see below.",
                )],
            )
            .compiled(Shape::Table(&CORS), |rule| match &rule.action {
                Action::Cors(cors) => Some(CORS.whole().inline(cors)),
                _ => None,
            }),
        key("security_headers")
            .means("Add the fields that a security review asks for: true, or a table.")
            .action(
                RESPONSE,
                &[(
                    "security_headers = true",
                    "Adds `strict-transport-security` (TLS), `x-content-type-options`, `x-frame-options` and `referrer-policy` unless the answer has them; a table chooses.",
                )],
            )
            .compiled(
                Shape::AnyOf(&[Shape::Switch, Shape::Table(&SECURITY_HEADERS)]),
                |rule| match &rule.action {
                    Action::SecurityHeaders(fields) => Some(SECURITY_HEADERS.whole().inline(fields)),
                    _ => None,
                },
            ),
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
                    "rate_limit = { key, rate, burst, on_exceed, status, retry_after, headers }",
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
        block: write `deny = 403`
        close drop: write `reject = true` or `silent_drop = true`
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

/// `rules`, each on a line of its own; `None`: there is none.
pub(super) fn shown(rules: &[Rule]) -> Option<String> {
    let rules = rules.iter().map(|rule| RULE.whole().inline(rule));
    (rules.len() > 0).then(|| rows("    ", rules))
}
