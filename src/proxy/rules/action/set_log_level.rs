//! `set_log_level`: the severity of messages about the exchange, or none at all.

use http::Request;

use crate::plan::log::LogAs;
use crate::proxy::rules::{Answer, Flow, Scope};

use super::{Act, Done};

#[derive(Debug)]
pub(in crate::proxy::rules) struct SetLogLevel(pub(super) LogAs);

impl Act for SetLogLevel {
    fn on_request<B>(&self, _: &mut Request<B>, scope: &Scope<'_>) -> Done {
        scope.log_as.set(self.0);
        Ok(Flow::Continue)
    }

    fn on_answer(&self, _: &mut Answer<'_>, scope: &Scope<'_>) -> Done {
        scope.log_as.set(self.0);
        Ok(Flow::Continue)
    }
}
