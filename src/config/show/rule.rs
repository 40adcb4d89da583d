//! Rules as text, each on a line of its own.

use http::HeaderName;

use crate::plan::expr::Template;
use crate::plan::{Action, On, Redirect, RedirectTo, Return, Rule};

use super::{Page, duration, key, list, string};

/// `rule = […]`, unless there is none.
pub(super) fn rules(rules: &[Rule], page: &mut Page) {
    if rules.is_empty() {
        return;
    }
    page.line("rule = [");
    for rule in rules {
        page.line(&format!("    {},", one(rule)));
    }
    page.line("]");
}

fn one(rule: &Rule) -> String {
    let on = match rule.on {
        On::Request => "request",
        On::Response => "response",
        On::After => "after",
    };
    let mut keys = vec![format!("on = {}", string(on))];
    if let Some(when) = &rule.when {
        keys.push(format!("when = {}", string(&when.to_string())));
    }
    keys.push(format!("{} = {}", rule.action.key(), action(&rule.action)));
    table(keys)
}

fn action(action: &Action) -> String {
    match action {
        Action::Deny(status) => status.as_u16().to_string(),
        Action::Return(answer) => returned(answer),
        Action::Redirect(redirect) => redirected(redirect),
        Action::SetHeader(fields) | Action::AddHeader(fields) => table(fields_of(fields)),
        Action::DelHeader(names) => list(names.iter().map(|name| string(name.as_str()))),
        Action::SetPath(path) => template(path),
        Action::SetVar(variables) => table(variables.iter().map(|(variable, expr)| {
            let (variable, expr) = (variable.to_string(), expr.to_string());
            format!("{} = {}", key(&variable), string(&expr))
        })),
        Action::Pause(time) => duration(*time),
    }
}

fn returned(answer: &Return) -> String {
    let mut keys = vec![format!("status = {}", answer.status.as_u16())];
    if !answer.headers.is_empty() {
        keys.push(format!("headers = {}", table(fields_of(&answer.headers))));
    }
    if !answer.body.pieces.is_empty() {
        keys.push(format!("body = {}", template(&answer.body)));
    }
    table(keys)
}

fn redirected(redirect: &Redirect) -> String {
    let (kind, to) = match &redirect.to {
        RedirectTo::Location(to) => ("location", to),
        RedirectTo::Prefix(to) => ("prefix", to),
        RedirectTo::Scheme(to) => ("scheme", to),
    };
    let status = format!("status = {}", redirect.status.as_u16());
    table([status, format!("{kind} = {}", template(to))])
}

fn fields_of(fields: &[(HeaderName, Template)]) -> Vec<String> {
    let each = |(name, value): &(HeaderName, Template)| {
        format!("{} = {}", key(name.as_str()), template(value))
    };
    fields.iter().map(each).collect()
}

fn template(template: &Template) -> String {
    string(&template.to_string())
}

fn table(keys: impl IntoIterator<Item = String>) -> String {
    let keys: Vec<String> = keys.into_iter().collect();
    format!("{{ {} }}", keys.join(", "))
}
