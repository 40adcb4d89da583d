//! The facts of a request without an answer, or with only a part of one: the same for HTTP/1 and
//! HTTP/2.

use crate::exchange::Fault;
use crate::proxy::io::RequestBody;

/// A request without an answer.
pub(crate) struct Unanswered {
    /// The cause.
    pub(crate) fault: Fault,
    /// How the request ended.
    pub(crate) end: RequestEnd,
    /// The part of it that can be sent again.
    pub(crate) left: Leftover,
}

/// How a request without an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestEnd {
    /// A reused connection died: the server may have closed it before it saw this request.
    Stale,
    /// The server refused this request, and did not process it.
    Refused,
    /// The server did not process it: it, or we, do not use this connection any more.
    LeftOut,
    /// Anything else.
    Other,
}

/// The part of an unanswered request that can be sent again.
pub(crate) enum Leftover {
    /// All of it, and no server has read or processed any of it.
    Unseen(RequestBody),
    /// All of it, and the server may have read some.
    Seen(RequestBody),
    /// Nothing: the server may have read some, and the body was consumed.
    Lost,
}

/// Why the body of an answer ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EarlyEnd {
    /// Its framing is malformed.
    Malformed,
    /// The connection or the stream ended before the body did, or the client ended its request early.
    Incomplete,
}

impl Unanswered {
    /// A request that was not sent.
    pub(super) fn unsent(fault: Fault, body: RequestBody) -> Self {
        Self {
            fault,
            end: RequestEnd::Other,
            left: Leftover::Unseen(body),
        }
    }
}

impl Leftover {
    /// For a request whose `body` is left; `None`: it was consumed.
    pub(crate) fn seen(body: Option<RequestBody>) -> Self {
        body.map_or(Self::Lost, Self::Seen)
    }
}
