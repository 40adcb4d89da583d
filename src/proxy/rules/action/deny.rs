//! `deny`: refuses the exchange.

use http::Request;

use crate::exchange::Reason;
use crate::plan;
use crate::proxy::rules::{Answer, Scope};

use super::reply::Reply;
use super::{Act, Done, facts};

#[derive(Debug)]
pub(in crate::proxy::rules) struct Deny(Reply);

impl Deny {
    pub(super) fn compile(reply: &plan::Reply) -> Self {
        Self(Reply::compile(reply))
    }
}

impl Act for Deny {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        self.0
            .answer(Reason::RuleDenied, &facts(request, scope), scope)
    }

    fn on_answer(&self, answer: &mut Answer<'_>, scope: &Scope<'_>) -> Done {
        self.0
            .answer(Reason::RuleDenied, &scope.of_answer(answer), scope)
    }
}
