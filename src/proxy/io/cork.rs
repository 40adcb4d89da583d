//! Corks an HTTP/2 connection, so that large frames are sent together.
//!
//! h2 writes and flushes each large frame by itself: 100 kB are seven calls, and the peer is woken
//! seven times. Here a large frame waits for the next one, and is sent when none follows: h2
//! flushes once more when it has nothing else to write.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::base::turn::{self, PieceCounter, PieceKind};
use crate::net::Stream;

use super::tracked_socket::TrackedSocket;

/// A write that ends in a piece of this size ends in a full frame, whose beginning is in another
/// buffer of h2: mostly a part of something larger.
const LARGE_BYTES: usize = (16 << 10) - 256;

/// Octets of a client's preface, before its first frame (RFC 9113 §3.4).
const PREFACE_BYTES: usize = 24;

/// Frames that are smaller on average cost more by their number than by their bytes.
const SMALL_BYTES: usize = 256;

/// How much is read at a time of such frames: some hundred of the smallest.
const FEW_BYTES: usize = 2 << 10;

/// A connection that holds a large frame back for the next one.
pub struct CorkedStream {
    stream: TrackedSocket,
    stage: Stage,
    end: End,
    /// Counts the frames that are read.
    frames: PieceCounter,
    /// Whether the frames of the last read were small.
    are_small: bool,
}

/// When h2 gets the connection's end. It then fails all its streams, also those whose answer came
/// just before, if part of the request was still to be sent.
enum End {
    /// At once.
    AtOnce,
    /// Not in a turn of the connection's task in which bytes came before it: their streams take
    /// them first.
    OneTurnLater {
        /// Whether bytes have come in this turn.
        has_read: bool,
        /// The error that the connection ended with, if it has.
        error: Option<io::Error>,
    },
}

/// The state of the written bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// All were sent, or will be when the peer takes them.
    Gone,
    /// The last write was large.
    Written,
    /// And it was flushed.
    Flushed,
}

impl CorkedStream {
    /// For a connection with frames to a client.
    pub fn new(stream: Stream) -> Self {
        Self::over(TrackedSocket::new(stream), End::AtOnce, PREFACE_BYTES)
    }

    /// For a connection to a server, as [`TrackedSocket::to_server`].
    pub fn to_server(stream: Stream) -> Self {
        let end = End::OneTurnLater {
            has_read: false,
            error: None,
        };
        Self::over(TrackedSocket::to_server(stream), end, 0)
    }

    /// The peer's frames begin after `preface` bytes.
    fn over(stream: TrackedSocket, end: End, preface: usize) -> Self {
        Self {
            stream,
            stage: Stage::Gone,
            end,
            frames: PieceCounter::after(preface, PieceKind::Frames),
            are_small: false,
        }
    }

    /// Whether the last flush was held back: the written bytes wait for more.
    pub fn is_waiting(&self) -> bool {
        self.stage == Stage::Flushed
    }

    /// Reads, and counts the work that h2 does with it in this turn: it reads on while there are
    /// bytes, and handles each frame on its own.
    fn poll_read_counted(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if self.are_small {
            // Bytes that are read at once are handled in the same turn.
            let mut room = [0; FEW_BYTES];
            let length = buf.remaining().min(FEW_BYTES);
            let mut few = ReadBuf::new(&mut room[..length]);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut few))?;
            buf.put_slice(few.filled());
        } else {
            ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        }
        let read = &buf.filled()[before..];
        let frames = self.frames.count(read);
        self.are_small = frames > read.len() / SMALL_BYTES;
        turn::spend(cx, frames);
        Poll::Ready(Ok(()))
    }

    /// The connection below.
    pub fn get_ref(&self) -> &TrackedSocket {
        &self.stream
    }
}

impl AsyncRead for CorkedStream {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let End::OneTurnLater { error, .. } = &mut this.end
            && let Some(error) = error.take()
        {
            return Poll::Ready(Err(error));
        }
        let before = buf.filled().len();
        let read = this.poll_read_counted(cx, buf);
        let End::OneTurnLater { has_read, error } = &mut this.end else {
            return read;
        };
        match read {
            Poll::Ready(Ok(())) if buf.filled().len() > before => *has_read = true,
            Poll::Ready(ended) if *has_read => {
                *has_read = false;
                *error = ended.err();
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Pending => *has_read = false,
            Poll::Ready(_) => {}
        }
        read
    }
}

impl AsyncWrite for CorkedStream {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stage = Stage::Gone;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // A peer that takes no more must get the held bytes: they are more than its window.
        self.stage = Stage::Gone;
        if bufs.last().is_none_or(|last| last.len() < LARGE_BYTES) {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        }
        let written = self.stream.poll_write_more(cx, bufs);
        if matches!(written, Poll::Ready(Ok(_))) {
            self.stage = Stage::Written;
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.stage {
            Stage::Gone => {}
            Stage::Written => {
                self.stage = Stage::Flushed;
                return Poll::Ready(Ok(()));
            }
            Stage::Flushed => {
                self.stage = Stage::Gone;
                self.stream.push();
            }
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The end is sent, and everything before it.
        self.stage = Stage::Gone;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::Ordering::Relaxed;

    use bytes::Bytes;
    use h2::server::SendResponse;
    use h2::{client, server};
    use http::{Request, Response};
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    use super::*;
    use crate::base::clock::{self, Duration};
    use crate::base::tasks;

    /// Written bytes go nowhere until a flush, as under TLS.
    struct Lazy {
        inner: DuplexStream,
        waiting: Vec<u8>,
        flushes: Arc<AtomicU32>,
    }

    impl AsyncRead for Lazy {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.inner).poll_read(cx, buf)
        }
    }

    impl AsyncWrite for Lazy {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.waiting.extend_from_slice(buf);
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            bufs.iter()
                .for_each(|buf| self.waiting.extend_from_slice(buf));
            Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()))
        }

        fn is_write_vectored(&self) -> bool {
            true
        }

        fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            let this = self.get_mut();
            if !this.waiting.is_empty() {
                this.flushes.fetch_add(1, Relaxed);
            }
            while !this.waiting.is_empty() {
                let sent =
                    std::task::ready!(Pin::new(&mut this.inner).poll_write(cx, &this.waiting))?;
                this.waiting.drain(..sent);
            }
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.inner).poll_shutdown(cx)
        }
    }

    /// How much of an unfinished body of `length` bytes reaches the client, and in how many pieces.
    async fn arriving(length: usize) -> (usize, u32) {
        let (near, far) = duplex(1 << 20);
        let flushes = Arc::<AtomicU32>::default();
        let lazy = Lazy {
            inner: near,
            waiting: Vec::new(),
            flushes: Arc::clone(&flushes),
        };
        let stream = CorkedStream::new(Stream::Other(Box::new(lazy)));
        let before = Arc::clone(&flushes);
        tasks::spawn_local(async move {
            let mut connection = server::handshake(stream).await.expect("a handshake");
            while let Some(Ok((request, respond))) = connection.accept().await {
                before.store(0, Relaxed);
                let length = if request.uri().path() == "/" {
                    length
                } else {
                    0
                };
                tasks::spawn_local(answer(respond, length));
            }
        });
        let (sender, connection) = client::Builder::new()
            .initial_window_size(1 << 20)
            .initial_connection_window_size(1 << 20)
            .handshake::<_, Bytes>(far)
            .await
            .expect("a handshake");
        tasks::spawn_local(connection);
        let mut sender = sender.ready().await.expect("it is ready");
        let mut ask = |target: &str| {
            let request = Request::get(target).body(()).expect("a request");
            let (response, _) = sender.send_request(request, true).expect("a stream");
            response
        };
        // So that nothing but the second answer is sent: any other frame would release the held
        // bytes.
        let first = ask("/first").await.expect("an answer");
        assert!(first.into_body().is_end_stream());
        let mut body = ask("/").await.expect("an answer").into_body();
        let mut arrived = 0;
        while arrived < length {
            arrived += body.data().await.expect("a piece").expect("no error").len();
        }
        (arrived, flushes.load(Relaxed))
    }

    /// The head, and so many bytes of a body without end; with 0 bytes, the head is the end.
    async fn answer(mut respond: SendResponse<Bytes>, length: usize) {
        let sent = respond.send_response(Response::new(()), length == 0);
        let mut body = sent.expect("a head");
        if length > 0 {
            let piece = Bytes::from(vec![b'x'; length]);
            body.send_data(piece, false).expect("a body");
            clock::sleep(Duration::MAX).await;
        }
    }

    /// How much is read in one turn of a task when more is available, of frames with so much
    /// payload.
    async fn read_in_a_turn(payload: usize) -> usize {
        let (near, mut far) = duplex(1 << 20);
        let [_, length @ ..] = (payload as u32).to_be_bytes();
        let frame = [&length[..], &[0; 6], &vec![0; payload]].concat();
        let frames = frame.repeat((1 << 20) / frame.len());
        far.write_all(&frames).await.expect("there is room");
        let mut stream = CorkedStream::to_server(Stream::Other(Box::new(near)));
        let mut room = vec![0; 16 << 10];
        let turn = poll_fn(move |cx| {
            let mut read = 0;
            loop {
                let mut buf = ReadBuf::new(&mut room);
                match Pin::new(&mut stream).poll_read(cx, &mut buf) {
                    Poll::Ready(Ok(())) => read += buf.filled().len(),
                    _ => return Poll::Ready(read),
                }
            }
        });
        let read = tasks::spawn_local(turn).await.expect("no panic");
        drop(far);
        read
    }

    #[test]
    fn a_turn_ends_after_a_few_small_frames_and_not_before_many_large_ones() {
        let runtime = tasks::local_runtime().expect("a runtime");
        runtime.block_on(async {
            // One read, before the size of the frames is known.
            let empty = read_in_a_turn(0).await;
            assert!(empty <= 16 << 10, "{empty}");
            let tiny = read_in_a_turn(100).await;
            assert!(tiny <= 32 << 10, "{tiny}");
            let large = read_in_a_turn(16 << 10).await;
            assert!(large >= 512 << 10, "{large}");
        });
    }

    #[test]
    fn large_frames_leave_together_and_the_last_does_not_wait_for_another() {
        let runtime = tasks::local_runtime().expect("a runtime");
        for (length, goes) in [(16 << 10, 1), (64 << 10, 1), (100_000, 1), (100, 1)] {
            let arrived = clock::within(Duration::from_secs(20), arriving(length));
            let arrived = runtime.block_on(arrived).expect("it arrives");
            assert_eq!(arrived, (length, goes));
        }
    }
}
