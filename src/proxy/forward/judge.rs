//! What to do after an attempt that failed. Pure.

use crate::exchange::{Fault, Retry};

/// The next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The same request to a server that was not tried.
    AnotherServer,
    /// The fault is the answer.
    GiveUp,
}

/// Another server only when this one has seen nothing of the request and it can still be sent.
///
/// A request that a *fresh* connection swallowed is not sent to another server even if it is
/// idempotent: one that makes servers crash must not walk through the whole backend.
pub(super) fn next_after(fault: &Fault, can_be_sent_again: bool, attempts_left: u32) -> Next {
    let is_safe = fault.reason.retry() == Retry::Safe;
    if is_safe && can_be_sent_again && attempts_left > 0 {
        Next::AnotherServer
    } else {
        Next::GiveUp
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Reason;

    fn next(reason: Reason, can_be_sent_again: bool, attempts_left: u32) -> Next {
        next_after(&Fault::new(reason), can_be_sent_again, attempts_left)
    }

    #[test]
    fn a_refused_connection_is_tried_elsewhere() {
        let refused = Reason::ServerConnectRefused;
        assert_eq!(next(refused, true, 1), Next::AnotherServer);
        assert_eq!(next(refused, true, 0), Next::GiveUp);
        assert_eq!(next(refused, false, 1), Next::GiveUp);
    }

    #[test]
    fn what_a_server_may_have_seen_is_not_shown_to_another() {
        assert_eq!(next(Reason::ServerResponseEmpty, true, 2), Next::GiveUp);
        assert_eq!(next(Reason::ServerResponseTimeout, true, 2), Next::GiveUp);
    }
}
