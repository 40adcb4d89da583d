//! `set_var`: gives variables the values of expressions.

use http::Request;

use crate::expr::{Facts, Program};
use crate::plan::expr::{Expr, Variable};
use crate::proxy::rules::{Answer, Flow, Scope};

use super::{Act, Done, facts};

#[derive(Debug)]
pub(in crate::proxy::rules) struct SetVar(Box<[(Variable, Program)]>);

impl SetVar {
    pub(super) fn compile(variables: &[(Variable, Expr)]) -> Self {
        let variables = variables.iter();
        let compiled = variables.map(|(variable, expr)| (variable.clone(), Program::compile(expr)));
        Self(compiled.collect())
    }

    fn assign(&self, facts: &Facts<'_>, scope: &Scope<'_>) -> Done {
        let scratch = &mut *scope.scratch.borrow_mut();
        for (variable, program) in &self.0 {
            scratch.clear();
            let value = program.value(facts, scratch);
            if let Some(holder) = facts.holder_of(variable) {
                holder.set(variable, value, scratch);
            }
        }
        Ok(Flow::Continue)
    }
}

impl Act for SetVar {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        self.assign(&facts(request, scope), scope)
    }

    fn on_answer(&self, answer: &mut Answer<'_>, scope: &Scope<'_>) -> Done {
        self.assign(&scope.of_answer(answer), scope)
    }
}
