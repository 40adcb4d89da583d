//! The body of an answer on its way from the server: on a whole connection, or on a stream.

use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Response, Version, header};
use http_body::{Frame, SizeHint};

use crate::base::clock::Instant;
use crate::plan;
use crate::proxy::io::{End, Exchange, RequestBody};

use super::failure::EarlyEnd;
use super::h1::H1Connection;
use super::h2::H2Incoming;
use super::server_pool::ServerPool;

/// The body of an answer, with its connection or stream. Dropping it closes the connection, or
/// resets the stream.
pub(crate) struct Incoming(Carrier);

enum Carrier {
    Http1 {
        connection: H1Connection,
        reuse: Reuse,
        /// The pool for the connection afterwards.
        pool: Rc<ServerPool>,
    },
    /// Boxed: answers are moved several times, and most are of HTTP/1.
    Http2(Box<H2Incoming>),
}

/// Whether a connection may carry another request after this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reuse {
    Allowed,
    Forbidden,
}

/// The server's end of a tunnel.
pub(crate) struct ServerEnd {
    /// Its connection or stream.
    pub(crate) end: End,
    /// Bytes that were read from it already.
    pub(crate) read_already: Bytes,
    /// Whether it got the key of a WebSocket, so that its answer contains the answer to it.
    pub(crate) has_seen_key: bool,
}

impl Incoming {
    /// The body of `head`, which answers the request of `exchange` on `connection`; afterwards that goes to
    /// `pool`.
    pub(super) fn http1(
        connection: H1Connection,
        head: &Response<()>,
        exchange: &Exchange,
        pool: Rc<ServerPool>,
    ) -> Self {
        Self(Carrier::Http1 {
            connection,
            reuse: Reuse::after(head, exchange),
            pool,
        })
    }

    pub(super) fn http2(incoming: H2Incoming) -> Self {
        Self(Carrier::Http2(Box::new(incoming)))
    }

    /// Keeps the connection for the next exchange, if it `may_keep` it and the server lets it, or closes it.
    pub(crate) fn give_back(self, may_keep: bool, limits: &plan::Pool, now: Instant) {
        if let Carrier::Http1 {
            connection,
            reuse: Reuse::Allowed,
            pool,
        } = self.0
            && may_keep
        {
            pool.keep(connection, limits, now);
        }
    }

    /// Whether an HTTP/1 connection is occupied by it.
    pub(crate) fn holds_connection(&self) -> bool {
        matches!(self.0, Carrier::Http1 { .. })
    }

    /// The next piece. Also sends the rest of the request.
    ///
    /// # Errors
    ///
    /// The body ended early.
    #[inline]
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, EarlyEnd>>> {
        match &mut self.0 {
            Carrier::Http1 { connection, .. } => connection.poll_frame(cx),
            Carrier::Http2(incoming) => incoming.poll_frame(cx),
        }
    }

    /// Whether it has come to its end.
    #[inline]
    pub(crate) fn is_end_stream(&self) -> bool {
        match &self.0 {
            Carrier::Http1 { connection, .. } => connection.is_end_stream(),
            Carrier::Http2(incoming) => incoming.is_end_stream(),
        }
    }

    /// How much is still to come.
    #[inline]
    pub(crate) fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Carrier::Http1 { connection, .. } => connection.size_hint(),
            Carrier::Http2(incoming) => incoming.size_hint(),
        }
    }

    /// Whether the request that was answered could be sent once more, body and all.
    pub(crate) fn keeps_request(&self) -> bool {
        match &self.0 {
            Carrier::Http1 { connection, .. } => connection.keeps_request(),
            Carrier::Http2(incoming) => incoming.keeps_request(),
        }
    }

    /// The body of the request that was answered, to be sent once more; `None`: it is not kept.
    pub(crate) fn take_request(&mut self) -> Option<RequestBody> {
        match &mut self.0 {
            Carrier::Http1 { connection, .. } => connection.take_request(),
            Carrier::Http2(incoming) => incoming.take_request(),
        }
    }

    /// The answer goes to the client: no part of the request is kept, and the rest of it goes to
    /// the server.
    #[inline]
    pub(crate) fn deliver(&mut self) {
        match &mut self.0 {
            Carrier::Http1 { connection, .. } => connection.forget_request(),
            Carrier::Http2(incoming) => incoming.deliver(),
        }
    }

    /// Notes that the rest is late. If other exchanges use the connection, a PING tests it.
    pub(crate) fn doubt(&self) {
        match &self.0 {
            Carrier::Http1 { .. } => {}
            Carrier::Http2(incoming) => incoming.doubt(),
        }
    }

    /// The server's end of a tunnel; `None`: it has not accepted one.
    pub(crate) fn into_tunnel(self) -> Option<ServerEnd> {
        match self.0 {
            Carrier::Http1 { connection, .. } => {
                let (stream, read_already) = connection.into_upgraded()?;
                Some(ServerEnd {
                    end: End::Connection(stream),
                    read_already,
                    has_seen_key: true,
                })
            }
            Carrier::Http2(incoming) => Some(ServerEnd {
                end: incoming.into_tunnel()?,
                read_already: Bytes::new(),
                // The upgrade was requested by `:protocol` (RFC 8441 §5).
                has_seen_key: false,
            }),
        }
    }
}

impl Reuse {
    /// After `head`, which answers the request of `exchange`. An HTTP/1.0 server does not
    /// understand a body of unknown length. After a request for another protocol, it is uncertain
    /// how the server reads the next bytes.
    fn after(head: &Response<()>, exchange: &Exchange) -> Self {
        let says_close = head
            .headers()
            .get_all(header::CONNECTION)
            .iter()
            .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
            .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"close"));
        if head.version() == Version::HTTP_11 && !says_close && exchange.upgrade().is_none() {
            Self::Allowed
        } else {
            Self::Forbidden
        }
    }
}
