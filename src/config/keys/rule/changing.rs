//! The keys of rules that change a request or an answer.

use crate::config::keys::kind::Shape;
use crate::config::keys::words::Word;
use crate::config::keys::{Key, key};
use crate::config::page::{fields, list, string, template};
use crate::plan::{Action, Rule, TargetPart};

use super::{ALL, FIELDS, REQUEST, RESPONSE, tables};

/// The name of a field, or a part of it.
const REMOVED: Shape = Shape::AnyOf(&[Shape::Text, Shape::Table(&tables::NAME_PART)]);

pub(super) const SET_HEADER: Key<Rule> = key("set_header")
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
    });

pub(super) const ADD_HEADER: Key<Rule> = key("add_header")
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
    });

pub(super) const DEL_HEADER: Key<Rule> = key("del_header")
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
            let parts = parts.map(|part| tables::NAME_PART.whole().inline(part));
            Some(list(names.chain(parts)))
        }
        _ => None,
    });

pub(super) const REPLACE_HEADER: Key<Rule> = key("replace_header")
    .means("Replace the lines of a field that match a regular expression.")
    .action(
        ALL,
        &[(
            "replace_header = { name, match, with }",
            "Replaces each line of the field that matches: the whole line by `with`, in which `\\\\0` to `\\\\9` are the match and its groups.",
        )],
    )
    .compiled(Shape::Table(&tables::REPLACE_FIELD), |rule| match &rule.action {
        Action::ReplaceHeader(field) => Some(tables::REPLACE_FIELD.whole().inline(field)),
        _ => None,
    });

pub(super) const REPLACE_VALUE: Key<Rule> = key("replace_value")
    .means("Replace the elements of a list in a field that match a regular expression.")
    .action(
        ALL,
        &[(
            "replace_value = { name, match, with }",
            "The same for each element of a list with commas, without the spaces around it.",
        )],
    )
    .compiled(Shape::Table(&tables::REPLACE_FIELD), |rule| {
        match &rule.action {
            Action::ReplaceValue(field) => Some(tables::REPLACE_FIELD.whole().inline(field)),
            _ => None,
        }
    });

pub(super) const SET_PATH: Key<Rule> = key("set_path")
    .means("Replace the path; the query stays.")
    .action(
        REQUEST,
        &[(
            "set_path = \"/path\"",
            "Replaces the path; the query stays.",
        )],
    )
    .compiled(Shape::Text, |rule| set_target(rule, TargetPart::Path));

pub(super) const SET_PATHQ: Key<Rule> = key("set_pathq")
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
    });

pub(super) const SET_QUERY: Key<Rule> = key("set_query")
    .means("Replace the query; the path stays.")
    .action(
        REQUEST,
        &[(
            "set_query = \"a=b\"",
            "Replaces what follows the first `?`; the path stays. Without a value, an existing `?` stays and none is added.",
        )],
    )
    .compiled(Shape::Text, |rule| set_target(rule, TargetPart::Query));

pub(super) const SET_URI: Key<Rule> = key("set_uri")
    .means("Replace the path and the query, and the host if the value has one.")
    .action(
        REQUEST,
        &[(
            "set_uri = \"http://host/path?query\"",
            "Replaces the path and the query, and the host if the value begins with `http://` or `https://`.",
        )],
    )
    .compiled(Shape::Text, |rule| set_target(rule, TargetPart::Uri));

pub(super) const REPLACE_PATH: Key<Rule> = key("replace_path")
    .means("Replace the path if it matches a regular expression; the query stays.")
    .action(
        REQUEST,
        &[(
            "replace_path = { match, with }",
            "Replaces the path if it matches: the whole path by `with`. The query stays.",
        )],
    )
    .compiled(Shape::Table(&tables::REPLACE), |rule| {
        replace_target(rule, TargetPart::Path)
    });

pub(super) const REPLACE_PATHQ: Key<Rule> = key("replace_pathq")
    .means("Replace the path and the query if they match a regular expression.")
    .action(
        REQUEST,
        &[(
            "replace_pathq = { match, with }",
            "The same for the path with the query.",
        )],
    )
    .compiled(Shape::Table(&tables::REPLACE), |rule| {
        replace_target(rule, TargetPart::PathAndQuery)
    });

pub(super) const NORMALIZE_URI: Key<Rule> = key("normalize_uri")
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
    });

pub(super) const SET_METHOD: Key<Rule> = key("set_method")
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
    });

pub(super) const SET_STATUS: Key<Rule> = key("set_status")
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
    });

pub(super) const COOKIE_ATTRIBUTES: Key<Rule> = key("cookie_attributes")
    .means("Write attributes of the cookies that an answer sets.")
    .action(
        RESPONSE,
        &[(
            "cookie_attributes = { names, secure, http_only, same_site }",
            "Adds `Secure` and `HttpOnly` to the cookies that `Set-Cookie` sets, and replaces their `SameSite` (\"strict\", \"lax\" or \"none\"). Without `names`, to all cookies.",
        )],
    )
    .compiled(Shape::Table(&tables::COOKIE_ATTRIBUTES), |rule| {
        match &rule.action {
            Action::CookieAttributes(attributes) => {
                Some(tables::COOKIE_ATTRIBUTES.whole().inline(attributes))
            }
            _ => None,
        }
    });

pub(super) const EARLY_HINT: Key<Rule> = key("early_hint")
    .means("Send the client these fields before the answer (103).")
    .action(
        REQUEST,
        &[(
            "early_hint = { link = \"</a.css>; rel=preload\" }",
            "Sends the client an interim answer 103 with these fields; rules of one table share one. A field with an empty value is left out. HTTP/1.0 clients get none.",
        )],
    )
    .compiled(FIELDS, |rule| match &rule.action {
        Action::EarlyHint(set) => Some(fields(set)),
        _ => None,
    });

fn set_target(rule: &Rule, part: TargetPart) -> Option<String> {
    match &rule.action {
        Action::SetTarget(of, value) if *of == part => Some(template(value)),
        _ => None,
    }
}

fn replace_target(rule: &Rule, part: TargetPart) -> Option<String> {
    match &rule.action {
        Action::ReplaceTarget(of, replace) if *of == part => {
            Some(tables::REPLACE.whole().inline(replace))
        }
        _ => None,
    }
}
