//! One exchange on a connection of HTTP/2.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ::h2::Reason as Code;
use ::h2::client::{ResponseFuture, SendRequest};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;

use crate::exchange::{Fault, Reason};
use crate::proxy::io::{
    AttemptDeadlines, BodyFault, MOST_INTERIM_BYTES, Pump, RequestBody, Stopped, StreamBody,
    UploadProgress, interim_bytes, trim_values,
};
use crate::proxy::upstream::leftover::Leftover;
use crate::proxy::upstream::tls::refused_certificate;

use super::connection::H2Connection;
use super::not_http2;
use super::pool::{H2Pool, Waiting};
use super::rest::{Rest, Unjudged};

/// Allows one exchange one stream on a connection. Dropping it gives the stream to the next.
pub struct StreamPermit {
    connection: Rc<H2Connection>,
    pool: Rc<H2Pool>,
    was_used: bool,
}

/// What a server answered.
pub struct Answer {
    /// The head, and the body that is still to come.
    pub response: Response<StreamBody>,
    /// What is left of the request.
    pub rest: Rest,
}

/// No answer came.
pub struct Unanswered {
    /// Why.
    pub fault: Fault,
    /// How its stream ended.
    pub end: StreamEnd,
    /// What is left of the request.
    pub left: Leftover,
}

/// How the stream of a request ended that was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// The server did nothing with it: it refused this one.
    Refused,
    /// The server did nothing with it: it, or we, will not go on with this connection.
    LeftOut,
    /// The connection died.
    Died,
    /// Something else.
    Other,
}

impl StreamPermit {
    /// `connection` has been entered for it.
    pub(in super::super) fn of(connection: Rc<H2Connection>, pool: &Rc<H2Pool>) -> Self {
        Self {
            // The request that it is taken for counts already.
            was_used: connection.was_used_before(),
            connection,
            pool: Rc::clone(pool),
        }
    }

    /// Whether the connection has carried a request before.
    pub fn was_used(&self) -> bool {
        self.was_used
    }

    /// Says that an answer on this connection is late: it is looked whether the connection is dead.
    pub fn doubt(&self) {
        self.connection.doubt();
    }

    /// Says that no request was sent after all, and gives the stream back.
    pub(in super::super) fn leave_unused(self) {
        self.connection.was_not_used();
    }

    /// Whether a stream may become a tunnel. Waits until the server has said what it allows.
    ///
    /// # Errors
    ///
    /// The connection ended before, which is safe to try again.
    pub(in super::super) async fn takes_connect(&self) -> Result<bool, Fault> {
        let waiting = Waiting::enter(&self.pool);
        loop {
            let mut changed = pin!(waiting.changed());
            // From here on no change is missed.
            changed.as_mut().enable();
            if !self.connection.is_open() {
                let refused = || Fault::new(Reason::ServerStreamRefused);
                return Err(waiting.failed().unwrap_or_else(refused));
            }
            if self.connection.is_greeted() {
                return Ok(self.connection.takes_connect());
            }
            changed.await;
        }
    }

    /// Sends a request and gives its answer. The stream of a CONNECT stays open for what follows.
    ///
    /// # Errors
    ///
    /// [`Unanswered`]; a deadline that passes gives its reason.
    ///
    /// # Cancel safety
    ///
    /// Dropping it resets the stream, and nothing else on the connection.
    pub async fn exchange(
        &self,
        head: Request<()>,
        mut body: RequestBody,
        deadlines: AttemptDeadlines<'_>,
    ) -> Result<Answer, Unanswered> {
        let Some(mut sender) = self.connection.sender() else {
            return Err(Unanswered::left_out(None, body));
        };
        let is_whole = body.is_end_stream();
        let connects = head.method() == Method::CONNECT;
        let (response, stream) = match sender.send_request(head, is_whole && !connects) {
            Ok(both) => both,
            Err(error) if takes_requests(&mut sender) => {
                // A bug here: a field that no request in HTTP/2 may have. Others are not concerned.
                return Err(Unanswered {
                    fault: Fault::http2(Reason::ProxyPanic, error),
                    end: StreamEnd::Other,
                    left: Leftover::seen(body.rewound()),
                });
            }
            Err(error) => {
                self.connection.leave();
                return Err(Unanswered::left_out(Some(error), body));
            }
        };
        drop(sender);
        body.keep();
        let pump = if is_whole {
            Pump::over(body, stream)
        } else {
            Pump::new(body, stream).through(self.connection.tracker())
        };
        let upload_progress =
            (!is_whole).then(|| UploadProgress::begin(self.connection.tracker(), deadlines));
        let mut call = Call {
            response,
            pump,
            upload_progress,
            interim_left: MOST_INTERIM_BYTES,
        };
        match poll_fn(|cx| call.poll(cx, deadlines)).await {
            Ok(response) if connects => Ok(call.connected(response)),
            Ok(response) => Ok(call.answered(response)),
            Err(stopped) => Err(call.unanswered(stopped, self)),
        }
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        self.pool.give_back(&self.connection);
    }
}

/// A request that is on its way and not answered.
struct Call {
    response: ResponseFuture,
    pump: Pump<RequestBody>,
    /// `None`: there is no body.
    upload_progress: Option<UploadProgress>,
    /// What the server may still say before its answer.
    interim_left: u64,
}

/// Why a call ends without an answer.
enum Ended {
    Deadline(Reason),
    /// The client broke off, or sent nonsense.
    Body(Reason),
    /// The server says more before its answer than it may.
    Interim,
    Stream(::h2::Error),
}

impl Call {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        deadlines: AttemptDeadlines<'_>,
    ) -> Poll<Result<Response<::h2::RecvStream>, Ended>> {
        if let Some(reason) = deadlines.fired() {
            return Poll::Ready(Err(Ended::Deadline(reason)));
        }
        loop {
            // What else may stop it is told with the answer, or is no fault: a server may answer
            // before it has seen the whole request.
            if let Poll::Ready(Err(Stopped::Body(BodyFault(reason)))) = self.pump.poll(cx) {
                self.pump.reset(Code::CANCEL);
                return Poll::Ready(Err(Ended::Body(reason)));
            }
            let Poll::Ready(Some(Ok(interim))) = self.response.poll_informational(cx) else {
                break;
            };
            let left = self
                .interim_left
                .checked_sub(interim_bytes(interim.headers()));
            let Some(left) = left else {
                self.pump.reset(Code::ENHANCE_YOUR_CALM);
                return Poll::Ready(Err(Ended::Interim));
            };
            self.interim_left = left;
            if let Some(listener) = self.pump.body_mut().listener() {
                listener.hear(interim.status(), interim.headers());
            }
        }
        if let Some(upload_progress) = &mut self.upload_progress {
            upload_progress.poll_part(deadlines, self.pump.sent());
        }
        std::future::Future::poll(Pin::new(&mut self.response), cx).map_err(Ended::Stream)
    }

    fn answered(mut self, response: Response<::h2::RecvStream>) -> Answer {
        let (mut head, stream) = response.into_parts();
        trim_values(&mut head.headers);
        if !self.pump.body().is_kept_until_answered() {
            self.pump.body_mut().forget();
        }
        // A server that has said everything wants no more of the request.
        let wants_more = !self.pump.is_over() && !stream.is_end_stream();
        let body = StreamBody::new(stream, &head.headers);
        Answer {
            response: Response::from_parts(head, body),
            rest: match wants_more || self.pump.body().is_kept_until_answered() {
                true => Rest::Unjudged(Box::new(Unjudged {
                    pump: self.pump,
                    wants_more,
                })),
                false => Rest::Nothing,
            },
        }
    }

    /// The answer to a CONNECT: a 2xx, or an ordinary one (RFC 8441 §5).
    fn connected(self, response: Response<::h2::RecvStream>) -> Answer {
        let (mut head, stream) = response.into_parts();
        trim_values(&mut head.headers);
        let mut send = self.pump.into_stream();
        let rest = if head.status.is_success() {
            Rest::Tunnel(send)
        } else {
            // Nothing follows. It fails only where the server wants nothing.
            let _ = send.send_data(Bytes::new(), true);
            Rest::Nothing
        };
        let body = StreamBody::new(stream, &head.headers);
        Answer {
            response: Response::from_parts(head, body),
            rest,
        }
    }

    fn unanswered(self, ended: Ended, permit: &StreamPermit) -> Unanswered {
        let body = self.pump.into_body();
        let (fault, end) = match ended {
            Ended::Deadline(reason) => {
                if reason == Reason::ServerResponseTimeout {
                    permit.doubt();
                }
                (Fault::new(reason), StreamEnd::Other)
            }
            Ended::Body(reason) => (Fault::new(reason), StreamEnd::Other),
            Ended::Interim => {
                // It goes on saying so. Others are not sent there.
                permit.connection.leave();
                (Fault::new(Reason::ServerResponseInterim), StreamEnd::Other)
            }
            Ended::Stream(error) => {
                let (reason, end) = judged(&error);
                let is_first = !permit.connection.is_greeted();
                let stranger = is_first.then(|| not_http2(&error)).flatten();
                let refused = error.get_io().and_then(refused_certificate);
                let known = refused.or(stranger);
                let fault = known.unwrap_or_else(|| Fault::http2(reason, error));
                (fault, end)
            }
        };
        let body = body.rewound();
        Unanswered {
            fault,
            end,
            left: match (end, body) {
                (StreamEnd::Refused | StreamEnd::LeftOut, Some(body)) => Leftover::Unseen(body),
                (_, body) => Leftover::seen(body),
            },
        }
    }
}

/// Whether the connection would take another request.
fn takes_requests(sender: &mut SendRequest<Bytes>) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    matches!(sender.poll_ready(&mut cx), Poll::Ready(Ok(())))
}

/// What the end of a stream says of the request that it carried.
fn judged(error: &::h2::Error) -> (Reason, StreamEnd) {
    if error.is_remote() && error.is_go_away() {
        // h2 says this only of streams that the server has not looked at (RFC 9113 §6.8).
        (Reason::ServerStreamRefused, StreamEnd::LeftOut)
    } else if error.is_remote() && error.reason() == Some(Code::REFUSED_STREAM) {
        (Reason::ServerStreamRefused, StreamEnd::Refused)
    } else if error.is_library() {
        (Reason::ServerResponseMalformed, StreamEnd::Other)
    } else if error.is_io() {
        (Reason::ServerResponseEmpty, StreamEnd::Died)
    } else {
        (Reason::ServerResponseEmpty, StreamEnd::Other)
    }
}

impl Unanswered {
    fn left_out(error: Option<::h2::Error>, body: RequestBody) -> Self {
        let reason = Reason::ServerStreamRefused;
        Self {
            fault: match error {
                Some(error) => Fault::http2(reason, error),
                None => Fault::new(reason),
            },
            end: StreamEnd::LeftOut,
            left: body.rewound().map_or(Leftover::Lost, Leftover::Unseen),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_head_that_http2_does_not_allow_is_no_fault_of_the_connection() {
        let (near, far) = tokio::io::duplex(4096);
        let shaken = ::h2::client::handshake(near).await;
        let (mut sender, connection) = shaken.expect("room for the preface");
        let request = Request::get("http://test/").header("keep-alive", "5");
        let sent = sender.send_request(request.body(()).expect("a request"), true);
        assert!(sent.is_err());
        assert!(takes_requests(&mut sender));
        drop(far);
        let _ = connection.await;
        assert!(!takes_requests(&mut sender));
    }
}
