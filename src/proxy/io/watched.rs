//! The client's socket as hyper is given it, with an eye on what passes.
//!
//! hyper does not say when a head has begun, whether everything was flushed, or that it has answered
//! a malformed head. All three can be seen on the socket, so the wrapper notes them for `http::h1`.
//! hyper's own answer has no body that says why: it is kept back, and `http::h1` writes one that has.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::exchange::LoggedRequest;
use crate::net::{HalfClose, Stream};

use super::blocked::Blocked;
use super::exchange::Exchange;
use super::request_line::RequestLine;
use super::tracked_socket::{SocketTracker, TrackedSocket};

/// What was seen on a client connection. Written by [`WatchedStream`], read and reset by `http::h1`.
#[derive(Debug, Default)]
pub struct Watch {
    /// Whether bytes have come after the last exchange.
    pub heard: Cell<bool>,
    /// Whether the last thing that was asked of the write side was to flush, and it did. hyper
    /// asks that only when it holds nothing back (with `pipeline_flush` off).
    pub flushed: Cell<bool>,
    /// Whether the client takes what we want to send.
    pub blocked: Blocked,
    /// Whether it was so since the last exchange.
    pub was_blocked: Cell<bool>,
    /// Asks the socket, at the next flush, to look whether the client has gone. Written by
    /// `http::h1` while nothing is read: hyper does not see the end behind bytes that wait.
    pub look: Cell<Option<HalfClose>>,
    /// Whether an exchange is open: what is written then is its response.
    pub in_exchange: Cell<bool>,
    /// That exchange. Written by `http::h1`.
    pub exchange: RefCell<Option<Rc<Exchange>>>,
    /// Whether all of its request was read and all of its response has left hyper: it is about to be
    /// settled. Reset by `http::h1`.
    pub is_answered: Cell<bool>,
    /// How many exchanges were opened. Written by `http::h1`.
    pub heads: Cell<u64>,
    /// The status that hyper would have answered by itself, outside of any exchange; 0: none. Its
    /// answer was not written.
    pub own_status: Cell<u16>,
    /// How many bytes of line ends have come in a row where a request should begin.
    blank_bytes: Cell<usize>,
    /// Whether the response has broken off: hyper writes what it has of it, and then the connection
    /// ends. Written by `http::h1`.
    pub has_broken_off: Cell<bool>,
    /// What of the response hyper may hold.
    pub unflushed: Unflushed,
}

/// What hyper was given of a response since it last held nothing back. Written by `http::h1`, which
/// gives it, and by [`WatchedStream`].
#[derive(Debug, Default)]
pub struct Unflushed {
    /// Bytes of the body.
    body: Cell<u64>,
    /// Bytes that stand before and around them, as far as known.
    framing: Cell<u64>,
    /// What the connection took of both.
    written: Cell<u64>,
    /// Under TLS: what had left when it last held nothing back.
    sent_before: Cell<u64>,
    /// And what has left now.
    sent: Cell<Option<u64>>,
}

impl Unflushed {
    /// Notes that hyper is given so many bytes of a body, and `around` with them.
    pub fn add(&self, body: u64, around: u64) {
        self.body.set(self.body.get() + body);
        self.framing.set(self.framing.get() + around);
    }

    /// How many bytes of the body the socket has not taken. Not too few, and too many only by what
    /// frames them: hyper does not say where among its bytes a write has ended.
    pub fn body(&self) -> u64 {
        let written = self.written.get();
        let sent = self.sent.get();
        let left = sent.map_or(written, |sent| {
            // Records are longer than what is in them.
            written.min(sent.saturating_sub(self.sent_before.get()))
        });
        let body = self.body.get();
        body - left.saturating_sub(self.framing.get()).min(body)
    }

    /// Notes that `written` bytes of `bufs` were taken.
    fn note_written(&self, written: usize, bufs: &[IoSlice<'_>]) {
        self.written.set(self.written.get() + written as u64);
        // Mostly all is taken, and what follows is a flush.
        if bufs.iter().map(|buf| buf.len()).sum::<usize>() > written
            && let Some(head) = bufs.first().and_then(|first| head_bytes(first))
        {
            self.framing.set(self.framing.get() + head as u64);
        }
    }

    /// Notes that hyper holds nothing back.
    fn clear(&self, sent: Option<u64>) {
        self.body.set(0);
        self.framing.set(0);
        self.written.set(0);
        self.sent_before.set(sent.unwrap_or(0));
    }
}

/// The length of the response head at the beginning of `bytes`, if there is one.
fn head_bytes(bytes: &[u8]) -> Option<usize> {
    status_of(bytes)?;
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    Some(end.map_or(bytes.len(), |end| end + 4))
}

/// How many bytes of line ends may come in a row before a request and within its head: RFC 9112 §2.2 asks
/// for one empty line, old clients send a few. hyper skips any number.
const MOST_BLANK_BYTES: usize = 64;

impl Watch {
    /// Whether the client has sent line ends and nothing else, more than `MOST_BLANK_BYTES`.
    pub fn is_flooded_with_blanks(&self) -> bool {
        self.blank_bytes.get() > MOST_BLANK_BYTES
    }

    /// Counts the line ends that `bytes` begin with, or consist of.
    fn note_blanks(&self, bytes: &[u8]) {
        let is_blank = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let blank = bytes.iter().take_while(is_blank).count();
        let so_far = self.blank_bytes.get() + blank;
        // What follows is a request, if those before it were few.
        let is_over = blank < bytes.len() && so_far <= MOST_BLANK_BYTES;
        self.blank_bytes.set(if is_over { 0 } else { so_far });
    }

    /// Whether what comes next begins a head, or goes on in one, and what hyper writes by itself is no
    /// part of a response.
    fn is_between_exchanges(&self) -> bool {
        !self.in_exchange.get() || self.is_answered.get()
    }

    /// Notes that hyper holds nothing back.
    fn note_flushed(&self) {
        let is_over =
            |exchange: &Rc<Exchange>| exchange.ended().is_some() && exchange.request_complete.get();
        if self.exchange.borrow().as_ref().is_some_and(is_over) {
            self.is_answered.set(true);
        }
    }
}

/// The client's socket, preceded by what was read from it earlier.
pub struct WatchedStream {
    stream: TrackedSocket,
    prefix: Bytes,
    /// What stands before `prefix`, and was looked at already.
    seen: Bytes,
    line: RequestLine,
    /// How many exchanges there were before that of `line`.
    heads: u64,
    watch: Rc<Watch>,
}

impl WatchedStream {
    /// `prefix` is read before anything from `stream`.
    pub fn new(stream: Stream, prefix: Bytes, watch: Rc<Watch>) -> Self {
        Self {
            stream: TrackedSocket::new(stream),
            prefix,
            seen: Bytes::new(),
            line: RequestLine::default(),
            heads: watch.heads.get(),
            watch,
        }
    }

    /// The socket, and what of the prefix was not read.
    pub fn into_parts(self) -> (Stream, Bytes) {
        let unread = if self.seen.is_empty() {
            self.prefix
        } else {
            [self.seen, self.prefix].concat().into()
        };
        (self.stream.into_inner(), unread)
    }

    /// What was read of a request that no exchange was opened for.
    pub fn logged(&self) -> Option<LoggedRequest> {
        let is_its = self.heads == self.watch.heads.get();
        is_its.then(|| self.line.logged()).flatten()
    }

    /// Notes the request line in what was read into `buf` after its first `before` bytes, and puts
    /// escapes into it. What there is no room for is read next.
    fn read_line(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        if self.heads != self.watch.heads.get() {
            self.heads = self.watch.heads.get();
            self.line.clear();
        }
        let Some(instead) = self.line.read(&buf.filled()[before..]) else {
            return;
        };
        buf.set_filled(before);
        self.seen = instead.into();
        give(&mut self.seen, buf);
    }

    /// Tells what the client has taken.
    pub fn tracker(&self) -> SocketTracker {
        self.stream.tracker()
    }

    fn note_read(&self, bytes: &[u8]) -> io::Result<()> {
        if !self.watch.in_exchange.get() {
            self.watch.heard.set(true);
            self.watch.note_blanks(bytes);
            if self.watch.is_flooded_with_blanks() {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        Ok(())
    }

    /// The length of `bufs`, if they are hyper's own answer to a head that it could not read.
    fn withheld(&self, bufs: &[IoSlice<'_>]) -> Option<usize> {
        if !self.watch.is_between_exchanges() {
            return None;
        }
        let status = bufs.first().and_then(|first| status_of(first))?;
        self.watch.own_status.set(status);
        Some(bufs.iter().map(|buf| buf.len()).sum())
    }

    fn note_written(&self, written: &Poll<io::Result<usize>>, bufs: &[IoSlice<'_>]) {
        let watch = &self.watch;
        let sent = self.stream.sent();
        watch.flushed.set(false);
        watch.blocked.note_written(written, sent);
        watch.unflushed.sent.set(sent);
        if written.is_pending() {
            watch.was_blocked.set(true);
            return;
        }
        if let Poll::Ready(Ok(count)) = written {
            watch.unflushed.note_written(*count, bufs);
        }
        if !watch.in_exchange.get()
            && let Some(status) = bufs.first().and_then(|first| status_of(first))
        {
            self.watch.own_status.set(status);
        }
    }
}

/// Puts what there is room for of `bytes` into `buf`.
fn give(bytes: &mut Bytes, buf: &mut ReadBuf<'_>) {
    let length = bytes.len().min(buf.remaining());
    buf.put_slice(&bytes[..length]);
    bytes.advance(length);
    if bytes.is_empty() {
        // An empty `Bytes` still holds the buffer it was cut from.
        *bytes = Bytes::new();
    }
}

/// The status in the first bytes of a response head.
fn status_of(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let this = &mut *self;
        if !this.seen.is_empty() {
            give(&mut this.seen, buf);
        } else {
            if this.prefix.is_empty() {
                ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
            } else {
                give(&mut this.prefix, buf);
            }
            if this.watch.is_between_exchanges() {
                this.read_line(buf, before);
            }
        }
        if buf.filled().len() > before {
            self.note_read(&buf.filled()[before..])?;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(length) = self.withheld(&[IoSlice::new(buf)]) {
            return Poll::Ready(Ok(length));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note_written(&written, &[IoSlice::new(buf)]);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(length) = self.withheld(bufs) {
            return Poll::Ready(Ok(length));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note_written(&written, bufs);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(half_close) = self.watch.look.take()
            && self.stream.has_peer_left(half_close)
        {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        let Watch {
            blocked,
            was_blocked,
            unflushed,
            ..
        } = &*self.watch;
        let sent = self.stream.sent();
        blocked.note_flushed(&flushed, sent);
        if blocked.is_so() {
            was_blocked.set(true);
        }
        unflushed.sent.set(sent);
        let is_flushed = matches!(flushed, Poll::Ready(Ok(())));
        if is_flushed {
            self.watch.note_flushed();
            unflushed.clear(sent);
        }
        self.watch.flushed.set(is_flushed);
        flushed
    }

    /// Does nothing: `http::h1` shuts the socket down itself, after it has decided whether there
    /// is something left to read first.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_taken_of_a_body_is_known() {
        let head = b"HTTP/1.1 200 OK\r\n\r\n";
        let body = [b'x'; 100];
        let bufs = [IoSlice::new(head), IoSlice::new(&body)];
        let unflushed = Unflushed::default();
        // Nothing was taken, then a part of the head, then all of it and some of the body.
        for (taken, left) in [(0, 100), (10, 100), (head.len() + 40, 60)] {
            unflushed.clear(None);
            unflushed.add(100, 0);
            unflushed.note_written(taken, &bufs);
            assert_eq!(unflushed.body(), left);
        }
        // The rest of it follows.
        unflushed.note_written(60, &[IoSlice::new(&body[40..])]);
        assert_eq!(unflushed.body(), 0);
        // Under TLS, what was taken may still be here.
        unflushed.clear(Some(1000));
        unflushed.add(100, 0);
        unflushed.note_written(100, &bufs[1..]);
        unflushed.sent.set(Some(1030));
        assert_eq!(unflushed.body(), 70);
    }

    #[test]
    fn the_status_is_read_from_a_response_head_only() {
        assert_eq!(status_of(b"HTTP/1.1 431 Request Header"), Some(431));
        assert_eq!(status_of(b"HTTP/1.0 400 Bad"), Some(400));
        assert_eq!(status_of(b"HTTP/1.1 4"), None);
        assert_eq!(status_of(b"hello world, 200"), None);
        assert_eq!(status_of(b""), None);
    }

    #[test]
    fn line_ends_are_counted_until_something_else_comes() {
        let flooded = |pieces: &[&[u8]]| {
            let watch = Watch::default();
            pieces.iter().any(|bytes| {
                watch.note_blanks(bytes);
                watch.is_flooded_with_blanks()
            })
        };
        let most = b"\r\n".repeat(MOST_BLANK_BYTES / 2);
        assert!(!flooded(&[&most, b"GET / HTTP/1.1\r\n\r\n", &most]));
        assert!(flooded(&[&most, b"\n"]));
        assert!(flooded(&[&most, b"\nGET / HTTP/1.1\r\n\r\n"]));
        assert!(flooded(&vec![b"\r".as_slice(); MOST_BLANK_BYTES + 1]));
    }
}
