//! Writes HTTP/1 responses to the socket: interim responses, and the parts of the final one.

use std::io;
use std::task::{Context, Poll, ready};

use http::{Response, Version};

use crate::proxy::http::body::ResponseBody;
use crate::proxy::http::hop;
use crate::wire::h1::response_head::{BodyEnd, ConnectionField, ResponseHead, write_head};

use super::active_period::ActivePeriod;
use super::responding::{Gathered, case_of};

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

impl ActivePeriod<'_> {
    /// Sends the messages before the answer: `100 Continue`, if the body is wanted, and interim
    /// responses of the server.
    pub(super) fn say_before_answer(&mut self) {
        let Some(exchange) = self.session.exchange() else {
            return;
        };
        let mut length = 0;
        if self.asks_first && exchange.body_wanted.get() {
            self.asks_first = false;
            length += self.outgoing.write(|out| out.extend_from_slice(CONTINUE)).0;
        }
        for mut interim in exchange.interims.take() {
            let client = &self.session.client;
            client.with_plan(|plan| hop::interim_towards_client(&mut interim, &plan.forwarding));
            let head = ResponseHead {
                version: Version::HTTP_11,
                status: interim.status(),
                reason: None,
                fields: interim.headers(),
                body: BodyEnd::NoBody(None),
                connection: ConnectionField::AsWritten,
                date: None,
                case: case_of(self.terms.case, interim.extensions()),
            };
            length += self.outgoing.write(|out| write_head(&head, out)).0;
        }
        if length > 0 {
            self.session.unsent.add(0, length);
            self.is_flushed = false;
        }
    }

    /// Writes the head of `response`, and returns whether another request may follow.
    pub(super) fn begin_response(&mut self, response: Response<ResponseBody>) -> bool {
        self.is_flushed = false;
        let context = &self.session.client.context;
        let date = context.dates.at(context.anchor.get().wall());
        let (headers, keep_alive) = self.responding.begin(
            response,
            self.terms.case,
            &date,
            &mut self.outgoing,
            &mut self.session.unsent,
        );
        self.parser.reuse(headers);
        keep_alive
    }

    /// Gathers the body and writes it. Ready when all of it is sent, or all that there was.
    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let unsent = &mut self.session.unsent;
            let gathered = self.responding.gather(cx, &mut self.outgoing, unsent);
            if !self.outgoing.is_empty() {
                self.is_flushed = false;
            }
            ready!(self.poll_write(cx))?;
            if self.responding.is_gathered() {
                return Poll::Ready(Ok(()));
            }
            if gathered == Gathered::Waiting {
                return Poll::Pending;
            }
        }
    }

    /// Writes the gathered bytes. Ready when all are sent.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            let written = self.outgoing.poll_write(cx, &self.socket);
            let sent = self.socket.sent();
            self.blocked.note_written(&written, sent);
            let taken = match &written {
                Poll::Ready(Ok(taken)) => *taken,
                Poll::Ready(Err(_)) => 0,
                Poll::Pending => {
                    self.session.was_slow = true;
                    0
                }
            };
            self.session.unsent.note_written(taken, sent);
            ready!(written)?;
        }
        if !self.is_flushed {
            let flushed = self.socket.poll_flush(cx);
            let sent = self.socket.sent();
            self.blocked.note_flushed(&flushed, sent);
            self.session.was_slow |= self.blocked.is_so();
            self.session.unsent.note_written(0, sent);
            ready!(flushed)?;
            self.is_flushed = true;
            self.session.unsent.clear(sent);
        }
        Poll::Ready(Ok(()))
    }

    /// Whether all gathered bytes are sent.
    pub(super) fn is_all_sent(&self) -> bool {
        self.is_flushed && self.outgoing.is_empty()
    }
}
