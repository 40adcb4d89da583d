//! `forward_auth` of a rule.

use crate::config::keys::kind::Shape;
use crate::config::keys::words::Words;
use crate::config::keys::{Key, Keys, key};
use crate::config::page::{list, string, template};
use crate::plan::{Action, ForwardAuth, Rule, WithoutAnswer};

use super::REQUEST;

impl Words for WithoutAnswer {
    const WORDS: &'static [(&'static str, Self)] =
        &[("refuse", Self::Refuse), ("pass", Self::Pass)];
    const ALSO: &'static [(&'static str, &'static str)] = &[
        ("deny", "refuse"),
        ("closed", "refuse"),
        ("allow", "pass"),
        ("open", "pass"),
    ];
}

/// The table of `forward_auth`.
pub(in crate::config) static FORWARD_AUTH: Keys<ForwardAuth> = Keys {
    keys: &[
        key("backend")
            .means("The backend whose servers decide.")
            .also("address uri url")
            .compiled(Shape::Text, |auth| Some(string(&auth.backend.name))),
        key("path")
            .means("The target of the question; a template.")
            .also("path_prefix")
            .compiled(Shape::Text, |auth| Some(template(&auth.path))),
        key("host")
            .means("The host of the question; unless written, that of the request.")
            .compiled(Shape::Text, |auth| auth.host.as_deref().map(string)),
        key("send")
            .means("The fields of the request that the question has; unless written, all but those about the connection and the body.")
            .also("auth_request_headers authrequestheaders allowed_headers headers_to_upstream")
            .compiled(Shape::List(&Shape::Text), |auth| {
                let names = auth.send.as_ref()?.iter();
                Some(list(names.map(|name| string(name.as_str()))))
            }),
        key("copy")
            .means("Fields of a positive answer that the request gets. What the client sent under these names is removed.")
            .also("auth_response_headers authresponseheaders copy_headers allowed_upstream_headers")
            .compiled(Shape::List(&Shape::Text), |auth| {
                let names = auth.copy.iter();
                Some(list(names.map(|name| string(name.as_str()))))
            }),
        key("timeout")
            .means("For the whole question.")
            .duration(|auth| &mut auth.timeout),
        key("without_answer")
            .means("What happens when no server decides: \"refuse\" or \"pass\".")
            .also("failure_mode failure_mode_allow on_error")
            .word(WithoutAnswer::words, |auth| &mut auth.without_answer),
    ],
    ..Keys::EMPTY
};

pub(super) const FORWARD_AUTH_KEY: Key<Rule> = key("forward_auth")
    .means("Ask another server whether the request may continue.")
    .also("auth_request ext_authz forwardauth external_auth")
    .action(
        REQUEST,
        &[(
            "forward_auth = { backend = \"auth\", copy = [\"x-user\"] }",
            "Asks a server of this backend, and lets the request continue after an answer with a status of 200 to 299: see below. Any other answer is the client's. Reasons `rule.forward_auth_refused`, `rule.forward_auth_failed`.",
        )],
    )
    .compiled(Shape::Table(&FORWARD_AUTH), |rule| match &rule.action {
        Action::ForwardAuth(auth) => Some(FORWARD_AUTH.whole().inline(auth)),
        _ => None,
    });
