//! What becomes of a connection of HTTP/1 when a period of activity is over.

use bytes::Bytes;

use crate::exchange::{LoggedRequest, Reason};
use crate::net::Stream;
use crate::proxy::http::upgrade::OpenTunnel;

/// How a period of activity ended.
pub(super) enum Ended {
    /// Nothing happens; the socket and what was read too far.
    Idle(Stream, Bytes),
    /// A part of a head is here, and nothing else; the socket and that part.
    HalfHead(Stream, Vec<u8>),
    /// The connection is over, and all is said.
    Over(Stream),
    /// The last answer is written; the client may still be sending.
    Refused(Stream),
    /// No request could be read, for this reason, and the client was not answered; what was read.
    Unread(Stream, Reason, Option<Box<LoggedRequest>>),
    /// In the middle of a response that ends with the connection: the client must notice.
    Cut(Stream),
    /// The client has gone, or takes nothing.
    Broken(Stream),
    /// HTTP is over, and something else begins; the socket and what was read too far.
    Upgraded(Stream, Bytes, Box<OpenTunnel>),
}

/// What is to be done with the connection.
pub(super) enum Verdict {
    Idle,
    HalfHead,
    Over,
    /// No request could be read, for this reason; the client has to be answered.
    Unread(Reason),
    /// The same where it cannot be answered.
    Unanswered(Reason),
    /// The response has broken off, and what there was of it is written.
    Cut,
    /// The client has gone, or takes nothing.
    Broken,
    Upgraded(Box<OpenTunnel>),
}

/// What the passing of a deadline means.
pub(super) enum Due {
    /// The handler or a body has been told; they must be polled.
    Told,
    End(Verdict),
}
