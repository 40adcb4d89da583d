//! A response body on its way from the server to the client. At its end it gives the slot and the
//! connection back, and the exchange is over.
//!
//! A body of known length, and the absent body of an answer to HEAD or of a 204, is dropped before
//! it has reported its end. That is an end, not an abort, if no byte is missing.
//!
//! The connection goes back with the last byte that the server sends, and the exchange ends with
//! the last byte that is handed on: a client of HTTP/2 that makes no room for a short answer
//! occupies no server.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::base::clock::{self, Instant};
use crate::base::turn;
use crate::exchange::{Fault, Reason, Verdict};
use crate::proxy::backend::Lease;
use crate::proxy::io::ActiveAttempt;
use crate::proxy::upstream::{EarlyEnd, ServerEnd};

use super::read_ahead::AnswerBody;

/// A server's response body.
pub(crate) struct ServerBody {
    /// `None` once the server has nothing more to do.
    way: Option<Way>,
    /// Whether it was given back before the exchange was over: the last piece is on its way to the
    /// client.
    is_given_back: bool,
    /// Whether the client gets another body, made of this one: that one counts the bytes and ends the
    /// exchange.
    is_part: bool,
    attempt: ActiveAttempt,
}

/// What the exchange occupies at the server. The connection is dropped first: the slot is counted
/// for it.
struct Way {
    body: AnswerBody,
    /// `None`: it was given back when all of the response had come.
    lease: Option<Lease>,
}

/// A tunnel that a server has accepted.
pub(crate) struct Upgraded {
    /// The server's end.
    pub server: ServerEnd,
    /// The slot at it.
    pub lease: Lease,
}

/// The response body ended early; the reason is in the record of the exchange.
#[derive(Debug)]
pub(crate) struct BodyError(pub Reason);

impl ServerBody {
    pub(super) fn new(body: AnswerBody, lease: Option<Lease>, attempt: ActiveAttempt) -> Self {
        Self {
            way: Some(Way { body, lease }),
            is_given_back: false,
            is_part: false,
            attempt,
        }
    }

    /// Whether an HTTP/1 connection to a server is occupied by it.
    pub(crate) fn holds_connection(&self) -> bool {
        let way = self.way.as_ref();
        way.is_some_and(|way| way.body.holds_connection())
    }

    /// From here on another body, made of this one, counts the bytes and ends the exchange.
    pub(crate) fn is_part_of_another(&mut self) {
        self.is_part = true;
    }

    /// Gives back what the exchange occupies at the server, and continues without this body: the
    /// client gets another answer. Unless the server has sent everything, its connection is closed.
    pub(crate) fn discard(mut self) {
        if self.is_end_stream() {
            self.give_back(clock::now());
        }
        self.attempt.deadlines().server_came();
        self.close(Verdict::Answered);
    }

    /// The last byte has passed, or the rest of the response is not wanted.
    fn finish(&mut self) {
        let now = clock::now();
        self.give_back(now);
        if !self.is_part {
            self.attempt.exchange().end_at(now);
        }
    }

    /// The server has sent everything: its connection can serve another exchange, unless it has not
    /// got the whole request.
    fn give_back(&mut self, now: Instant) {
        let Some(way) = self.way.take() else {
            return;
        };
        self.attempt.deadlines().server_came();
        let Way { body, lease } = way;
        let may_keep = self.attempt.exchange().request_complete.get();
        if let Some(lease) = lease {
            body.give_back(may_keep, &lease.backend().shared.plan.pool, now);
            lease.settle(&self.attempt.outcome(Verdict::Answered));
        }
    }

    /// Closes the connection of the response, if there is one, and gives the slot back.
    fn close(&mut self, verdict: Verdict) {
        if let Some(Way { body, lease }) = self.way.take() {
            drop(body);
            if let Some(lease) = lease {
                lease.settle(&self.attempt.outcome(verdict));
            }
        }
    }

    /// The connection without HTTP, or the stream, after the server has accepted an upgrade; the
    /// exchange continues.
    ///
    /// # Errors
    ///
    /// The server has not accepted it.
    pub(crate) fn into_upgraded(mut self) -> Result<Upgraded, Fault> {
        let malformed = || Fault::new(Reason::ServerResponseMalformed);
        let Way { body, lease } = self.way.take().ok_or_else(malformed)?;
        let lease = lease.ok_or_else(malformed)?;
        match body.into_tunnel() {
            Some(server) => Ok(Upgraded { server, lease }),
            None => {
                let fault = malformed();
                let verdict = Verdict::of_failure(fault.reason);
                lease.settle(&self.attempt.outcome(verdict));
                Err(fault)
            }
        }
    }

    fn reason_of(&self, end: EarlyEnd) -> Reason {
        // The first cause counts: the request was given up, and the answer with it.
        let cause = self.attempt.exchange().record.reason.get();
        cause.unwrap_or(match end {
            EarlyEnd::Malformed => Reason::ServerBodyMalformed,
            EarlyEnd::Incomplete => Reason::ServerBodyIncomplete,
        })
    }

    fn abort(&mut self, reason: Reason) -> BodyError {
        self.attempt.exchange().cut(reason);
        // The first cause counts.
        let cause = self.attempt.exchange().record.reason.get();
        if cause == Some(Reason::ServerBodyTimeout)
            && let Some(way) = &self.way
        {
            way.body.doubt();
        }
        self.close(Verdict::of_cut(cause.unwrap_or(reason)));
        BodyError(reason)
    }
}

impl Body for ServerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let Some(way) = &mut this.way else {
            if this.is_given_back && !this.is_part {
                this.attempt.exchange().end();
            }
            return Poll::Ready(None);
        };
        // A piece may be one byte, and thousands may have been read at once.
        if !turn::may_go_on(cx) {
            return Poll::Pending;
        }
        let polled = way.body.poll_frame(cx);
        let deadlines = this.attempt.deadlines();
        match polled {
            Poll::Pending => {
                if let Some(lease) = &way.lease
                    && !deadlines.is_waiting_for_server()
                {
                    let usual = lease.backend().shared.plan.timeout.body;
                    let exchange = this.attempt.exchange();
                    let timeout = exchange.timeout(usual, |set| set.body);
                    deadlines.wait_for_server(timeout, Reason::ServerBodyTimeout);
                }
                Poll::Pending
            }
            Poll::Ready(Some(Ok(frame))) => {
                turn::spend_on_piece(cx, frame.data_ref().map_or(0, Bytes::len));
                deadlines.server_came();
                if let Some(data) = frame.data_ref()
                    && !this.is_part
                {
                    let bytes = &this.attempt.exchange().record.body_bytes_out;
                    bytes.set(bytes.get() + data.len() as u64);
                }
                if frame.is_trailers() {
                    // Nothing follows them, so the end of the body is not polled.
                    this.finish();
                } else if way.body.is_end_stream() && this.attempt.exchange().request_complete.get()
                {
                    // The client may take long for this piece, and the server need not wait.
                    this.give_back(clock::now());
                    this.is_given_back = true;
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                this.finish();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                let reason = this.reason_of(error);
                Poll::Ready(Some(Err(this.abort(reason))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let way = self.way.as_ref();
        way.is_none_or(|way| way.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.way {
            Some(way) => way.body.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}

impl Drop for ServerBody {
    fn drop(&mut self) {
        if self.way.is_none() {
            if self.is_given_back && !self.is_part {
                self.attempt.exchange().end();
            }
        } else if self.is_end_stream() {
            self.finish();
        } else {
            self.abort(Reason::ClientLeft);
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code())
    }
}

impl Error for BodyError {}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::sync::Arc;

    use super::*;
    use crate::base::turn::pieces_per_turn;
    use crate::base::{Name, tasks};
    use crate::exchange::{ServerMetrics, TriedServer};
    use crate::proxy::forward::read_ahead::{ReadAhead, Tail};
    use crate::proxy::io::Exchange;

    #[test]
    fn a_turn_ends_after_some_small_pieces_however_many_have_come() {
        const PIECES: usize = 1_000;
        let pieces = vec![Bytes::from_static(b"x"); PIECES];
        let ahead = ReadAhead::new(pieces.into_iter().map(Frame::data).collect(), Tail::End);
        let server = Rc::new(TriedServer {
            name: Name::new("a").expect("a name"),
            metrics: Arc::new(ServerMetrics::new(1)),
        });
        let attempt = ActiveAttempt::begin(Exchange::of_a_test(), server);
        let mut body = ServerBody::new(AnswerBody::ReadAhead(Box::new(ahead)), None, attempt);
        let runtime = tasks::local_runtime().expect("a runtime");
        let turns = runtime.block_on(pieces_per_turn(move |cx| {
            let polled = Pin::new(&mut body).poll_frame(cx);
            polled.map(|frame| frame.map(|frame| frame.expect("a piece")).is_some())
        }));
        assert_eq!(turns.iter().sum::<usize>(), PIECES);
        let longest = turns.iter().max().expect("a turn");
        // 128 steps, four for each.
        assert!(*longest <= 64, "{turns:?}");
    }
}
