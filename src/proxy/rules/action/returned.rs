//! `return`: answers in place of a server.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, StatusCode};

use crate::exchange::Reason;
use crate::expr::{Facts, Template};
use crate::plan;
use crate::proxy::reply::LocalAnswer;
use crate::proxy::rules::encode::field_value;
use crate::proxy::rules::{Answer, Flow, Scope};

use super::fields::templates;
use super::{Act, Done, facts};

#[derive(Debug)]
pub(in crate::proxy::rules) struct Return {
    status: StatusCode,
    headers: Box<[(HeaderName, Template)]>,
    body: Template,
}

impl Return {
    pub(super) fn compile(answer: &plan::Return) -> Self {
        Self {
            status: answer.status,
            headers: templates(&answer.headers),
            body: Template::compile(&answer.body),
        }
    }

    fn answer(&self, facts: &Facts<'_>, scope: &Scope<'_>) -> Done {
        let mut headers = HeaderMap::with_capacity(self.headers.len());
        for (name, template) in &self.headers {
            headers.insert(name.clone(), field_value(scope.text(template, facts))?);
        }
        let body = Bytes::from(scope.text(&self.body, facts));
        let answer = LocalAnswer::own(Reason::RuleReturned, self.status, headers, body);
        Ok(Flow::Answer(Box::new(answer)))
    }
}

impl Act for Return {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        self.answer(&facts(request, scope), scope)
    }

    fn on_answer(&self, answer: &mut Answer<'_>, scope: &Scope<'_>) -> Done {
        self.answer(&scope.of_answer(answer), scope)
    }
}
