//! The answer of `deny` and of `return`, compiled.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};

use crate::exchange::Reason;
use crate::expr::{Facts, Template};
use crate::plan::{self, ReplyBody};
use crate::proxy::reply::LocalAnswer;
use crate::proxy::rules::encode::{Invalid, field_value};
use crate::proxy::rules::{Flow, Scope};

use super::Done;
use super::fields::templates;

#[derive(Debug)]
pub(super) struct Reply {
    status: StatusCode,
    headers: Box<[(HeaderName, Template)]>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// That of a refusal.
    Usual,
    Template(Template),
    Content(Bytes),
    /// Also the status and the fields.
    Whole(StatusCode, HeaderMap, Bytes),
}

impl Reply {
    pub(super) fn compile(reply: &plan::Reply) -> Self {
        Self {
            status: reply.status,
            headers: templates(&reply.headers),
            body: match &reply.body {
                ReplyBody::Usual => Body::Usual,
                ReplyBody::Template(body) => Body::Template(Template::compile(body)),
                ReplyBody::File { content, .. } => {
                    Body::Content(Bytes::from_owner(content.clone()))
                }
                ReplyBody::ErrorFile { answer, .. } => Body::Whole(
                    answer.status,
                    answer.headers.iter().cloned().collect(),
                    Bytes::from_owner(answer.body.clone()),
                ),
            },
        }
    }

    /// The same with an empty body in place of that of a refusal.
    pub(super) fn with_body(self) -> Self {
        let body = match self.body {
            Body::Usual => Body::Content(Bytes::new()),
            body => body,
        };
        Self { body, ..self }
    }

    /// The answer with `reason`, at once.
    pub(super) fn answer(&self, reason: Reason, facts: &Facts<'_>, scope: &Scope<'_>) -> Done {
        let answer = self.local_answer(reason, facts, scope)?;
        Ok(Flow::Answer(Box::new(answer)))
    }

    /// The answer with `reason`.
    pub(super) fn local_answer(
        &self,
        reason: Reason,
        facts: &Facts<'_>,
        scope: &Scope<'_>,
    ) -> Result<LocalAnswer, Invalid> {
        let mut headers = HeaderMap::with_capacity(self.headers.len());
        for (name, template) in &self.headers {
            let value = field_value(scope.text(template, facts))?;
            // As HAProxy: a field whose expressions are absent is left out.
            if !value.is_empty() || template.is_literal() {
                headers.insert(name.clone(), value);
            }
        }
        let body = match &self.body {
            Body::Usual => {
                let refusal = LocalAnswer::refusal(reason, Some(self.status));
                return Ok(refusal.with_headers(headers));
            }
            Body::Template(body) => Bytes::from(scope.text(body, facts)),
            Body::Content(content) => content.clone(),
            Body::Whole(status, fields, content) => {
                let (fields, content) = (fields.clone(), content.clone());
                return Ok(LocalAnswer::own(reason, *status, fields, content));
            }
        };
        Ok(LocalAnswer::own(reason, self.status, headers, body))
    }
}
