//! What is left of a request that was not answered.

use crate::proxy::io::RequestBody;

/// What is left of a request after an attempt.
pub enum Leftover {
    /// All of it, and no server has seen a byte, or the server did nothing with it.
    Unseen(RequestBody),
    /// All of it, and the server may have seen some.
    Seen(RequestBody),
    /// The server may have seen some, and its body is not here any more.
    Lost,
}

impl Leftover {
    /// Of a request whose `body` is left; `None`: it is not here any more.
    pub fn seen(body: Option<RequestBody>) -> Self {
        body.map_or(Self::Lost, Self::Seen)
    }
}
