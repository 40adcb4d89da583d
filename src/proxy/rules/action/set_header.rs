//! `set_header`: gives fields one value, in place of all lines that they had.

use http::{HeaderName, Request, header};

use crate::expr::Template;
use crate::plan;
use crate::proxy::rules::encode::field_value;
use crate::proxy::rules::{Answer, Flow, Scope};

use super::fields::templates;
use super::host::set_host;
use super::{Act, Done, facts};

#[derive(Debug)]
pub(in crate::proxy::rules) struct SetHeader(Box<[(HeaderName, Template)]>);

impl SetHeader {
    pub(super) fn compile(fields: &[plan::Field]) -> Self {
        Self(templates(fields))
    }
}

impl Act for SetHeader {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        for (name, template) in &self.0 {
            let value = field_value(scope.text(template, &facts(request, scope)))?;
            if *name == header::HOST {
                match set_host(request, value)? {
                    Flow::Continue => continue,
                    stop => return Ok(stop),
                }
            }
            request.headers_mut().insert(name.clone(), value);
        }
        Ok(Flow::Continue)
    }

    fn on_answer(&self, answer: &mut Answer<'_>, scope: &Scope<'_>) -> Done {
        for (name, template) in &self.0 {
            let value = field_value(scope.text(template, &scope.of_answer(answer)));
            // Of an answer that cannot be refused any more, the old value is removed in any case.
            answer.headers.remove(name);
            answer.headers.insert(name.clone(), value?);
        }
        Ok(Flow::Continue)
    }
}
