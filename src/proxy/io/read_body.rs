//! The beginning of a request body, read before the request is sent, for rules that look at it.
//!
//! `http::handle` reads it when a rule says so (`wait_for_body`), into one bounded piece. The body then hands on
//! that piece, and the rest as it comes: nothing about it changes for a server.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};

use crate::base::turn;

use super::received::{BodyAhead, ReceiveError, ReceivedBody};

/// How much of a body is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyWanted {
    /// When so many bytes have come, the rest is not waited for; `None`: all of it.
    pub at_least: Option<usize>,
    /// The most bytes that are kept.
    pub most: usize,
    /// Whether the client has announced the length.
    pub has_length: bool,
}

/// What was read of a body: an extension of its request.
#[derive(Clone, Debug, Default)]
pub struct ReadBody {
    /// Its beginning.
    pub bytes: Bytes,
    /// The length that the client has announced, or else that of what has come.
    pub size: u64,
}

/// Reads the beginning of `body`, which stays in front of the rest; `Ready` once that is enough.
pub fn poll_ahead(
    body: &mut ReceivedBody,
    read: &mut BytesMut,
    wanted: BodyWanted,
    cx: &mut Context<'_>,
) -> Poll<Result<(), ReceiveError>> {
    loop {
        let is_enough = wanted.at_least.is_some_and(|least| read.len() >= least);
        if is_enough || read.len() >= wanted.most || body.is_end_stream() {
            return Poll::Ready(Ok(()));
        }
        if !turn::may_go_on(cx) {
            return Poll::Pending;
        }
        let Some(frame) = ready!(Pin::new(&mut *body).poll_frame(cx)) else {
            return Poll::Ready(Ok(()));
        };
        let frame = frame?;
        turn::spend_on_piece(cx, frame.data_ref().map_or(0, Bytes::len));
        match frame.into_data() {
            Ok(data) => {
                read.extend_from_slice(&data);
            }
            Err(trailers) => {
                put_back(body, trailers, wanted);
                return Poll::Ready(Ok(()));
            }
        }
    }
}

/// Puts `frame` in front of the rest of `body`.
pub fn put_back(body: &mut ReceivedBody, frame: Frame<Bytes>, wanted: BodyWanted) {
    if let ReceivedBody::Ahead(ahead) = body {
        ahead.put_back(frame);
        return;
    }
    let has_length = wanted.has_length;
    let rest = std::mem::replace(body, ReceivedBody::None);
    *body = ReceivedBody::Ahead(Box::new(BodyAhead::new(frame, rest, has_length)));
}
