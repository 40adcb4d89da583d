//! What is done next with an exchange at the servers of a backend. Pure.
//!
//! `forward` says what it has seen, failures and answers alike, and does what comes out: begin an
//! attempt, deliver the answer, or give up. Within one attempt, `attempt` may ask the same server again.

use http::StatusCode;

use crate::exchange::{Fault, Reason, Retry, Side};

/// The attempts of one exchange, as far as decisions go.
pub(super) struct Schedule<'a> {
    /// How many may still begin.
    attempts_left: u32,
    /// Answers that are not delivered while another server may be asked.
    unwanted: &'a [StatusCode],
    /// Why the last one failed.
    last_fault: Option<Fault>,
}

/// What has been seen.
pub(super) enum Seen {
    /// The attempt failed, and this is left of the request.
    Failed(Fault, Left),
    /// The server answered, and this is left of the request.
    Answered(StatusCode, Left),
}

/// What is done next.
#[derive(Debug)]
pub(super) enum Step {
    /// The same request goes to a server that was not tried.
    Start,
    /// The answer goes to the client.
    Deliver,
    /// The fault is the answer.
    Fail(Fault),
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

impl<'a> Schedule<'a> {
    /// For an exchange that may be tried so often. An answer whose status is `unwanted` is delivered only
    /// where no other server can be asked.
    pub(super) fn new(attempts: u32, unwanted: &'a [StatusCode]) -> Self {
        Self {
            attempts_left: attempts,
            unwanted,
            last_fault: None,
        }
    }

    /// The fault where no server that was not tried has a slot, for this reason: why the last attempt
    /// failed says more than that.
    pub(super) fn without_slot(&mut self, reason: Reason) -> Fault {
        let last = self.last_fault.take();
        last.unwrap_or_else(|| Fault::new(reason))
    }

    /// What to do after what was `seen`.
    pub(super) fn next(&mut self, seen: Seen) -> Step {
        match seen {
            Seen::Answered(status, left) => {
                self.attempts_left = self.attempts_left.saturating_sub(1);
                // The server has seen the request: only a copy that may be sent twice goes elsewhere.
                let may_go_on = self.attempts_left > 0 && left == Left::Copy;
                match may_go_on && self.unwanted.contains(&status) {
                    true => Step::Start,
                    false => Step::Deliver,
                }
            }
            Seen::Failed(fault, left) => {
                self.attempts_left = self.attempts_left.saturating_sub(1);
                if self.attempts_left == 0 || !may_be_tried_elsewhere(&fault, left) {
                    return Step::Fail(fault);
                }
                self.last_fault = Some(fault);
                Step::Start
            }
        }
    }
}

/// Another server is asked only when this one has seen nothing of the request.
///
/// A request that a *fresh* connection swallowed is not sent to another server even if it is
/// idempotent: one that makes servers crash must not walk through the whole backend.
fn may_be_tried_elsewhere(fault: &Fault, left: Left) -> bool {
    let has_seen_nothing = match fault.reason.retry() {
        // No connection came about. What is left is a copy when an older connection died before.
        Retry::Safe => left != Left::Nothing,
        Retry::IfUnsent => left == Left::Whole,
        Retry::Never => false,
    };
    fault.reason.side() == Side::Server && has_seen_nothing
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What follows, in an exchange that may be tried so often, when its first attempt fails so.
    fn after(reason: Reason, left: Left, attempts: u32) -> Option<Reason> {
        let mut schedule = Schedule::new(attempts, &[]);
        failed(schedule.next(Seen::Failed(Fault::new(reason), left)))
    }

    /// The reason that it ends with; `None`: it goes on.
    fn failed(step: Step) -> Option<Reason> {
        match step {
            Step::Fail(fault) => Some(fault.reason),
            Step::Start => None,
            Step::Deliver => unreachable!("there was no answer"),
        }
    }

    #[test]
    fn a_refused_connection_is_tried_elsewhere_while_attempts_are_left() {
        let refused = Reason::ServerConnectRefused;
        assert_eq!(after(refused, Left::Whole, 2), None);
        assert_eq!(after(refused, Left::Copy, 2), None);
        assert_eq!(after(refused, Left::Whole, 1), Some(refused));
        assert_eq!(after(refused, Left::Nothing, 2), Some(refused));
        let mut schedule = Schedule::new(3, &[]);
        let mut again = || failed(schedule.next(Seen::Failed(Fault::new(refused), Left::Whole)));
        assert_eq!([again(), again(), again()], [None, None, Some(refused)]);
    }

    #[test]
    fn what_a_server_may_have_seen_is_not_shown_to_another() {
        let (empty, late) = (Reason::ServerResponseEmpty, Reason::ServerResponseTimeout);
        assert_eq!(after(empty, Left::Copy, 3), Some(empty));
        assert_eq!(after(late, Left::Whole, 3), Some(late));
    }

    #[test]
    fn a_connection_that_took_not_a_byte_is_like_one_that_was_refused() {
        assert_eq!(after(Reason::ServerResponseEmpty, Left::Whole, 2), None);
    }

    #[test]
    fn the_clients_and_our_own_faults_are_not_repeated() {
        for reason in [
            Reason::ClientLeft,
            Reason::ExchangeTimeout,
            Reason::ProxyPanic,
        ] {
            assert_eq!(after(reason, Left::Whole, 3), Some(reason));
        }
    }

    #[test]
    fn where_no_other_server_has_a_slot_the_answer_says_why_the_last_one_failed() {
        let mut schedule = Schedule::new(3, &[]);
        let refused = Fault::new(Reason::ServerConnectRefused);
        assert_eq!(
            failed(schedule.next(Seen::Failed(refused, Left::Whole))),
            None
        );
        let fault = schedule.without_slot(Reason::QueueFull);
        assert_eq!(fault.reason, Reason::ServerConnectRefused);
        let fault = Schedule::new(3, &[]).without_slot(Reason::QueueFull);
        assert_eq!(fault.reason, Reason::QueueFull);
    }

    #[test]
    fn an_answer_is_delivered_unless_it_is_unwanted_and_the_request_can_be_sent_once_more() {
        let (ok, busy) = (StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE);
        let is_delivered = |unwanted: &[StatusCode], attempts, status, left| {
            let step = Schedule::new(attempts, unwanted).next(Seen::Answered(status, left));
            matches!(step, Step::Deliver)
        };
        assert!(is_delivered(&[], 3, busy, Left::Copy));
        assert!(is_delivered(&[busy], 3, ok, Left::Copy));
        assert!(is_delivered(&[busy], 1, busy, Left::Copy));
        assert!(is_delivered(&[busy], 3, busy, Left::Nothing));
        assert!(!is_delivered(&[busy], 3, busy, Left::Copy));
    }
}
