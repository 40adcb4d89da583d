//! The fate of an HTTP/1 connection after an active period.

use bytes::Bytes;

use crate::exchange::{LoggedRequest, Reason};
use crate::net::Stream;
use crate::plan::Closing;
use crate::proxy::http::upgrade::OpenTunnel;

/// The result of an active period.
pub(super) enum Ended {
    /// Nothing happens: the socket. Nothing was read too far.
    Idle(Stream),
    /// Only a part of a head has come: the socket and that part.
    HalfHead(Stream, Vec<u8>),
    /// The connection is over, with nothing left to send.
    Over(Stream),
    /// The last answer is written; the client may still be sending.
    Refused(Stream),
    /// The request could not be read, for this reason, and the client is not answered yet; the log
    /// entry.
    Unread(Stream, Reason, Option<Box<LoggedRequest>>),
    /// In the middle of a response that ends with the connection: the client must notice the cut.
    Cut(Stream),
    /// The client has closed, or takes nothing, or a rule resets the connection.
    Broken(Stream),
    /// The client must not notice the end.
    Vanishing(Stream),
    /// The connection leaves HTTP: the socket, the bytes that were read too far, and the tunnel.
    Upgraded(Stream, Bytes, Box<OpenTunnel>),
}

/// The next step for the connection.
pub(super) enum Verdict {
    Idle,
    HalfHead,
    Over,
    /// The request could not be read, for this reason; the client must be answered.
    Unread(Reason),
    /// As `Unread`, but the client cannot be answered.
    Unanswered(Reason),
    /// The response broke off, and the bytes gathered before are written.
    Cut,
    /// The client has closed, or takes nothing.
    Broken,
    /// A rule closes the connection in place of an answer.
    Withheld(Closing),
    Upgraded(Box<OpenTunnel>),
}

/// The meaning of a passed deadline.
pub(super) enum Due {
    /// The handler or a body was notified; they must be polled.
    Notified,
    End(Verdict),
}
