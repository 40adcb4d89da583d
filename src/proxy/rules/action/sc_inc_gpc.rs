//! `sc_inc_gpc`: increments a counter of an entry that the exchange tracks.

use http::Request;

use crate::plan::Element;
use crate::proxy::rules::{Answer, Flow, Scope};

use super::{Act, Done};

#[derive(Debug)]
pub(in crate::proxy::rules) struct ScIncGpc(pub(super) Element);

impl ScIncGpc {
    fn increment(&self, scope: &Scope<'_>) -> Done {
        let Element { counter, index } = self.0;
        scope.tracked.increment(counter, index.into());
        Ok(Flow::Continue)
    }
}

impl Act for ScIncGpc {
    fn on_request<B>(&self, _: &mut Request<B>, scope: &Scope<'_>) -> Done {
        self.increment(scope)
    }

    fn on_answer(&self, _: &mut Answer<'_>, scope: &Scope<'_>) -> Done {
        self.increment(scope)
    }
}
