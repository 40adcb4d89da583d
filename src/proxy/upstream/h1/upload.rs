//! Writes a request to the server: its head, and its body piece by piece.
//!
//! The next piece is polled only when the last one has been written, and only written bytes are
//! returned to the window of an HTTP/2 client. Otherwise the client could send more while earlier
//! pieces still wait here, and memory would grow.
//!
//! A server may answer before it has the whole request, and throw away what comes next on the
//! connection, up to a length of its own. So the connection must not be used again, and an early
//! answer must be told from one that came after the last byte, see [`Upload::holds_last_bytes`].

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::HeaderValue;
use http::request::Parts;
use http_body::Body;
use tokio::io::AsyncWrite;

use crate::base::turn;
use crate::exchange::Reason;
use crate::proxy::io::{BodyFault, RequestBody, TrackedSocket};
use crate::wire::h1::request::write_head;
use crate::wire::h1::{BodyFraming, NameCase, chunks};
use crate::wire::trailers::presentable;

/// Pieces up to this size are copied into the output buffer.
const SMALL_BYTES: usize = 1 << 10;

/// The client's bytes are gathered up to this size, to be written by one system call. An upload
/// that its server does not take holds that much, and one piece more.
const GATHERED_BYTES: usize = 16 << 10;

/// And in about this many pieces.
const GATHERED_PIECES: usize = 15;

/// The largest output buffer that is kept when a request was written: an answer may be waited for and
/// read for long, and a head may be large.
const KEPT_BYTES: usize = 4 << 10;

/// The request that is being written, or was written last.
#[derive(Default)]
pub(super) struct Upload {
    /// The head, and small pieces that follow it.
    out: Vec<u8>,
    /// How many bytes of `out` have been written.
    written: usize,
    /// Pieces that are written after `out`; none of them is empty.
    pieces: VecDeque<Bytes>,
    /// `None`: nothing of it is left to write.
    body: Option<Outgoing>,
    is_flushed: bool,
    /// How many writes the socket has taken for it.
    writes: u64,
    /// Whether the last bytes have to wait if the server has sent something that was not read.
    looks_for_answer: bool,
}

/// A body of which not all has been written.
struct Outgoing {
    body: RequestBody,
    /// Bytes still to come by its length; `None`: it is sent in chunks.
    left: Option<u64>,
    /// Whether all of it has been taken from the body.
    is_taken: bool,
    /// The reason why the body ended early; the pieces before its end are written first.
    broken: Option<Reason>,
}

/// Why a request cannot be sent to its end.
pub(super) enum Stopped {
    /// The client broke off, or its body was malformed.
    Body(Reason),
    /// The connection to the server failed.
    Socket(io::Error),
}

impl Upload {
    /// Begins to write the next request; the last one is over.
    pub(super) fn begin(
        &mut self,
        head: &Parts,
        host: Option<&HeaderValue>,
        mut body: RequestBody,
        case: NameCase<'_>,
    ) {
        let is_empty = body.is_end_stream();
        let framing = match body.size_hint().exact() {
            _ if is_empty => BodyFraming::Length(0),
            Some(length) => BodyFraming::Length(length),
            None => BodyFraming::Chunked,
        };
        self.out.clear();
        self.written = 0;
        self.pieces.clear();
        self.is_flushed = false;
        self.writes = 0;
        self.looks_for_answer = true;
        write_head(head, host, framing, case, &mut self.out);
        if !is_empty {
            body.keep();
            body.hold_until_taken();
        }
        // An empty one too: with it, a request of which nothing was written can be sent again.
        self.body = Some(Outgoing {
            body,
            left: match framing {
                BodyFraming::Length(length) => Some(length),
                BodyFraming::Chunked => None,
            },
            is_taken: is_empty,
            broken: None,
        });
    }

    /// Writes what is available; ready when the whole request has been written and flushed.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut TrackedSocket,
    ) -> Poll<Result<(), Stopped>> {
        if self.is_over() {
            return Poll::Ready(Ok(()));
        }
        loop {
            let is_first = self.written == 0 && self.pieces.is_empty();
            let is_written = self.is_written();
            if is_written {
                ready!(self.poll_taken(cx, stream)).map_err(Stopped::Socket)?;
            }
            if is_first || is_written {
                self.gather(cx).map_err(Stopped::Body)?;
            }
            if self.is_written() {
                break;
            }
            if self.holds_last_bytes(cx, stream) {
                return Poll::Pending;
            }
            let written = self.poll_write(cx, stream);
            self.note_room(&written);
            ready!(written).map_err(Stopped::Socket)?;
        }
        if !self.is_flushed {
            ready!(Pin::new(&mut *stream).poll_flush(cx)).map_err(Stopped::Socket)?;
            self.is_flushed = true;
        }
        if self.is_sent() && self.out.capacity() > KEPT_BYTES {
            self.free_buffers();
        }
        match &self.body {
            Some(outgoing) if !outgoing.is_taken => Poll::Pending,
            // The server has read nothing of the bytes that the socket discarded: they may be sent
            // to another.
            _ if stream.is_write_closed() => Poll::Ready(Ok(())),
            Some(outgoing) if outgoing.body.is_kept_until_answered() => Poll::Ready(Ok(())),
            _ => {
                self.body = None;
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Whether the whole request has been written and flushed.
    pub(super) fn is_over(&self) -> bool {
        self.body.is_none() && self.is_flushed && self.is_written()
    }

    /// Whether the whole request has been written and flushed, or will never be: its body was taken back.
    pub(super) fn is_sent(&self) -> bool {
        let is_taken = self.body.as_ref().is_none_or(|outgoing| outgoing.is_taken);
        is_taken && self.is_flushed && self.is_written()
    }

    /// Whether the request was written in more than one part.
    pub(super) fn is_in_parts(&self) -> bool {
        self.writes > 1
    }

    /// Notes that the head of the answer has come.
    pub(super) fn note_answered(&mut self) {
        self.looks_for_answer = false;
    }

    /// Whether all of the body is kept until the request is answered.
    pub(super) fn is_kept(&self) -> bool {
        let body = self.body.as_ref();
        body.is_some_and(|outgoing| outgoing.body.is_kept_until_answered())
    }

    /// Whether [`Upload::rewound`] would return the body.
    pub(super) fn is_rewindable(&self) -> bool {
        let body = self.body.as_ref();
        body.is_some_and(|outgoing| outgoing.body.is_rewindable())
    }

    /// The body from its first byte; `None`: not all of it was kept.
    pub(super) fn rewound(&mut self) -> Option<RequestBody> {
        self.body.take()?.body.rewound()
    }

    /// Drops the kept part of the body, unless it is kept until the request is answered.
    pub(super) fn forget_unless_kept(&mut self) {
        if !self.is_kept() {
            self.forget_copy();
        }
    }

    /// Drops the kept part of the body: the request will not be sent again.
    #[inline]
    pub(super) fn forget(&mut self) {
        self.forget_copy();
        if self.is_sent() {
            self.body = None;
        }
    }

    #[inline]
    fn forget_copy(&mut self) {
        let is_taken = self.is_flushed && self.is_written();
        let Some(outgoing) = &mut self.body else {
            return;
        };
        outgoing.body.forget();
        // The client may wait for the window of the copy, and then nothing else would return it.
        if is_taken {
            outgoing.body.note_taken();
        }
    }

    /// Frees the output buffer, of which all has been written.
    pub(super) fn free_buffers(&mut self) {
        self.out = Vec::new();
        self.written = 0;
        self.pieces = VecDeque::new();
    }

    fn is_written(&self) -> bool {
        self.written == self.out.len() && self.pieces.is_empty()
    }

    /// All gathered bytes have been written: notes that the server took them when TLS has sent its records.
    fn poll_taken(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut TrackedSocket,
    ) -> Poll<io::Result<()>> {
        if !self.is_flushed {
            let flushed = Pin::new(stream).poll_flush(cx);
            self.note_room(&flushed);
            ready!(flushed)?;
            self.is_flushed = true;
        }
        if let Some(outgoing) = &mut self.body {
            outgoing.body.note_taken();
        }
        Poll::Ready(Ok(()))
    }

    /// Notes that the exchange waits for the server, if writing to it is pending.
    fn note_room<T>(&self, outcome: &Poll<T>) {
        if outcome.is_pending()
            && let Some(outgoing) = &self.body
        {
            outgoing.body.wait_for_room();
        }
    }

    /// Takes pieces from the body, up to [`GATHERED_BYTES`].
    fn gather(&mut self, cx: &mut Context<'_>) -> Result<(), Reason> {
        let Some(outgoing) = &mut self.body else {
            return Ok(());
        };
        if self.written == self.out.len() {
            self.out.clear();
            self.written = 0;
        }
        if let Some(reason) = outgoing.broken {
            return Err(reason);
        }
        let mut gathered = self.out.len();
        while !outgoing.is_taken && gathered < GATHERED_BYTES && self.pieces.len() < GATHERED_PIECES
        {
            let frame = match Pin::new(&mut outgoing.body).poll_frame(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Some(Ok(frame))) => Some(frame),
                Poll::Ready(Some(Err(BodyFault(reason)))) => {
                    let is_written = self.written == self.out.len() && self.pieces.is_empty();
                    outgoing.broken = Some(reason);
                    return if is_written { Err(reason) } else { Ok(()) };
                }
                Poll::Ready(None) => None,
            };
            let data = frame.map(http_body::Frame::into_data);
            self.is_flushed = false;
            match (data, outgoing.left) {
                (Some(Ok(data)), _) if data.is_empty() => {}
                (Some(Ok(data)), left) => {
                    gathered += data.len();
                    if let Some(left) = left {
                        // The server would take more bytes than the length for the next request.
                        let left = left.checked_sub(data.len() as u64);
                        outgoing.left = Some(left.ok_or(Reason::RequestBodyMalformed)?);
                        push(&mut self.out, &mut self.pieces, data);
                    } else {
                        let mut line = Vec::new();
                        chunks::write_size(data.len(), &mut line);
                        push(&mut self.out, &mut self.pieces, line.into());
                        push(&mut self.out, &mut self.pieces, data);
                        push(&mut self.out, &mut self.pieces, Bytes::from_static(b"\r\n"));
                    }
                }
                // A body with a length cannot have trailers in HTTP/1.1.
                (Some(Err(_)), Some(_)) => {}
                (last, None) => {
                    let trailers = last.and_then(|last| last.err()?.into_trailers().ok());
                    let trailers = trailers.map(presentable);
                    let mut end = Vec::new();
                    chunks::write_end(trailers.as_ref(), NameCase::Lower, &mut end);
                    push(&mut self.out, &mut self.pieces, end.into());
                    outgoing.is_taken = true;
                }
                (None, Some(0)) => outgoing.is_taken = true,
                (None, Some(_)) => return Err(Reason::RequestBodyMalformed),
            }
            // By its length the request is complete, even if the client has not ended the body yet.
            outgoing.is_taken |= outgoing.left == Some(0);
        }
        Ok(())
    }

    /// Whether the last bytes of the request have to wait until bytes of the server were read that
    /// came before them: they may be an early answer. The task is woken for it. Only the kernel
    /// can say this: the runtime notes the events of sockets between turns, and a whole upload may
    /// be written in one turn. Happens once, because the bytes may also be those of TLS.
    fn holds_last_bytes(&mut self, cx: &mut Context<'_>, stream: &TrackedSocket) -> bool {
        let is_last = self.body.as_ref().is_none_or(|outgoing| outgoing.is_taken);
        // Nothing answers a request of which nothing was written.
        if !is_last || self.writes == 0 || !self.looks_for_answer || !stream.has_unread() {
            return false;
        }
        self.looks_for_answer = false;
        turn::end(cx);
        true
    }

    /// Writes once.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut TrackedSocket,
    ) -> Poll<io::Result<()>> {
        let stream = Pin::new(stream);
        let out = &self.out[self.written..];
        let mut written = if self.pieces.is_empty() {
            ready!(stream.poll_write(cx, out))?
        } else {
            let mut bufs = [IoSlice::new(&[]); GATHERED_PIECES + 4];
            let all = std::iter::once(out).chain(self.pieces.iter().map(|piece| &piece[..]));
            let mut count = 0;
            for (buf, piece) in bufs.iter_mut().zip(all) {
                *buf = IoSlice::new(piece);
                count += 1;
            }
            ready!(stream.poll_write_vectored(cx, &bufs[..count]))?
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.writes += 1;
        let of_out = written.min(out.len());
        self.written += of_out;
        written -= of_out;
        while let Some(piece) = self.pieces.front_mut() {
            if written < piece.len() {
                piece.advance(written);
                break;
            }
            written -= piece.len();
            self.pieces.pop_front();
        }
        Poll::Ready(Ok(()))
    }
}

/// Appends `data`: a small piece is copied into `out`, unless other pieces come between.
fn push(out: &mut Vec<u8>, pieces: &mut VecDeque<Bytes>, data: Bytes) {
    if data.len() <= SMALL_BYTES && pieces.is_empty() {
        out.extend_from_slice(&data);
    } else {
        pieces.push_back(data);
    }
}
