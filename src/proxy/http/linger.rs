//! How long a client is read that is still sending when it has its answer.
//!
//! Without reading, many clients lose the answer: an HTTP/1 client by the reset of a socket that is
//! closed with unread bytes (RFC 9112 §9.6), an HTTP/2 client that takes RST_STREAM for a failure.

use crate::base::clock::{Duration, Instant};
use crate::plan;

/// After this time without bytes the client has sent all. nginx: `lingering_timeout`.
const SILENCE: Duration = Duration::from_secs(5);

/// How much may still be read and discarded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Linger {
    until: Instant,
    silence: Duration,
    silent_at: Instant,
    left: u64,
}

impl Linger {
    /// The bounds of `frontend`, from `now` on.
    pub(super) fn of(frontend: &plan::Frontend, now: Instant) -> Self {
        let silence = frontend.timeout.body.min(SILENCE);
        Self {
            until: now + frontend.timeout.linger,
            silence,
            silent_at: now + silence,
            left: frontend.limits.linger.0,
        }
    }

    /// For a client whose time is over already.
    pub(super) fn brief(now: Instant) -> Self {
        let time = Duration::from_secs(2);
        Self {
            until: now + time,
            silence: time,
            silent_at: now + time,
            left: 256 << 10,
        }
    }

    /// Notes that so many bytes were discarded.
    pub(super) fn note(&mut self, bytes: usize, now: Instant) {
        self.left = self.left.saturating_sub(bytes as u64);
        self.silent_at = now + self.silence;
    }

    /// Whether the bounds are reached at `now`.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.left == 0 || now >= self.due()
    }

    /// When they are reached if nothing more comes.
    pub(super) fn due(&self) -> Instant {
        self.until.min(self.silent_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock;

    #[test]
    fn no_client_is_read_for_ever_whether_it_drips_or_floods_or_is_silent() {
        let start = clock::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let linger = Linger {
            until: at(30),
            silence: Duration::from_secs(5),
            silent_at: at(5),
            left: 100,
        };
        assert!(!linger.is_over(at(4)) && linger.is_over(at(5)));
        let mut drips = linger;
        for second in 1..30 {
            drips.note(1, at(second));
            assert!(!drips.is_over(at(second)));
        }
        assert!(drips.is_over(at(30)));
        let mut floods = linger;
        floods.note(99, at(1));
        assert!(!floods.is_over(at(1)));
        floods.note(1, at(1));
        assert!(floods.is_over(at(1)));
    }
}
