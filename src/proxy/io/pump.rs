//! Sends a body on an HTTP/2 stream.
//!
//! It takes a piece from the body only when the last one has been handed on, and sends no more than
//! the peer has room for. Room is reserved when there is something to send, and little at a time:
//! the reserved room of a stream is taken from all other streams of its connection.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::SendStream;
use http_body::Body;

use crate::wire::trailers::presentable;

use super::tracked_socket::SocketTracker;

/// The room that is reserved at a time: one frame of the size that every peer accepts.
const ROOM_BYTES: usize = 16 << 10;

/// Sends `body` on a stream whose head has been sent without END_STREAM.
pub struct Pump<B> {
    body: B,
    stream: SendStream<Bytes>,
    /// The connection that carries the stream.
    outlet: Option<SocketTracker>,
    /// Whether the body was polled and had nothing yet: then it is waited for, and its next piece
    /// is taken.
    is_asked: bool,
    /// Taken from the body and not yet sent.
    piece: Bytes,
    /// The room that the peer has made in all.
    sent: u64,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The body is polled for pieces.
    Asking,
    /// There is a piece, and another may follow.
    Sending,
    /// There is a piece, and it is the last.
    SendingLast,
    Over,
}

/// Why not all of a body was sent.
#[derive(Debug)]
pub enum Stopped<E> {
    /// The body failed. The stream is still open: the caller resets it, with a code of its choice.
    Body(E),
    /// The peer has reset the stream; with `NO_ERROR` it needs no more.
    Reset(h2::Reason),
    /// The connection has ended.
    Connection(h2::Error),
}

impl<B: Body<Data = Bytes> + Unpin> Pump<B> {
    /// `body` is not polled before the first poll.
    pub fn new(body: B, stream: SendStream<Bytes>) -> Self {
        Self {
            body,
            stream,
            outlet: None,
            is_asked: false,
            piece: Bytes::new(),
            sent: 0,
            stage: Stage::Asking,
        }
    }

    /// For a stream that ended with its head: nothing to do.
    pub fn over(body: B, stream: SendStream<Bytes>) -> Self {
        Self {
            stage: Stage::Over,
            ..Self::new(body, stream)
        }
    }

    /// Takes no more from the body while the connection below takes nothing, as `outlet` reports:
    /// it would only be held here.
    #[must_use]
    pub fn through(mut self, outlet: SocketTracker) -> Self {
        self.outlet = Some(outlet);
        self
    }

    /// Whether nothing is left to do.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Moves what can be moved; ready when the end of the body has been handed to the connection.
    ///
    /// # Errors
    ///
    /// [`Stopped`]; it must not be polled again.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stopped<B::Error>>> {
        loop {
            let moved = match self.stage {
                Stage::Asking => self.poll_body(cx),
                Stage::Sending | Stage::SendingLast => self.poll_send(cx),
                Stage::Over => return Poll::Ready(Ok(())),
            };
            match moved {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(stopped)) => {
                    self.stage = Stage::Over;
                    return Poll::Ready(Err(stopped));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Resets the stream: the rest does not come.
    pub fn reset(&mut self, reason: h2::Reason) {
        self.stage = Stage::Over;
        self.stream.send_reset(reason);
    }

    /// Whether the peer makes no room for the waiting bytes.
    pub fn is_waiting_for_room(&self) -> bool {
        !self.piece.is_empty()
    }

    /// The room that the peer has made: while it grows, the stream is not stalled.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Bytes that were taken from the body and not handed to the connection.
    pub fn unsent(&self) -> u64 {
        self.piece.len() as u64
    }

    /// The body.
    pub fn body(&self) -> &B {
        &self.body
    }

    /// The same, to change it.
    pub fn body_mut(&mut self) -> &mut B {
        &mut self.body
    }

    /// The rest of the body.
    pub fn into_body(self) -> B {
        self.body
    }

    /// The stream, on which no byte of a body was sent.
    pub fn into_stream(self) -> SendStream<Bytes> {
        self.stream
    }

    /// Polls the body for its next piece.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stopped<B::Error>>> {
        // When the stream is reset, the body is not polled any more.
        if let Poll::Ready(reset) = self.stream.poll_reset(cx) {
            return Poll::Ready(Err(stopped_by(reset)));
        }
        if !self.is_asked
            && let Some(outlet) = &self.outlet
            && outlet.poll_room(cx).is_pending()
        {
            return Poll::Pending;
        }
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.is_asked = polled.is_pending();
        let Poll::Ready(next) = polled else {
            return Poll::Pending;
        };
        let frame = match next {
            None => {
                self.stage = Stage::SendingLast;
                return Poll::Ready(Ok(()));
            }
            Some(Err(error)) => return Poll::Ready(Err(Stopped::Body(error))),
            Some(Ok(frame)) => frame,
        };
        match frame.into_data() {
            Ok(piece) => {
                let is_last = self.body.is_end_stream();
                if is_last {
                    self.stage = Stage::SendingLast;
                } else if !piece.is_empty() {
                    self.stage = Stage::Sending;
                }
                self.piece = piece;
                Poll::Ready(Ok(()))
            }
            Err(frame) => {
                let Ok(trailers) = frame.into_trailers() else {
                    // A frame of a kind that does not exist yet.
                    return Poll::Ready(Ok(()));
                };
                self.stage = Stage::Over;
                // h2 would refuse some of these fields, and the whole body with them.
                let sent = self.stream.send_trailers(presentable(trailers));
                Poll::Ready(sent.map_err(Stopped::Connection))
            }
        }
    }

    /// Sends as much of the piece as there is room for.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stopped<B::Error>>> {
        let room = if self.piece.is_empty() {
            0
        } else {
            match self.poll_room(cx) {
                Poll::Ready(Ok(room)) => room,
                Poll::Ready(Err(stopped)) => return Poll::Ready(Err(stopped)),
                Poll::Pending => return Poll::Pending,
            }
        };
        let part = self.piece.split_to(room.min(self.piece.len()));
        self.sent += part.len() as u64;
        let is_sent = self.piece.is_empty();
        let ends = is_sent && self.stage == Stage::SendingLast;
        if is_sent {
            self.piece = Bytes::new();
            self.stage = if ends { Stage::Over } else { Stage::Asking };
        }
        let sent = self.stream.send_data(part, ends);
        Poll::Ready(sent.map_err(Stopped::Connection))
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Stopped<B::Error>>> {
        self.stream
            .reserve_capacity(self.piece.len().min(ROOM_BYTES));
        let room = self.stream.capacity();
        if room > 0 {
            return Poll::Ready(Ok(room));
        }
        match self.stream.poll_capacity(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(room))) => Poll::Ready(Ok(room)),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Err(Stopped::Connection(error))),
            Poll::Ready(None) => match self.stream.poll_reset(cx) {
                Poll::Ready(reset) => Poll::Ready(Err(stopped_by(reset))),
                // h2 gives no more room and reports no reset: the stream has been closed here.
                Poll::Pending => Poll::Ready(Err(Stopped::Reset(h2::Reason::STREAM_CLOSED))),
            },
        }
    }
}

fn stopped_by<E>(reset: Result<h2::Reason, h2::Error>) -> Stopped<E> {
    match reset {
        Ok(reason) => Stopped::Reset(reason),
        Err(error) => Stopped::Connection(error),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::future::poll_fn;

    use h2::{Reason, RecvStream, client, server};
    use http::{HeaderMap, HeaderValue, Request};
    use http_body::{Frame, SizeHint};
    use http_body_util::BodyExt;
    use tokio::io::duplex;

    use super::*;
    use crate::base::clock::{self, Duration};
    use crate::base::tasks;
    use crate::proxy::io::StreamBody;

    /// The default window of a stream.
    const WINDOW: usize = 65_535;

    /// Frames that come at once, and then the end, or none.
    struct Script {
        frames: VecDeque<Result<Frame<Bytes>, Infallible>>,
        then: Then,
        taken: usize,
    }

    #[derive(PartialEq, Eq)]
    enum Then {
        End,
        Wait,
    }

    impl Body for Script {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let frame = self.frames.pop_front();
            self.taken += usize::from(frame.is_some());
            if frame.is_none() && self.then == Then::Wait {
                return Poll::Pending;
            }
            Poll::Ready(frame)
        }

        fn is_end_stream(&self) -> bool {
            self.frames.is_empty() && self.then == Then::End
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::default()
        }
    }

    fn script(frames: impl IntoIterator<Item = Frame<Bytes>>, then: Then) -> Script {
        Script {
            frames: frames.into_iter().map(Ok).collect(),
            then,
            taken: 0,
        }
    }

    fn data(length: usize) -> Frame<Bytes> {
        Frame::data(vec![b'x'; length].into())
    }

    pub(in super::super) fn case(case: impl Future<Output = ()>) {
        let runtime = tasks::local_runtime().expect("a runtime");
        let in_time = clock::within(Duration::from_secs(20), case);
        runtime.block_on(in_time).expect("it ends");
    }

    /// A stream that is open both ways: our sending side, and the peer's side.
    pub(in super::super) async fn stream() -> (
        SendStream<Bytes>,
        RecvStream,
        server::SendResponse<Bytes>,
        client::ResponseFuture,
    ) {
        let (here, there) = duplex(1 << 20);
        let peer = tasks::spawn_local(server::handshake(there));
        let (mut sender, connection) = client::handshake(here).await.expect("a handshake");
        tasks::spawn_local(connection);
        let (response, sending) = sender
            .send_request(Request::new(()), false)
            .expect("a stream");
        let mut peer = peer.await.expect("no panic").expect("a handshake");
        let (request, respond) = peer.accept().await.expect("a request").expect("no error");
        tasks::spawn_local(async move { while peer.accept().await.is_some() {} });
        (sending, request.into_body(), respond, response)
    }

    async fn run<B: Body<Data = Bytes> + Unpin>(
        pump: &mut Pump<B>,
    ) -> Result<(), Stopped<B::Error>> {
        poll_fn(|cx| pump.poll(cx)).await
    }

    #[test]
    fn the_last_piece_carries_the_end() {
        case(async {
            let (sending, mut received, _respond, _response) = stream().await;
            let mut pump = Pump::new(script([data(3), data(0), data(4)], Then::End), sending);
            run(&mut pump).await.expect("sent");
            assert_eq!(received.data().await.expect("data").expect("ok").len(), 3);
            assert_eq!(received.data().await.expect("data").expect("ok").len(), 4);
            // Without a poll for more.
            assert!(received.is_end_stream());
        });
    }

    #[test]
    fn an_end_that_was_not_announced_is_sent_by_itself() {
        case(async {
            let (sending, mut received, _respond, _response) = stream().await;
            let mut pump = Pump::new(script([], Then::End), sending);
            run(&mut pump).await.expect("sent");
            assert_eq!(received.data().await.expect("data").expect("ok").len(), 0);
            assert!(received.is_end_stream());
        });
    }

    #[test]
    fn trailers_end_it_without_fields_that_they_must_not_have() {
        case(async {
            let (sending, received, _respond, _response) = stream().await;
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            for name in ["connection", "content-length", "host", "content_type"] {
                trailers.insert(name, HeaderValue::from_static("x"));
            }
            let frames = [data(3), Frame::trailers(trailers)];
            let mut pump = Pump::new(script(frames, Then::End), sending);
            run(&mut pump).await.expect("sent");
            let body = StreamBody::new(received, &HeaderMap::new());
            let whole = body.collect().await.expect("a body");
            let trailers = whole.trailers().expect("trailers");
            assert_eq!(trailers.len(), 1);
            assert_eq!(trailers["grpc-status"], "0");
        });
    }

    #[test]
    fn no_more_is_taken_from_the_body_than_the_peer_has_room_for() {
        case(async {
            let (sending, received, _respond, _response) = stream().await;
            let pieces = 100;
            let frames = (0..pieces).map(|_| data(10_000));
            let mut pump = Pump::new(script(frames, Then::End), sending);
            let mut body = StreamBody::new(received, &HeaderMap::new());
            // The peer does not read: its window, and the piece that waits.
            let mut polls = 0;
            poll_fn(|cx| {
                polls += 1;
                assert!(pump.poll(cx).is_pending());
                if polls == 50 {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
            assert_eq!(pump.body_mut().taken, WINDOW / 10_000 + 1);
            // It reads, and everything comes.
            let mut read = 0;
            let reading = async {
                while let Some(frame) = body.frame().await {
                    read += frame.expect("no error").data_ref().map_or(0, Bytes::len);
                }
            };
            let (sent, ()) = tokio::join!(run(&mut pump), reading);
            sent.expect("sent");
            assert_eq!(read, pieces * 10_000);
        });
    }

    #[test]
    fn a_piece_makes_no_room_before_the_next_poll() {
        case(async {
            let (sending, received, _respond, _response) = stream().await;
            let mut pump = Pump::new(script([data(10_000)], Then::Wait), sending);
            let mut body = StreamBody::new(received, &HeaderMap::new());
            poll_fn(|cx| {
                assert!(pump.poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            let frame = body.frame().await.expect("a frame").expect("no error");
            assert_eq!(frame.data_ref().map(Bytes::len), Some(10_000));
            assert_eq!(body.used(), 10_000);
            poll_fn(|cx| {
                assert!(Pin::new(&mut body).poll_frame(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            assert_eq!(body.used(), 0);
        });
    }

    #[test]
    fn a_reset_is_noticed_while_the_body_is_waited_for() {
        case(async {
            let (sending, _received, mut respond, _response) = stream().await;
            let mut pump = Pump::new(script([data(3)], Then::Wait), sending);
            respond.send_reset(Reason::NO_ERROR);
            match run(&mut pump).await {
                Err(Stopped::Reset(reason)) => assert_eq!(reason, Reason::NO_ERROR),
                other => unreachable!("{other:?}"),
            }
        });
    }

    #[test]
    fn a_reset_is_noticed_while_there_is_no_room() {
        case(async {
            let (sending, _received, mut respond, _response) = stream().await;
            let mut pump = Pump::new(script([data(2 * WINDOW)], Then::End), sending);
            poll_fn(|cx| {
                assert!(pump.poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            respond.send_reset(Reason::REFUSED_STREAM);
            match run(&mut pump).await {
                Err(Stopped::Reset(reason)) => assert_eq!(reason, Reason::REFUSED_STREAM),
                other => unreachable!("{other:?}"),
            }
        });
    }

    #[test]
    fn the_peer_gets_the_reason_of_a_cut() {
        case(async {
            let (sending, mut received, _respond, _response) = stream().await;
            let mut pump = Pump::new(script([data(3)], Then::Wait), sending);
            poll_fn(|cx| {
                assert!(pump.poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            assert_eq!(received.data().await.expect("data").expect("ok").len(), 3);
            pump.reset(Reason::CANCEL);
            let error = received.data().await.expect("an end").expect_err("a reset");
            assert_eq!(error.reason(), Some(Reason::CANCEL));
        });
    }
}
