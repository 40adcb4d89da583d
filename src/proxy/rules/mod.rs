//! Runs the rules of the configuration on an exchange.
//!
//! `control::assemble` compiles the rules of a frontend, a route or a backend to a [`Pipeline`];
//! `http::handle` runs it: `request` before a server is asked, `response` on a server's answer,
//! `after` on every answer. A pipeline holds no state: rules change the head, or the [`Variables`]
//! of the exchange and of the connection.
//!
//! What a rule writes is checked again: a rule cannot make a request that `http::admit` would refuse of
//! a client. Such a request is answered `rule.invalid_value`, and the log says which rule wrote what.
//!
//! A rule whose condition guards a refusal sees the path in every reading of common servers, also
//! ignoring case and a last slash (`wire::readings`): if one reading would be refused and the path
//! as received would not, the request is ambiguous and is refused too.

mod action;
mod connection;
mod encode;
mod error_pages;
mod haproxy_text;
mod seldom;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, request};

use crate::base::clock::{self, Duration};
use crate::base::{Name, Position};
use crate::credentials::Verifier;
use crate::exchange::{Reason, RequestId};
use crate::expr::{
    BodyFacts, Condition, ConnectionFacts, Facts, RequestFacts, ResponseFacts, Scratch, Template,
    Variables,
};
use crate::observe::event;
use crate::plan::expr::Fetch;
use crate::plan::log::LogAs;
use crate::plan::{self, ClientCertificate, Closing, On, User, WithoutAnswer};
use crate::proxy::io::ReadBody;
use crate::proxy::reply::LocalAnswer;
use crate::tables::{Tables, Tracked};
use crate::wire::readings;

use action::{Action, RequireCertificate};
use encode::Invalid;
use seldom::Seldom;

pub(crate) use action::{EarlyHints, MostBody, UsedBackend};
pub(crate) use connection::{ConnectionFlow, ConnectionRules, ConnectionScope, Stop};
pub(crate) use error_pages::{ErrorPages, PageFacts};

/// The rules of a frontend, a route or a backend, compiled.
#[derive(Debug, Default)]
pub struct Pipeline {
    request: Box<[Rule]>,
    response: Box<[Rule]>,
    after: Box<[Rule]>,
}

#[derive(Debug)]
struct Rule {
    when: Option<Condition>,
    action: Action,
    /// `when` for servers that ignore parts of the spelling of a path; `None` if no other spelling
    /// can get past the rule.
    guard: Option<Condition>,
    /// Its key and where it is written, for the log; `None`: it is in no file.
    written: Option<(&'static str, Position)>,
    logged: Seldom,
}

/// How the exchange continues after some rules.
#[derive(Debug)]
pub enum Flow {
    /// With what comes next.
    Continue,
    /// With this answer.
    Answer(Box<LocalAnswer>),
    /// With the rule at this index, after this time.
    Wait(usize, Duration),
    /// With this answer, after this time.
    Hold(Duration, Box<LocalAnswer>),
    /// With the rule at this index, once it is known who sends the request.
    Ask(usize, Question),
    /// With the rule at this index, once so much of the body was read.
    Read(usize, plan::WaitForBody),
    /// With the rule at this index, if the answer of another server allows it.
    Outside(usize, Box<Outside>),
    /// Not at all: the client's connection is closed.
    Close(Closing),
}

/// Who sends the request: an answer that takes a while, or is computed outside of the worker.
pub struct Question(Pin<Box<dyn Future<Output = Known>>>);

/// A question to a server, whose answer decides about a request.
#[derive(Debug)]
pub struct Outside {
    /// Whose servers are asked.
    pub backend: Name,
    /// The question.
    pub head: request::Parts,
    /// The fields of a positive answer that the request gets.
    pub copy: Arc<[HeaderName]>,
    /// For the whole question.
    pub timeout: Duration,
    /// What happens to the request when nobody decides.
    pub without_answer: WithoutAnswer,
}

/// The user, if it is known; or the answer to a request that may not continue.
type Known = Result<Option<Arc<User>>, Box<LocalAnswer>>;

/// The host that the client asked for, if a rule has replaced it: an extension of the request.
#[derive(Clone)]
pub(crate) struct OriginalHost(pub(crate) Option<HeaderValue>);

/// The servers that rules have named for a request, in their order: an extension of the request. The
/// first that is up gets it.
#[derive(Clone, Default)]
pub(crate) struct UsedServers(pub(crate) Vec<Name>);

/// The facts of an exchange for rules, besides its heads.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The id of the exchange.
    pub id: &'a RequestId,
    /// Of the client's connection.
    pub connection: ConnectionFacts<'a>,
    /// The name of the backend, once it is chosen.
    pub backend: Option<&'a str>,
    /// The variables of the exchange.
    pub variables: &'a Variables,
    /// The entries of tables that the exchange tracks.
    pub tracked: &'a Tracked,
    /// How the exchange is logged.
    pub log_as: &'a Cell<LogAs>,
    /// The tables of the configuration.
    pub tables: &'a Arc<Tables>,
    /// Verifies passwords.
    pub verifier: &'a Arc<Verifier>,
    /// The scratch of the worker.
    pub scratch: &'a RefCell<Scratch>,
}

/// The head of a response, as rules see and change it.
pub struct Answer<'a> {
    /// The status for the client.
    pub status: StatusCode,
    /// The fields for the client.
    pub headers: &'a mut HeaderMap,
    /// The name of the server; `None`: the answer is ours.
    pub server: Option<&'a str>,
    /// Why it is ours.
    pub reason: Option<Reason>,
}

impl Question {
    /// The user, if the request may continue.
    ///
    /// # Errors
    ///
    /// The answer to the request.
    pub async fn answer(self) -> Known {
        self.0.await
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Question")
    }
}

impl Pipeline {
    /// The compiled form of `rules`; `None` when there are none.
    pub fn compile(rules: &[plan::Rule]) -> Option<Arc<Self>> {
        (!rules.is_empty()).then(|| Arc::new(Self::of(rules, None)))
    }

    /// The compiled form of the rules of `route`; `None` if there are none. A required client
    /// certificate is a rule before the written ones.
    pub fn of_route(route: &plan::Route) -> Option<Arc<Self>> {
        match route.client_certificate {
            ClientCertificate::Any => Self::compile(&route.rules),
            ClientCertificate::Required => {
                let first = Rule::always(Action::RequireCertificate(RequireCertificate));
                Some(Arc::new(Self::of(&route.rules, Some(first))))
            }
        }
    }

    /// `first` and then `rules`; `first` is for requests.
    fn of(rules: &[plan::Rule], first: Option<Rule>) -> Self {
        let on = |on: On| {
            let rules = rules.iter().filter(move |rule| rule.on == on);
            rules.map(Rule::compile)
        };
        let after = rules.iter().filter_map(|rule| match rule.on {
            On::After => Some(Rule::compile(rule)),
            _ => Action::compile_for_answers(&rule.action).map(Rule::always),
        });
        Self {
            request: first.into_iter().chain(on(On::Request)).collect(),
            response: on(On::Response).collect(),
            after: after.collect(),
        }
    }

    /// Runs the rules for requests on `request`, beginning with the one at index `from`.
    pub fn request<B>(&self, from: usize, request: &mut Request<B>, scope: &Scope<'_>) -> Flow {
        let mut readings = Readings::default();
        for (index, rule) in self.request.iter().enumerate().skip(from) {
            let path = request.uri().path();
            if !rule.applies(&scope.of_request(request, path, &[]), scope) {
                if rule.is_passed_by(request, scope, &mut readings) {
                    let refusal = LocalAnswer::refusal(Reason::RequestPathAmbiguous, None);
                    return Flow::Answer(Box::new(refusal));
                }
                continue;
            }
            match rule.action.on_request(request, scope) {
                Ok(Flow::Continue) => {}
                Ok(Flow::Wait(_, time)) => return Flow::Wait(index + 1, time),
                Ok(Flow::Ask(_, question)) => return Flow::Ask(index + 1, question),
                Ok(Flow::Read(_, wait)) => return Flow::Read(index + 1, wait),
                Ok(Flow::Outside(_, outside)) => return Flow::Outside(index + 1, outside),
                Ok(stop @ (Flow::Answer(_) | Flow::Hold(..) | Flow::Close(_))) => return stop,
                Err(invalid) => return rule.failed(invalid, StatusCode::BAD_REQUEST, scope),
            }
        }
        Flow::Continue
    }

    /// Runs the rules for servers' answers on `answer`.
    pub fn response(&self, answer: &mut Answer<'_>, scope: &Scope<'_>) -> Flow {
        for rule in &self.response {
            if !rule.applies(&scope.of_answer(answer), scope) {
                continue;
            }
            match rule.action.on_answer(answer, scope) {
                Ok(stop @ Flow::Answer(_)) => return stop,
                // Rules for answers neither wait nor close: the configuration forbids it.
                Ok(
                    Flow::Continue
                    | Flow::Wait(..)
                    | Flow::Hold(..)
                    | Flow::Ask(..)
                    | Flow::Read(..)
                    | Flow::Outside(..)
                    | Flow::Close(_),
                ) => {}
                Err(invalid) => return rule.failed(invalid, StatusCode::BAD_GATEWAY, scope),
            }
        }
        Flow::Continue
    }

    /// Runs the rules for all answers on `answer`.
    pub fn after(&self, answer: &mut Answer<'_>, scope: &Scope<'_>) {
        // None of these rules answers or waits: the configuration forbids it. An answer for the client
        // cannot be refused any more: an invalid value is left out.
        for rule in &self.after {
            if rule.applies(&scope.of_answer(answer), scope)
                && let Err(invalid) = rule.action.on_answer(answer, scope)
            {
                rule.report(invalid, scope);
            }
        }
    }

    /// Whether a rule runs on servers' answers.
    pub fn sees_responses(&self) -> bool {
        !self.response.is_empty()
    }

    /// Whether a rule runs on all answers.
    pub fn sees_answers(&self) -> bool {
        !self.after.is_empty()
    }
}

impl Rule {
    /// A rule without a condition.
    fn always(action: Action) -> Self {
        Self {
            when: None,
            action,
            guard: None,
            written: None,
            logged: Seldom::default(),
        }
    }

    fn compile(rule: &plan::Rule) -> Self {
        let reads_path = |when: &plan::expr::Condition| when.reads(Fetch::reads_path);
        let refuses = rule.action.refuses();
        let is_refusal = refuses && rule.on == On::Request;
        let guarded = rule
            .when
            .as_ref()
            .filter(|when| is_refusal && reads_path(when));
        Self {
            when: rule.when.as_ref().map(Condition::compile),
            action: Action::compile(&rule.action),
            guard: guarded.map(Condition::compile_folded),
            written: Some((rule.action.key(), rule.at.clone())),
            logged: Seldom::default(),
        }
    }

    /// The answer with `status`, after the rule wrote an invalid value.
    #[cold]
    fn failed(&self, invalid: Invalid, status: StatusCode, scope: &Scope<'_>) -> Flow {
        self.report(invalid, scope);
        let answer = LocalAnswer::refusal(Reason::RuleInvalidValue, Some(status));
        Flow::Answer(Box::new(answer))
    }

    #[cold]
    fn report(&self, Invalid(what): Invalid, scope: &Scope<'_>) {
        if let Some((key, at)) = &self.written
            && self.logged.is_due(clock::now())
        {
            event::rule_failed(scope.id, key, at, what);
        }
    }

    fn applies(&self, facts: &Facts<'_>, scope: &Scope<'_>) -> bool {
        let Some(when) = &self.when else {
            return true;
        };
        when.holds(facts, &mut scope.scratch.borrow_mut())
    }

    /// Whether some server reads the path of `request`, to which the rule does not apply, as one to
    /// which it does.
    fn is_passed_by<B>(
        &self,
        request: &Request<B>,
        scope: &Scope<'_>,
        readings: &mut Readings,
    ) -> bool {
        let Some(guard) = &self.guard else {
            return false;
        };
        let is_met = |path: &str| {
            self.applies(&scope.of_request(request, path, &[]), scope)
                || readings::any_folded(path, |path, also| {
                    let facts = scope.of_request(request, path, also);
                    guard.holds(&facts, &mut scope.scratch.borrow_mut())
                })
        };
        let path = request.uri().path();
        if readings::has_only_one(path) {
            return is_met(path);
        }
        readings.look_at(path);
        readings.are_too_many || readings.all.iter().any(|reading| is_met(reading))
    }
}

/// The readings of a path; computed once, however many rules need them.
#[derive(Default)]
struct Readings {
    path: String,
    all: Vec<String>,
    /// There are more than `readings::all` allows.
    are_too_many: bool,
}

impl Readings {
    fn look_at(&mut self, path: &str) {
        if self.path == path {
            return;
        }
        let mut all = Vec::new();
        let is_whole = readings::all(path, |reading| {
            all.push(reading.to_owned());
            true
        });
        *self = Self {
            path: path.to_owned(),
            all,
            are_too_many: !is_whole,
        };
    }
}

impl<'a> Scope<'a> {
    /// The text of `template` for `request`.
    pub fn render<B>(&self, template: &Template, request: &Request<B>) -> Vec<u8> {
        self.text(
            template,
            &self.of_request(request, request.uri().path(), &[]),
        )
    }

    /// `also`: other spellings that some server treats as `path`.
    fn of_request<'b, B>(
        &self,
        request: &'b Request<B>,
        path: &'b str,
        also: &'b [&'b str],
    ) -> Facts<'b>
    where
        'a: 'b,
    {
        Facts {
            id: self.id,
            connection: self.connection,
            request: Some(RequestFacts {
                method: request.method(),
                version: request.version(),
                target: request.uri(),
                path,
                also,
                headers: request.headers(),
                body: request
                    .extensions()
                    .get::<ReadBody>()
                    .map(|read| BodyFacts {
                        bytes: &read.bytes,
                        size: read.size,
                    }),
            }),
            backend: self.backend,
            response: None,
            variables: Some(self.variables),
            tracked: Some(self.tracked),
        }
    }

    fn of_answer<'b>(&self, answer: &'b Answer<'_>) -> Facts<'b>
    where
        'a: 'b,
    {
        Facts {
            id: self.id,
            connection: self.connection,
            request: None,
            backend: self.backend,
            response: Some(ResponseFacts {
                status: answer.status.as_u16(),
                headers: answer.headers,
                server: answer.server,
                reason: answer.reason,
            }),
            variables: Some(self.variables),
            tracked: Some(self.tracked),
        }
    }
}
