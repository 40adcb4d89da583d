//! `replace_path` and `replace_pathq`: replace a part of the target that matches a regular expression.

use http::Request;

use crate::plan::{self, TargetPart};
use crate::proxy::rules::{Flow, Scope};

use super::replace::Replacement;
use super::{Act, Done, facts, set_target};

#[derive(Debug)]
pub(in crate::proxy::rules) struct ReplaceTarget {
    part: TargetPart,
    replacement: Replacement,
}

impl ReplaceTarget {
    pub(super) fn compile(part: TargetPart, replace: &plan::Replace) -> Self {
        Self {
            part,
            replacement: Replacement::compile(replace),
        }
    }
}

impl Act for ReplaceTarget {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        let target = request.uri();
        let text = match self.part {
            TargetPart::Path => target.path(),
            _ => target
                .path_and_query()
                .map_or("/", |target| target.as_str()),
        };
        if text == "*" {
            return Ok(Flow::Continue);
        }
        let facts = facts(request, scope);
        match self.replacement.apply(text.as_bytes(), &facts, scope) {
            Some(new) => set_target::write(request, self.part, &new),
            None => Ok(Flow::Continue),
        }
    }
}
