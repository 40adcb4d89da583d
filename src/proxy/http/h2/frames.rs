//! The frames of a client as they come in, told apart and counted.
//!
//! h2 answers for the protocol; what it does not bound is how often a client may do what costs it
//! nothing and us something: reset streams, ping, change settings, send frames that are empty or say
//! nothing. This walks over the bytes that pass, looks at the nine bytes of each frame header (RFC
//! 9113 §4.1) and skips the rest. `budget` decides what is too much.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::base::clock::{self, Instant};
use crate::net::Stream;
use crate::proxy::io::{has_moved, note_flushed};

/// Octets of the client's preface, before its first frame.
const PREFACE_BYTES: usize = 24;

const HEADER_BYTES: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// What was seen on a connection since `budget` last looked. Written by [`CountedStream`].
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Streams that the client reset.
    pub(super) resets: Cell<u32>,
    /// Frames that ask for nothing: settings, pings, priorities, continuations, empty data, frames
    /// of unknown types.
    pub(super) idle_frames: Cell<u32>,
    /// Grants of window.
    pub(super) window_updates: Cell<u32>,
    /// Bytes that went out: each grant of window should have let some go.
    pub(super) bytes_out: Cell<u64>,
    /// Since when a head is being sent whose end has not come.
    pub(super) head_since: Cell<Option<Instant>>,
    /// Since when the client has not taken what we want to send.
    pub(super) blocked_since: Cell<Option<Instant>>,
}

/// Where in a frame the next byte is.
#[derive(Debug)]
struct Walk {
    /// Bytes to skip: of the preface, or of a payload.
    skip: usize,
    header: [u8; HEADER_BYTES],
    /// How many bytes of the header are there.
    have: usize,
}

/// The client's socket, preceded by what was read from it earlier, with its frames counted.
pub(super) struct CountedStream {
    stream: Stream,
    /// What had left when the client was last seen to take nothing.
    sent: Cell<u64>,
    prefix: Bytes,
    walk: Walk,
    counts: Rc<Counts>,
}

impl CountedStream {
    /// `prefix` is read before anything from `stream`.
    pub(super) fn new(stream: Stream, prefix: Bytes, counts: Rc<Counts>) -> Self {
        Self {
            stream,
            sent: Cell::new(0),
            prefix,
            walk: Walk::new(),
            counts,
        }
    }

    fn note_written(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Pending if self.counts.blocked_since.get().is_none() => {
                self.counts.blocked_since.set(Some(clock::now()));
            }
            Poll::Pending => {}
            Poll::Ready(written) => {
                if has_moved(&self.stream, &self.sent) {
                    self.counts.blocked_since.set(None);
                }
                let bytes = written.as_ref().copied().unwrap_or(0) as u64;
                add(&self.counts.bytes_out, bytes);
            }
        }
    }
}

impl Walk {
    fn new() -> Self {
        Self {
            skip: PREFACE_BYTES,
            header: [0; HEADER_BYTES],
            have: 0,
        }
    }

    /// Walks over `bytes`.
    fn over(&mut self, mut bytes: &[u8], counts: &Counts) {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let taken = (HEADER_BYTES - self.have).min(bytes.len());
            self.header[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have == HEADER_BYTES {
                self.have = 0;
                let [a, b, c, kind, flags, ..] = self.header;
                self.skip = u32::from_be_bytes([0, a, b, c]) as usize;
                counts.note(kind, flags, self.skip);
            }
        }
    }
}

impl Counts {
    fn note(&self, kind: u8, flags: u8, length: usize) {
        let bump = |counter: &Cell<u32>| counter.set(counter.get().saturating_add(1));
        match kind {
            DATA if length > 0 || flags & END_STREAM != 0 => {}
            HEADERS => self.note_head(flags),
            RST_STREAM => bump(&self.resets),
            WINDOW_UPDATE => bump(&self.window_updates),
            CONTINUATION => {
                bump(&self.idle_frames);
                self.note_head(flags);
            }
            _ => bump(&self.idle_frames),
        }
    }

    fn note_head(&self, flags: u8) {
        if flags & END_HEADERS != 0 {
            self.head_since.set(None);
        } else if self.head_since.get().is_none() {
            self.head_since.set(Some(clock::now()));
        }
    }
}

fn add(counter: &Cell<u64>, number: u64) {
    counter.set(counter.get().saturating_add(number));
}

impl AsyncRead for CountedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        if this.prefix.is_empty() {
            ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        } else {
            let length = this.prefix.len().min(buf.remaining());
            buf.put_slice(&this.prefix[..length]);
            this.prefix.advance(length);
            if this.prefix.is_empty() {
                // An empty `Bytes` still holds the buffer it was cut from.
                this.prefix = Bytes::new();
            }
        }
        this.walk.over(&buf.filled()[before..], &this.counts);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for CountedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note_written(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note_written(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        note_flushed(
            &self.stream,
            &flushed,
            &self.counts.blocked_since,
            &self.sent,
        );
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: usize, kind: u8, flags: u8) -> Vec<u8> {
        let mut bytes = (length as u32).to_be_bytes()[1..].to_vec();
        bytes.extend([kind, flags, 0, 0, 0, 1]);
        // A payload that looks like frames.
        bytes.extend(std::iter::repeat_n(RST_STREAM, length));
        bytes
    }

    fn session() -> Vec<u8> {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(frame(0, 4, 0));
        bytes.extend(frame(20, HEADERS, END_HEADERS));
        bytes.extend(frame(4, RST_STREAM, 0));
        bytes.extend(frame(100, DATA, 0));
        bytes.extend(frame(0, DATA, END_STREAM));
        bytes.extend(frame(0, DATA, 0));
        bytes.extend(frame(8, 6, 0));
        bytes.extend(frame(4, WINDOW_UPDATE, 0));
        bytes.extend(frame(3, 0xbb, 0));
        bytes.extend(frame(4, RST_STREAM, 0));
        bytes
    }

    #[test]
    fn frames_are_told_apart_however_they_are_cut() {
        for size in [1, 2, 5, 9, 10, 24, 1000] {
            let counts = Counts::default();
            let mut walk = Walk::new();
            for piece in session().chunks(size) {
                walk.over(piece, &counts);
            }
            assert_eq!(counts.resets.get(), 2, "pieces of {size}");
            assert_eq!(counts.idle_frames.get(), 4, "pieces of {size}");
            assert_eq!(counts.window_updates.get(), 1, "pieces of {size}");
        }
    }

    #[test]
    fn a_head_without_an_end_is_noticed_until_it_ends() {
        let counts = Counts::default();
        let mut walk = Walk::new();
        walk.over(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &counts);
        walk.over(&frame(10, HEADERS, 0), &counts);
        assert!(counts.head_since.get().is_some());
        walk.over(&frame(10, CONTINUATION, 0), &counts);
        assert!(counts.head_since.get().is_some());
        walk.over(&frame(10, CONTINUATION, END_HEADERS), &counts);
        assert!(counts.head_since.get().is_none());
    }
}
