//! `rate_limit`: requests of a key over a rate are refused, wait, or are only counted.

use std::sync::Arc;

use http::Request;

use crate::base::clock;
use crate::exchange::Reason;
use crate::expr::Program;
use crate::observe::event;
use crate::plan;
use crate::proxy::reply::LocalAnswer;
use crate::proxy::rules::{Flow, Scope};
use crate::tables::Verdict;

use super::{Act, Done, facts};

#[derive(Debug)]
pub(in crate::proxy::rules) struct RateLimit {
    plan: Arc<plan::RateLimit>,
    key: Program,
}

impl RateLimit {
    pub(super) fn compile(plan: &plan::RateLimit) -> Self {
        Self {
            key: Program::compile(&plan.key),
            plan: Arc::new(plan.clone()),
        }
    }
}

impl Act for RateLimit {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        let Some(limiter) = scope.tables.limit(&self.plan.name) else {
            return Ok(Flow::Continue);
        };
        let facts = facts(request, scope);
        let scratch = &mut *scope.scratch.borrow_mut();
        scratch.clear();
        let key = self.key.value(&facts, scratch);
        Ok(
            match limiter.decide(&self.plan, key, scratch, clock::now()) {
                Verdict::Passes => Flow::Continue,
                Verdict::Waits(time) => Flow::Wait(0, time),
                Verdict::Refused(time) => {
                    let retry_after = self.plan.retry_after.then_some(time);
                    let answer =
                        LocalAnswer::refusal(Reason::RuleRateLimited, Some(self.plan.status));
                    Flow::Answer(Box::new(answer.retry_after(retry_after)))
                }
                Verdict::WouldBeRefused => {
                    event::rate_limit_tried(scope.id, &self.plan.name);
                    Flow::Continue
                }
            },
        )
    }
}
