//! The actions of rules: one file for each.
//!
//! A file has the compiled form of one action, how it is compiled from the plan, and what it does to
//! a request or to an answer ([`Act`]). [`Action`] is the set of all; a new one has a line in it and in
//! `of_each`, and the compiler asks for the line in [`Action::compile`].

mod add_header;
mod auth;
mod capture;
mod close;
mod cookie_attributes;
mod cors;
mod del_header;
mod deny;
mod early_hint;
mod fields;
mod forward_auth;
mod host;
mod jwt;
mod max_body;
mod monitor;
mod normalize_uri;
mod pause;
mod rate_limit;
mod redirect;
mod replace;
mod replace_header;
mod replace_target;
mod reply;
mod require_certificate;
mod returned;
mod sc_inc_gpc;
mod sc_set_gpt;
mod security_headers;
mod set_header;
mod set_log_level;
mod set_method;
mod set_status;
mod set_target;
mod set_timeout;
mod set_var;
mod stats;
mod tarpit;
mod track;
mod unset_var;
mod use_backend;
mod use_server;
mod wait_for_body;

use http::Request;

use crate::exchange::Reason;
use crate::expr::{Facts, Template};
use crate::plan;
use crate::proxy::reply::LocalAnswer;

use super::{Answer, Flow, Scope};

use super::encode::Invalid;

use add_header::AddHeader;
use auth::Auth;
use capture::Capture;
use close::Close;
use cookie_attributes::CookieAttributes;
use cors::{Cors, CorsFields};
use del_header::DelHeader;
use deny::Deny;
use early_hint::EarlyHint;
use forward_auth::ForwardAuth;
use jwt::Jwt;
use max_body::MaxBody;
use monitor::Monitor;
use normalize_uri::NormalizeUri;
use pause::Pause;
use rate_limit::{RateLimit, RateLimitFields};
use redirect::Redirect;
use replace_header::ReplaceHeader;
use replace_target::ReplaceTarget;
pub(super) use require_certificate::RequireCertificate;
use returned::Return;
use sc_inc_gpc::ScIncGpc;
use sc_set_gpt::ScSetGpt;
use security_headers::SecurityHeaders;
use set_header::SetHeader;
use set_log_level::SetLogLevel;
use set_method::SetMethod;
use set_status::SetStatus;
use set_target::SetTarget;
use set_timeout::SetTimeout;
use set_var::SetVar;
use stats::Stats;
use tarpit::Tarpit;
use track::Track;
use unset_var::UnsetVar;
use use_backend::UseBackend;
use use_server::UseServer;
use wait_for_body::WaitForBody;

pub(crate) use early_hint::EarlyHints;
pub(crate) use max_body::MostBody;
pub(crate) use use_backend::UsedBackend;

/// An action, compiled.
#[derive(Debug)]
pub(super) enum Action {
    Deny(Box<Deny>),
    Tarpit(Box<Tarpit>),
    Close(Close),
    Monitor(Box<Monitor>),
    Stats(Box<Stats>),
    SetLogLevel(SetLogLevel),
    RequireCertificate(RequireCertificate),
    Return(Box<Return>),
    Redirect(Box<Redirect>),
    SetHeader(SetHeader),
    AddHeader(AddHeader),
    DelHeader(DelHeader),
    ReplaceHeader(Box<ReplaceHeader>),
    SetTarget(SetTarget),
    ReplaceTarget(Box<ReplaceTarget>),
    NormalizeUri(NormalizeUri),
    SetMethod(SetMethod),
    SetStatus(SetStatus),
    EarlyHint(EarlyHint),
    CookieAttributes(Box<CookieAttributes>),
    SetVar(SetVar),
    UnsetVar(UnsetVar),
    Pause(Pause),
    WaitForBody(WaitForBody),
    Capture(Box<Capture>),
    SetTimeout(Box<SetTimeout>),
    MaxBody(MaxBody),
    UseBackend(Box<UseBackend>),
    UseServer(UseServer),
    Track(Box<Track>),
    ScIncGpc(ScIncGpc),
    ScSetGpt(Box<ScSetGpt>),
    RateLimit(Box<RateLimit>),
    RateLimitFields(Box<RateLimitFields>),
    Cors(Box<Cors>),
    CorsFields(Box<CorsFields>),
    SecurityHeaders(SecurityHeaders),
    Auth(Box<Auth>),
    Jwt(Box<Jwt>),
    ForwardAuth(Box<ForwardAuth>),
}

/// `$call` for the action in `$self`, whichever it is.
macro_rules! of_each {
    ($self:expr, $action:ident => $call:expr) => {
        match $self {
            Action::Deny($action) => $call,
            Action::Tarpit($action) => $call,
            Action::Close($action) => $call,
            Action::Monitor($action) => $call,
            Action::Stats($action) => $call,
            Action::SetLogLevel($action) => $call,
            Action::RequireCertificate($action) => $call,
            Action::Return($action) => $call,
            Action::Redirect($action) => $call,
            Action::SetHeader($action) => $call,
            Action::AddHeader($action) => $call,
            Action::DelHeader($action) => $call,
            Action::ReplaceHeader($action) => $call,
            Action::SetTarget($action) => $call,
            Action::ReplaceTarget($action) => $call,
            Action::NormalizeUri($action) => $call,
            Action::SetMethod($action) => $call,
            Action::SetStatus($action) => $call,
            Action::EarlyHint($action) => $call,
            Action::CookieAttributes($action) => $call,
            Action::SetVar($action) => $call,
            Action::UnsetVar($action) => $call,
            Action::Pause($action) => $call,
            Action::WaitForBody($action) => $call,
            Action::Capture($action) => $call,
            Action::SetTimeout($action) => $call,
            Action::MaxBody($action) => $call,
            Action::UseBackend($action) => $call,
            Action::UseServer($action) => $call,
            Action::Track($action) => $call,
            Action::ScIncGpc($action) => $call,
            Action::ScSetGpt($action) => $call,
            Action::RateLimit($action) => $call,
            Action::RateLimitFields($action) => $call,
            Action::Cors($action) => $call,
            Action::CorsFields($action) => $call,
            Action::SecurityHeaders($action) => $call,
            Action::Auth($action) => $call,
            Action::Jwt($action) => $call,
            Action::ForwardAuth($action) => $call,
        }
    };
}

/// What happens after an action. An invalid value ends the request.
pub(super) type Done = Result<Flow, Invalid>;

/// What an action does. The configuration allows each action only in the parts of an exchange where it
/// does something; in the others it has no effect.
trait Act {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        let (_, _) = (request, scope);
        Ok(Flow::Continue)
    }

    fn on_answer(&self, answer: &mut Answer<'_>, scope: &Scope<'_>) -> Done {
        let (_, _) = (answer, scope);
        Ok(Flow::Continue)
    }
}

impl Action {
    pub(super) fn compile(action: &plan::Action) -> Self {
        match action {
            plan::Action::Deny(reply) => Self::Deny(Box::new(Deny::compile(reply))),
            plan::Action::Tarpit(tarpit) => Self::Tarpit(Box::new(Tarpit::compile(tarpit))),
            plan::Action::Close(closing) => Self::Close(Close(*closing)),
            plan::Action::Monitor(monitor) => Self::Monitor(Box::new(Monitor::compile(monitor))),
            plan::Action::Stats(stats) => Self::Stats(Box::new(Stats((**stats).clone()))),
            plan::Action::SetLogLevel(level) => Self::SetLogLevel(SetLogLevel(*level)),
            plan::Action::Return(answer) => Self::Return(Box::new(Return::compile(answer))),
            plan::Action::Redirect(redirect) => {
                Self::Redirect(Box::new(Redirect::compile(redirect)))
            }
            plan::Action::SetHeader(fields) => Self::SetHeader(SetHeader::compile(fields)),
            plan::Action::AddHeader(fields) => Self::AddHeader(AddHeader::compile(fields)),
            plan::Action::DelHeader(names) => Self::DelHeader(DelHeader::compile(names)),
            plan::Action::ReplaceHeader(field) => {
                Self::ReplaceHeader(Box::new(ReplaceHeader::of_lines(field)))
            }
            plan::Action::ReplaceValue(field) => {
                Self::ReplaceHeader(Box::new(ReplaceHeader::of_elements(field)))
            }
            plan::Action::SetTarget(part, value) => {
                Self::SetTarget(SetTarget::compile(*part, value))
            }
            plan::Action::ReplaceTarget(part, replace) => {
                Self::ReplaceTarget(Box::new(ReplaceTarget::compile(*part, replace)))
            }
            plan::Action::NormalizeUri(normalizers) => {
                Self::NormalizeUri(NormalizeUri(normalizers.as_slice().into()))
            }
            plan::Action::SetMethod(method) => {
                Self::SetMethod(SetMethod(Template::compile(method)))
            }
            plan::Action::SetStatus(status) => Self::SetStatus(SetStatus(*status)),
            plan::Action::EarlyHint(fields) => Self::EarlyHint(EarlyHint::compile(fields)),
            plan::Action::CookieAttributes(attributes) => {
                Self::CookieAttributes(Box::new(CookieAttributes::compile(attributes)))
            }
            plan::Action::SetVar(variables) => Self::SetVar(SetVar::compile(variables)),
            plan::Action::UnsetVar(variables) => {
                Self::UnsetVar(UnsetVar(variables.as_slice().into()))
            }
            plan::Action::Pause(time) => Self::Pause(Pause(*time)),
            plan::Action::WaitForBody(wait) => Self::WaitForBody(WaitForBody(*wait)),
            plan::Action::Capture(capture) => Self::Capture(Box::new(Capture::compile(capture))),
            plan::Action::SetTimeout(set) => Self::SetTimeout(Box::new(SetTimeout(**set))),
            plan::Action::MaxBody(size) => Self::MaxBody(MaxBody(*size)),
            plan::Action::UseBackend(target) => {
                Self::UseBackend(Box::new(UseBackend::compile(target)))
            }
            plan::Action::UseServer(name) => Self::UseServer(UseServer(name.clone())),
            plan::Action::Track(track) => Self::Track(Box::new(Track::compile(track))),
            plan::Action::ScIncGpc(element) => Self::ScIncGpc(ScIncGpc(*element)),
            plan::Action::ScSetGpt(tag) => Self::ScSetGpt(Box::new(ScSetGpt::compile(tag))),
            plan::Action::RateLimit(limit) => Self::RateLimit(Box::new(RateLimit::compile(limit))),
            plan::Action::Cors(cors) => Self::Cors(Box::new(Cors::compile(cors))),
            plan::Action::SecurityHeaders(fields) => {
                Self::SecurityHeaders(SecurityHeaders::compile(fields))
            }
            plan::Action::Auth(auth) => Self::Auth(Box::new(Auth::compile(auth))),
            plan::Action::Jwt(jwt) => Self::Jwt(Box::new(Jwt::compile(jwt))),
            plan::Action::ForwardAuth(auth) => {
                Self::ForwardAuth(Box::new(ForwardAuth::compile(auth)))
            }
        }
    }

    /// The part for answers of an action on requests; `None`: it has none.
    pub(super) fn compile_for_answers(action: &plan::Action) -> Option<Self> {
        match action {
            plan::Action::Cors(cors) => Some(Self::CorsFields(Box::new(CorsFields::compile(cors)))),
            plan::Action::RateLimit(limit) if limit.headers => {
                let fields = RateLimitFields::compile(limit);
                Some(Self::RateLimitFields(Box::new(fields)))
            }
            _ => None,
        }
    }

    pub(super) fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        of_each!(self, action => action.on_request(request, scope))
    }

    pub(super) fn on_answer(&self, answer: &mut Answer<'_>, scope: &Scope<'_>) -> Done {
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
fn refusal(reason: Reason) -> Done {
    Ok(Flow::Answer(Box::new(LocalAnswer::refusal(reason, None))))
}
