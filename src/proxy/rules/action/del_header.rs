//! `del_header`: removes fields.

use http::{HeaderMap, HeaderName, Request};

use crate::plan;
use crate::proxy::rules::{Answer, Flow, Scope};

use super::Act;

#[derive(Debug)]
pub(in crate::proxy::rules) struct DelHeader(Box<[HeaderName]>);

impl DelHeader {
    pub(super) fn compile(names: &[plan::FieldName]) -> Self {
        Self(names.iter().map(|field| field.name.clone()).collect())
    }

    fn remove_from(&self, headers: &mut HeaderMap) -> Flow {
        for name in &self.0 {
            headers.remove(name);
        }
        Flow::Continue
    }
}

impl Act for DelHeader {
    fn on_request<B>(&self, request: &mut Request<B>, _: &Scope<'_>) -> Flow {
        self.remove_from(request.headers_mut())
    }

    fn on_answer(&self, answer: &mut Answer<'_>, _: &Scope<'_>) -> Flow {
        self.remove_from(answer.headers)
    }
}
