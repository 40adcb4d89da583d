//! Whether a server may have answered before it had the whole request.
//!
//! Then it must read the rest of the request or close the connection (RFC 9112 §9.3). Some servers
//! do neither: they take the next request for the rest of this one, or throw it away with that. So
//! the connection carries no other request. While we have something to send, we know that an answer
//! is early. Afterwards the rest of the request may be in the sockets, and only the server knows.

use http::StatusCode;

use crate::proxy::io::TrackedSocket;

use super::upload::Upload;

/// If a server refuses a request of more bytes, its connection is not used again. Requests that forms
/// and APIs send are shorter, and are often refused.
const LONG_REQUEST_BYTES: u64 = 16 << 10;

/// Whether an answer of this status may have come before the server had all of `upload`, of which
/// `bytes` were written to `stream`.
pub(super) fn is_maybe_early(
    status: StatusCode,
    bytes: u64,
    upload: &Upload,
    stream: &TrackedSocket,
) -> bool {
    if !upload.is_sent() {
        return true;
    }
    // Few servers read an upload that they refuse. When it fits into the sockets, nothing else shows
    // whether this one has; a new connection costs less than the upload did.
    let is_refused = status.is_client_error() || status.is_server_error();
    if is_refused && bytes > LONG_REQUEST_BYTES {
        return true;
    }
    // What the server's system has received, it acknowledges along with the answer at the latest. A
    // request of one write arrives as a whole: it is not worth the system call.
    upload.is_in_parts() && stream.send_queue().is_some_and(|bytes| bytes > 0)
}
