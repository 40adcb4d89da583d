//! `early_hint`: sends the client fields before the answer, in an interim answer 103 (RFC 8297).

use http::{HeaderMap, HeaderName, Request};

use crate::expr::Template;
use crate::plan;
use crate::proxy::rules::encode::field_value;
use crate::proxy::rules::{Flow, Scope};

use super::fields::templates;
use super::{Act, Done, facts};

/// The fields that rules want to send before the answer: an extension of the request, until
/// `http::pipeline` sends them.
#[derive(Clone, Default)]
pub(crate) struct EarlyHints(pub(crate) HeaderMap);

#[derive(Debug)]
pub(in crate::proxy::rules) struct EarlyHint(Box<[(HeaderName, Template)]>);

impl EarlyHint {
    pub(super) fn compile(fields: &[plan::Field]) -> Self {
        Self(templates(fields))
    }
}

impl Act for EarlyHint {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        for (name, template) in &self.0 {
            let value = field_value(scope.text(template, &facts(request, scope)))?;
            // Of an absent value: a hint without one says nothing.
            if value.is_empty() {
                continue;
            }
            let EarlyHints(hints) = request.extensions_mut().get_or_insert_default();
            hints.append(name.clone(), value);
        }
        Ok(Flow::Continue)
    }
}
