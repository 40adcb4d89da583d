//! A rule: an action on an exchange, and its condition.

use std::time::Duration;

use http::{HeaderName, StatusCode};

use crate::base::{Name, Position};
use crate::plan::expr::{Condition, Expr, Template, Variable};

/// `[[frontend.NAME.rule]]`, `rule` of a route or of a backend.
///
/// Rules run in the order of the file: those of the frontend, then of the route, then of the backend.
/// For responses it is the other way round: backend, route, frontend.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// In which part of the exchange it runs.
    pub on: On,
    /// Its condition; `None`: it always runs.
    pub when: Option<Condition>,
    /// Its action.
    pub action: Action,
    /// Where it is written.
    pub at: Position,
    /// Where the value of the action is written.
    pub action_at: Position,
}

/// In which part of an exchange a rule runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum On {
    /// Before the request is sent to a server.
    #[default]
    Request,
    /// After the answer of a server.
    Response,
    /// On every answer, also on our own.
    After,
}

/// The action of a rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Refuses the exchange with this status.
    Deny(StatusCode),
    /// Answers in place of a server.
    Return(Box<Return>),
    /// Redirects the client.
    Redirect(Box<Redirect>),
    /// Sets fields to this one value, in place of all values that they had.
    SetHeader(Vec<Field>),
    /// Adds a line to fields.
    AddHeader(Vec<Field>),
    /// Removes fields.
    DelHeader(Vec<FieldName>),
    /// Replaces the path of the target; the query stays.
    SetPath(Template),
    /// Sets variables.
    SetVar(Vec<(Variable, Expr)>),
    /// Waits, then continues.
    Pause(Duration),
    /// The request goes to this server of the backend if it is up.
    UseServer(Name),
}

/// A field with the value from a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// As it is sent.
    pub name: HeaderName,
    /// Its value.
    pub value: Template,
    /// Where it is written.
    pub at: Position,
}

/// The name of a field.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldName {
    /// The name.
    pub name: HeaderName,
    /// Where it is written.
    pub at: Position,
}

/// `return = { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Return {
    /// The status of the answer.
    pub status: StatusCode,
    /// The fields of the answer, with `Content-Type`.
    pub headers: Vec<Field>,
    /// The body of the answer.
    pub body: Template,
    /// Where the body is written, or the whole answer if it has none.
    pub body_at: Position,
}

/// `redirect = { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: StatusCode,
    /// The new location.
    pub to: RedirectTo,
}

/// The new location of a redirect.
#[derive(Clone, Debug, PartialEq)]
pub enum RedirectTo {
    /// This URL or path.
    Location(Template),
    /// This URL or path, followed by the path and the query of the request.
    Prefix(Template),
    /// To the same host, path and query with another scheme.
    Scheme(Template),
}

impl Rule {
    /// Whether it answers every exchange that it runs in.
    pub fn answers_all(&self) -> bool {
        let answers = match self.action {
            Action::Deny(_) | Action::Return(_) | Action::Redirect(_) => true,
            Action::SetHeader(_)
            | Action::AddHeader(_)
            | Action::DelHeader(_)
            | Action::SetPath(_)
            | Action::SetVar(_)
            | Action::Pause(_)
            | Action::UseServer(_) => false,
        };
        answers && self.when.is_none()
    }

    /// Whether it answers every request, so that none needs a backend.
    pub fn answers_all_requests(&self) -> bool {
        self.on == On::Request && self.answers_all()
    }

    /// The request fields that it replaces or removes: a client's value has no effect.
    pub fn replaced_fields(&self) -> Vec<&HeaderName> {
        match &self.action {
            Action::SetHeader(fields) if self.on == On::Request => {
                fields.iter().map(|field| &field.name).collect()
            }
            Action::DelHeader(names) if self.on == On::Request => {
                names.iter().map(|field| &field.name).collect()
            }
            _ => Vec::new(),
        }
    }
}
