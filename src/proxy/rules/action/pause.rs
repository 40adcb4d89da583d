//! `pause`: waits, then continues with the next rule.

use http::Request;

use crate::base::clock::Duration;
use crate::proxy::rules::{Flow, Scope};

use super::{Act, Done};

#[derive(Debug)]
pub(in crate::proxy::rules) struct Pause(pub(super) Duration);

impl Act for Pause {
    fn on_request<B>(&self, _: &mut Request<B>, _: &Scope<'_>) -> Done {
        Ok(Flow::Wait(0, self.0))
    }
}
