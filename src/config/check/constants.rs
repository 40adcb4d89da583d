//! Values of rules that are invalid whatever the exchange is: a line break in a field, an empty method.
//!
//! In a template, what expressions yield is unknown; the text between them is not. What is only known when
//! a request has come is checked then, and fails that request (`rule.invalid_value`).

use http::uri::{Authority, Scheme};
use http::{HeaderValue, Method, header};

use crate::base::Position;
use crate::config::diagnostic::Diagnostic;
use crate::config::report::Report;
use crate::plan::expr::{Piece, Template};
use crate::plan::{Action, Field, MOST_METHOD_BYTES, On, Redirect, RedirectTo, Rule, TargetPart};

/// Reports what `rule` writes if it can never be valid; of fields, [`refuse_values`] does.
pub(super) fn refuse(rule: &Rule, report: &mut Report<'_>) {
    let at = &rule.action_at;
    match &rule.action {
        Action::ReplaceHeader(replaced) | Action::ReplaceValue(replaced) => {
            let at = &replaced.field.at;
            refuse_value(
                &replaced.replace.with,
                replaced.field.name.as_str(),
                at,
                report,
            );
        }
        Action::SetTarget(part, value) => refuse_target(*part, value, rule, report),
        Action::ReplaceTarget(_, replace) => {
            refuse_control(&replace.with, at, report);
        }
        Action::SetMethod(method) => refuse_method(method, at, report),
        Action::Redirect(redirect) => refuse_redirect(redirect, at, report),
        _ => {}
    }
}

/// Reports the values of `fields` that can never be valid.
pub(super) fn refuse_values(fields: &[Field], on: On, report: &mut Report<'_>) {
    for Field { name, value, at } in fields {
        if on == On::Request
            && *name == header::HOST
            && let Some(text) = constant(value)
            && Authority::try_from(text.trim_ascii()).is_err()
        {
            let help = "write a name or an address, with a port where it needs one";
            report.add(Diagnostic::at(
                at,
                "the value of `host` is not a host",
                help,
            ));
            continue;
        }
        refuse_value(value, name.as_str(), at, report);
    }
}

/// Reports `value` if no field can have it. Space around it is removed, also a line break.
fn refuse_value(value: &Template, name: &str, at: &Position, report: &mut Report<'_>) {
    let shape = shape(value);
    if HeaderValue::from_bytes(shape.trim_ascii().as_bytes()).is_ok() {
        return;
    }
    let message = format!("the value of `{name}` has {}", what_is_in(&shape));
    let help = "write it on one line, without control characters";
    report.add(Diagnostic::at(at, message, help));
}

fn what_is_in(text: &str) -> &'static str {
    match text.trim_ascii().contains(['\r', '\n']) {
        true => "a line break",
        false => "a control character",
    }
}

/// Reports a control character in `value`, of which nothing is removed; returns whether there is none.
fn refuse_control(value: &Template, at: &Position, report: &mut Report<'_>) -> bool {
    let shape = shape(value);
    if !shape.bytes().any(|byte| byte.is_ascii_control()) {
        return true;
    }
    let what = match shape.contains(['\r', '\n']) {
        true => "a line break",
        false => "a control character",
    };
    let help = "write it on one line; `%0A` is an encoded line break";
    report.add(Diagnostic::at(
        at,
        format!("a target cannot have {what}"),
        help,
    ));
    false
}

fn refuse_target(part: TargetPart, value: &Template, rule: &Rule, report: &mut Report<'_>) {
    let at = &rule.action_at;
    if !refuse_control(value, at, report) {
        return;
    }
    let text = match value.pieces.first() {
        Some(Piece::Text(text)) => text.as_str(),
        Some(Piece::Expr(_)) => return,
        None => "",
    };
    let (key, is_right, message) = match part {
        TargetPart::Path => ("set_path", text.starts_with('/'), "a path begins with `/`"),
        TargetPart::PathAndQuery => ("set_pathq", text.starts_with('/'), "a path begins with `/`"),
        TargetPart::Query => {
            if text.starts_with('?') {
                let help = "leave the `?` out: it stands before the value in any case";
                report.add(Diagnostic::at(at, "a query begins after its `?`", help));
            }
            return;
        }
        TargetPart::Uri => {
            if constant(value).as_deref() == Some("*") {
                refuse_asterisk(rule, report);
                return;
            }
            let is_open = value.pieces.len() > 1 && !text.starts_with('*');
            (
                "set_uri",
                text.starts_with('/') || has_scheme(text) || is_open,
                "a URI begins with `/`, `http://` or `https://`",
            )
        }
    };
    if !is_right {
        let help = format!("write `{key} = \"/{value}\"`");
        report.add(Diagnostic::at(at, message, help));
    } else if part == TargetPart::Uri
        && let Some(text) = constant(value)
        && has_scheme(&text)
        && Authority::try_from(host_of(&text)).is_err()
    {
        let help = "write `http://`, a name or an address, and the path";
        report.add(Diagnostic::at(
            at,
            "the host of this URI is not a host",
            help,
        ));
    }
}

/// `*` is the target of OPTIONS alone, so without a condition every other request fails.
fn refuse_asterisk(rule: &Rule, report: &mut Report<'_>) {
    if rule.when.is_none() {
        let message = "only requests with OPTIONS have the target `*`";
        let help = "write `when = 'method == \"OPTIONS\"'` too, or a path";
        report.add(Diagnostic::at(&rule.action_at, message, help));
    }
}

const SCHEMES: [&str; 2] = ["http://", "https://"];

fn has_scheme(text: &str) -> bool {
    SCHEMES.iter().any(|scheme| text.starts_with(scheme))
}

/// The host and the port of a URI with a scheme.
fn host_of(uri: &str) -> &str {
    let rest = SCHEMES.iter().find_map(|scheme| uri.strip_prefix(scheme));
    let rest = rest.unwrap_or(uri);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

fn refuse_method(method: &Template, at: &Position, report: &mut Report<'_>) {
    let Some(text) = constant(method) else {
        return;
    };
    let is_token = Method::from_bytes(text.as_bytes()).is_ok();
    if !is_token || text.len() > MOST_METHOD_BYTES {
        let message = match text.is_empty() {
            true => "an empty text is not a method".to_owned(),
            false => format!("`{text}` is not a valid method"),
        };
        let help = "write a word such as \"POST\", of at most 32 characters";
        report.add(Diagnostic::at(at, message, help));
    } else if matches!(text.as_str(), "CONNECT" | "TRACE") {
        let message = format!("Evenkeel does not pass on {text}");
        report.add(Diagnostic::at(at, message, "write another method"));
    }
}

fn refuse_redirect(redirect: &Redirect, at: &Position, report: &mut Report<'_>) {
    let (key, value, example) = match &redirect.to {
        RedirectTo::Location(value) => ("location", value, "/new"),
        RedirectTo::Prefix(value) => ("prefix", value, "https://www.example.com"),
        RedirectTo::Scheme(value) => ("scheme", value, "https"),
    };
    let Some(text) = constant(value) else {
        return;
    };
    let help = format!("write `{key} = \"{example}\"`");
    // A prefix that is empty leads to another page if only the query, the end of the path or a cookie changes.
    let is_changed = redirect.drop_query || redirect.append_slash || redirect.cookie.is_some();
    if text.is_empty() && !(key == "prefix" && is_changed) {
        let message = format!("an empty `{key}` leads to the same page again");
        report.add(Diagnostic::at(at, message, help));
    } else if key == "scheme" && Scheme::try_from(text.as_str()).is_err() {
        report.add(Diagnostic::at(at, "this is not a scheme", help));
    }
}

/// The text of `template` if it is the same for all exchanges.
fn constant(template: &Template) -> Option<String> {
    let texts = template.pieces.iter().map(|piece| match piece {
        Piece::Text(text) => Some(text.as_str()),
        Piece::Expr(_) => None,
    });
    texts.collect()
}

/// The text of `template` with a letter for each expression.
fn shape(template: &Template) -> String {
    let texts = template.pieces.iter().map(|piece| match piece {
        Piece::Text(text) => text.as_str(),
        Piece::Expr(_) => "x",
    });
    texts.collect()
}
