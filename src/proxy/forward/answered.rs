//! A server's answer before it is judged: it goes to the client, or is set aside while another server is asked.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::Frame;

use crate::base::clock;
use crate::exchange::{Reason, Verdict};
use crate::proxy::backend::Lease;
use crate::proxy::io::ActiveAttempt;
use crate::proxy::upstream::Leftover;

use super::carried::{Carried, Ending, ReadAhead, Tail};
use super::schedule::Left;
use super::sending::Sending;
use super::server_body::ServerBody;

/// What is read of the body of an answer that was set aside, so that its connection can be used again, and of
/// one that the client does not get. Answers that say that a server is busy are short; a new connection costs
/// less than to read a long one.
const MOST_READ: usize = 16 << 10;

/// The head of an answer, and the connection that its body comes on.
pub(super) struct Answered {
    head: Response<()>,
    carried: Carried,
    lease: Lease,
    active: ActiveAttempt,
}

/// An answer that is not wanted: the client gets it if no better one comes.
pub(super) struct Aside {
    head: Response<()>,
    carried: Carried,
    /// `None`: nothing more of the body comes.
    lease: Option<Lease>,
    active: ActiveAttempt,
}

impl Answered {
    pub(super) fn new(
        head: Response<()>,
        carried: Carried,
        lease: Lease,
        active: ActiveAttempt,
    ) -> Self {
        Self {
            head,
            carried,
            lease,
            active,
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.head.status()
    }

    pub(super) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// What is left of the request, which is `sending`.
    pub(super) fn left(&self, sending: &Sending) -> Left {
        let has_copy = match &self.carried {
            Carried::Http1 { connection, .. } => connection.keeps_request(),
            Carried::Http2 { rest, .. } => rest.keeps_request(),
            Carried::ReadAhead(_) => false,
        };
        sending.left_with_copy(has_copy)
    }

    /// Another server is asked: the request goes back to `sending`. If all of the body has come, its connection
    /// and its slot are given back at once.
    pub(super) fn set_aside(self, sending: &mut Sending) -> Aside {
        let Self {
            head,
            mut carried,
            lease,
            active,
        } = self;
        let body = match &mut carried {
            Carried::Http1 { connection, .. } => connection.take_request(),
            Carried::Http2 { rest, .. } => rest.take_request(),
            Carried::ReadAhead(_) => None,
        };
        sending.take_back(Leftover::seen(body));
        active.stamp(|attempt| attempt.reason = Some(Reason::ServerResponseUnwanted));
        let mut pieces = VecDeque::new();
        let (tail, lease) = match read_ahead(&mut carried, |piece| pieces.push_back(piece)) {
            Reached::Limit => (Tail::More(carried), Some(lease)),
            Reached::End => {
                give_back(carried, true, lease, &active);
                (Tail::End, None)
            }
            Reached::Break(ending) => {
                give_back(carried, false, lease, &active);
                (Tail::Broken(Some(ending)), None)
            }
        };
        let carried = Carried::ReadAhead(Box::new(ReadAhead::new(pieces, tail)));
        Aside {
            head,
            carried,
            lease,
            active,
        }
    }

    /// The client gets the answer.
    pub(super) fn deliver(self) -> Response<ServerBody> {
        let Self {
            head,
            carried,
            lease,
            active,
        } = self;
        let carried = match carried {
            Carried::Http1 {
                mut connection,
                reuse,
                pool,
            } => {
                connection.forget_request();
                Carried::Http1 {
                    connection,
                    reuse,
                    pool,
                }
            }
            Carried::Http2 { body, rest, permit } => Carried::Http2 {
                body,
                rest: rest.delivered(),
                permit,
            },
            ahead @ Carried::ReadAhead(_) => ahead,
        };
        active.deliver();
        head.map(|()| ServerBody::new(carried, Some(lease), active))
    }
}

impl Aside {
    /// The client gets the answer after all: no other has come.
    pub(super) fn deliver(self) -> Response<ServerBody> {
        let Self {
            head,
            carried,
            lease,
            active,
        } = self;
        active.stamp(|attempt| attempt.reason = None);
        // A later attempt may have had them.
        active.deadlines().begin();
        active.deliver();
        head.map(|()| ServerBody::new(carried, lease, active))
    }

    /// The client does not get the answer. Its connection is kept if the rest of its body has come, else closed:
    /// the rest is not waited for.
    pub(super) fn discard(mut self) {
        if let Some(lease) = self.lease.take() {
            let reached = read_ahead(&mut self.carried, drop);
            let is_over = matches!(reached, Reached::End);
            give_back(self.carried, is_over, lease, &self.active);
        }
    }
}

/// Ends an attempt whose answer was not wanted.
fn give_back(carried: Carried, may_keep: bool, lease: Lease, active: &ActiveAttempt) {
    carried.give_back(may_keep, &lease, clock::now());
    let verdict = Verdict::of_failure(Reason::ServerResponseUnwanted);
    lease.settle(&active.outcome(verdict));
}

/// How far [`read_ahead`] has read.
enum Reached {
    /// To the end of the body.
    End,
    /// To the bound, or to the last byte that has come.
    Limit,
    /// To where the body ends early.
    Break(Ending),
}

/// Reads what has come of the body, up to [`MOST_READ`], without waiting.
fn read_ahead(carried: &mut Carried, mut take: impl FnMut(Frame<Bytes>)) -> Reached {
    let mut cx = Context::from_waker(Waker::noop());
    let mut bytes = 0;
    while !carried.is_end_stream() {
        match carried.poll_frame(&mut cx) {
            Poll::Ready(Some(Ok(frame))) => {
                bytes += frame.data_ref().map_or(0, Bytes::len);
                take(frame);
                if bytes > MOST_READ {
                    return Reached::Limit;
                }
            }
            Poll::Ready(Some(Err(ending))) => return Reached::Break(ending),
            Poll::Ready(None) => return Reached::End,
            Poll::Pending => return Reached::Limit,
        }
    }
    Reached::End
}
