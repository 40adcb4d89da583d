//! A request on a stream of HTTP/2 that is not answered yet, and how that ends.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use ::h2::Reason as Code;
use ::h2::client::{ResponseFuture, SendRequest};
use bytes::Bytes;
use http::Response;

use crate::exchange::{Fault, Reason};
use crate::proxy::io::{
    AttemptDeadlines, BodyFault, Pump, RequestBody, Stopped, StreamBody, UploadProgress,
    interim_bytes, trim_values,
};
use crate::proxy::upstream::leftover::Leftover;
use crate::proxy::upstream::tls::refused_certificate;

use super::not_http2;
use super::rest::{Rest, Unjudged};
use super::stream::StreamPermit;

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

/// A request that is on its way and not answered.
pub(super) struct Call {
    pub(super) response: ResponseFuture,
    pub(super) pump: Pump<RequestBody>,
    /// `None`: there is no body.
    pub(super) upload_progress: Option<UploadProgress>,
    /// What the server may still say before its answer.
    pub(super) interim_left: u64,
}

/// Why a call ends without an answer.
pub(super) enum Ended {
    Deadline(Reason),
    /// The client broke off, or sent nonsense.
    Body(Reason),
    /// The server says more before its answer than it may.
    Interim,
    Stream(::h2::Error),
}

impl Call {
    pub(super) fn poll(
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

    pub(super) fn answered(mut self, response: Response<::h2::RecvStream>) -> Answer {
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
    pub(super) fn connected(self, response: Response<::h2::RecvStream>) -> Answer {
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

    pub(super) fn unanswered(self, ended: Ended, permit: &StreamPermit) -> Unanswered {
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
                permit.leave();
                (Fault::new(Reason::ServerResponseInterim), StreamEnd::Other)
            }
            Ended::Stream(error) => {
                let (reason, end) = judged(&error);
                let is_first = !permit.is_greeted();
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
pub(super) fn takes_requests(sender: &mut SendRequest<Bytes>) -> bool {
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
    pub(super) fn left_out(error: Option<::h2::Error>, body: RequestBody) -> Self {
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
    use http::Request;

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
