//! Decides the next step of an exchange at the servers of a backend. Pure.
//!
//! `tries` passes in what it has seen, failures and answers alike, and carries out the step: begin
//! an attempt, deliver the answer, or give up. Within one attempt, `attempt` may try the same
//! server again.

use http::StatusCode;

use crate::exchange::{Fault, Reason};
use crate::plan::{Retry, RetryOn};

/// The state of an exchange's attempts that decisions need.
pub(super) struct Schedule<'a> {
    /// How many attempts may still begin.
    attempts_left: u32,
    /// After which failures another server is tried.
    retry: &'a Retry,
    /// Why the last one failed.
    last_fault: Option<Fault>,
}

/// The result of an attempt.
pub(super) enum Seen {
    /// The attempt failed, and this part of the request can be sent again.
    Failed(Fault, Left),
    /// The server answered, and this part of the request can be sent again.
    Answered(StatusCode, Left),
}

/// The next step.
#[derive(Debug)]
pub(super) enum Step {
    /// The same request goes to a server that was not tried.
    Start,
    /// The answer goes to the client.
    Deliver,
    /// The client gets the fault.
    Fail(Fault),
}

/// The part of a request that can be sent again after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// All of it, and no server has read or processed any of it.
    Whole,
    /// All of it; a server may have read it, and it is idempotent.
    Copy,
    /// Nothing that could be sent again.
    Nothing,
}

impl<'a> Schedule<'a> {
    /// For an exchange at a backend with `retry`.
    pub(super) fn new(retry: &'a Retry) -> Self {
        Self {
            attempts_left: retry.attempts,
            retry,
            last_fault: None,
        }
    }

    /// The fault if no untried server has a slot, for this reason: the failure of the last attempt,
    /// if there was one, explains more.
    pub(super) fn without_slot(&mut self, reason: Reason) -> Fault {
        let last = self.last_fault.take();
        last.unwrap_or_else(|| Fault::new(reason))
    }

    /// The step after the result `seen`.
    pub(super) fn next(&mut self, seen: Seen) -> Step {
        self.attempts_left = self.attempts_left.saturating_sub(1);
        match seen {
            Seen::Answered(status, left) => {
                // The server has read the request: only a copy of an idempotent request goes
                // elsewhere.
                let may_go_on = self.attempts_left > 0 && left == Left::Copy;
                match may_go_on && self.retry.has(RetryOn::Status(status)) {
                    true => Step::Start,
                    false => Step::Deliver,
                }
            }
            Seen::Failed(fault, left) => {
                if self.attempts_left == 0 || !self.may_be_tried_elsewhere(&fault, left) {
                    return Step::Fail(fault);
                }
                self.last_fault = Some(fault);
                Step::Start
            }
        }
    }

    /// A request that no server has read may go to any server. With the default list nothing else
    /// does: a request that makes servers crash must not be tried at every server of the backend.
    fn may_be_tried_elsewhere(&self, fault: &Fault, left: Left) -> bool {
        fault.reason.retry().on().is_some_and(|on| match left {
            Left::Whole => true,
            Left::Copy => self.retry.has(on),
            Left::Nothing => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

    fn retry(attempts: u32, on: &[RetryOn]) -> Retry {
        Retry {
            on: on.to_vec(),
            attempts,
        }
    }

    /// The default list.
    fn by_default(attempts: u32) -> Retry {
        Retry {
            attempts,
            ..Retry::default()
        }
    }

    /// The reason with which an exchange ends whose first attempt fails so; `None`: it continues.
    fn after(reason: Reason, left: Left, retry: &Retry) -> Option<Reason> {
        let seen = Seen::Failed(Fault::new(reason), left);
        failed(Schedule::new(retry).next(seen))
    }

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
        let (one, two, three) = (by_default(1), by_default(2), by_default(3));
        assert_eq!(after(refused, Left::Whole, &two), None);
        assert_eq!(after(refused, Left::Copy, &two), None);
        assert_eq!(after(refused, Left::Whole, &one), Some(refused));
        assert_eq!(after(refused, Left::Nothing, &two), Some(refused));
        let mut schedule = Schedule::new(&three);
        let mut again = || failed(schedule.next(Seen::Failed(Fault::new(refused), Left::Whole)));
        assert_eq!([again(), again(), again()], [None, None, Some(refused)]);
    }

    #[test]
    fn by_default_a_request_that_a_server_may_have_seen_is_not_sent_to_another() {
        for reason in [
            Reason::ServerResponseEmpty,
            Reason::ServerResponseTimeout,
            Reason::ServerResponseMalformed,
        ] {
            assert_eq!(after(reason, Left::Copy, &by_default(3)), Some(reason));
        }
    }

    #[test]
    fn a_request_that_no_server_has_seen_goes_to_another_whatever_the_list_is() {
        for reason in [
            Reason::ServerConnectTimeout,
            Reason::ServerTlsHandshake,
            Reason::ServerStreamRefused,
            Reason::ServerResponseEmpty,
        ] {
            assert_eq!(after(reason, Left::Whole, &retry(2, &[])), None);
        }
    }

    #[test]
    fn each_word_of_the_list_matches_its_failures_and_no_others() {
        let words = [
            (RetryOn::Connect, Reason::ServerConnectRefused),
            (RetryOn::Connect, Reason::ServerTlsCertificate),
            (RetryOn::Refused, Reason::ServerStreamRefused),
            (RetryOn::Empty, Reason::ServerResponseEmpty),
            (RetryOn::Timeout, Reason::ServerResponseTimeout),
            (RetryOn::Malformed, Reason::ServerResponseMalformed),
            (RetryOn::Malformed, Reason::ServerResponseInterim),
        ];
        for (word, _) in words {
            let retry = retry(2, &[word]);
            for (of, reason) in words {
                let expected = (of != word).then_some(reason);
                assert_eq!(after(reason, Left::Copy, &retry), expected, "{word:?}");
                assert_eq!(after(reason, Left::Nothing, &retry), Some(reason));
            }
        }
    }

    #[test]
    fn faults_of_the_client_and_our_own_are_not_retried() {
        let all = [
            RetryOn::Connect,
            RetryOn::Empty,
            RetryOn::Refused,
            RetryOn::Timeout,
            RetryOn::Malformed,
        ];
        for reason in [
            Reason::ClientLeft,
            Reason::ExchangeTimeout,
            Reason::ProxyPanic,
        ] {
            assert_eq!(after(reason, Left::Whole, &retry(3, &all)), Some(reason));
        }
    }

    #[test]
    fn if_no_other_server_has_a_slot_the_answer_has_the_last_failure() {
        let retry = by_default(3);
        let mut schedule = Schedule::new(&retry);
        let refused = Fault::new(Reason::ServerConnectRefused);
        assert_eq!(
            failed(schedule.next(Seen::Failed(refused, Left::Whole))),
            None
        );
        let fault = schedule.without_slot(Reason::QueueFull);
        assert_eq!(fault.reason, Reason::ServerConnectRefused);
        let fault = Schedule::new(&retry).without_slot(Reason::QueueFull);
        assert_eq!(fault.reason, Reason::QueueFull);
    }

    #[test]
    fn an_answer_is_delivered_unless_it_is_unwanted_and_the_request_can_be_sent_once_more() {
        let is_delivered = |on: &[RetryOn], attempts, status, left| {
            let retry = retry(attempts, on);
            let step = Schedule::new(&retry).next(Seen::Answered(status, left));
            matches!(step, Step::Deliver)
        };
        let busy = [RetryOn::Status(BUSY)];
        assert!(is_delivered(&[RetryOn::Empty], 3, BUSY, Left::Copy));
        assert!(is_delivered(&busy, 3, StatusCode::OK, Left::Copy));
        assert!(is_delivered(&busy, 1, BUSY, Left::Copy));
        assert!(is_delivered(&busy, 3, BUSY, Left::Nothing));
        assert!(!is_delivered(&busy, 3, BUSY, Left::Copy));
    }

    #[test]
    fn failures_and_answers_are_counted_together() {
        let retry = retry(3, &[RetryOn::Status(BUSY)]);
        let mut schedule = Schedule::new(&retry);
        let refused = || Seen::Failed(Fault::new(Reason::ServerConnectRefused), Left::Whole);
        assert!(matches!(schedule.next(refused()), Step::Start));
        let answered = || Seen::Answered(BUSY, Left::Copy);
        assert!(matches!(schedule.next(answered()), Step::Start));
        assert!(matches!(schedule.next(answered()), Step::Deliver));
    }
}
