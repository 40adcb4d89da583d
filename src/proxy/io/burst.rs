//! A connection of HTTP/2 whose large frames leave together.
//!
//! h2 writes and flushes each large frame by itself: 100 kB are seven calls, and seven times the peer
//! is woken. Here a large frame waits for what follows it, and goes when nothing does: when h2 flushes
//! again and has written nothing since. It does so whenever its connection is polled; whoever polls
//! one does it once more while something waits ([`Held::is_waiting`]).

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::Stream;

use super::gauge::GaugedStream;

/// What ends in a piece of this size is a part of something larger, more often than not.
const LARGE_BYTES: usize = 8 << 10;

/// A connection that holds a large frame back for the next.
pub struct BurstStream {
    stream: GaugedStream,
    held: Held,
}

/// Whether a connection holds something back.
#[derive(Clone, Debug, Default)]
pub struct Held(Rc<Cell<Stage>>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// All that was written has been let go, or goes by itself when the peer takes it.
    #[default]
    Gone,
    /// The last that was written was large.
    Written,
    /// And it was flushed.
    Flushed,
}

impl BurstStream {
    /// Of a connection that is to carry frames.
    pub fn new(stream: Stream) -> Self {
        Self {
            stream: GaugedStream::new(stream),
            held: Held::default(),
        }
    }

    /// The connection below.
    pub fn get_ref(&self) -> &GaugedStream {
        &self.stream
    }

    /// To be asked after each poll of h2's connection.
    pub fn held(&self) -> Held {
        self.held.clone()
    }
}

impl Held {
    /// Whether h2's connection is to be polled once more.
    pub fn is_waiting(&self) -> bool {
        self.0.get() != Stage::Gone
    }
}

impl AsyncRead for BurstStream {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for BurstStream {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.held.0.set(Stage::Gone);
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // A peer that takes no more gets what waits: it is more than its window.
        self.held.0.set(Stage::Gone);
        if bufs.last().is_none_or(|last| last.len() < LARGE_BYTES) {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        }
        let written = self.stream.poll_write_more(cx, bufs);
        if matches!(written, Poll::Ready(Ok(_))) {
            self.held.0.set(Stage::Written);
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.held.0.get() {
            Stage::Gone => {}
            Stage::Written => {
                self.held.0.set(Stage::Flushed);
                return Poll::Ready(Ok(()));
            }
            Stage::Flushed => {
                self.held.0.set(Stage::Gone);
                self.stream.push();
            }
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The end goes out, and all before it.
        self.held.0.set(Stage::Gone);
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
    use h2::{client, server};
    use http::{Request, Response};
    use tokio::io::{DuplexStream, duplex};

    use super::*;
    use crate::base::clock::{self, Duration};
    use crate::base::tasks;

    /// What is written gets nowhere until it is flushed, as under TLS.
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

    /// What of a body of `length` bytes, that does not end, reaches the client; and in how many goes.
    async fn arriving(length: usize) -> (usize, u32) {
        let (near, far) = duplex(1 << 20);
        let flushes = Arc::<AtomicU32>::default();
        let lazy = Lazy {
            inner: near,
            waiting: Vec::new(),
            flushes: Arc::clone(&flushes),
        };
        let stream = BurstStream::new(Stream::Other(Box::new(lazy)));
        let held = stream.held();
        let before = Arc::clone(&flushes);
        tasks::spawn_local(async move {
            let mut connection = server::handshake(stream).await.expect("a handshake");
            let mut open = None;
            poll_fn(|cx| {
                loop {
                    match connection.poll_accept(cx) {
                        Poll::Ready(Some(Ok((_, mut respond)))) => {
                            let response = Response::new(());
                            let mut body = respond.send_response(response, false).expect("a head");
                            let piece = Bytes::from(vec![b'x'; length]);
                            body.send_data(piece, false).expect("a body");
                            open = Some(body);
                            before.store(0, Relaxed);
                        }
                        Poll::Ready(_) => return Poll::Ready(()),
                        Poll::Pending if held.is_waiting() => {}
                        Poll::Pending => return Poll::Pending,
                    }
                }
            })
            .await;
            drop(open);
        });
        let (sender, connection) = client::Builder::new()
            .initial_window_size(1 << 20)
            .initial_connection_window_size(1 << 20)
            .handshake::<_, Bytes>(far)
            .await
            .expect("a handshake");
        tasks::spawn_local(connection);
        let mut sender = sender.ready().await.expect("it is ready");
        let (response, _) = sender
            .send_request(Request::new(()), true)
            .expect("a stream");
        let mut body = response.await.expect("an answer").into_body();
        let mut arrived = 0;
        while arrived < length {
            arrived += body.data().await.expect("a piece").expect("no error").len();
        }
        (arrived, flushes.load(Relaxed))
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
