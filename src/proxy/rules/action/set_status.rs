//! `set_status`: replaces the status of an answer.

use http::StatusCode;

use crate::proxy::rules::{Answer, Flow, Scope};

use super::{Act, Done};

#[derive(Debug)]
pub(in crate::proxy::rules) struct SetStatus(pub(super) StatusCode);

impl Act for SetStatus {
    fn on_answer(&self, answer: &mut Answer<'_>, _: &Scope<'_>) -> Done {
        // An answer without content would need a body with another status (RFC 9110 §6.4.1), 101 begins a
        // tunnel, and a client would take the part in a 206 for the whole (§15.3.7).
        let is_kept = answer.status.is_informational()
            || matches!(
                answer.status,
                StatusCode::NO_CONTENT
                    | StatusCode::RESET_CONTENT
                    | StatusCode::PARTIAL_CONTENT
                    | StatusCode::NOT_MODIFIED
            );
        if !is_kept {
            answer.status = self.0;
        }
        Ok(Flow::Continue)
    }
}
