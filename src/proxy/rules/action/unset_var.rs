//! `unset_var`: removes variables.

use http::Request;

use crate::expr::{Facts, Value};
use crate::plan::expr::Variable;
use crate::proxy::rules::{Answer, Flow, Scope};

use super::{Act, Done, facts};

#[derive(Debug)]
pub(in crate::proxy::rules) struct UnsetVar(pub(super) Box<[Variable]>);

impl UnsetVar {
    fn remove(&self, facts: &Facts<'_>, scope: &Scope<'_>) -> Done {
        let scratch = &*scope.scratch.borrow();
        for variable in &self.0 {
            if let Some(holder) = facts.holder_of(variable) {
                holder.set(variable, Value::Absent, scratch);
            }
        }
        Ok(Flow::Continue)
    }
}

impl Act for UnsetVar {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        self.remove(&facts(request, scope), scope)
    }

    fn on_answer(&self, answer: &mut Answer<'_>, scope: &Scope<'_>) -> Done {
        self.remove(&scope.of_answer(answer), scope)
    }
}
