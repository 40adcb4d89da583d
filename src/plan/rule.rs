//! A rule: what is done to an exchange, and when.

use std::time::Duration;

use http::{HeaderName, StatusCode};

use crate::base::Position;
use crate::plan::expr::{Condition, Expr, Template, Variable};

/// `[[frontend.NAME.rule]]`, `rule` of a route or of a backend.
///
/// Rules run in the order of the file: those of the frontend, then of the route, then of the backend.
/// For responses it is the other way round: backend, route, frontend.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// In which part of the exchange it runs.
    pub on: On,
    /// What must be true; `None`: it always runs.
    pub when: Option<Condition>,
    /// What is done.
    pub action: Action,
    /// Where it is written.
    pub at: Position,
}

/// In which part of an exchange a rule runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum On {
    /// Before the request is sent to a server.
    #[default]
    Request,
    /// When a server has answered.
    Response,
    /// On every answer, also on one that is not a server's.
    After,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Refuses the exchange with this status.
    Deny(StatusCode),
    /// Answers in place of a server.
    Return(Box<Return>),
    /// Sends the client somewhere else.
    Redirect(Box<Redirect>),
    /// Gives fields this one value, in place of all that they had.
    SetHeader(Vec<Field>),
    /// Adds a line to fields.
    AddHeader(Vec<Field>),
    /// Removes fields.
    DelHeader(Vec<HeaderName>),
    /// Replaces the path of the target; the query stays.
    SetPath(Template),
    /// Gives variables values.
    SetVar(Vec<(Variable, Expr)>),
    /// Waits, and goes on.
    Pause(Duration),
}

/// A field with the value that a rule gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// As it is sent.
    pub name: HeaderName,
    /// What it becomes.
    pub value: Template,
    /// Where it is written.
    pub at: Position,
}

/// `return = { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Return {
    /// Of the answer.
    pub status: StatusCode,
    /// Of the answer; `Content-Type` is among them.
    pub headers: Vec<Field>,
    /// Of the answer.
    pub body: Template,
}

/// `redirect = { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: StatusCode,
    /// Where to.
    pub to: RedirectTo,
}

/// Where a redirect leads.
#[derive(Clone, Debug, PartialEq)]
pub enum RedirectTo {
    /// There.
    Location(Template),
    /// There, with the path and the query of the request behind it.
    Prefix(Template),
    /// To the same host, path and query with another scheme.
    Scheme(Template),
}

impl Rule {
    /// The fields of requests that it replaces or removes: what a client says in them does not count.
    pub fn replaced_fields(&self) -> Vec<&HeaderName> {
        match &self.action {
            Action::SetHeader(fields) if self.on == On::Request => {
                fields.iter().map(|field| &field.name).collect()
            }
            Action::DelHeader(names) if self.on == On::Request => names.iter().collect(),
            _ => Vec::new(),
        }
    }
}
