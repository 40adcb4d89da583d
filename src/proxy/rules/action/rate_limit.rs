//! `rate_limit`: requests of a key over a rate are refused, wait, or are only counted.
//!
//! With `headers`, a rule is two parts: [`RateLimit`] sees the request, [`RateLimitFields`] writes into every
//! answer to it how the key stands (draft-ietf-httpapi-ratelimit-headers-07). That goes from one to the other
//! in a variable with a name that no configuration can write.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Request};

use crate::base::clock;
use crate::exchange::Reason;
use crate::expr::Program;
use crate::observe::event;
use crate::plan;
use crate::plan::expr::{self, Variable};
use crate::proxy::reply::LocalAnswer;
use crate::proxy::rules::{Answer, Flow, Scope};
use crate::tables::{Standing, Verdict};

use super::{Act, Done, facts};

#[derive(Debug)]
pub(in crate::proxy::rules) struct RateLimit {
    plan: Arc<plan::RateLimit>,
    key: Program,
    /// Where the standing of the key is kept; `None`: answers do not say it.
    kept: Option<Variable>,
}

/// The part for answers.
#[derive(Debug)]
pub(in crate::proxy::rules) struct RateLimitFields {
    kept: Variable,
    limit: HeaderValue,
    policy: HeaderValue,
}

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

impl RateLimit {
    pub(super) fn compile(plan: &plan::RateLimit) -> Self {
        Self {
            key: Program::compile(&plan.key),
            kept: plan.headers.then(|| variable(plan)),
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
        let decision = limiter.decide(&self.plan, key, scratch, clock::now());
        if let (Some(kept), Some(standing)) = (&self.kept, decision.standing) {
            scope.variables.keep(kept, &written(standing));
        }
        Ok(match decision.verdict {
            Verdict::Passes => Flow::Continue,
            Verdict::Waits(time) => Flow::Wait(0, time),
            Verdict::Refused(time) => {
                let retry_after = self.plan.retry_after.then_some(time);
                let answer = LocalAnswer::refusal(Reason::RuleRateLimited, Some(self.plan.status));
                Flow::Answer(Box::new(answer.retry_after(retry_after)))
            }
            Verdict::WouldBeRefused => {
                event::rate_limit_tried(scope.id, &self.plan.name);
                Flow::Continue
            }
        })
    }
}

impl RateLimitFields {
    pub(super) fn compile(plan: &plan::RateLimit) -> Self {
        let plan::Frequency { requests, period } = plan.rate;
        // The draft has whole seconds.
        let seconds = period.as_secs().max(1);
        let policy = HeaderValue::from_str(&format!("{requests};w={seconds}"));
        Self {
            kept: variable(plan),
            limit: plan.burst.into(),
            policy: policy.unwrap_or(HeaderValue::from_static("")),
        }
    }
}

impl Act for RateLimitFields {
    fn on_answer(&self, answer: &mut Answer<'_>, scope: &Scope<'_>) -> Done {
        // Without it the part for requests did not run, or found no key.
        let kept = scope.variables.kept(&self.kept);
        let Some((remaining, reset)) = kept.as_deref().and_then(read) else {
            return Ok(Flow::Continue);
        };
        let fields = &mut *answer.headers;
        if shown(fields).is_some_and(|least| least <= remaining) {
            return Ok(Flow::Continue);
        }
        fields.insert(LIMIT, self.limit.clone());
        fields.insert(REMAINING, remaining.into());
        fields.insert(RESET, reset.into());
        fields.insert(POLICY, self.policy.clone());
        Ok(Flow::Continue)
    }
}

/// The remaining requests that the fields of an answer show already.
fn shown(fields: &HeaderMap) -> Option<u64> {
    fields.get(REMAINING)?.to_str().ok()?.trim().parse().ok()
}

/// No two rules are written in the same place, and no name in a file has a space.
fn variable(plan: &plan::RateLimit) -> Variable {
    Variable {
        scope: expr::Scope::Transaction,
        name: format!("rate_limit {}", plan.at),
    }
}

/// A standing as it is kept: the remaining requests, and seconds, rounded up.
fn written(standing: Standing) -> [u8; 16] {
    let seconds = standing.reset.as_nanos().div_ceil(1_000_000_000);
    let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&standing.remaining.to_be_bytes());
    bytes[8..].copy_from_slice(&seconds.to_be_bytes());
    bytes
}

fn read(bytes: &[u8]) -> Option<(u64, u64)> {
    let (remaining, seconds) = bytes.split_first_chunk()?;
    let seconds = u64::from_be_bytes(*seconds.first_chunk()?);
    Some((u64::from_be_bytes(*remaining), seconds))
}
