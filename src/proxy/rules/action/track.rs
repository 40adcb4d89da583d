//! `track`: the exchange is counted in an entry of a table until it is over.

use http::Request;

use crate::base::Name;
use crate::expr::{Facts, Program};
use crate::plan;
use crate::proxy::rules::{Answer, Flow, Scope};
use crate::tables::Since;

use super::{Act, Done, facts};

#[derive(Debug)]
pub(in crate::proxy::rules) struct Track {
    table: Name,
    key: Program,
    counter: u8,
}

impl Track {
    pub(super) fn compile(track: &plan::Track) -> Self {
        Self {
            table: track.table.name.clone(),
            key: Program::compile(&track.key),
            counter: track.counter,
        }
    }

    fn track(&self, facts: &Facts<'_>, scope: &Scope<'_>, since: Since) -> Done {
        // As in HAProxy: the first entry that is tracked as this counter stays.
        if scope.tracked.has(self.counter) {
            return Ok(Flow::Continue);
        }
        let scratch = &mut *scope.scratch.borrow_mut();
        scratch.clear();
        let key = self.key.value(facts, scratch);
        let table = (scope.tables, &self.table);
        scope
            .tracked
            .track(self.counter, table, key, scratch, since);
        Ok(Flow::Continue)
    }
}

impl Act for Track {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        self.track(&facts(request, scope), scope, Since::Request)
    }

    fn on_answer(&self, answer: &mut Answer<'_>, scope: &Scope<'_>) -> Done {
        let status = answer.server.map(|_| answer.status.as_u16());
        let facts = scope.of_answer(answer);
        self.track(&facts, scope, Since::Answer(status))
    }
}
