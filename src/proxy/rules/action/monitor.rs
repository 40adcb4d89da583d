//! `monitor`: says on one path whether we serve.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};

use crate::exchange::Reason;
use crate::expr::Condition;
use crate::plan;
use crate::proxy::reply::LocalAnswer;
use crate::proxy::rules::{Flow, Scope};

use super::{Act, Done, facts};

#[derive(Debug)]
pub(in crate::proxy::rules) struct Monitor {
    path: Box<str>,
    fail: Option<Condition>,
}

impl Monitor {
    pub(super) fn compile(monitor: &plan::Monitor) -> Self {
        Self {
            path: monitor.path.as_str().into(),
            fail: monitor.fail.as_ref().map(Condition::compile),
        }
    }
}

impl Act for Monitor {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        if request.uri().path() != &*self.path {
            return Ok(Flow::Continue);
        }
        let fails = self.fail.as_ref().is_some_and(|fail| {
            let facts = facts(request, scope);
            fail.holds(&facts, &mut scope.scratch.borrow_mut())
        });
        let (status, text) = match fails {
            true => (StatusCode::SERVICE_UNAVAILABLE, "failing\n"),
            false => (StatusCode::OK, "ok\n"),
        };
        let mut headers = HeaderMap::with_capacity(2);
        let kind = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, kind);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let body = Bytes::from_static(text.as_bytes());
        let answer = LocalAnswer::own(Reason::RuleMonitor, status, headers, body);
        Ok(Flow::Answer(Box::new(answer.unlogged())))
    }
}
