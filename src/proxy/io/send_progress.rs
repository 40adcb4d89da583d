//! How far what was written to a connection has come: what has left here, and what its peer has taken.

use crate::net::Stream;

/// How far what was written has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendProgress {
    /// Bytes that have left here.
    pub sent: i64,
    /// Of these, what the peer's system has taken. Over a Unix socket less than that, for there the
    /// memory is counted in which the others lie: what is written takes some of it back, so that of
    /// a peer that takes less than is written in many small pieces nothing is seen until it takes more.
    pub taken: i64,
}

impl SendProgress {
    /// Of `stream`, which has taken `written` bytes. One system call.
    pub fn of(stream: &Stream, written: u64) -> Option<Self> {
        let sent = stream.sent().unwrap_or(written) as i64;
        let taken = sent - stream.send_queue()? as i64;
        Some(Self { sent, taken })
    }

    /// Both ends' together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            taken: self.taken + other.taken,
        }
    }

    /// Whether the peer has something of it still to take.
    pub fn is_under_way(self) -> bool {
        self.taken < self.sent
    }
}
