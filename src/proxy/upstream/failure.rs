//! What is known when a request gets no answer, or only a part of one: the same for HTTP/1 and HTTP/2.

use crate::exchange::Fault;
use crate::proxy::io::RequestBody;

/// A request that got no answer.
pub(crate) struct Unanswered {
    /// Why.
    pub(crate) fault: Fault,
    /// What is known of the request.
    pub(crate) end: RequestEnd,
    /// What is left of it.
    pub(crate) left: Leftover,
}

/// How a request ended that got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestEnd {
    /// A connection died that had carried requests before: the server may have closed it before it saw this
    /// one.
    Stale,
    /// The server refused this request, and did nothing with it.
    Refused,
    /// The server did nothing with it: it, or we, will not go on with this connection.
    LeftOut,
    /// Anything else.
    Other,
}

/// What is left of a request that got no answer.
pub(crate) enum Leftover {
    /// All of it, and no server has seen a byte, or the server did nothing with it.
    Unseen(RequestBody),
    /// All of it, and the server may have seen some.
    Seen(RequestBody),
    /// The server may have seen some, and its body is not here any more.
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
    /// Of a request whose `body` is left; `None`: it is not here any more.
    pub(crate) fn seen(body: Option<RequestBody>) -> Self {
        body.map_or(Self::Lost, Self::Seen)
    }
}
