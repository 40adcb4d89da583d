//! The actions of rules.

mod answer;
mod field;
mod redirect;

use std::time::Duration;

use http::StatusCode;

use crate::base::Name;
use crate::plan::expr::{Expr, Template, Variable};

pub use answer::Return;
pub use field::{Field, FieldName};
pub use redirect::{Redirect, RedirectTo};

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

impl Action {
    /// Its key in the format, for messages and the log.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Deny(_) => "deny",
            Self::Return(_) => "return",
            Self::Redirect(_) => "redirect",
            Self::SetHeader(_) => "set_header",
            Self::AddHeader(_) => "add_header",
            Self::DelHeader(_) => "del_header",
            Self::SetPath(_) => "set_path",
            Self::SetVar(_) => "set_var",
            Self::Pause(_) => "pause",
            Self::UseServer(_) => "use_server",
        }
    }

    /// Whether it answers every exchange that it runs in, so that no later rule does.
    pub fn answers(&self) -> bool {
        matches!(self, Self::Deny(_) | Self::Return(_) | Self::Redirect(_))
    }

    /// Hands each of its expressions to `see`, also those of its templates.
    pub fn each_expr(&self, see: &mut dyn FnMut(&Expr)) {
        match self {
            Self::SetHeader(fields) | Self::AddHeader(fields) => {
                fields.iter().for_each(|field| field.value.each_expr(see));
            }
            Self::Return(answer) => {
                let fields = answer.headers.iter();
                fields.for_each(|field| field.value.each_expr(see));
                answer.body.each_expr(see);
            }
            Self::Redirect(redirect) => match &redirect.to {
                RedirectTo::Location(to) | RedirectTo::Prefix(to) | RedirectTo::Scheme(to) => {
                    to.each_expr(see);
                }
            },
            Self::SetPath(path) => path.each_expr(see),
            Self::SetVar(variables) => variables.iter().for_each(|(_, expr)| see(expr)),
            Self::Deny(_) | Self::DelHeader(_) | Self::Pause(_) | Self::UseServer(_) => {}
        }
    }

    /// The variables that it sets.
    pub fn sets(&self) -> impl Iterator<Item = &Variable> {
        let variables: &[_] = match self {
            Self::SetVar(variables) => variables,
            _ => &[],
        };
        variables.iter().map(|(variable, _)| variable)
    }
}
