//! `del_header`: removes fields, by their names or by parts of names.

use http::{HeaderMap, HeaderName, Request};

use crate::plan::{self, NamePart};
use crate::proxy::rules::{Answer, Flow, Scope};

use super::fields::is_of_the_connection;
use super::{Act, Done};

#[derive(Debug)]
pub(in crate::proxy::rules) struct DelHeader {
    names: Box<[HeaderName]>,
    parts: Box<[NamePart]>,
}

impl DelHeader {
    pub(super) fn compile(removed: &plan::DelHeader) -> Self {
        let names = removed.names.iter();
        Self {
            names: names.map(|field| field.name.clone()).collect(),
            parts: removed.parts.as_slice().into(),
        }
    }

    fn remove_from(&self, headers: &mut HeaderMap) -> Done {
        for name in &self.names {
            headers.remove(name);
        }
        if self.parts.is_empty() {
            return Ok(Flow::Continue);
        }
        let is_meant = |name: &&HeaderName| {
            !is_of_the_connection(name) && self.parts.iter().any(|part| part.is_in(name.as_str()))
        };
        let meant: Vec<HeaderName> = headers.keys().filter(is_meant).cloned().collect();
        for name in meant {
            headers.remove(name);
        }
        Ok(Flow::Continue)
    }
}

impl Act for DelHeader {
    fn on_request<B>(&self, request: &mut Request<B>, _: &Scope<'_>) -> Done {
        self.remove_from(request.headers_mut())
    }

    fn on_answer(&self, answer: &mut Answer<'_>, _: &Scope<'_>) -> Done {
        self.remove_from(answer.headers)
    }
}
