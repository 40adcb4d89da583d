//! Whether a peer takes our bytes, on a connection or on an HTTP/2 stream.
//!
//! The socket reports when it takes no more and when it does again. The second report may come late
//! although the peer is reading, so the send queue is checked before the peer is given up. It
//! counts that something was taken, not how much.

use std::cell::Cell;
use std::io;
use std::task::Poll;

use bytes::Bytes;
use http_body::Body;

use crate::base::clock::{self, Duration, Instant};

use super::progress_probe::{ProgressProbe, StreamProgressProbe};
use super::pump::Pump;
use super::send_progress::SendProgress;
use super::tracked_socket::SocketTracker;

/// Since when a peer takes nothing. Written by the stream that wraps the connection, and by the
/// task that holds the timer.
#[derive(Debug, Default)]
pub struct Blocked {
    since: Cell<Option<Instant>>,
    /// How much was sent at the last note, if a stream takes bytes before it sends them (TLS).
    sent: Cell<u64>,
    probe: Cell<ProgressProbe>,
}

/// The least room that counts on an HTTP/2 stream: with less, a client could hold an answer for
/// ever at the cost of some bytes a minute.
const LEAST_ROOM_BYTES: u64 = 1024;

/// How long a stream lasts whose peer makes no such room and only takes what is in the socket: at
/// most the 4 MiB that Linux allows there; a peer that needs longer for them reads less than 7
/// kB/s.
const LONGEST_WITHOUT_ROOM: Duration = Duration::from_secs(10 * 60);

/// Since when a peer makes no room on an HTTP/2 stream, and takes nothing of what was sent there.
/// It cannot make room for bytes in the socket: it has not got them yet.
#[derive(Default)]
pub struct Stall {
    since: Option<Instant>,
    /// When it last made room.
    roomy_at: Option<Instant>,
    /// The room that it had made by then.
    sent: u64,
    probe: StreamProgressProbe,
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It is too early for one.
    NotDue,
    /// It has taken some since the last check.
    Taking,
    /// It has taken nothing since then, and has time left.
    Waiting(Instant),
    /// Its time is over and it took nothing.
    Stalled,
}

impl Blocked {
    /// Whether the peer is waited for.
    pub fn is_so(&self) -> bool {
        self.since.get().is_some()
    }

    /// Notes a write, and how much was sent since. Under TLS a write may wait here, and proves
    /// nothing.
    pub fn note_written<T>(&self, written: &Poll<io::Result<T>>, sent: Option<u64>) {
        if written.is_pending() {
            if !self.is_so() {
                self.since.set(Some(clock::now()));
            }
        } else if self.has_sent(sent) {
            self.since.set(None);
        }
    }

    /// Notes the result of a flush: a peer that takes nothing of what waits here under TLS is
    /// blocked, and one that takes some is not.
    pub fn note_flushed(&self, flushed: &Poll<io::Result<()>>, sent: Option<u64>) {
        if sent.is_none() {
            return;
        }
        if flushed.is_ready() {
            self.since.set(None);
        } else if self.has_sent(sent) || !self.is_so() {
            self.since.set(Some(clock::now()));
        }
    }

    /// Since when it takes nothing; `None`: it is not waited for.
    pub fn since(&self) -> Option<Instant> {
        self.since.get()
    }

    /// When a check is due.
    pub fn due(&self, timeout: Duration) -> Option<Instant> {
        let since = self.since.get()?;
        Some(self.probe.get().due(since, timeout))
    }

    /// Checks, if it is due.
    pub fn look(
        &self,
        now: Instant,
        timeout: Duration,
        progress: impl FnOnce() -> Option<SendProgress>,
    ) -> Look {
        let Some(since) = self.since.get() else {
            return Look::NotDue;
        };
        let mut probe = self.probe.get();
        if now < probe.due(since, timeout) {
            return Look::NotDue;
        }
        let has_taken = probe.has_taken(now, progress());
        self.probe.set(probe);
        if has_taken {
            self.since.set(Some(now));
            Look::Taking
        } else if now >= since + timeout {
            Look::Stalled
        } else {
            Look::Waiting(since)
        }
    }

    fn has_sent(&self, sent: Option<u64>) -> bool {
        sent.is_none_or(|so_far| self.sent.replace(so_far) != so_far)
    }
}

impl Stall {
    /// When a check of the peer of `pump` is due; `None`: the peer is not waited for.
    pub fn due<B>(&mut self, pump: &Pump<B>, timeout: Duration) -> Option<Instant>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        if !pump.is_waiting_for_room() {
            self.since = None;
        } else if self.since.is_none() || pump.sent() - self.sent >= LEAST_ROOM_BYTES {
            let now = clock::now();
            (self.since, self.roomy_at) = (Some(now), Some(now));
            self.sent = pump.sent();
        }
        Some(self.probe.due(self.since?, timeout))
    }

    /// Since when it takes nothing; `None`: it is not waited for.
    pub fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Checks, if it is due.
    pub fn look(&mut self, now: Instant, timeout: Duration, tracker: &SocketTracker) -> Look {
        let Some(since) = self.since else {
            return Look::NotDue;
        };
        if now < self.probe.due(since, timeout) {
            return Look::NotDue;
        }
        let is_roomy = self
            .roomy_at
            .is_some_and(|at| now < at + LONGEST_WITHOUT_ROOM);
        if self.probe.has_taken(now, tracker, self.sent) && is_roomy {
            self.since = Some(now);
            Look::Taking
        } else if now >= since + timeout {
            Look::Stalled
        } else {
            Look::Waiting(since)
        }
    }
}
