//! What to do after an attempt that failed. Pure.

use crate::exchange::{Fault, Retry, Side};

/// The next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The same request to a server that was not tried.
    AnotherServer,
    /// The fault is the answer.
    GiveUp,
}

/// What is left of a request after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// All of it: not a byte was written.
    Whole,
    /// Enough to send it again, but the server may have seen it.
    Copy,
    /// Nothing that could be sent again.
    Nothing,
}

/// Another server only when this one has seen nothing of the request.
///
/// A request that a *fresh* connection swallowed is not sent to another server even if it is
/// idempotent: one that makes servers crash must not walk through the whole backend.
pub(super) fn next_after(fault: &Fault, left: Left, attempts_left: u32) -> Next {
    let is_servers = fault.reason.side() == Side::Server;
    let has_seen_nothing = match fault.reason.retry() {
        // No connection came about. What is left is a copy when an older connection died before.
        Retry::Safe => left != Left::Nothing,
        Retry::IfUnsent => left == Left::Whole,
        Retry::Never => false,
    };
    if is_servers && has_seen_nothing && attempts_left > 0 {
        Next::AnotherServer
    } else {
        Next::GiveUp
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Reason;

    fn next(reason: Reason, left: Left, attempts_left: u32) -> Next {
        next_after(&Fault::new(reason), left, attempts_left)
    }

    #[test]
    fn a_refused_connection_is_tried_elsewhere() {
        let refused = Reason::ServerConnectRefused;
        assert_eq!(next(refused, Left::Whole, 1), Next::AnotherServer);
        assert_eq!(next(refused, Left::Copy, 1), Next::AnotherServer);
        assert_eq!(next(refused, Left::Whole, 0), Next::GiveUp);
        assert_eq!(next(refused, Left::Nothing, 1), Next::GiveUp);
    }

    #[test]
    fn what_a_server_may_have_seen_is_not_shown_to_another() {
        assert_eq!(
            next(Reason::ServerResponseEmpty, Left::Copy, 2),
            Next::GiveUp
        );
        assert_eq!(
            next(Reason::ServerResponseTimeout, Left::Whole, 2),
            Next::GiveUp
        );
    }

    #[test]
    fn a_connection_that_took_not_a_byte_is_like_one_that_was_refused() {
        let swallowed = Reason::ServerResponseEmpty;
        assert_eq!(next(swallowed, Left::Whole, 1), Next::AnotherServer);
    }

    #[test]
    fn the_clients_and_our_own_faults_are_not_repeated() {
        for reason in [
            Reason::ClientLeft,
            Reason::ExchangeTimeout,
            Reason::ProxyPanic,
        ] {
            assert_eq!(next(reason, Left::Whole, 2), Next::GiveUp);
        }
    }
}
