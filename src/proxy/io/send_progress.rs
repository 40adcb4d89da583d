//! How far the bytes of a connection have come: how many were sent, and how many its peer has
//! taken.

use crate::net::Stream;

/// How far the written bytes have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendProgress {
    /// Bytes that were sent.
    pub sent: i64,
    /// Of these, the bytes that the peer's system has taken. Over a Unix socket it is less, because
    /// the memory of the rest is counted: each write reduces it, so that with many small writes a
    /// slow peer seems to take nothing until it takes more.
    pub taken: i64,
}

impl SendProgress {
    /// The progress of `stream`, which has taken `written` bytes. One system call.
    pub fn of(stream: &Stream, written: u64) -> Option<Self> {
        let sent = stream.sent().unwrap_or(written) as i64;
        let taken = sent - stream.send_queue()? as i64;
        Some(Self { sent, taken })
    }

    /// The sum of both ends.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            taken: self.taken + other.taken,
        }
    }

    /// Whether the peer has not taken all of it.
    pub fn is_under_way(self) -> bool {
        self.taken < self.sent
    }
}
