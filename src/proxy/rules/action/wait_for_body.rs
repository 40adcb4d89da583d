//! `wait_for_body`: waits for the body of the request, then continues with the next rule, which can look
//! at it.

use http::Request;

use crate::plan;
use crate::proxy::rules::{Flow, Scope};

use super::{Act, Done};

#[derive(Debug)]
pub(in crate::proxy::rules) struct WaitForBody(pub(super) plan::WaitForBody);

impl Act for WaitForBody {
    fn on_request<B>(&self, _: &mut Request<B>, _: &Scope<'_>) -> Done {
        Ok(Flow::Read(0, self.0))
    }
}
