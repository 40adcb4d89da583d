//! `tarpit`: refuses the exchange after a while.

use http::Request;

use crate::base::clock::Duration;
use crate::exchange::Reason;
use crate::plan;
use crate::proxy::rules::{Flow, Scope};

use super::reply::Reply;
use super::{Act, Done, facts};

#[derive(Debug)]
pub(in crate::proxy::rules) struct Tarpit {
    time: Duration,
    reply: Reply,
}

impl Tarpit {
    pub(super) fn compile(tarpit: &plan::Tarpit) -> Self {
        Self {
            time: tarpit.time,
            reply: Reply::compile(&tarpit.reply),
        }
    }
}

impl Act for Tarpit {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        let facts = facts(request, scope);
        let answer = self
            .reply
            .local_answer(Reason::RuleTarpitted, &facts, scope)?;
        Ok(Flow::Hold(self.time, Box::new(answer)))
    }
}
