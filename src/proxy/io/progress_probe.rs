//! Checks regularly whether a peer that is waited for takes something.
//!
//! A [`ProgressProbe`] checks a connection, a [`StreamProgressProbe`] one exchange on a connection
//! that may carry others. Both only compare observations; the tasks with the deadlines decide when
//! to check, and act on the result.

use crate::base::clock::{Duration, Instant};

use super::send_progress::SendProgress;
use super::tracked_socket::SocketTracker;

/// How many checks a peer that seems to take nothing gets within its timeout.
const PROBES: u32 = 8;

/// The last observation of a peer that is waited for.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProgressProbe {
    at: Option<Instant>,
    progress: SendProgress,
}

/// The same for one exchange, on a connection that may carry others.
#[derive(Debug, Default)]
pub(super) struct StreamProgressProbe {
    all: ProgressProbe,
    /// How many bytes had been given to the connection for it.
    given: u64,
    /// After this position on the connection there is nothing of it; `None`: not known.
    end: Option<i64>,
    /// Whether the peer had taken all up to there. Not checked again: over a Unix socket, later
    /// writes would undo it.
    had_all: bool,
}

impl ProgressProbe {
    /// When the next check is due of a peer that is waited for since then: regularly, and once at
    /// the end of `timeout`.
    pub fn due(&self, since: Instant, timeout: Duration) -> Instant {
        let from = self.at.map_or(since, |at| at.max(since));
        (from + timeout / PROBES).min(since + timeout)
    }

    /// Checks whether the peer has taken some of the bytes in flight since the last check. If none
    /// were in flight then and some are now, the answer is yes: nothing better is known.
    pub fn has_taken(&mut self, now: Instant, progress: Option<SendProgress>) -> bool {
        self.at = Some(now);
        let Some(after) = progress else {
            return false;
        };
        let before = std::mem::replace(&mut self.progress, after);
        match before.is_under_way() {
            true => after.taken > before.taken,
            false => after.is_under_way(),
        }
    }

    /// Whether bytes were in flight at the last check.
    pub fn saw_some_under_way(&self) -> bool {
        self.progress.is_under_way()
    }
}

impl StreamProgressProbe {
    /// As [`ProgressProbe::due`].
    pub(super) fn due(&self, since: Instant, timeout: Duration) -> Instant {
        self.all.due(since, timeout)
    }

    /// Checks whether the peer has taken something since the last check while some of the `given`
    /// bytes were in flight: bytes of other exchanges prove nothing.
    pub(super) fn has_taken(&mut self, now: Instant, tracker: &SocketTracker, given: u64) -> bool {
        let has_more = self.given != given;
        if has_more {
            self.given = given;
            self.end = None;
            self.had_all = false;
        }
        self.had_all |= self.end.is_some_and(|end| self.all.progress.taken >= end);
        let has_taken = self.all.has_taken(now, tracker.progress());
        // Bytes that were given since the last check may not be written yet: the connection's task
        // does that.
        if self.end.is_none() && !has_more && !tracker.is_full() {
            self.end = Some(self.all.progress.sent);
        }
        has_taken && !self.had_all
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    use super::*;
    use crate::base::clock;
    use crate::net::Stream;
    use crate::proxy::io::TrackedSocket;

    const SECOND: Duration = Duration::from_secs(1);

    /// A connection that is checked, and its peer.
    fn pair() -> (TrackedSocket, UnixStream) {
        let (near, far) = UnixStream::pair().expect("a pair");
        (TrackedSocket::new(Stream::Unix(near.into())), far)
    }

    async fn read(far: &mut UnixStream, bytes: usize) {
        far.read_exact(&mut vec![0; bytes])
            .await
            .expect("it is there");
    }

    #[tokio::test]
    async fn a_peer_that_takes_unacknowledged_bytes_makes_progress() {
        let (mut near, mut far) = pair();
        let tracker = near.tracker();
        let mut probe = ProgressProbe::default();
        let mut has_taken = || probe.has_taken(clock::now(), tracker.progress());
        assert!(!has_taken(), "nothing is under way");
        for _ in 0..3 {
            near.write_all(&[b'x'; 1000]).await.expect("taken");
        }
        assert!(has_taken(), "it is not known better");
        assert!(!has_taken());
        read(&mut far, 1000).await;
        assert!(has_taken());
        assert!(!has_taken());
        read(&mut far, 2000).await;
        assert!(has_taken(), "the last of it");
        assert!(!has_taken());
        drop(near);
        assert!(!has_taken(), "it is not known");
    }

    #[tokio::test]
    async fn progress_of_other_streams_proves_nothing() {
        let (mut near, mut far) = pair();
        let tracker = near.tracker();
        let mut probe = StreamProgressProbe::default();
        let mut has_taken = |given| probe.has_taken(clock::now(), &tracker, given);
        // Its own bytes.
        near.write_all(&[b'x'; 1000]).await.expect("taken");
        assert!(has_taken(1000));
        // And those of others.
        near.write_all(&[b'y'; 1000]).await.expect("taken");
        near.write_all(&[b'y'; 1000]).await.expect("taken");
        assert!(!has_taken(1000), "it was only written");
        read(&mut far, 1000).await;
        assert!(has_taken(1000), "it was one's own");
        // A Unix socket counts the memory of the bytes: only an empty one has taken all.
        read(&mut far, 2000).await;
        has_taken(1000);
        for _ in 0..3 {
            near.write_all(&[b'y'; 1000]).await.expect("taken");
            assert!(!has_taken(1000));
        }
        read(&mut far, 1000).await;
        assert!(!has_taken(1000));
        read(&mut far, 2000).await;
        assert!(!has_taken(1000));
        near.write_all(&[b'x'; 1000]).await.expect("taken");
        assert!(has_taken(2000), "more of one's own");
    }

    #[tokio::test]
    async fn bytes_that_are_not_written_yet_are_waited_for() {
        let (mut near, mut far) = pair();
        let tracker = near.tracker();
        let mut probe = StreamProgressProbe::default();
        let mut has_taken = |given| probe.has_taken(clock::now(), &tracker, given);
        near.write_all(&[b'y'; 1000]).await.expect("taken");
        read(&mut far, 1000).await;
        // The connection's task has not run.
        assert!(!has_taken(1000), "nothing is under way");
        near.write_all(&[b'x'; 1000]).await.expect("taken");
        assert!(has_taken(1000), "one's own is under way");
        read(&mut far, 1000).await;
        assert!(has_taken(1000), "it was one's own");
        near.write_all(&[b'y'; 1000]).await.expect("taken");
        assert!(!has_taken(1000), "it is others'");
    }

    #[tokio::test]
    async fn bytes_written_to_a_unix_socket_are_not_yet_received() {
        let (mut near, mut far) = pair();
        let tracker = near.tracker();
        let mut probe = ProgressProbe::default();
        let mut has_taken = || probe.has_taken(clock::now(), tracker.progress());
        near.write_all(b"xx").await.expect("taken");
        assert!(has_taken(), "it is not known better");
        for _ in 0..10 {
            near.write_all(b"xx").await.expect("taken");
            assert!(!has_taken());
        }
        read(&mut far, 2).await;
        assert!(has_taken());
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_check_is_at_the_end_of_the_timeout() {
        let since = clock::now();
        let mut probe = ProgressProbe::default();
        let mut dues = Vec::new();
        while dues.last() != Some(&(since + SECOND)) {
            let due = probe.due(since, SECOND);
            probe.has_taken(due, None);
            dues.push(due);
        }
        assert_eq!(dues.len(), PROBES as usize);
        assert_eq!(dues[0], since + SECOND / PROBES);
        // A new wait has checks of its own.
        let later = since + 2 * SECOND;
        assert_eq!(probe.due(later, SECOND), later + SECOND / PROBES);
    }
}
