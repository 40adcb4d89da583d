//! `add_header`: adds a line to fields.

use http::{HeaderName, Request};

use crate::expr::Template;
use crate::plan;
use crate::proxy::rules::encode::field_value;
use crate::proxy::rules::{Answer, Flow, Scope};

use super::fields::templates;
use super::{Act, Done, facts};

#[derive(Debug)]
pub(in crate::proxy::rules) struct AddHeader(Box<[(HeaderName, Template)]>);

impl AddHeader {
    pub(super) fn compile(fields: &[plan::Field]) -> Self {
        Self(templates(fields))
    }
}

impl Act for AddHeader {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        for (name, template) in &self.0 {
            let value = field_value(scope.text(template, &facts(request, scope)))?;
            request.headers_mut().append(name.clone(), value);
        }
        Ok(Flow::Continue)
    }

    fn on_answer(&self, answer: &mut Answer<'_>, scope: &Scope<'_>) -> Done {
        for (name, template) in &self.0 {
            let value = field_value(scope.text(template, &scope.of_answer(answer)))?;
            answer.headers.append(name.clone(), value);
        }
        Ok(Flow::Continue)
    }
}
