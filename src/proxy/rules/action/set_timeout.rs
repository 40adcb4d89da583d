//! `set_timeout`: deadlines of this exchange.

use http::Request;

use crate::plan::SetTimeouts;
use crate::proxy::rules::{Flow, Scope};

use super::{Act, Done};

#[derive(Debug)]
pub(in crate::proxy::rules) struct SetTimeout(pub(super) SetTimeouts);

impl Act for SetTimeout {
    /// Notes them as an extension of the request; `http::pipeline` hands them to the exchange.
    fn on_request<B>(&self, request: &mut Request<B>, _: &Scope<'_>) -> Done {
        let set: &mut SetTimeouts = request.extensions_mut().get_or_insert_default();
        *set = set.then(self.0);
        Ok(Flow::Continue)
    }
}
