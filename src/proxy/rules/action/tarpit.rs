//! `tarpit`: refuses the exchange after a while.

use http::Request;

use crate::exchange::Reason;
use crate::plan;
use crate::proxy::reply::LocalAnswer;
use crate::proxy::rules::{Flow, Scope};

use super::{Act, Done};

#[derive(Debug)]
pub(in crate::proxy::rules) struct Tarpit(pub(super) plan::Tarpit);

impl Act for Tarpit {
    fn on_request<B>(&self, _: &mut Request<B>, _: &Scope<'_>) -> Done {
        let plan::Tarpit { time, status } = self.0;
        let answer = LocalAnswer::refusal(Reason::RuleTarpitted, Some(status));
        Ok(Flow::Hold(time, Box::new(answer)))
    }
}
