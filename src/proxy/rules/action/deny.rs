//! `deny`: refuses the exchange with a status.

use http::{Request, StatusCode};

use crate::exchange::Reason;
use crate::proxy::reply::LocalAnswer;
use crate::proxy::rules::{Answer, Flow, Scope};

use super::{Act, Done};

#[derive(Debug)]
pub(in crate::proxy::rules) struct Deny(pub(super) StatusCode);

impl Act for Deny {
    fn on_request<B>(&self, _: &mut Request<B>, _: &Scope<'_>) -> Done {
        self.answer()
    }

    fn on_answer(&self, _: &mut Answer<'_>, _: &Scope<'_>) -> Done {
        self.answer()
    }
}

impl Deny {
    fn answer(&self) -> Done {
        let answer = LocalAnswer::refusal(Reason::RuleDenied, Some(self.0));
        Ok(Flow::Answer(Box::new(answer)))
    }
}
