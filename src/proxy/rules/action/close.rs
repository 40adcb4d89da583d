//! `reject` and `silent_drop`: the client's connection is closed without an answer.

use http::Request;

use crate::plan::Closing;
use crate::proxy::rules::{Flow, Scope};

use super::{Act, Done};

#[derive(Debug)]
pub(in crate::proxy::rules) struct Close(pub(super) Closing);

impl Act for Close {
    fn on_request<B>(&self, _: &mut Request<B>, _: &Scope<'_>) -> Done {
        Ok(Flow::Close(self.0))
    }
}
