//! A request on its way to servers, with the part that can still be sent.

use std::rc::Rc;

use http::{HeaderValue, header, request};
use http_body::Body;

use crate::base::Name;
use crate::plan::Retry;
use crate::proxy::io::{Exchange, RequestBody};
use crate::proxy::upstream::Leftover;

use super::schedule::Left;

/// A request on its way, with the part that can still be sent.
pub(crate) struct Sending {
    head: request::Parts,
    /// `None`: a connection has it, or it was consumed.
    body: Option<RequestBody>,
    has_body: bool,
    /// Whether it is idempotent (RFC 9110 §9.2.2).
    is_idempotent: bool,
    /// Whether a server may have read some of it.
    is_seen: bool,
    /// The servers that rules name for it, in their order: the first that is up gets it.
    preferred: Vec<Name>,
    /// Whether it may go to another server after one has read it, if its body allows.
    may_resend: bool,
}

impl Sending {
    /// The whole of a request, which goes to the first of the servers `preferred` that is up, else
    /// to one that balancing chooses.
    pub(crate) fn new(head: request::Parts, body: RequestBody, preferred: Vec<Name>) -> Self {
        Self {
            is_idempotent: head.method.is_idempotent(),
            has_body: !body.is_end_stream(),
            head,
            body: Some(body),
            is_seen: false,
            preferred,
            may_resend: false,
        }
    }

    /// Notes the retry settings for it.
    pub(super) fn under(&mut self, retry: &Retry) {
        self.may_resend = retry.may_resend();
    }

    /// The servers that rules name for it, in their order.
    pub(super) fn preferred(&self) -> &[Name] {
        &self.preferred
    }

    /// The part that can be sent again.
    pub(super) fn left(&self) -> Left {
        match self.body {
            Some(_) if !self.is_seen => Left::Whole,
            _ => self.left_with_copy(self.body.is_some()),
        }
    }

    /// The same while a connection has the request; `has_copy`: it keeps all of the body.
    pub(super) fn left_with_copy(&self, has_copy: bool) -> Left {
        match self.is_idempotent && (has_copy || !self.has_body) {
            true => Left::Copy,
            false => Left::Nothing,
        }
    }

    /// The host that it is for, if it has one.
    pub(super) fn host(&self) -> Option<&HeaderValue> {
        self.head.headers.get(header::HOST)
    }

    /// Its head and its body, to be written on a connection that `was_used` before: if that has
    /// died, the request may be written once more. [`Sending::take_back`] gets the part that is
    /// left.
    pub(super) fn take(
        &mut self,
        exchange: &Rc<Exchange>,
        was_used: bool,
    ) -> Option<(&mut request::Parts, RequestBody)> {
        let mut body = match self.body.take() {
            Some(body) => body,
            None if !self.has_body => RequestBody::none(Rc::clone(exchange)),
            None => return None,
        };
        if self.has_body && self.is_idempotent && (was_used || self.may_resend) {
            body.keep_until_answered();
        }
        Some((&mut self.head, body))
    }

    /// Takes back the part that is left after it was taken.
    pub(super) fn take_back(&mut self, left: Leftover) {
        match left {
            Leftover::Unseen(body) => self.body = Some(body),
            Leftover::Seen(body) => {
                self.is_seen = true;
                self.body = Some(body);
            }
            Leftover::Lost => self.is_seen = true,
        }
    }
}
