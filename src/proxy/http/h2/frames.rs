//! Counts the frames of a connection, by kind.
//!
//! h2 checks the protocol, but does not bound how often a client may do what costs it nothing and
//! us something: reset streams, ping, change settings, send frames that are empty or have no
//! effect. Nor does it report which streams it has reset by itself, and why. This reads the nine
//! bytes of each frame header (RFC 9113 §4.1) in the passing bytes and skips the rest. `budget`
//! decides what is too much.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::base::clock::{self, Instant};
use crate::net::Stream;
use crate::proxy::io::{Blocked, CorkedStream, SocketTracker};

/// Octets of the client's preface, before its first frame.
const PREFACE_BYTES: usize = 24;

const HEADER_BYTES: usize = 9;

/// The bytes of a payload that are read: the stream and the code in a GOAWAY.
const LOOKED_AT_BYTES: usize = 8;

/// How many bytes are read and discarded after our last frame, so that the client can read it: a
/// socket that is closed with unread bytes resets the connection. A client that floods is not read
/// for longer.
const LINGER_BYTES: usize = 1 << 20;

// RFC 9113 §6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The most faults that are kept until they are looked at; only an attacker causes more at once.
const FAULTS_KEPT: usize = 128;

/// The counts of a connection since the last look. Written by [`CountedStream`].
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Streams that the client reset, or made h2 reset.
    pub(super) resets: Cell<u32>,
    /// Frames without effect: settings, pings, priorities, continuations, empty data, frames of
    /// unknown types.
    pub(super) idle_frames: Cell<u32>,
    /// Grants of window.
    pub(super) window_updates: Cell<u32>,
    /// Bytes that were sent: each grant of window should have allowed some.
    pub(super) bytes_out: Cell<u64>,
    /// Since when the end of a head is missing.
    pub(super) head_since: Cell<Option<Instant>>,
    /// Whether the client takes our bytes.
    pub(super) blocked: Blocked,
    /// Since when everything has been sent, and only the client's end is missing.
    pub(super) parting_since: Cell<Option<Instant>>,
    /// The code of h2's GOAWAY for a fault of the client.
    pub(super) sent_away: Cell<Option<u32>>,
    /// Streams that h2 has reset because the client violated the protocol.
    pub(super) faults: RefCell<Vec<StreamFault>>,
    /// The last stream with an exchange. Written by the session.
    pub(super) accepted: Cell<u32>,
    /// The last stream whose head was larger than h2 accepts.
    too_large: Cell<u32>,
}

/// A stream that h2 has reset because the client violated the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StreamFault {
    pub(super) stream: u32,
    pub(super) kind: FaultKind,
}

/// The kind of a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// A malformed request, or a body of another length than announced.
    Malformed,
    /// A head that was larger than h2 accepts; the client got a 431 before.
    TooLarge,
    /// A frame that is not allowed.
    Other,
}

/// The position of the next byte in a frame.
#[derive(Debug)]
struct Walk {
    /// Bytes to skip: of the preface, or of a payload.
    skip: usize,
    /// The header, and the beginning of some payloads.
    seen: [u8; HEADER_BYTES + LOOKED_AT_BYTES],
    /// How many of them have been read.
    have: usize,
    /// How many of them are needed of this frame.
    wanted: usize,
    /// Whether a head has begun and not ended.
    in_head: bool,
}

/// The beginning of a frame.
struct Beginning<'a> {
    kind: u8,
    flags: u8,
    stream: u32,
    length: usize,
    /// The read part of the payload of RST_STREAM and GOAWAY.
    payload: &'a [u8],
}

/// The client's socket, preceded by what was read from it earlier, with its frames counted.
pub(super) struct CountedStream {
    stream: CorkedStream,
    incoming: Walk,
    outgoing: Walk,
    /// How many bytes may still be discarded; `None`: not everything has been sent yet.
    linger: Option<usize>,
    counts: Rc<Counts>,
}

impl CountedStream {
    pub(super) fn new(stream: Stream, counts: Rc<Counts>) -> Self {
        Self {
            stream: CorkedStream::new(stream),
            incoming: Walk::after(PREFACE_BYTES),
            outgoing: Walk::after(0),
            linger: None,
            counts,
        }
    }

    /// Reports what the client has taken.
    pub(super) fn tracker(&self) -> SocketTracker {
        self.stream.get_ref().tracker()
    }

    fn note_written(&mut self, written: &Poll<io::Result<usize>>, bufs: &[IoSlice<'_>]) {
        let counts = &*self.counts;
        counts
            .blocked
            .note_written(written, self.stream.get_ref().sent());
        let Poll::Ready(written) = written else {
            return;
        };
        let mut left = written.as_ref().copied().unwrap_or(0);
        let sent = counts.bytes_out.get().saturating_add(left as u64);
        counts.bytes_out.set(sent);
        for buf in bufs {
            let length = left.min(buf.len());
            left -= length;
            self.outgoing
                .over(&buf[..length], |frame| counts.note_sent(frame));
        }
    }

    /// Reads and discards, until the client has closed its side or the bound is reached.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut room = [0; 4096];
        while let Some(left @ 1..) = self.linger {
            let mut buffer = ReadBuf::new(&mut room);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer));
            let length = buffer.filled().len();
            if read.is_err() || length == 0 {
                break;
            }
            self.linger = Some(left.saturating_sub(length));
        }
        Poll::Ready(())
    }
}

impl Walk {
    /// Frames begin after so many bytes.
    fn after(skip: usize) -> Self {
        Self {
            skip,
            seen: [0; HEADER_BYTES + LOOKED_AT_BYTES],
            have: 0,
            wanted: HEADER_BYTES,
            in_head: false,
        }
    }

    /// Reads the frames in `bytes`.
    fn over(&mut self, mut bytes: &[u8], mut note: impl FnMut(&Beginning<'_>)) {
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            if self.skip > 0 {
                return;
            }
            if self.have == self.wanted {
                self.end();
            }
            if bytes.is_empty() {
                return;
            }
            let taken = (self.wanted - self.have).min(bytes.len());
            self.seen[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            if self.have == self.wanted {
                self.begin(&mut note);
            }
        }
    }

    /// The needed part of a frame, or its header, is complete.
    fn begin(&mut self, note: &mut impl FnMut(&Beginning<'_>)) {
        let [a, b, c, kind, flags, s, t, u, v, ..] = self.seen;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let looked_at = match kind {
            RST_STREAM => length.min(4),
            GOAWAY => length.min(LOOKED_AT_BYTES),
            _ => 0,
        };
        if self.have < HEADER_BYTES + looked_at {
            self.wanted = HEADER_BYTES + looked_at;
            return;
        }
        self.skip = length - looked_at;
        if matches!(kind, HEADERS | CONTINUATION) {
            self.in_head = true;
        }
        note(&Beginning {
            kind,
            flags,
            stream: u32::from_be_bytes([s, t, u, v]) & 0x7fff_ffff,
            length,
            payload: &self.seen[HEADER_BYTES..self.wanted],
        });
    }

    /// The last byte of a frame has passed.
    fn end(&mut self) {
        let [kind, flags] = [self.seen[3], self.seen[4]];
        if matches!(kind, HEADERS | CONTINUATION) && flags & END_HEADERS != 0 {
            self.in_head = false;
        }
        self.have = 0;
        self.wanted = HEADER_BYTES;
    }
}

impl Counts {
    /// A stream was reset here because of the client.
    pub(super) fn reset_for_client(&self) {
        bump(&self.resets);
    }

    /// A frame of the client's.
    fn note_received(&self, frame: &Beginning<'_>) {
        match frame.kind {
            DATA if frame.length > 0 || frame.flags & END_STREAM != 0 => {}
            HEADERS => {}
            RST_STREAM => bump(&self.resets),
            WINDOW_UPDATE => bump(&self.window_updates),
            _ => bump(&self.idle_frames),
        }
    }

    /// A frame of ours. Frames that h2 sends by itself are visible only here.
    fn note_sent(&self, frame: &Beginning<'_>) {
        match frame.kind {
            // A stream that was not accepted is answered by h2 itself.
            HEADERS if frame.stream > self.accepted.get() => {
                self.too_large.set(frame.stream);
                self.note_fault(frame.stream, FaultKind::TooLarge);
            }
            RST_STREAM => self.note_reset_by_us(frame),
            GOAWAY => {
                let code = code_of(&frame.payload[4.min(frame.payload.len())..]);
                if code != u32::from(h2::Reason::NO_ERROR) {
                    self.sent_away.set(Some(code));
                }
            }
            _ => {}
        }
    }

    fn note_reset_by_us(&self, frame: &Beginning<'_>) {
        let kind = match h2::Reason::from(code_of(frame.payload)) {
            // Noted already.
            h2::Reason::PROTOCOL_ERROR if self.too_large.get() == frame.stream => return,
            h2::Reason::PROTOCOL_ERROR => FaultKind::Malformed,
            h2::Reason::FLOW_CONTROL_ERROR | h2::Reason::FRAME_SIZE_ERROR => FaultKind::Other,
            // A frame that crossed with the end of its stream, or a code that we chose.
            _ => return,
        };
        self.note_fault(frame.stream, kind);
    }

    fn note_fault(&self, stream: u32, kind: FaultKind) {
        bump(&self.resets);
        let mut faults = self.faults.borrow_mut();
        if faults.len() < FAULTS_KEPT {
            faults.push(StreamFault { stream, kind });
        }
    }

    /// Whether a head is incomplete, as of now.
    fn note_head(&self, in_head: bool) {
        if !in_head {
            self.head_since.set(None);
        } else if self.head_since.get().is_none() {
            self.head_since.set(Some(clock::now()));
        }
    }
}

fn bump(counter: &Cell<u32>) {
    counter.set(counter.get().saturating_add(1));
}

/// The code of a truncated frame, which h2 makes a connection error.
fn code_of(payload: &[u8]) -> u32 {
    payload.first_chunk().copied().map_or(0, u32::from_be_bytes)
}

impl AsyncRead for CountedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        let counts = &*this.counts;
        this.incoming
            .over(&buf.filled()[before..], |frame| counts.note_received(frame));
        counts.note_head(this.incoming.in_head);
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
        self.note_written(&written, &[IoSlice::new(buf)]);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note_written(&written, bufs);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if !self.stream.is_waiting() {
            let sent = self.stream.get_ref().sent();
            self.counts.blocked.note_flushed(&flushed, sent);
        }
        flushed
    }

    /// Everything has been sent; the client gets time to read it.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.counts.parting_since.get().is_none() {
            this.counts.parting_since.set(Some(clock::now()));
        }
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.linger = Some(LINGER_BYTES);
        }
        this.poll_linger(cx).map(Ok)
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

    fn received(walk: &mut Walk, bytes: &[u8], counts: &Counts) {
        walk.over(bytes, |frame| counts.note_received(frame));
        counts.note_head(walk.in_head);
    }

    #[test]
    fn frames_are_recognised_however_they_are_split() {
        for size in [1, 2, 5, 9, 10, 24, 1000] {
            let counts = Counts::default();
            let mut walk = Walk::after(PREFACE_BYTES);
            for piece in session().chunks(size) {
                received(&mut walk, piece, &counts);
            }
            assert_eq!(counts.resets.get(), 2, "pieces of {size}");
            assert_eq!(counts.idle_frames.get(), 4, "pieces of {size}");
            assert_eq!(counts.window_updates.get(), 1, "pieces of {size}");
        }
    }

    #[test]
    fn an_empty_frame_of_data_is_idle_unless_it_is_the_last() {
        for (length, flags, idle) in [(0, 0, 1), (0, END_STREAM, 0), (1, 0, 0)] {
            let counts = Counts::default();
            let mut walk = Walk::after(0);
            received(&mut walk, &frame(length, DATA, flags), &counts);
            assert_eq!(counts.idle_frames.get(), idle, "{length} {flags}");
        }
    }

    #[test]
    fn a_head_without_an_end_is_noticed_until_it_ends() {
        let counts = Counts::default();
        let mut walk = Walk::after(PREFACE_BYTES);
        received(&mut walk, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &counts);
        assert!(counts.head_since.get().is_none());
        received(&mut walk, &frame(10, HEADERS, 0), &counts);
        assert!(counts.head_since.get().is_some());
        received(&mut walk, &frame(10, CONTINUATION, 0), &counts);
        assert!(counts.head_since.get().is_some());
        received(&mut walk, &frame(10, CONTINUATION, END_HEADERS), &counts);
        assert!(counts.head_since.get().is_none());
        let last = frame(10, HEADERS, END_HEADERS);
        received(&mut walk, &last[..18], &counts);
        assert!(
            counts.head_since.get().is_some(),
            "it only says that it ends"
        );
        received(&mut walk, &last[18..], &counts);
        assert!(counts.head_since.get().is_none());
    }

    fn with_payload(kind: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, payload.len() as u8, kind, 0, 0, 0, 0, stream];
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn frames_that_h2_sends_by_itself_are_noticed() {
        let mut bytes = with_payload(HEADERS, 5, b"200");
        bytes.extend(with_payload(HEADERS, 7, b"431"));
        bytes.extend(with_payload(RST_STREAM, 7, &[0, 0, 0, 1]));
        bytes.extend(with_payload(RST_STREAM, 9, &[0, 0, 0, 1]));
        bytes.extend(with_payload(RST_STREAM, 11, &[0, 0, 0, 3]));
        // Ours, and refusals: not the client's fault.
        for code in [0, 2, 5, 7, 8] {
            bytes.extend(with_payload(RST_STREAM, 13, &[0, 0, 0, code]));
        }
        bytes.extend(with_payload(GOAWAY, 0, &[0, 0, 0, 9, 0, 0, 0, 11, b'x']));
        for size in [1, 3, 9, 14, 1000] {
            let counts = Counts::default();
            counts.accepted.set(5);
            let mut walk = Walk::after(0);
            for piece in bytes.chunks(size) {
                walk.over(piece, |frame| counts.note_sent(frame));
            }
            let fault = |stream, kind| StreamFault { stream, kind };
            let faults = [
                fault(7, FaultKind::TooLarge),
                fault(9, FaultKind::Malformed),
                fault(11, FaultKind::Other),
            ];
            assert_eq!(*counts.faults.borrow(), faults, "pieces of {size}");
            assert_eq!(counts.resets.get(), 3, "pieces of {size}");
            assert_eq!(counts.sent_away.get(), Some(11), "pieces of {size}");
        }
    }
}
