//! A request on its way to servers, as far as it can still be sent.

use std::rc::Rc;

use http::{HeaderValue, Request, header, request};
use http_body::Body;

use crate::proxy::io::{Exchange, RequestBody};

use super::schedule::Left;

/// A request on its way, as far as it can still be sent.
pub(crate) struct Sending {
    head: request::Parts,
    state: State,
    /// Idempotent (RFC 9110 §9.2.2) and without a body: doing it twice does the same, and the head is all
    /// there is to send.
    is_repeatable: bool,
}

#[expect(
    clippy::large_enum_variant,
    reason = "one lives at a time, on the stack of its exchange, and a box would be an allocation each"
)]
enum State {
    /// Not a byte of it was written.
    Whole(RequestBody),
    /// It was written, and can be sent again: the head is enough.
    Written,
    /// It was written, and cannot be sent again.
    Spent,
}

impl Sending {
    /// The whole of `request`.
    pub(crate) fn new(request: Request<RequestBody>) -> Self {
        let (head, body) = request.into_parts();
        Self {
            is_repeatable: head.method.is_idempotent() && body.is_end_stream(),
            head,
            state: State::Whole(body),
        }
    }

    /// What is left to send.
    pub(super) fn left(&self) -> Left {
        match self.state {
            State::Whole(_) => Left::Whole,
            State::Written => Left::Copy,
            State::Spent => Left::Nothing,
        }
    }

    /// The host that it is for, if it says so.
    pub(super) fn host(&self) -> Option<&HeaderValue> {
        self.head.headers.get(header::HOST)
    }

    /// Its head and its body, to be written on a connection that `was_used` before: if that has died, the
    /// request may be written once more.
    pub(super) fn take(
        &mut self,
        exchange: &Rc<Exchange>,
        was_used: bool,
    ) -> Option<(&request::Parts, RequestBody)> {
        let state = match self.is_repeatable && was_used {
            true => State::Written,
            false => State::Spent,
        };
        let body = match std::mem::replace(&mut self.state, state) {
            State::Whole(body) => body,
            State::Written => RequestBody::none(Rc::clone(exchange)),
            State::Spent => return None,
        };
        Some((&self.head, body))
    }

    /// Nothing of it was written after all.
    pub(super) fn put_back(&mut self, body: RequestBody) {
        self.state = State::Whole(body);
    }
}
