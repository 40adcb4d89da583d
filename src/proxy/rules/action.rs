//! What single rules do.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, StatusCode, header};

use crate::base::clock::Duration;
use crate::exchange::Reason;
use crate::expr::{Facts, Program, Template};
use crate::plan::expr::Variable;
use crate::plan::{self, RedirectTo};
use crate::proxy::reply::LocalAnswer;

use super::encode::{field_value, location, with_host, with_path};
use super::{Answer, Flow, Scope};

/// An action, compiled.
#[derive(Debug)]
pub(super) enum Action {
    Deny(StatusCode),
    Return(Box<Return>),
    Redirect(Box<Redirect>),
    SetHeader(Box<[(HeaderName, Template)]>),
    AddHeader(Box<[(HeaderName, Template)]>),
    DelHeader(Box<[HeaderName]>),
    SetPath(Template),
    SetVar(Box<[(Variable, Program)]>),
    Pause(Duration),
}

#[derive(Debug)]
pub(super) struct Return {
    status: StatusCode,
    headers: Box<[(HeaderName, Template)]>,
    body: Template,
}

#[derive(Debug)]
pub(super) struct Redirect {
    status: StatusCode,
    kind: RedirectKind,
    to: Template,
}

#[derive(Clone, Copy, Debug)]
enum RedirectKind {
    Location,
    Prefix,
    Scheme,
}

impl Action {
    pub(super) fn compile(action: &plan::Action) -> Self {
        match action {
            plan::Action::Deny(status) => Self::Deny(*status),
            plan::Action::Return(answer) => Self::Return(Box::new(Return {
                status: answer.status,
                headers: templates(&answer.headers),
                body: Template::compile(&answer.body),
            })),
            plan::Action::Redirect(redirect) => Self::Redirect(Box::new(Redirect::of(redirect))),
            plan::Action::SetHeader(fields) => Self::SetHeader(templates(fields)),
            plan::Action::AddHeader(fields) => Self::AddHeader(templates(fields)),
            plan::Action::DelHeader(names) => Self::DelHeader(names.as_slice().into()),
            plan::Action::SetPath(path) => Self::SetPath(Template::compile(path)),
            plan::Action::SetVar(variables) => Self::SetVar(
                variables
                    .iter()
                    .map(|(variable, expr)| (variable.clone(), Program::compile(expr)))
                    .collect(),
            ),
            plan::Action::Pause(time) => Self::Pause(*time),
        }
    }

    pub(super) fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Flow {
        match self {
            Self::SetHeader(fields) => {
                for (name, template) in fields {
                    let value = scope.text(template, &facts(request, scope));
                    let value = field_value(value);
                    if *name == header::HOST
                        && let Some(host) = &value
                        && let Some(target) = with_host(request.uri(), host)
                    {
                        *request.uri_mut() = target;
                    }
                    set(request.headers_mut(), name, value);
                }
            }
            Self::AddHeader(fields) => {
                for (name, template) in fields {
                    let value = scope.text(template, &facts(request, scope));
                    if let Some(value) = field_value(value) {
                        request.headers_mut().append(name.clone(), value);
                    }
                }
            }
            Self::DelHeader(names) => remove(request.headers_mut(), names),
            Self::SetPath(template) => {
                let path = scope.text(template, &facts(request, scope));
                if let Some(target) = with_path(request.uri(), &path) {
                    *request.uri_mut() = target;
                }
            }
            Self::SetVar(variables) => scope.assign(variables, &facts(request, scope)),
            Self::Pause(time) => return Flow::Wait(0, *time),
            Self::Redirect(redirect) => return redirect.answer(request, scope),
            Self::Deny(_) | Self::Return(_) => return self.answer(&facts(request, scope), scope),
        }
        Flow::Continue
    }

    pub(super) fn on_answer(&self, answer: &mut Answer<'_>, scope: &Scope<'_>) -> Flow {
        match self {
            Self::SetHeader(fields) => {
                for (name, template) in fields {
                    let value = scope.text(template, &scope.of_answer(answer));
                    set(answer.headers, name, field_value(value));
                }
            }
            Self::AddHeader(fields) => {
                for (name, template) in fields {
                    let value = scope.text(template, &scope.of_answer(answer));
                    if let Some(value) = field_value(value) {
                        answer.headers.append(name.clone(), value);
                    }
                }
            }
            Self::DelHeader(names) => remove(answer.headers, names),
            Self::SetVar(variables) => scope.assign(variables, &scope.of_answer(answer)),
            Self::Deny(_) | Self::Return(_) => {
                return self.answer(&scope.of_answer(answer), scope);
            }
            // The configuration lets these run on requests alone.
            Self::SetPath(_) | Self::Pause(_) | Self::Redirect(_) => {}
        }
        Flow::Continue
    }

    /// The answer that this action gives in place of a server's.
    fn answer(&self, facts: &Facts<'_>, scope: &Scope<'_>) -> Flow {
        let answer = match self {
            Self::Deny(status) => LocalAnswer::refusal(Reason::RuleDenied, Some(*status)),
            Self::Return(answer) => {
                let mut headers = HeaderMap::with_capacity(answer.headers.len());
                for (name, template) in &answer.headers {
                    set(&mut headers, name, field_value(scope.text(template, facts)));
                }
                let body = Bytes::from(scope.text(&answer.body, facts));
                LocalAnswer::own(Reason::RuleReturned, answer.status, headers, body)
            }
            _ => return Flow::Continue,
        };
        Flow::Answer(Box::new(answer))
    }
}

impl Redirect {
    fn of(redirect: &plan::Redirect) -> Self {
        let (kind, to) = match &redirect.to {
            RedirectTo::Location(to) => (RedirectKind::Location, to),
            RedirectTo::Prefix(to) => (RedirectKind::Prefix, to),
            RedirectTo::Scheme(to) => (RedirectKind::Scheme, to),
        };
        Self {
            status: redirect.status,
            kind,
            to: Template::compile(to),
        }
    }

    fn answer<B>(&self, request: &Request<B>, scope: &Scope<'_>) -> Flow {
        let mut to = scope.text(&self.to, &facts(request, scope));
        if let RedirectKind::Scheme = self.kind {
            to.extend_from_slice(b"://");
            let host = request
                .headers()
                .get(header::HOST)
                .map(|host| host.as_bytes());
            let authority = request.uri().authority();
            let host = authority.map(|host| host.as_str().as_bytes()).or(host);
            to.extend_from_slice(host.unwrap_or_default());
        }
        if let RedirectKind::Scheme | RedirectKind::Prefix = self.kind {
            let target = request.uri().path_and_query();
            to.extend_from_slice(target.map_or("/", |target| target.as_str()).as_bytes());
        }
        let headers = HeaderMap::from_iter([(header::LOCATION, location(&to))]);
        let reason = Reason::RuleRedirected;
        let answer = LocalAnswer::own(reason, self.status, headers, Bytes::new());
        Flow::Answer(Box::new(answer))
    }
}

impl Scope<'_> {
    fn text(&self, template: &Template, facts: &Facts<'_>) -> Vec<u8> {
        template.render(facts, &mut self.scratch.borrow_mut())
    }

    fn assign(&self, variables: &[(Variable, Program)], facts: &Facts<'_>) {
        let scratch = &mut *self.scratch.borrow_mut();
        for (variable, program) in variables {
            scratch.clear();
            let value = program.value(facts, scratch);
            if let Some(holder) = facts.holder_of(variable) {
                holder.set(variable, value, scratch);
            }
        }
    }
}

fn facts<'b, B>(request: &'b Request<B>, scope: &Scope<'b>) -> Facts<'b> {
    scope.of_request(request, request.uri().path(), &[])
}

fn templates(fields: &[(HeaderName, plan::expr::Template)]) -> Box<[(HeaderName, Template)]> {
    let fields = fields.iter();
    fields
        .map(|(name, template)| (name.clone(), Template::compile(template)))
        .collect()
}

/// Gives the field `name` this one value. Without one it is gone: what a rule replaces was not to
/// stay, whatever the rule made of it.
fn set(headers: &mut HeaderMap, name: &HeaderName, value: Option<http::HeaderValue>) {
    match value {
        Some(value) => drop(headers.insert(name.clone(), value)),
        None => drop(headers.remove(name)),
    }
}

fn remove(headers: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        headers.remove(name);
    }
}
