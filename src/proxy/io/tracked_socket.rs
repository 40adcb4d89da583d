//! A connection that hyper or h2 owns, and that can still be asked what its peer has taken.
//!
//! Both hide the socket below. Here it is shared between them and a [`SocketTracker`], which the task
//! that holds the deadlines asks when a peer seems to take nothing.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::base::clock::{Duration, Instant};
use crate::net::{HalfClose, Stream};

/// How often a peer that seems to take nothing is looked at within the time that it has.
const PROBES: u32 = 8;

/// A connection that can be asked while hyper or h2 reads and writes it.
pub struct TrackedSocket(Rc<Shared>);

/// Asks what the peer of a [`TrackedSocket`] has taken.
#[derive(Clone)]
pub struct SocketTracker(Rc<Shared>);

struct Shared {
    /// `None` once it was taken back.
    stream: RefCell<Option<Stream>>,
    /// Bytes that it took. Written by [`TrackedSocket`].
    written: Cell<u64>,
    /// Whether it would take no more when it was last asked. Written by [`TrackedSocket`].
    is_full: Cell<bool>,
    /// Tasks that have more for it and wait until it takes some again. As many as it carries streams.
    /// Written by [`SocketTracker::poll_room`] and [`TrackedSocket`].
    waiting: RefCell<Vec<Waker>>,
    /// What may still be read before the head of an answer; `None`: it is not waited for. Written by
    /// [`SocketTracker::await_head`] and [`TrackedSocket`].
    head_left: Cell<Option<u64>>,
    on_write_error: OnWriteError,
    /// Whether the peer takes nothing any more. Written by [`TrackedSocket`].
    is_write_closed: Cell<bool>,
}

/// What to do when the peer takes nothing any more: it has closed the connection or reset it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnWriteError {
    /// Writing fails.
    Fail,
    /// What is written is thrown away, and the peer is heard out: it may have said something before.
    KeepReading,
}

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

/// What was seen of a peer that is waited for, when it was last asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProgressProbe {
    at: Option<Instant>,
    progress: SendProgress,
}

/// The same for one exchange, on a connection that may carry others.
#[derive(Debug, Default)]
pub(super) struct StreamProgressProbe {
    all: ProgressProbe,
    /// What had been given to the connection for it.
    given: u64,
    /// Behind this on the connection is nothing of it; `None`: not known.
    end: Option<i64>,
    /// Whether the peer had taken all until there. Not found out anew: over a Unix socket, what is
    /// written later takes some back.
    had_all: bool,
}

impl TrackedSocket {
    /// Of a connection that is to be given away.
    pub fn new(stream: Stream) -> Self {
        Self::of(stream, OnWriteError::Fail)
    }

    /// Of a connection to a server. One that answers before it has the whole request, and closes, makes
    /// the next write fail; hyper and h2 would end at that with the answer unread.
    pub fn to_server(stream: Stream) -> Self {
        Self::of(stream, OnWriteError::KeepReading)
    }

    fn of(stream: Stream, on_write_error: OnWriteError) -> Self {
        Self(Rc::new(Shared {
            stream: RefCell::new(Some(stream)),
            written: Cell::new(0),
            is_full: Cell::new(false),
            waiting: RefCell::default(),
            head_left: Cell::new(None),
            on_write_error,
            is_write_closed: Cell::new(false),
        }))
    }

    /// A handle to ask it by.
    pub fn tracker(&self) -> SocketTracker {
        SocketTracker(Rc::clone(&self.0))
    }

    /// The connection below.
    pub fn into_inner(self) -> Stream {
        let stream = self.0.stream.take();
        stream.expect("only this takes it")
    }

    /// As [`Stream::sent`].
    pub fn sent(&self) -> Option<u64> {
        self.0.with(Stream::sent).flatten()
    }

    /// As [`Stream::has_peer_left`].
    pub fn has_peer_left(&self, half_close: HalfClose) -> bool {
        self.0
            .with(|stream| stream.has_peer_left(half_close))
            .unwrap_or(true)
    }

    /// As [`Stream::poll_write_more`].
    pub fn poll_write_more(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0
            .write_some_of(bufs, |stream| stream.poll_write_more(cx, bufs))
    }

    /// As [`Stream::push`].
    pub fn push(&self) {
        self.0.with(Stream::push);
    }

    /// As [`Stream::is_wanted`].
    pub fn is_wanted(&self) -> bool {
        self.0.with(Stream::is_wanted).unwrap_or(false)
    }

    /// Bytes that it has taken.
    pub fn written(&self) -> u64 {
        self.0.written.get()
    }

    /// Whether the peer takes nothing any more: what is written is thrown away.
    pub fn is_write_closed(&self) -> bool {
        self.0.is_write_closed.get()
    }
}

impl SocketTracker {
    /// How far what was written has come; `None` where the system does not say. One system call.
    pub fn progress(&self) -> Option<SendProgress> {
        let written = self.0.written.get();
        self.0
            .with(|stream| SendProgress::of(stream, written))
            .flatten()
    }

    /// Closes the connection, which hyper or h2 owns, so that its peer sees a reset: what the peer has not
    /// taken is not kept for it.
    pub fn reset(&self) {
        if let Some(stream) = self.0.stream.take() {
            stream.reset();
        }
    }

    /// Ready when the peer takes what is written. What is given to the connection before that is only
    /// held here, by hyper or h2, and its sender takes it for gone.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_full() {
            return Poll::Ready(());
        }
        let mut waiting = self.0.waiting.borrow_mut();
        if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Lets the peer say so much, and what is read with it, before the head of its answer: interim
    /// answers, and a head in pieces. Reading more fails.
    pub fn await_head(&self, bytes: u64) {
        self.0.head_left.set(Some(bytes));
    }

    /// Says that the head has come.
    pub fn head_came(&self) {
        self.0.head_left.set(None);
    }

    /// Whether the peer has said more before the head of its answer.
    pub fn has_said_too_much(&self) -> bool {
        self.0.head_left.get() == Some(0)
    }

    /// As [`Stream::is_wanted`].
    pub fn is_wanted(&self) -> bool {
        self.0.with(Stream::is_wanted).unwrap_or(false)
    }

    /// Bytes that it was given.
    pub fn written(&self) -> u64 {
        self.0.written.get()
    }

    /// Whether the peer takes nothing any more: what is written is thrown away.
    pub fn is_write_closed(&self) -> bool {
        self.0.is_write_closed.get()
    }

    /// Whether hyper or h2 holds something back.
    fn is_full(&self) -> bool {
        self.0.is_full.get()
    }
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

impl ProgressProbe {
    /// When the next look is due at a peer that is waited for since then: now and then, and once at
    /// the end of `timeout`.
    pub fn due(&self, since: Instant, timeout: Duration) -> Instant {
        let from = self.at.map_or(since, |at| at.max(since));
        (from + timeout / PROBES).min(since + timeout)
    }

    /// Looks, and says whether the peer has taken something since the last look of what was under way.
    /// Where nothing was, and now something is, it finds that the peer has: it is not known better.
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

    /// Whether something was under way when it was last looked.
    pub fn saw_some_under_way(&self) -> bool {
        self.progress.is_under_way()
    }
}

impl StreamProgressProbe {
    /// As [`ProgressProbe::due`].
    pub(super) fn due(&self, since: Instant, timeout: Duration) -> Instant {
        self.all.due(since, timeout)
    }

    /// Looks, and says whether the peer has taken something since the last look while some of what
    /// was `given` to the connection was under way: what it takes of others proves nothing.
    pub(super) fn has_taken(&mut self, now: Instant, tracker: &SocketTracker, given: u64) -> bool {
        let has_more = self.given != given;
        if has_more {
            self.given = given;
            self.end = None;
            self.had_all = false;
        }
        self.had_all |= self.end.is_some_and(|end| self.all.progress.taken >= end);
        let has_taken = self.all.has_taken(now, tracker.progress());
        // What was given since the last look may not be written yet: that is for the connection's task.
        if self.end.is_none() && !has_more && !tracker.is_full() {
            self.end = Some(self.all.progress.sent);
        }
        has_taken && !self.had_all
    }
}

impl Shared {
    fn with<T>(&self, ask: impl FnOnce(&Stream) -> T) -> Option<T> {
        self.stream.borrow().as_ref().map(ask)
    }

    #[inline]
    fn poll<T>(
        &self,
        poll: impl FnOnce(&mut Stream) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut *self.stream.borrow_mut() {
            Some(stream) => poll(stream),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    #[inline]
    fn note_full(&self, is_full: bool) {
        if self.is_full.replace(is_full) && !is_full {
            for waker in self.waiting.take() {
                waker.wake();
            }
        }
    }

    /// Writes some of `bufs`.
    #[inline]
    fn write_some_of(
        &self,
        bufs: &[IoSlice<'_>],
        write: impl FnOnce(&mut Stream) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if self.is_write_closed.get() {
            return thrown_away(bufs);
        }
        let written = self.poll(write);
        self.note_full(written.is_pending());
        match &written {
            Poll::Ready(Ok(count)) => self.written.set(self.written.get() + *count as u64),
            Poll::Ready(Err(error)) if self.keeps_reading(error) => return thrown_away(bufs),
            _ => {}
        }
        written
    }

    /// Whether the peer is heard out though writing to it gave `error`.
    #[cold]
    fn keeps_reading(&self, error: &io::Error) -> bool {
        let is_write_closed = matches!(
            error.kind(),
            io::ErrorKind::BrokenPipe
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
        );
        let keeps_reading = is_write_closed && self.on_write_error == OnWriteError::KeepReading;
        if keeps_reading {
            self.is_write_closed.set(true);
        }
        keeps_reading
    }
}

/// What is written to a peer that takes nothing any more.
#[cold]
fn thrown_away(bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
    Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()))
}

impl Drop for TrackedSocket {
    /// The connection ends with its owner, and not with the last tracker.
    fn drop(&mut self) {
        drop(self.0.stream.take());
        self.0.note_full(false);
    }
}

impl AsyncRead for TrackedSocket {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(left) = self.0.head_left.get() else {
            return self.0.poll(|stream| Pin::new(stream).poll_read(cx, buf));
        };
        if left == 0 {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let before = buf.filled().len();
        let read = self.0.poll(|stream| Pin::new(stream).poll_read(cx, buf));
        let count = (buf.filled().len() - before) as u64;
        self.0.head_left.set(Some(left.saturating_sub(count)));
        read
    }
}

impl AsyncWrite for TrackedSocket {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let bufs = &[IoSlice::new(buf)];
        self.0
            .write_some_of(bufs, |stream| Pin::new(stream).poll_write(cx, buf))
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.write_some_of(bufs, |stream| {
            Pin::new(stream).poll_write_vectored(cx, bufs)
        })
    }

    #[inline]
    fn is_write_vectored(&self) -> bool {
        self.0.with(AsyncWrite::is_write_vectored).unwrap_or(false)
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.0.is_write_closed.get() {
            return Poll::Ready(Ok(()));
        }
        let flushed = self.0.poll(|stream| Pin::new(stream).poll_flush(cx));
        if let Poll::Ready(Err(error)) = &flushed
            && self.0.keeps_reading(error)
        {
            return Poll::Ready(Ok(()));
        }
        // Under TLS it is the flush that says so.
        self.0.note_full(flushed.is_pending());
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll(|stream| Pin::new(stream).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    use super::*;
    use crate::base::clock;

    const SECOND: Duration = Duration::from_secs(1);

    /// A connection that is looked at, and its peer.
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
    async fn a_peer_is_seen_to_take_what_is_under_way() {
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
    async fn what_is_taken_of_others_proves_nothing() {
        let (mut near, mut far) = pair();
        let tracker = near.tracker();
        let mut probe = StreamProgressProbe::default();
        let mut has_taken = |given| probe.has_taken(clock::now(), &tracker, given);
        // One's own.
        near.write_all(&[b'x'; 1000]).await.expect("taken");
        assert!(has_taken(1000));
        // And others'.
        near.write_all(&[b'y'; 1000]).await.expect("taken");
        near.write_all(&[b'y'; 1000]).await.expect("taken");
        assert!(!has_taken(1000), "it was only written");
        read(&mut far, 1000).await;
        assert!(has_taken(1000), "it was one's own");
        // A Unix socket counts the memory of what lies there: only an empty one has taken all.
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
    async fn what_was_given_and_is_not_written_yet_is_waited_for() {
        let (mut near, mut far) = pair();
        let tracker = near.tracker();
        let mut probe = StreamProgressProbe::default();
        let mut has_taken = |given| probe.has_taken(clock::now(), &tracker, given);
        near.write_all(&[b'y'; 1000]).await.expect("taken");
        read(&mut far, 1000).await;
        // The connection's task has not had its turn.
        assert!(!has_taken(1000), "nothing is under way");
        near.write_all(&[b'x'; 1000]).await.expect("taken");
        assert!(has_taken(1000), "one's own is under way");
        read(&mut far, 1000).await;
        assert!(has_taken(1000), "it was one's own");
        near.write_all(&[b'y'; 1000]).await.expect("taken");
        assert!(!has_taken(1000), "it is others'");
    }

    #[tokio::test]
    async fn what_is_written_to_a_unix_socket_was_not_taken_out_of_it() {
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
    async fn the_last_look_is_at_the_end_of_the_time() {
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
        // A new wait has looks of its own.
        let later = since + 2 * SECOND;
        assert_eq!(probe.due(later, SECOND), later + SECOND / PROBES);
    }

    #[tokio::test]
    async fn a_server_that_has_answered_and_closed_is_heard_out() {
        for to_server in [true, false] {
            let (near, mut far) = UnixStream::pair().expect("a pair");
            far.write_all(b"an answer").await.expect("taken");
            drop(far);
            let near = Stream::Unix(near.into());
            let mut near = match to_server {
                true => TrackedSocket::to_server(near),
                false => TrackedSocket::new(near),
            };
            let tracker = near.tracker();
            let written = near.write_all(&[b'x'; 1000]).await;
            assert_eq!(
                (written.is_ok(), tracker.is_write_closed()),
                (to_server, to_server)
            );
            assert_eq!(tracker.written(), 0);
            near.flush().await.expect("there is nothing to flush");
            let mut heard = String::new();
            let read = near.read_to_string(&mut heard).await;
            assert_eq!((read.expect("an end"), &*heard), (9, "an answer"));
        }
    }

    #[tokio::test]
    async fn the_connection_ends_with_its_owner() {
        let (near, mut far) = pair();
        let tracker = near.tracker();
        drop(near);
        assert_eq!(far.read(&mut [0]).await.expect("an end"), 0);
        assert_eq!(tracker.progress(), None);
    }
}
