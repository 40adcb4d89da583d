//! An answer by HTTP/2 whose body is still to come.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::proxy::io::{End, RequestBody, StreamBody};
use crate::proxy::upstream::failure::EarlyEnd;

use super::rest::Rest;
use super::stream::StreamPermit;

/// The stream of an answer. The permit goes last: the stream is free when it has ended.
pub(in super::super) struct H2Incoming {
    body: StreamBody,
    /// The rest of the request: dropping it cancels that.
    rest: Rest,
    permit: StreamPermit,
}

impl H2Incoming {
    pub(super) fn new(body: StreamBody, rest: Rest, permit: StreamPermit) -> Self {
        Self { body, rest, permit }
    }

    #[inline]
    pub(in super::super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EarlyEnd>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        polled.map_err(|error| match error.is_library() {
            true => EarlyEnd::Malformed,
            false => EarlyEnd::Incomplete,
        })
    }

    #[inline]
    pub(in super::super) fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    #[inline]
    pub(in super::super) fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }

    /// Whether the request could be sent once more, body and all.
    pub(in super::super) fn keeps_request(&self) -> bool {
        self.rest.keeps_request()
    }

    /// The body of the request, to be sent once more; `None`: it is not kept.
    pub(in super::super) fn take_request(&mut self) -> Option<RequestBody> {
        self.rest.take_request()
    }

    /// The answer goes to the client: the rest of the request goes to the server, and nothing of it is kept.
    pub(in super::super) fn deliver(&mut self) {
        self.rest.deliver();
    }

    /// Notes that the body is late: a PING tests the connection.
    pub(in super::super) fn doubt(&self) {
        self.permit.doubt();
    }

    /// The stream as the end of a tunnel; `None`: the answer has not opened one.
    pub(in super::super) fn into_tunnel(self) -> Option<End> {
        let Rest::Tunnel(send) = self.rest else {
            return None;
        };
        Some(End::h2_with(self.permit, send, self.body.into_stream()?))
    }
}
