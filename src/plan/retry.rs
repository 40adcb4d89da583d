//! The number of attempts of one exchange, and the failures after which another server is tried.

use http::StatusCode;

/// `[backend.NAME.retry]`. A request of which no byte was written may go to another server after
/// any failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The failures after which an idempotent request is sent to another server, although a server
    /// may have seen it.
    pub on: Vec<RetryOn>,
    /// Attempts of one exchange, the first included: 1 to 10.
    pub attempts: u32,
}

/// A failure after which another server is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryOn {
    /// No connection to the server came about, TLS included.
    Connect,
    /// The connection or the stream ended without a byte of an answer.
    Empty,
    /// The server refused the stream (HTTP/2).
    Refused,
    /// No response head came in time.
    Timeout,
    /// The answer was not valid HTTP.
    Malformed,
    /// The server answered with this status.
    Status(StatusCode),
}

impl Retry {
    /// Whether another server is tried after the failure `on`.
    pub fn has(&self, on: RetryOn) -> bool {
        self.on.contains(&on)
    }

    /// Whether a request may go to another server after a server has received all of it.
    pub fn may_resend(&self) -> bool {
        let needs_copy = |on: &RetryOn| !matches!(on, RetryOn::Connect | RetryOn::Refused);
        self.attempts > 1 && self.on.iter().any(needs_copy)
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            on: vec![RetryOn::Connect, RetryOn::Refused],
            attempts: 3,
        }
    }
}
