//! A request on an HTTP/2 stream that is not answered yet, and its end.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use ::h2::client::{ResponseFuture, SendRequest};
use ::h2::{Reason as Code, RecvStream};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;

use crate::exchange::{Fault, Reason};
use crate::proxy::io::{
    AttemptDeadlines, BodyFault, MOST_INTERIM_BYTES, Pump, RequestBody, Stopped, StreamBody,
    UploadProgress, interim_bytes, trim_values,
};
use crate::proxy::upstream::failure::{Leftover, RequestEnd, Unanswered};
use crate::proxy::upstream::framing::check_framing;
use crate::proxy::upstream::tls::refused_certificate;

use super::incoming::H2Incoming;
use super::not_http2;
use super::rest::{Rest, Unjudged};
use super::stream::StreamPermit;

/// A request on its way, without an answer so far. Dropping it resets its stream, and nothing else
/// on the connection.
pub(in super::super) struct Call {
    response: ResponseFuture,
    pump: Pump<RequestBody>,
    /// `None`: there is no body.
    upload_progress: Option<UploadProgress>,
    /// How many bytes of interim answers may still come.
    interim_left: u64,
    /// Whether its stream stays open for a tunnel.
    connects: bool,
    permit: StreamPermit,
}

/// The head of an answer, and the stream of its body.
pub(in super::super) type Answered = (Response<()>, H2Incoming);

/// Why a call ends without an answer.
pub(in super::super) enum Ended {
    Deadline(Reason),
    /// The client broke off, or sent a malformed body.
    Body(Reason),
    /// The server sent too many interim answers.
    Interim,
    Stream(::h2::Error),
}

impl Call {
    /// Begins a request. The stream of a CONNECT stays open for the tunnel.
    ///
    /// # Errors
    ///
    /// The connection takes no more requests, or not this one.
    #[expect(
        clippy::result_large_err,
        reason = "the error holds the body, and is passed on once"
    )]
    pub(in super::super) fn begin(
        permit: StreamPermit,
        head: Request<()>,
        mut body: RequestBody,
        deadlines: AttemptDeadlines<'_>,
    ) -> Result<Self, Unanswered> {
        let Some(mut sender) = permit.sender() else {
            return Err(left_out(None, body));
        };
        let is_whole = body.is_end_stream();
        let connects = head.method() == Method::CONNECT;
        let (response, stream) = match sender.send_request(head, is_whole && !connects) {
            Ok(both) => both,
            Err(error) if takes_requests(&mut sender) => {
                // A bug here: a field that no request in HTTP/2 may have. Other requests are not
                // affected.
                return Err(Unanswered {
                    fault: Fault::http2(Reason::ProxyPanic, error),
                    end: RequestEnd::Other,
                    left: Leftover::seen(body.rewound()),
                });
            }
            Err(error) => {
                permit.leave();
                return Err(left_out(Some(error), body));
            }
        };
        drop(sender);
        body.keep();
        let pump = if is_whole {
            Pump::over(body, stream)
        } else {
            Pump::new(body, stream).through(permit.tracker())
        };
        let upload_progress =
            (!is_whole).then(|| UploadProgress::begin(permit.tracker(), deadlines));
        Ok(Self {
            response,
            pump,
            upload_progress,
            interim_left: MOST_INTERIM_BYTES,
            connects,
            permit,
        })
    }

    /// Whether the request can never be sent again, whatever happens to it. One without a body may be: the
    /// server may still refuse it.
    pub(in super::super) fn has_used_up_request(&self) -> bool {
        self.upload_progress.is_some() && !self.pump.body().is_rewindable()
    }

    /// Sends the request; ready when it is answered, or will not be. Then [`Call::over`] returns
    /// the result. A deadline that passes yields its reason.
    pub(in super::super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        deadlines: AttemptDeadlines<'_>,
    ) -> Poll<Result<Response<RecvStream>, Ended>> {
        if let Some(reason) = deadlines.fired() {
            return Poll::Ready(Err(Ended::Deadline(reason)));
        }
        loop {
            // Other reasons to stop come with the answer, or are no fault: a server may answer
            // before it has read the whole request.
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
                listener.receive(&interim);
            }
        }
        if let Some(upload_progress) = &mut self.upload_progress {
            upload_progress.poll_part(deadlines, self.pump.sent());
        }
        std::future::Future::poll(Pin::new(&mut self.response), cx).map_err(Ended::Stream)
    }

    /// The result of the request, whose answer may have up to `max_fields`.
    ///
    /// # Errors
    ///
    /// There is no answer, or none that a client may get.
    #[expect(
        clippy::result_large_err,
        reason = "the error holds the body, and is passed on once"
    )]
    pub(in super::super) fn over(
        self,
        outcome: Result<Response<RecvStream>, Ended>,
        max_fields: usize,
    ) -> Result<Answered, Unanswered> {
        let (mut head, mut incoming) = match outcome {
            Ok(response) if self.connects => self.connected(response),
            Ok(response) => self.answered(response),
            Err(ended) => return Err(self.unanswered(ended)),
        };
        let checked = match head.headers().len() > max_fields {
            true => Err(Fault::new(Reason::ServerResponseMalformed)),
            false => check_framing(&mut head),
        };
        match checked {
            Ok(()) => Ok((head, incoming)),
            Err(fault) => Err(Unanswered {
                fault,
                end: RequestEnd::Other,
                left: Leftover::seen(incoming.take_request()),
            }),
        }
    }

    fn answered(mut self, response: Response<RecvStream>) -> Answered {
        let (mut head, stream) = response.into_parts();
        trim_values(&mut head.headers);
        if !self.pump.body().is_kept_until_answered() {
            self.pump.body_mut().forget();
        }
        // A server that has sent everything needs no more of the request.
        let wants_more = !self.pump.is_over() && !stream.is_end_stream();
        let body = StreamBody::new(stream, &head.headers);
        let rest = match wants_more || self.pump.body().is_kept_until_answered() {
            true => Rest::Unjudged(Box::new(Unjudged {
                pump: self.pump,
                wants_more,
            })),
            false => Rest::Nothing,
        };
        let incoming = H2Incoming::new(body, rest, self.permit);
        (Response::from_parts(head, ()), incoming)
    }

    /// The answer to a CONNECT: a 2xx, or an ordinary one (RFC 8441 §5).
    fn connected(self, response: Response<RecvStream>) -> Answered {
        let (mut head, stream) = response.into_parts();
        trim_values(&mut head.headers);
        let mut send = self.pump.into_stream();
        let rest = if head.status.is_success() {
            Rest::Tunnel(send)
        } else {
            // Nothing follows. It fails only if the server needs nothing.
            let _ = send.send_data(Bytes::new(), true);
            Rest::Nothing
        };
        let body = StreamBody::new(stream, &head.headers);
        let incoming = H2Incoming::new(body, rest, self.permit);
        (Response::from_parts(head, ()), incoming)
    }

    fn unanswered(self, ended: Ended) -> Unanswered {
        let permit = self.permit;
        let (fault, end) = match ended {
            Ended::Deadline(reason) => {
                if reason == Reason::ServerResponseTimeout {
                    permit.doubt();
                }
                (Fault::new(reason), RequestEnd::Other)
            }
            Ended::Body(reason) => (Fault::new(reason), RequestEnd::Other),
            Ended::Interim => {
                // It would refuse again. Other requests are not sent there.
                permit.leave();
                (Fault::new(Reason::ServerResponseInterim), RequestEnd::Other)
            }
            Ended::Stream(error) => {
                let (reason, end) = judged(&error, permit.was_used());
                let is_first = !permit.is_greeted();
                let other_protocol = is_first.then(|| not_http2(&error)).flatten();
                let refused = error.get_io().and_then(refused_certificate);
                let known = refused.or(other_protocol);
                let fault = known.unwrap_or_else(|| Fault::http2(reason, error));
                (fault, end)
            }
        };
        let body = self.pump.into_body().rewound();
        Unanswered {
            fault,
            end,
            left: match (end, body) {
                (RequestEnd::Refused | RequestEnd::LeftOut, Some(body)) => Leftover::Unseen(body),
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

/// What the end of a stream means for its request, on a connection that `was_used` before.
fn judged(error: &::h2::Error, was_used: bool) -> (Reason, RequestEnd) {
    if error.is_remote() && error.is_go_away() {
        // h2 reports this only for streams that the server has not processed (RFC 9113 §6.8).
        (Reason::ServerStreamRefused, RequestEnd::LeftOut)
    } else if error.is_remote() && error.reason() == Some(Code::REFUSED_STREAM) {
        (Reason::ServerStreamRefused, RequestEnd::Refused)
    } else if error.is_library() {
        (Reason::ServerResponseMalformed, RequestEnd::Other)
    } else if error.is_io() && was_used {
        (Reason::ServerResponseEmpty, RequestEnd::Stale)
    } else {
        (Reason::ServerResponseEmpty, RequestEnd::Other)
    }
}

/// The connection takes no more requests, and not the one with `body`.
fn left_out(error: Option<::h2::Error>, body: RequestBody) -> Unanswered {
    let reason = Reason::ServerStreamRefused;
    Unanswered {
        fault: match error {
            Some(error) => Fault::http2(reason, error),
            None => Fault::new(reason),
        },
        end: RequestEnd::LeftOut,
        left: body.rewound().map_or(Leftover::Lost, Leftover::Unseen),
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
