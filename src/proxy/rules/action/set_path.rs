//! `set_path`: replaces the path of the target; the query stays.

use http::Request;

use crate::exchange::Reason;
use crate::expr::Template;
use crate::proxy::rules::encode::with_path;
use crate::proxy::rules::{Flow, Scope};

use super::{Act, facts, refusal};

#[derive(Debug)]
pub(in crate::proxy::rules) struct SetPath(pub(super) Template);

impl Act for SetPath {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Flow {
        let path = scope.text(&self.0, &facts(request, scope));
        // If the path cannot be replaced, the request is not sent with the old one.
        let Some(target) = with_path(request.uri(), &path) else {
            return refusal(Reason::RequestTargetTooLong);
        };
        *request.uri_mut() = target;
        Flow::Continue
    }
}
