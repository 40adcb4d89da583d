//! `set_header`: gives fields one value, in place of all lines that they had.

use http::{HeaderName, Request, header};

use crate::exchange::Reason;
use crate::expr::Template;
use crate::plan;
use crate::proxy::rules::encode::{field_value, with_host};
use crate::proxy::rules::{Answer, Flow, Scope};

use super::fields::{set, templates};
use super::host::keep_host;
use super::{Act, facts, refusal};

#[derive(Debug)]
pub(in crate::proxy::rules) struct SetHeader(Box<[(HeaderName, Template)]>);

impl SetHeader {
    pub(super) fn compile(fields: &[plan::Field]) -> Self {
        Self(templates(fields))
    }
}

impl Act for SetHeader {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Flow {
        for (name, template) in &self.0 {
            let value = scope.text(template, &facts(request, scope));
            let value = field_value(value);
            if *name == header::HOST {
                // If the rule's host is invalid, the request is not sent.
                let host = value.as_ref();
                let Some(target) = host.and_then(|host| with_host(request.uri(), host)) else {
                    return refusal(Reason::RequestHostMalformed);
                };
                keep_host(request);
                *request.uri_mut() = target;
            }
            set(request.headers_mut(), name, value);
        }
        Flow::Continue
    }

    fn on_answer(&self, answer: &mut Answer<'_>, scope: &Scope<'_>) -> Flow {
        for (name, template) in &self.0 {
            let value = scope.text(template, &scope.of_answer(answer));
            set(answer.headers, name, field_value(value));
        }
        Flow::Continue
    }
}
