//! A server's answer before it is judged: it goes to the client, or is set aside while another
//! server is tried.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::Frame;

use crate::base::clock;
use crate::exchange::{Reason, Verdict};
use crate::proxy::backend::Lease;
use crate::proxy::io::ActiveAttempt;
use crate::proxy::upstream::{Answer, EarlyEnd, Leftover};

use super::read_ahead::{AnswerBody, ReadAhead, Tail};
use super::schedule::Left;
use super::sending::Sending;
use super::server_body::ServerBody;

/// The most bytes that are read of the body of an answer that was set aside or that the client does
/// not get, so that its connection can be reused. Answers of a busy server are short; a new
/// connection costs less than reading a long one.
const MOST_READ: usize = 16 << 10;

/// An answer, and the slot that its attempt holds.
pub(super) struct Answered {
    answer: Answer,
    lease: Lease,
    active: ActiveAttempt,
}

/// An answer with an unwanted status: the client gets it if no better one comes.
pub(super) struct Aside {
    head: Response<()>,
    body: AnswerBody,
    /// `None`: the body has ended.
    lease: Option<Lease>,
    active: ActiveAttempt,
}

impl Answered {
    pub(super) fn new(answer: Answer, lease: Lease, active: ActiveAttempt) -> Self {
        Self {
            answer,
            lease,
            active,
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.answer.head.status()
    }

    pub(super) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// The part of the request that can be sent again; the rest is in `sending`.
    pub(super) fn left(&self, sending: &Sending) -> Left {
        sending.left_with_copy(self.answer.body.keeps_request())
    }

    /// Another server is tried: the request goes back to `sending`. If all of the body has come,
    /// its connection and its slot are given back at once.
    pub(super) fn set_aside(self, sending: &mut Sending) -> Aside {
        let Self {
            answer: Answer { head, mut body },
            lease,
            active,
        } = self;
        sending.take_back(Leftover::seen(body.take_request()));
        active.stamp(|attempt| attempt.reason = Some(Reason::ServerResponseUnwanted));
        let mut body = AnswerBody::Incoming(body);
        let mut pieces = VecDeque::new();
        let reached = read_ahead(&mut body, |piece| pieces.push_back(piece));
        let (tail, lease) = match reached {
            Reached::Limit => (Tail::More(body), Some(lease)),
            Reached::End => {
                give_back(body, true, lease, &active);
                (Tail::End, None)
            }
            Reached::Break(end) => {
                give_back(body, false, lease, &active);
                (Tail::Broken(Some(end)), None)
            }
        };
        Aside {
            head,
            body: AnswerBody::ReadAhead(Box::new(ReadAhead::new(pieces, tail))),
            lease,
            active,
        }
    }

    /// The client gets the answer.
    pub(super) fn deliver(self) -> Response<ServerBody> {
        let Self {
            answer: Answer { head, mut body },
            lease,
            active,
        } = self;
        body.deliver();
        active.deliver();
        let body = AnswerBody::Incoming(body);
        head.map(|()| ServerBody::new(body, Some(lease), active))
    }
}

impl Aside {
    /// The client gets the answer after all: no other one has come.
    pub(super) fn deliver(self) -> Response<ServerBody> {
        let Self {
            head,
            body,
            lease,
            active,
        } = self;
        active.stamp(|attempt| attempt.reason = None);
        // A later attempt may have used them.
        active.deadlines().begin();
        active.deliver();
        head.map(|()| ServerBody::new(body, lease, active))
    }

    /// The client does not get the answer. Its connection is kept if the rest of its body has come, else closed:
    /// the rest is not waited for.
    pub(super) fn discard(mut self) {
        if let Some(lease) = self.lease.take() {
            let reached = read_ahead(&mut self.body, drop);
            let is_over = matches!(reached, Reached::End);
            give_back(self.body, is_over, lease, &self.active);
        }
    }
}

/// Ends an attempt whose answer is not used.
fn give_back(body: AnswerBody, may_keep: bool, lease: Lease, active: &ActiveAttempt) {
    let limits = &lease.backend().shared.plan.pool;
    body.give_back(may_keep, limits, clock::now());
    let verdict = Verdict::of_failure(Reason::ServerResponseUnwanted);
    lease.settle(&active.outcome(verdict));
}

/// How far [`read_ahead`] has read.
enum Reached {
    /// To the end of the body.
    End,
    /// To the bound, or to the last byte so far.
    Limit,
    /// To the point where the body ends early.
    Break(EarlyEnd),
}

/// Reads the available part of the body, up to [`MOST_READ`], without waiting.
fn read_ahead(body: &mut AnswerBody, mut take: impl FnMut(Frame<Bytes>)) -> Reached {
    let mut cx = Context::from_waker(Waker::noop());
    let mut bytes = 0;
    while !body.is_end_stream() {
        match body.poll_frame(&mut cx) {
            Poll::Ready(Some(Ok(frame))) => {
                bytes += frame.data_ref().map_or(0, Bytes::len);
                take(frame);
                if bytes > MOST_READ {
                    return Reached::Limit;
                }
            }
            Poll::Ready(Some(Err(end))) => return Reached::Break(end),
            Poll::Ready(None) => return Reached::End,
            Poll::Pending => return Reached::Limit,
        }
    }
    Reached::End
}
