//! The rules of an exchange: their order, with the choice of the route between them.
//!
//! Requests: frontend, route, backend. Answers: backend, route, frontend. Each pipeline is
//! `proxy::rules`' own; an absent one costs a branch.

use http::{HeaderMap, Request, Response, StatusCode};

use crate::base::clock::Duration;
use crate::exchange::Reason;
use crate::expr::{BodyFacts, ConnectionFacts};
use crate::net;
use crate::plan::{SetTimeouts, WaitForBody};
use crate::proxy::io::{ReadBody, ReceivedBody};
use crate::proxy::reply::LocalAnswer;
use crate::proxy::route;
use crate::proxy::rules::{
    Answer, EarlyHints, Flow, Outside, Pipeline, Question, Scope, UsedBackend,
};
use crate::proxy::snapshot::Target;

use std::rc::Rc;

use super::active::{ActiveRequest, Chosen, Stop};
use super::admit::{check_target_length, host_of};

/// How far the rules of a request have run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    stage: Stage,
    /// The index of the next rule of the stage.
    index: usize,
}

/// What a rule waits for.
#[derive(Debug)]
pub(super) enum Waiting {
    /// This time; then come the next rules.
    Pause(Duration),
    /// This time; then this answer is given.
    Hold(Duration, Box<LocalAnswer>),
    /// Who sends the request; then come the next rules, or the answer to it.
    Answer(Question),
    /// So much of the body; then come the next rules.
    Body(WaitForBody),
    /// The answer of another server; then come the next rules, or that answer is the client's.
    Outside(Box<Outside>),
}

/// The owner of the rules that run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Frontend,
    Route,
    Backend,
    Done,
}

impl Progress {
    /// Before the first rule of `stage`.
    pub(super) fn at(stage: Stage) -> Self {
        Self { stage, index: 0 }
    }
}

impl ActiveRequest {
    /// Runs the remaining rules for `request`. `Some`: a rule waits.
    ///
    /// # Errors
    ///
    /// A rule answers, or no route takes the request.
    pub(super) fn run_rules(
        &self,
        request: &mut Request<ReceivedBody>,
        progress: &mut Progress,
    ) -> Result<Option<Waiting>, Stop> {
        while progress.stage != Stage::Done {
            if let Some(pipeline) = self.pipeline(progress.stage) {
                let flow = pipeline.request(progress.index, request, &self.scope());
                self.note_extensions(request);
                match flow {
                    // A rule may have written another host or path.
                    Flow::Continue => self.check_again(request)?,
                    Flow::Answer(answer) => return Err(Stop::Answer(answer)),
                    Flow::Close(closing) => return Err(Stop::Close(closing)),
                    Flow::Wait(index, time) => {
                        progress.index = index;
                        return Ok(Some(Waiting::Pause(time)));
                    }
                    Flow::Hold(time, answer) => return Ok(Some(Waiting::Hold(time, answer))),
                    Flow::Read(index, wait) => {
                        progress.index = index;
                        return Ok(Some(Waiting::Body(wait)));
                    }
                    Flow::Outside(index, outside) => {
                        progress.index = index;
                        return Ok(Some(Waiting::Outside(outside)));
                    }
                    Flow::Ask(index, question) => {
                        progress.index = index;
                        return Ok(Some(Waiting::Answer(question)));
                    }
                }
            }
            *progress = Progress::at(match progress.stage {
                Stage::Frontend => {
                    let host = host_of(request, self.frontend()?.0.requires_host)?;
                    self.find_route(request, &host)?;
                    Stage::Route
                }
                Stage::Route => Stage::Backend,
                Stage::Backend | Stage::Done => Stage::Done,
            });
        }
        Ok(None)
    }

    /// Runs the rules for a server's answer, whose head is `status` and `headers`, and returns its status
    /// for the client.
    ///
    /// # Errors
    ///
    /// A rule answers in its place.
    pub(super) fn run_response_rules(
        &self,
        mut status: StatusCode,
        headers: &mut HeaderMap,
    ) -> Result<StatusCode, Stop> {
        for pipeline in self.pipelines_of_answers() {
            if pipeline.sees_responses() {
                let server = self.exchange.record.attempts.server();
                let mut answer = Answer {
                    status,
                    headers,
                    server: server.as_ref().map(|server| server.name.as_str()),
                    reason: None,
                };
                if let Flow::Answer(answer) = pipeline.response(&mut answer, &self.scope()) {
                    return Err(Stop::Answer(answer));
                }
                status = answer.status;
            }
        }
        Ok(status)
    }

    /// Does what rules asked for that is not in the head: early hints, deadlines.
    fn note_extensions(&self, request: &mut Request<ReceivedBody>) {
        if request.extensions().is_empty() {
            return;
        }
        if let Some(set) = request.extensions_mut().remove::<SetTimeouts>() {
            self.exchange.set_timeouts(set);
            if set.exchange.is_some() {
                let bound = self.dialect.bound(request.headers(), set.exchange);
                self.exchange.bound(bound);
            }
        }
        if let Some(EarlyHints(hints)) = request.extensions_mut().remove() {
            let mut interim = Response::new(());
            *interim.status_mut() = StatusCode::EARLY_HINTS;
            *interim.headers_mut() = hints;
            self.exchange.interims.pass(&interim);
        }
    }

    /// Runs the rules for every answer, and returns its status for the client.
    pub(super) fn run_after_rules(
        &self,
        mut status: StatusCode,
        headers: &mut HeaderMap,
        is_own: bool,
    ) -> StatusCode {
        for pipeline in self.pipelines_of_answers() {
            if pipeline.sees_answers() {
                let server = self.exchange.record.attempts.server().filter(|_| !is_own);
                let mut answer = Answer {
                    status,
                    headers,
                    server: server.as_ref().map(|server| server.name.as_str()),
                    reason: self.exchange.record.reason.get(),
                };
                pipeline.after(&mut answer, &self.scope());
                status = answer.status;
            }
        }
        status
    }

    /// Whether the request may still be sent on after the rules.
    fn check_again(&self, request: &Request<ReceivedBody>) -> Result<(), Stop> {
        let (plan, _) = self.frontend()?;
        host_of(request, plan.requires_host)?;
        check_target_length(request.uri(), &plan.limits)?;
        Ok(())
    }

    /// The pipelines that an answer passes through, in their order.
    fn pipelines_of_answers(&self) -> impl Iterator<Item = &Pipeline> {
        let stages = match self.view.snapshot.has_rules {
            true => &[Stage::Backend, Stage::Route, Stage::Frontend][..],
            false => &[],
        };
        stages.iter().filter_map(|stage| self.pipeline(*stage))
    }

    /// Finds the route that `request`, for `host`, matches, and its backend.
    ///
    /// # Errors
    ///
    /// There is none, or servers would find different ones.
    pub(super) fn find_route(
        &self,
        request: &Request<ReceivedBody>,
        host: &str,
    ) -> Result<(), Stop> {
        let (_, frontend) = self.frontend()?;
        let record = &self.exchange.record;
        let question = route::Request {
            host,
            method: request.method(),
            path: request.uri().path(),
            query: request.uri().query(),
            headers: request.headers(),
            evaluation: Some(route::Evaluation {
                id: &record.opening.id,
                connection: self.connection_facts(),
                version: request.version(),
                target: request.uri(),
                body: request
                    .extensions()
                    .get::<ReadBody>()
                    .map(|read| BodyFacts {
                        bytes: &read.bytes,
                        size: read.size,
                    }),
                variables: Some(&self.exchange.variables),
                scratch: &self.client.context.scratch,
            }),
        };
        let found = frontend
            .router
            .find(&question)
            .map_err(|route::Ambiguous| Reason::RequestPathAmbiguous)?;
        if let (Some(route), Some(index)) = (found, self.frontend_index) {
            let taken = &self.view.frontends[index as usize].routes[route];
            // Found once for each exchange.
            let _ = record.route.set(Rc::clone(taken));
        }
        self.chosen.set(Chosen {
            route: found.map(|route| route as u32),
            backend: None,
        });
        let used = self.used_backend(request);
        let Some(route) = found else {
            let backend = used.or(frontend.default_backend);
            self.choose(backend);
            return backend.map(drop).ok_or(Reason::RouteNone.into());
        };
        if used.is_some() {
            self.choose(used);
            return Ok(());
        }
        let target = &frontend.route_targets[route];
        let chosen = target.choose(&self.client.context.rng, |template| {
            self.scope().render(template, request)
        });
        self.choose(match target {
            Target::Named(..) => chosen.or(frontend.default_backend),
            _ => chosen,
        });
        Ok(())
    }

    /// The index of the backend that a rule of the frontend has chosen.
    fn used_backend(&self, request: &Request<ReceivedBody>) -> Option<u32> {
        let names = self.view.snapshot.backend_names.as_ref()?;
        let UsedBackend(name) = request.extensions().get()?;
        names.get(name.as_deref()?).copied()
    }

    /// Notes the index of the backend, if there is one.
    fn choose(&self, backend: Option<u32>) {
        let route = self.chosen.get().route;
        self.chosen.set(Chosen { route, backend });
        if let Some(backend) = self.backend() {
            // Chosen once for each exchange.
            let _ = self.exchange.record.backend.set(Rc::clone(&backend.name));
            backend.shared.rate().count();
        }
    }

    fn pipeline(&self, stage: Stage) -> Option<&Pipeline> {
        let chosen = self.chosen.get();
        let snapshot = &self.view.snapshot;
        let frontend = || snapshot.frontends.get(self.frontend_index? as usize);
        match stage {
            Stage::Frontend => frontend()?.rules.as_deref(),
            Stage::Route => {
                let rules = &frontend()?.route_rules;
                rules.get(chosen.route? as usize)?.as_deref()
            }
            Stage::Backend => {
                let rules = &snapshot.backend_rules;
                rules.get(chosen.backend? as usize)?.as_deref()
            }
            Stage::Done => None,
        }
    }

    fn scope(&self) -> Scope<'_> {
        Scope {
            id: &self.exchange.record.opening.id,
            connection: self.connection_facts(),
            backend: self
                .backend()
                .map(|backend| backend.shared.plan.name.as_str()),
            variables: &self.exchange.variables,
            tracked: &self.exchange.tracked,
            log_as: &self.exchange.record.log_as,
            tables: &self.view.snapshot.tables,
            verifier: &self.view.snapshot.verifier,
            scratch: &self.client.context.scratch,
        }
    }

    pub(super) fn connection_facts(&self) -> ConnectionFacts<'_> {
        ConnectionFacts {
            client: self.exchange.record.opening.client,
            local: self.client.local,
            tls: self.client.tls.as_deref(),
            frontend: &self.client.live.name,
            variables: Some(&self.client.variables),
            tables: Some(&*self.view.snapshot.tables),
            state: Some(&*self.view.snapshot),
            proxy_fields: self.client.proxy_fields.as_deref(),
            content: None,
            is_local: net::is_local,
        }
    }
}
