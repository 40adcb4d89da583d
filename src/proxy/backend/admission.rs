//! Whether a server may be given traffic: one bit for each cause that can keep traffic from it.
//!
//! A server is usable while no bit is set. Each bit has one writer, which need not know the others: a
//! server that an operator holds back stays so when its checks pass.

use std::sync::atomic::{AtomicU8, Ordering};

/// What keeps traffic from a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum HeldBy {
    /// The health checks: it is down, or waits for its first check.
    Health = 1,
    /// The operator.
    Operator = 1 << 1,
    /// Its circuit breaker.
    Breaker = 1 << 2,
    /// Outlier detection.
    Outlier = 1 << 3,
}

/// The causes that keep traffic from one server now.
///
/// `Relaxed`: a choice that still sees the old bits is as good as one made a moment earlier.
#[derive(Debug, Default)]
pub struct Admission(AtomicU8);

impl Admission {
    /// Whether the server may be given traffic.
    #[inline]
    pub fn is_usable(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// Whether `by` and nothing else keeps traffic from the server.
    pub fn is_held_by_only(&self, by: HeldBy) -> bool {
        self.0.load(Ordering::Relaxed) == by as u8
    }

    /// Keeps traffic from the server. The caller makes the backend refresh its set afterwards.
    pub fn hold(&self, by: HeldBy) {
        self.0.fetch_or(by as u8, Ordering::Relaxed);
    }

    /// Clears the bit of `by`; the other bits stay. The caller makes the backend refresh its set
    /// afterwards.
    pub fn release(&self, by: HeldBy) {
        self.0.fetch_and(!(by as u8), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [HeldBy; 4] = [
        HeldBy::Health,
        HeldBy::Operator,
        HeldBy::Breaker,
        HeldBy::Outlier,
    ];

    #[test]
    fn a_server_is_usable_when_the_last_bit_is_cleared() {
        let admission = Admission::default();
        assert!(admission.is_usable());
        for by in ALL {
            admission.hold(by);
            admission.hold(by);
        }
        for (index, by) in ALL.into_iter().enumerate() {
            assert!(!admission.is_usable());
            let is_last = index + 1 == ALL.len();
            assert_eq!(admission.is_held_by_only(by), is_last);
            admission.release(by);
        }
        assert!(admission.is_usable());
    }
}
