//! How an attempt ended, and what that proves about the server.

use crate::base::clock::Duration;

use super::{Reason, Side};

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What it proves about the server.
    pub verdict: Verdict,
    /// The server's status; 0: no head came.
    pub status: u16,
    /// The time from the connection being ready to the response head; `None`: no head came.
    pub latency: Option<Duration>,
}

/// What the end of an attempt proves about the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The server has answered, with any status. In TCP mode, and after an upgrade: it has sent
    /// something.
    Answered,
    /// No answer came, or only a part of it.
    Failed(Reason),
    /// The attempt was given up for a reason that is not the server's.
    Cancelled,
    /// The client left, or its request ended in an error.
    ClientLeft,
}

impl Outcome {
    /// The outcome of an attempt without an answer.
    pub fn without_answer(verdict: Verdict) -> Self {
        Self {
            verdict,
            status: 0,
            latency: None,
        }
    }
}

impl Verdict {
    /// The verdicts that are counted by cause, each with its word.
    pub(crate) const ABANDONED: [(Self, &'static str); 2] =
        [(Self::ClientLeft, "client"), (Self::Cancelled, "cancelled")];

    /// The verdict on an attempt that fails because of `reason`.
    pub fn of_failure(reason: Reason) -> Self {
        match reason.side() {
            Side::Client => Self::ClientLeft,
            Side::Proxy | Side::Server => Self::Failed(reason),
        }
    }

    /// The verdict on an attempt whose answer is cut because of `reason`.
    pub fn of_cut(reason: Reason) -> Self {
        match reason.side() {
            Side::Client => Self::ClientLeft,
            Side::Proxy => Self::Cancelled,
            Side::Server => Self::Failed(reason),
        }
    }

    /// Whether it is a failure of the server.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed(reason) if reason.side() == Side::Server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_server_did_is_its_failure() {
        for (reason, expected) in [
            (Reason::ServerConnectRefused, true),
            (Reason::ServerResponseTimeout, true),
            (Reason::ProxyDescriptors, false),
            (Reason::ClientLeft, false),
            (Reason::RequestBodyTimeout, false),
        ] {
            assert_eq!(Verdict::of_failure(reason).is_failure(), expected);
            assert_eq!(Verdict::of_cut(reason).is_failure(), expected);
        }
        assert!(!Verdict::Answered.is_failure() && !Verdict::Cancelled.is_failure());
    }
}
