//! A server's body on its way to the client, compressed.
//!
//! What is compressed goes out when a piece is full, and whenever the server has no more for now: a
//! client waits for no byte that the server has sent, so event streams work. If the server's body ends
//! early, this one does too: the client gets what came before, and then no end.
//!
//! The exchange ends with the last compressed byte, not with the last one of the server.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};

use crate::base::turn;
use crate::exchange::Reason;
use crate::proxy::forward::{BodyError, ServerBody};
use crate::proxy::io::Exchange;

use super::encoder::{Encoder, Written};
use super::remove_digests;

/// The longest piece for the client.
const PIECE_BYTES: usize = 16 << 10;

/// How much is compressed before other tasks may run, and the steps of a turn that it takes: a
/// turn compresses 64 KiB.
const SLICE_BYTES: usize = 16 << 10;
const STEPS: usize = 32;

/// A body that is compressed as it passes.
pub(in crate::proxy::http) struct CompressedBody {
    body: ServerBody,
    exchange: Rc<Exchange>,
    encoder: Encoder,
    stage: Stage,
    /// Bytes of the server that are not compressed yet.
    input: Bytes,
    /// Compressed bytes: the first `filled` of them.
    output: Box<[u8; PIECE_BYTES]>,
    filled: usize,
    trailers: Option<HeaderMap>,
    /// The server's body ended early: so does this one, once the client has what came before.
    broken: Option<BodyError>,
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// More of the server, and all of it before this is with the client.
    Flushed,
    /// More of the server; some of it before this may be in the encoder.
    Unflushed,
    /// The server has no more, for now or at all: what is in the encoder goes out.
    Flushing,
    /// The end of the compressed bytes.
    Finishing,
    /// The trailers, if there are any.
    Trailers,
    Over,
}

impl CompressedBody {
    /// `body` of `exchange`, compressed by `encoder`.
    pub(in crate::proxy::http) fn new(
        mut body: ServerBody,
        exchange: Rc<Exchange>,
        encoder: Encoder,
    ) -> Self {
        body.is_part_of_another();
        Self {
            body,
            exchange,
            encoder,
            stage: Stage::Flushed,
            input: Bytes::new(),
            output: Box::new([0; PIECE_BYTES]),
            filled: 0,
            trailers: None,
            broken: None,
        }
    }

    /// Whether an HTTP/1 connection to a server is occupied by it.
    pub(in crate::proxy::http) fn holds_connection(&self) -> bool {
        self.body.holds_connection()
    }

    /// The compressed bytes that are there.
    fn piece(&mut self) -> Frame<Bytes> {
        let piece = Bytes::copy_from_slice(&self.output[..self.filled]);
        self.filled = 0;
        let bytes = &self.exchange.record.body_bytes_out;
        bytes.set(bytes.get() + piece.len() as u64);
        Frame::data(piece)
    }

    fn end(&mut self) {
        self.stage = Stage::Over;
        self.exchange.end();
    }

    fn compress(&mut self) -> io::Result<()> {
        let slice = &self.input[..self.input.len().min(SLICE_BYTES)];
        let (taken, written) = self
            .encoder
            .encode(slice, &mut self.output[self.filled..])?;
        if taken == 0 && written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let _ = self.input.split_to(taken);
        let record = &self.exchange.record;
        let bytes = record.body_bytes_compressed.get() + taken as u64;
        record.body_bytes_compressed.set(bytes);
        self.filled += written;
        self.stage = Stage::Unflushed;
        Ok(())
    }

    /// Does the next step; `Ready`: what the client gets, or `None` if there is another step.
    fn step(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, BodyError>> {
        let broken = |_: io::Error| BodyError(Reason::ProxyPanic);
        match self.stage {
            Stage::Flushed | Stage::Unflushed if !self.input.is_empty() => {
                turn::spend(cx, STEPS);
                self.compress().map_err(broken)?;
            }
            Stage::Flushed if self.broken.is_some() => {
                return Poll::Ready(self.broken.take().map_or(Ok(None), Err));
            }
            Stage::Flushed | Stage::Unflushed => match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending if self.stage == Stage::Flushed => return Poll::Pending,
                Poll::Pending => self.stage = Stage::Flushing,
                Poll::Ready(None) => self.stage = Stage::Finishing,
                Poll::Ready(Some(Err(error))) => {
                    self.broken = Some(error);
                    self.stage = Stage::Flushing;
                }
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.input = data,
                    Err(frame) => {
                        self.trailers = frame.into_trailers().ok();
                        self.stage = Stage::Finishing;
                    }
                },
            },
            Stage::Flushing => {
                let room = &mut self.output[self.filled..];
                let (flushed, written) = self.encoder.flush(room).map_err(broken)?;
                self.filled += written;
                if flushed == Written::All {
                    self.stage = Stage::Flushed;
                    if self.filled > 0 {
                        return Poll::Ready(Ok(Some(self.piece())));
                    }
                }
            }
            Stage::Finishing => {
                let room = &mut self.output[self.filled..];
                let (finished, written) = self.encoder.finish(room).map_err(broken)?;
                self.filled += written;
                if finished == Written::All {
                    self.stage = Stage::Trailers;
                    if self.filled > 0 {
                        return Poll::Ready(Ok(Some(self.piece())));
                    }
                }
            }
            Stage::Trailers | Stage::Over => {
                let mut trailers = self.trailers.take();
                self.end();
                trailers.iter_mut().for_each(remove_digests);
                return Poll::Ready(Ok(trailers.map(Frame::trailers)));
            }
        }
        if self.filled == PIECE_BYTES {
            return Poll::Ready(Ok(Some(self.piece())));
        }
        Poll::Ready(Ok(None))
    }
}

impl Body for CompressedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        while this.stage != Stage::Over {
            if !turn::may_go_on(cx) {
                return Poll::Pending;
            }
            match this.step(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(None)) => {}
                Poll::Ready(Ok(Some(frame))) => return Poll::Ready(Some(Ok(frame))),
                Poll::Ready(Err(error)) => {
                    this.exchange.cut(error.0);
                    this.stage = Stage::Over;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.stage == Stage::Over
    }
}

impl Drop for CompressedBody {
    fn drop(&mut self) {
        if self.stage == Stage::Trailers && self.trailers.is_none() {
            self.end();
        } else if self.stage != Stage::Over {
            self.exchange.cut(Reason::ClientLeft);
        }
    }
}
