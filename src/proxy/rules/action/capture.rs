//! `capture`: keeps a value for the log.

use http::Request;

use crate::expr::{Captured, Facts, Program};
use crate::plan;
use crate::plan::expr::Type;
use crate::proxy::rules::{Answer, Flow, Scope};

use super::{Act, Done, facts};

#[derive(Debug)]
pub(in crate::proxy::rules) struct Capture {
    value: Program,
    yields: Type,
    most_bytes: usize,
    id: u8,
    places: u8,
}

impl Capture {
    pub(super) fn compile(capture: &plan::Capture) -> Self {
        Self {
            value: Program::compile(&capture.value),
            yields: capture.value.yields(),
            most_bytes: capture.len as usize,
            id: capture.id,
            places: capture.places,
        }
    }

    fn keep(&self, of: Captured, facts: &Facts<'_>, scope: &Scope<'_>) -> Done {
        let scratch = &mut *scope.scratch.borrow_mut();
        scratch.clear();
        let value = self.value.value(facts, scratch);
        let value = scratch.cast(value, self.yields, Type::Text);
        let text = scratch.text(value);
        let text = text.map(|text| &text[..text.len().min(self.most_bytes)]);
        scope.variables.capture(of, self.id, self.places, text);
        Ok(Flow::Continue)
    }
}

impl Act for Capture {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        self.keep(Captured::Request, &facts(request, scope), scope)
    }

    fn on_answer(&self, answer: &mut Answer<'_>, scope: &Scope<'_>) -> Done {
        self.keep(Captured::Response, &scope.of_answer(answer), scope)
    }
}
