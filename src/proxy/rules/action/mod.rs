//! The actions of rules: one file for each.
//!
//! A file has the compiled form of one action, how it is compiled from the plan, and what it does to
//! a request or to an answer ([`Act`]). [`Action`] is the set of all; a new one has a line in it and in
//! `of_each`, and the compiler asks for the line in [`Action::compile`].

mod add_header;
mod del_header;
mod deny;
mod fields;
mod host;
mod pause;
mod redirect;
mod require_certificate;
mod returned;
mod set_header;
mod set_path;
mod set_var;
mod use_server;

use http::Request;

use crate::exchange::Reason;
use crate::expr::{Facts, Template};
use crate::plan;
use crate::proxy::reply::LocalAnswer;

use super::{Answer, Flow, Scope};

use add_header::AddHeader;
use del_header::DelHeader;
use deny::Deny;
use pause::Pause;
use redirect::Redirect;
pub(super) use require_certificate::RequireCertificate;
use returned::Return;
use set_header::SetHeader;
use set_path::SetPath;
use set_var::SetVar;
use use_server::UseServer;

/// An action, compiled.
#[derive(Debug)]
pub(super) enum Action {
    Deny(Deny),
    RequireCertificate(RequireCertificate),
    Return(Box<Return>),
    Redirect(Box<Redirect>),
    SetHeader(SetHeader),
    AddHeader(AddHeader),
    DelHeader(DelHeader),
    SetPath(SetPath),
    SetVar(SetVar),
    Pause(Pause),
    UseServer(UseServer),
}

/// `$call` for the action in `$self`, whichever it is.
macro_rules! of_each {
    ($self:expr, $action:ident => $call:expr) => {
        match $self {
            Action::Deny($action) => $call,
            Action::RequireCertificate($action) => $call,
            Action::Return($action) => $call,
            Action::Redirect($action) => $call,
            Action::SetHeader($action) => $call,
            Action::AddHeader($action) => $call,
            Action::DelHeader($action) => $call,
            Action::SetPath($action) => $call,
            Action::SetVar($action) => $call,
            Action::Pause($action) => $call,
            Action::UseServer($action) => $call,
        }
    };
}

/// What an action does. The configuration allows each action only in the parts of an exchange where it
/// does something; in the others it has no effect.
trait Act {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Flow {
        let (_, _) = (request, scope);
        Flow::Continue
    }

    fn on_answer(&self, answer: &mut Answer<'_>, scope: &Scope<'_>) -> Flow {
        let (_, _) = (answer, scope);
        Flow::Continue
    }
}

impl Action {
    pub(super) fn compile(action: &plan::Action) -> Self {
        match action {
            plan::Action::Deny(status) => Self::Deny(Deny(*status)),
            plan::Action::Return(answer) => Self::Return(Box::new(Return::compile(answer))),
            plan::Action::Redirect(redirect) => {
                Self::Redirect(Box::new(Redirect::compile(redirect)))
            }
            plan::Action::SetHeader(fields) => Self::SetHeader(SetHeader::compile(fields)),
            plan::Action::AddHeader(fields) => Self::AddHeader(AddHeader::compile(fields)),
            plan::Action::DelHeader(names) => Self::DelHeader(DelHeader::compile(names)),
            plan::Action::SetPath(path) => Self::SetPath(SetPath(Template::compile(path))),
            plan::Action::SetVar(variables) => Self::SetVar(SetVar::compile(variables)),
            plan::Action::Pause(time) => Self::Pause(Pause(*time)),
            plan::Action::UseServer(name) => Self::UseServer(UseServer(name.clone())),
        }
    }

    pub(super) fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Flow {
        of_each!(self, action => action.on_request(request, scope))
    }

    pub(super) fn on_answer(&self, answer: &mut Answer<'_>, scope: &Scope<'_>) -> Flow {
        of_each!(self, action => action.on_answer(answer, scope))
    }
}

impl Scope<'_> {
    pub(super) fn text(&self, template: &Template, facts: &Facts<'_>) -> Vec<u8> {
        template.render(facts, &mut self.scratch.borrow_mut())
    }
}

/// The facts of `request` as it is now, after the rules before.
fn facts<'b, B>(request: &'b Request<B>, scope: &Scope<'b>) -> Facts<'b> {
    scope.of_request(request, request.uri().path(), &[])
}

/// The answer for `reason`.
fn refusal(reason: Reason) -> Flow {
    Flow::Answer(Box::new(LocalAnswer::refusal(reason, None)))
}
