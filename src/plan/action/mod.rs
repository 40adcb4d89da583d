//! The actions of rules.

mod answer;
mod auth;
mod capture;
mod cookie;
mod cors;
mod field;
mod forward_auth;
mod hold;
mod jwt;
mod rate_limit;
mod redirect;
mod replace;
mod security_headers;
mod set_timeout;
mod stats;
mod target;
mod track;
mod wait_for_body;

use std::time::Duration;

use http::StatusCode;

use crate::base::{ByteSize, Name};
use crate::plan::Target;
use crate::plan::expr::{Expr, Template, Variable};
use crate::plan::log::LogAs;

pub use answer::{Reply, ReplyBody};
pub use auth::{Argon2, Auth, MOST_PASSWORD_BYTES, NotAPassword, Password, Scheme, User};
pub use capture::{Capture, LAST_CAPTURE, MOST_CAPTURED_BYTES, USUAL_CAPTURED_BYTES};
pub use cookie::{CookieAttributes, SameSite};
pub use cors::{AllowedFields, Cors, Origin, Origins};
pub use field::{DelHeader, Field, FieldName, NamePart};
pub use forward_auth::{ForwardAuth, WithoutAnswer};
pub use hold::{Closing, Monitor, Tarpit};
pub use jwt::{Jwt, JwtAlgorithm, JwtKey, KeyKind, MOST_JWT_KEYS, NoKeys};
pub use rate_limit::{Frequency, OnExceed, RateLimit};
pub use redirect::{Redirect, RedirectCookie, RedirectTo};
pub use replace::{Replace, ReplaceField};
pub use security_headers::{FrameOptions, ReferrerPolicy, SecurityHeaders};
pub use set_timeout::SetTimeouts;
pub use stats::{Stats, StatsFormat};
pub use target::{Normalizer, TargetPart};
pub use track::{Element, LAST_COUNTER, SetTag, Track};
pub use wait_for_body::WaitForBody;

/// The longest method that is passed on. Registered methods have 17 bytes at most.
pub const MOST_METHOD_BYTES: usize = 32;

/// The action of a rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Refuses the exchange.
    Deny(Box<Reply>),
    /// Refuses the exchange after a while.
    Tarpit(Box<Tarpit>),
    /// Closes the client's connection without an answer.
    Close(Closing),
    /// Answers in place of a server.
    Return(Box<Reply>),
    /// Answers whether we serve.
    Monitor(Box<Monitor>),
    /// `stats = { … }`
    Stats(Box<Stats>),
    /// Gives messages about the exchange a severity, or leaves it out of the access log.
    SetLogLevel(LogAs),
    /// Redirects the client.
    Redirect(Box<Redirect>),
    /// Sets fields to this one value, in place of all values that they had.
    SetHeader(Vec<Field>),
    /// Adds a line to fields.
    AddHeader(Vec<Field>),
    /// Removes fields.
    DelHeader(Box<DelHeader>),
    /// Replaces each line of a field that matches.
    ReplaceHeader(Box<ReplaceField>),
    /// Replaces each element of the lists in a field that matches.
    ReplaceValue(Box<ReplaceField>),
    /// Writes a part of the target.
    SetTarget(TargetPart, Template),
    /// Replaces a part of the target if it matches.
    ReplaceTarget(TargetPart, Box<Replace>),
    /// Rewrites the target; in this order.
    NormalizeUri(Vec<Normalizer>),
    /// Replaces the method.
    SetMethod(Template),
    /// Replaces the status of an answer.
    SetStatus(StatusCode),
    /// Sends the client an interim answer 103 with these fields.
    EarlyHint(Vec<Field>),
    /// Writes attributes of the cookies that an answer sets.
    CookieAttributes(Box<CookieAttributes>),
    /// Sets variables.
    SetVar(Vec<(Variable, Expr)>),
    /// Removes variables.
    UnsetVar(Vec<Variable>),
    /// Waits, then continues.
    Pause(Duration),
    /// Waits for the body of the request, for later rules.
    WaitForBody(WaitForBody),
    /// Keeps a value for the log.
    Capture(Box<Capture>),
    /// Sets deadlines of the exchange.
    SetTimeout(Box<SetTimeouts>),
    /// Refuses a request whose body is longer.
    MaxBody(ByteSize),
    /// The request goes to this backend, in place of that of the route.
    UseBackend(Box<Target>),
    /// The request goes to this server of the backend if it is up.
    UseServer(Name),
    /// Tracks an entry of a table until the exchange is over.
    Track(Box<Track>),
    /// Increments a counter of a tracked entry.
    ScIncGpc(Element),
    /// Sets a tag of a tracked entry.
    ScSetGpt(Box<SetTag>),
    /// Bounds the requests of each key in a time.
    RateLimit(Box<RateLimit>),
    /// Answers preflights, and says which pages of other origins may read answers.
    Cors(Box<Cors>),
    /// Adds the fields that a security review asks for.
    SecurityHeaders(SecurityHeaders),
    /// Refuses requests without the password of a user.
    Auth(Box<Auth>),
    /// Refuses requests without a token that is signed by a known key.
    Jwt(Box<Jwt>),
    /// Another server decides whether the request may continue.
    ForwardAuth(Box<ForwardAuth>),
}

impl Action {
    /// Its key in the format, for messages and the log.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Deny(_) => "deny",
            Self::Tarpit(_) => "tarpit",
            Self::Close(Closing::Reset) => "reject",
            Self::Close(Closing::Silent) => "silent_drop",
            Self::Return(_) => "return",
            Self::Monitor(_) => "monitor",
            Self::Stats(_) => "stats",
            Self::SetLogLevel(_) => "set_log_level",
            Self::Redirect(_) => "redirect",
            Self::SetHeader(_) => "set_header",
            Self::AddHeader(_) => "add_header",
            Self::DelHeader(_) => "del_header",
            Self::ReplaceHeader(_) => "replace_header",
            Self::ReplaceValue(_) => "replace_value",
            Self::SetTarget(part, _) => match part {
                TargetPart::Path => "set_path",
                TargetPart::PathAndQuery => "set_pathq",
                TargetPart::Query => "set_query",
                TargetPart::Uri => "set_uri",
            },
            // Only these two can be replaced by a match.
            Self::ReplaceTarget(TargetPart::Path, _) => "replace_path",
            Self::ReplaceTarget(..) => "replace_pathq",
            Self::NormalizeUri(_) => "normalize_uri",
            Self::SetMethod(_) => "set_method",
            Self::SetStatus(_) => "set_status",
            Self::EarlyHint(_) => "early_hint",
            Self::CookieAttributes(_) => "cookie_attributes",
            Self::SetVar(_) => "set_var",
            Self::UnsetVar(_) => "unset_var",
            Self::Pause(_) => "pause",
            Self::WaitForBody(_) => "wait_for_body",
            Self::Capture(_) => "capture",
            Self::SetTimeout(_) => "set_timeout",
            Self::MaxBody(_) => "max_body",
            Self::UseBackend(_) => "use_backend",
            Self::UseServer(_) => "use_server",
            Self::Track(_) => "track",
            Self::ScIncGpc(_) => "sc_inc_gpc",
            Self::ScSetGpt(_) => "sc_set_gpt",
            Self::RateLimit(_) => "rate_limit",
            Self::Cors(_) => "cors",
            Self::SecurityHeaders(_) => "security_headers",
            Self::Auth(_) => "auth",
            Self::Jwt(_) => "jwt",
            Self::ForwardAuth(_) => "forward_auth",
        }
    }

    /// Whether it answers every exchange that it runs in, so that no later rule does.
    pub fn answers(&self) -> bool {
        matches!(
            self,
            Self::Deny(_) | Self::Tarpit(_) | Self::Close(_) | Self::Return(_) | Self::Redirect(_)
        )
    }

    /// Whether it keeps requests from the server: none may get past it by another spelling of the path.
    pub fn refuses(&self) -> bool {
        match self {
            Self::Deny(_)
            | Self::Tarpit(_)
            | Self::Close(_)
            | Self::Jwt(_)
            | Self::ForwardAuth(_) => true,
            Self::Auth(auth) => auth.required,
            _ => false,
        }
    }

    /// Hands each of its expressions to `see`, also those of its templates.
    pub fn each_expr(&self, see: &mut dyn FnMut(&Expr)) {
        match self {
            Self::SetHeader(fields) | Self::AddHeader(fields) | Self::EarlyHint(fields) => {
                fields.iter().for_each(|field| field.value.each_expr(see));
            }
            Self::Deny(reply) | Self::Return(reply) => reply.each_expr(see),
            Self::Tarpit(tarpit) => tarpit.reply.each_expr(see),
            Self::Monitor(monitor) => {
                if let Some(fail) = &monitor.fail {
                    fail.each_expr(see);
                }
            }
            Self::Redirect(redirect) => match &redirect.to {
                RedirectTo::Location(to) | RedirectTo::Prefix(to) | RedirectTo::Scheme(to) => {
                    to.each_expr(see);
                }
            },
            Self::SetTarget(_, value) | Self::SetMethod(value) => value.each_expr(see),
            Self::ReplaceHeader(field) | Self::ReplaceValue(field) => {
                field.replace.with.each_expr(see);
            }
            Self::ReplaceTarget(_, replace) => replace.with.each_expr(see),
            Self::UseBackend(target) => {
                if let Target::Named(name, _) = &**target {
                    name.each_expr(see);
                }
            }
            Self::SetVar(variables) => variables.iter().for_each(|(_, expr)| see(expr)),
            Self::Capture(capture) => see(&capture.value),
            Self::Track(track) => see(&track.key),
            Self::ScSetGpt(tag) => see(&tag.value),
            Self::RateLimit(limit) => see(&limit.key),
            Self::ForwardAuth(auth) => auth.each_expr(see),
            Self::SetLogLevel(_)
            | Self::Stats(_)
            | Self::Close(_)
            | Self::ScIncGpc(_)
            | Self::DelHeader(_)
            | Self::NormalizeUri(_)
            | Self::SetStatus(_)
            | Self::CookieAttributes(_)
            | Self::UnsetVar(_)
            | Self::Pause(_)
            | Self::WaitForBody(_)
            | Self::SetTimeout(_)
            | Self::MaxBody(_)
            | Self::UseServer(_)
            | Self::Cors(_)
            | Self::SecurityHeaders(_)
            | Self::Auth(_)
            | Self::Jwt(_) => {}
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
