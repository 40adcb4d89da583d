//! A rule: an action on an exchange, and its condition.

use http::HeaderName;

use crate::base::Position;
use crate::plan::expr::Condition;
use crate::plan::{Action, NamePart};

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

impl Rule {
    /// Whether it answers every exchange that it runs in.
    pub fn answers_all(&self) -> bool {
        self.when.is_none() && self.action.answers()
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
            Action::Jwt(jwt) => jwt.claims.iter().map(|(name, _)| name).collect(),
            Action::DelHeader(removed) if self.on == On::Request => {
                removed.names.iter().map(|field| &field.name).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The parts of names by which it removes request fields.
    pub fn removed_parts(&self) -> &[NamePart] {
        match &self.action {
            Action::DelHeader(removed) if self.on == On::Request => &removed.parts,
            _ => &[],
        }
    }
}
