//! The last answers that a client has not acknowledged, when no exchange is open any more: with a
//! slow client, the socket may hold data for minutes.
//!
//! The connection asks before it ends as idle, and passes in what the client has taken; no clock
//! and no socket here.

use crate::base::clock::{Duration, Instant};
use crate::proxy::io::{ProgressProbe, SendProgress};

/// The longest time for all of them. No exchange bounds them any more, so nothing else bounds a
/// client that takes a byte now and then; they occupy at most the 4 MiB that Linux allows in a
/// socket. A client that needs longer for them reads less than 7 kB/s.
const UNACKED_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// What the client has taken of them, as far as it was seen.
#[derive(Debug, Default)]
pub(super) struct Unacked {
    /// When the client was last seen to take some; `None`: not checked yet.
    since: Option<Instant>,
    probe: ProgressProbe,
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There is nothing to wait for.
    Nothing,
    /// The client has taken the last of them now.
    LastTaken,
    /// The client still takes them.
    UnderWay,
}

impl Unacked {
    /// When the next check is due; `None`: there was nothing to wait for.
    pub(super) fn due(&self, timeout: Duration) -> Option<Instant> {
        self.since.map(|since| self.probe.due(since, timeout))
    }

    /// Checks. No exchange has been open since `idle_since`, and a client that takes nothing is
    /// waited for as long as `timeout`.
    pub(super) fn look(
        &mut self,
        now: Instant,
        idle_since: Instant,
        progress: Option<SendProgress>,
        timeout: Duration,
    ) -> Found {
        let has_taken = self.probe.has_taken(now, progress);
        if !self.probe.saw_some_under_way() {
            return match self.since.take() {
                Some(_) => Found::LastTaken,
                None => Found::Nothing,
            };
        }
        let since = self.since.filter(|_| !has_taken).unwrap_or(now);
        let is_late = now >= since + timeout || now >= idle_since + UNACKED_TIMEOUT;
        self.since = Some(since);
        match is_late {
            true => Found::Nothing,
            false => Found::UnderWay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock;

    const TIMEOUT: Duration = Duration::from_secs(30);

    /// A megabyte, of which so much was taken.
    fn taken(bytes: i64) -> Option<SendProgress> {
        let sent = 1 << 20;
        Some(SendProgress { sent, taken: bytes })
    }

    /// Checks when due, while the client takes some, and returns how long that was. `taken_by`:
    /// what the client has taken at the check of this number.
    fn watched(taken_by: impl Fn(i64) -> Option<SendProgress>) -> (Duration, Found) {
        let began = clock::now();
        let mut unacked = Unacked::default();
        let mut now = began;
        for number in 1.. {
            let found = unacked.look(now, began, taken_by(number), TIMEOUT);
            if found != Found::UnderWay {
                return (now - began, found);
            }
            now = unacked.due(TIMEOUT).expect("it is under way");
        }
        unreachable!("there is an end to it");
    }

    #[test]
    fn a_client_that_takes_nothing_has_its_timeout() {
        assert_eq!(watched(|_| taken(1)), (TIMEOUT, Found::Nothing));
    }

    #[test]
    fn the_wait_for_a_client_that_takes_a_byte_now_and_then_ends() {
        let (span, found) = watched(taken);
        assert_eq!(found, Found::Nothing);
        assert!(
            (UNACKED_TIMEOUT..UNACKED_TIMEOUT + TIMEOUT).contains(&span),
            "{span:?}"
        );
    }

    #[test]
    fn a_client_that_takes_everything_has_time_for_it() {
        let (span, found) = watched(|number| taken((number << 15).min(1 << 20)));
        assert_eq!(found, Found::LastTaken);
        assert!(span > 2 * TIMEOUT && span < UNACKED_TIMEOUT, "{span:?}");
    }

    #[test]
    fn without_knowledge_of_progress_there_is_no_wait() {
        assert_eq!(watched(|_| None), (Duration::ZERO, Found::Nothing));
    }
}
