//! `sc_set_gpt`: sets a tag of an entry that the exchange tracks.

use http::Request;

use crate::expr::{Facts, Program, Value};
use crate::plan::expr::Type;
use crate::plan::{Element, SetTag};
use crate::proxy::rules::{Answer, Flow, Scope};

use super::{Act, Done, facts};

#[derive(Debug)]
pub(in crate::proxy::rules) struct ScSetGpt {
    element: Element,
    value: Program,
}

impl ScSetGpt {
    pub(super) fn compile(tag: &SetTag) -> Self {
        Self {
            element: tag.element,
            value: Program::compile(&tag.value),
        }
    }

    fn set(&self, facts: &Facts<'_>, scope: &Scope<'_>) -> Done {
        let scratch = &mut *scope.scratch.borrow_mut();
        scratch.clear();
        let value = self.value.value(facts, scratch);
        if let Value::Int(number) = scratch.cast(value, Type::Any, Type::Int) {
            let Element { counter, index } = self.element;
            // The lowest 32 bits, as in HAProxy.
            scope.tracked.tag(counter, index.into(), number as u32);
        }
        Ok(Flow::Continue)
    }
}

impl Act for ScSetGpt {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        self.set(&facts(request, scope), scope)
    }

    fn on_answer(&self, answer: &mut Answer<'_>, scope: &Scope<'_>) -> Done {
        self.set(&scope.of_answer(answer), scope)
    }
}
