//! HTTP/2 towards a server: connections that carry many exchanges at a time.
//!
//! The h2 crate is driven directly and not by way of hyper: with our own pump we know whether any
//! of a request's body was taken from the client, so that a refused request can be sent again
//! whole.
//!
//! An [`H2Connection`](connection::H2Connection) is one connection, with a task that moves its frames; an
//! [`H2Pool`] is all of a worker's connections to one server; a [`StreamPermit`] allows one exchange one
//! stream on one of them.
//!
//! A stream may become a tunnel (RFC 8441), and holds its permit like any other until it ends.
//!
//! RFC 9113, mainly §6.8 (GOAWAY) and §8.7 (requests that may be sent again).

mod call;
mod connection;
mod incoming;
mod pool;
mod request_head;
mod rest;
mod stream;

pub(super) use call::Call;
pub(super) use connection::NewH2Connection;
pub(super) use incoming::H2Incoming;
pub(super) use pool::{H2Pool, Opening, Waiting};
pub(super) use request_head::ask_for_tunnel;
pub(crate) use request_head::head_of;
pub(super) use stream::StreamPermit;

use ::h2::Reason as Code;

use crate::exchange::{Fault, Http2InWords, Reason};

/// The fault of a server that does not speak HTTP/2, if `error` shows that, which came before
/// anything else from it: bytes that are no frame, or not the first frame (RFC 9113 §3.4).
pub(crate) fn not_http2(error: &::h2::Error) -> Option<Fault> {
    let is_ours = error.is_library() && error.is_go_away();
    let code = error.reason();
    let is_other_protocol =
        is_ours && matches!(code, Some(Code::FRAME_SIZE_ERROR | Code::PROTOCOL_ERROR));
    is_other_protocol.then(|| {
        let detail = Http2InWords(error);
        Fault::not_spoken(Reason::ServerResponseMalformed, "HTTP/2", &detail)
    })
}
