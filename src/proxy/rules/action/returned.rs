//! `return`: answers in place of a server.

use http::Request;

use crate::exchange::Reason;
use crate::plan;
use crate::proxy::rules::{Answer, Scope};

use super::reply::Reply;
use super::{Act, Done, facts};

#[derive(Debug)]
pub(in crate::proxy::rules) struct Return(Reply);

impl Return {
    pub(super) fn compile(reply: &plan::Reply) -> Self {
        Self(Reply::compile(reply).with_body())
    }
}

impl Act for Return {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        self.0
            .answer(Reason::RuleReturned, &facts(request, scope), scope)
    }

    fn on_answer(&self, answer: &mut Answer<'_>, scope: &Scope<'_>) -> Done {
        self.0
            .answer(Reason::RuleReturned, &scope.of_answer(answer), scope)
    }
}
