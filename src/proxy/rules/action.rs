//! The actions of rules.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};

use crate::base::Name;
use crate::base::clock::Duration;
use crate::exchange::Reason;
use crate::expr::{Facts, Program, Template};
use crate::plan::expr::{Piece, Variable};
use crate::plan::{self, RedirectTo};
use crate::proxy::reply::LocalAnswer;

use super::encode::{field_value, location, with_host, with_path};
use super::{Answer, Flow, OriginalHost, Scope, UsedServers};

/// An action, compiled.
#[derive(Debug)]
pub(super) enum Action {
    Deny(StatusCode),
    /// Refuses a client without a certificate: `client_certificate` of a route.
    RequireCertificate,
    Return(Box<Return>),
    Redirect(Box<Redirect>),
    SetHeader(Box<[(HeaderName, Template)]>),
    AddHeader(Box<[(HeaderName, Template)]>),
    DelHeader(Box<[HeaderName]>),
    SetPath(Template),
    SetVar(Box<[(Variable, Program)]>),
    Pause(Duration),
    UseServer(Name),
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
    /// Whether the written value begins with a host.
    may_name_host: bool,
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
            plan::Action::DelHeader(names) => {
                Self::DelHeader(names.iter().map(|field| field.name.clone()).collect())
            }
            plan::Action::SetPath(path) => Self::SetPath(Template::compile(path)),
            plan::Action::SetVar(variables) => Self::SetVar(
                variables
                    .iter()
                    .map(|(variable, expr)| (variable.clone(), Program::compile(expr)))
                    .collect(),
            ),
            plan::Action::Pause(time) => Self::Pause(*time),
            plan::Action::UseServer(name) => Self::UseServer(name.clone()),
        }
    }

    pub(super) fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Flow {
        match self {
            Self::SetHeader(fields) => {
                for (name, template) in fields {
                    let value = scope.text(template, &facts(request, scope));
                    let value = field_value(value);
                    if *name == header::HOST {
                        // If the rule's host is invalid, the request is not sent.
                        let host = value.as_ref();
                        let Some(target) = host.and_then(|host| with_host(request.uri(), host))
                        else {
                            return refusal(Reason::RequestHostMalformed);
                        };
                        keep_host(request);
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
                // If the path cannot be replaced, the request is not sent with the old one.
                let Some(target) = with_path(request.uri(), &path) else {
                    return refusal(Reason::RequestTargetTooLong);
                };
                *request.uri_mut() = target;
            }
            Self::SetVar(variables) => scope.assign(variables, &facts(request, scope)),
            Self::RequireCertificate => {
                let tls = scope.connection.tls;
                if tls.is_none_or(|tls| tls.certificate.is_none()) {
                    return refusal(Reason::RouteCertificate);
                }
            }
            Self::Pause(time) => return Flow::Wait(0, *time),
            Self::UseServer(name) => {
                let named = request.extensions_mut();
                let UsedServers(named) = named.get_or_insert_default();
                named.push(name.clone());
            }
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
            // The configuration allows these on requests only.
            Self::SetPath(_)
            | Self::Pause(_)
            | Self::Redirect(_)
            | Self::UseServer(_)
            | Self::RequireCertificate => {}
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
            may_name_host: matches!(
                to.pieces.first(),
                Some(Piece::Text(text)) if text.starts_with("//")
            ),
        }
    }

    fn answer<B>(&self, request: &Request<B>, scope: &Scope<'_>) -> Flow {
        let mut to = scope.text(&self.to, &facts(request, scope));
        if let RedirectKind::Scheme = self.kind {
            let Some(host) = host_of(request) else {
                return refusal(Reason::RequestHostMissing);
            };
            to.extend_from_slice(b"://");
            to.extend_from_slice(host);
        }
        if let RedirectKind::Scheme | RedirectKind::Prefix = self.kind {
            let target = request.uri().path_and_query().map(|target| target.as_str());
            // `*` is no path.
            let target = target.filter(|target| *target != "*");
            to.extend_from_slice(target.unwrap_or("/").as_bytes());
        }
        if !self.may_name_host {
            stay_on_host(&mut to);
        }
        let headers = HeaderMap::from_iter([(header::LOCATION, location(&to))]);
        let reason = Reason::RuleRedirected;
        let answer = LocalAnswer::own(reason, self.status, headers, Bytes::new());
        Flow::Answer(Box::new(answer))
    }
}

impl Scope<'_> {
    pub(super) fn text(&self, template: &Template, facts: &Facts<'_>) -> Vec<u8> {
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

fn templates(fields: &[plan::Field]) -> Box<[(HeaderName, Template)]> {
    let fields = fields.iter();
    fields
        .map(|field| (field.name.clone(), Template::compile(&field.value)))
        .collect()
}

/// The answer for `reason`.
fn refusal(reason: Reason) -> Flow {
    Flow::Answer(Box::new(LocalAnswer::refusal(reason, None)))
}

/// The host that `request` is for.
fn host_of<B>(request: &Request<B>) -> Option<&[u8]> {
    let authority = request.uri().authority();
    let field = || {
        request
            .headers()
            .get(header::HOST)
            .map(HeaderValue::as_bytes)
    };
    authority
        .map(|host| host.as_str().as_bytes())
        .or_else(field)
}

/// Keeps the host that the client asked for, before a rule replaces it for the first time.
fn keep_host<B>(request: &mut Request<B>) {
    if request.extensions().get::<OriginalHost>().is_none() {
        let host = host_of(request).and_then(|host| HeaderValue::from_bytes(host).ok());
        request.extensions_mut().insert(OriginalHost(host));
    }
}

/// `//name` at the beginning of a target is another host (RFC 3986 §4.2), and browsers read `\` as
/// `/`.
fn stay_on_host(to: &mut Vec<u8>) {
    if let [b'/' | b'\\', rest @ ..] = to.as_slice() {
        let extra = rest.iter().take_while(|byte| matches!(byte, b'/' | b'\\'));
        let extra = extra.count();
        to.drain(..=extra);
        to.insert(0, b'/');
    }
}

/// Sets the field `name` to this one value. Without a value it is removed: a rule replaces the old
/// value in any case.
fn set(headers: &mut HeaderMap, name: &HeaderName, value: Option<HeaderValue>) {
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
