//! Output to the client: bytes that the socket has not accepted yet.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};

use crate::proxy::io::ClientSocket;

/// How much of a response is gathered before the client must take some of it.
const WRITE_AHEAD_BYTES: usize = 64 << 10;

/// And in how many parts: as many as one system call accepts here.
const PARTS: usize = 16;

/// Pieces up to this size are copied behind the bytes before them.
const SMALL_BYTES: usize = 1 << 10;

/// Heads, pieces of bodies and their framing, in order.
#[derive(Default)]
pub(super) struct Outgoing {
    /// The bytes that are written here: heads, sizes of chunks, small pieces.
    own: Vec<u8>,
    /// How many bytes of `own` the socket has accepted.
    own_taken: usize,
    parts: VecDeque<Part>,
    /// All bytes that the socket has not accepted.
    bytes: usize,
}

enum Part {
    /// The next bytes of `own`: this many.
    Own(usize),
    /// A piece of a body.
    Piece(Bytes),
}

impl Outgoing {
    /// Whether the socket has accepted everything.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Whether more may be gathered.
    pub(super) fn has_room(&self) -> bool {
        self.bytes < WRITE_AHEAD_BYTES && self.parts.len() < PARTS - 2
    }

    /// Appends the output of `write`, and returns its length and the result of `write`.
    pub(super) fn write<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> (usize, T) {
        let before = self.own.len();
        let given = write(&mut self.own);
        let length = self.own.len() - before;
        self.bytes += length;
        match self.parts.back_mut() {
            Some(Part::Own(last)) => *last += length,
            _ => self.parts.push_back(Part::Own(length)),
        }
        (length, given)
    }

    /// Appends a piece of a body.
    pub(super) fn push(&mut self, piece: Bytes) {
        if piece.len() <= SMALL_BYTES {
            self.write(|own| own.extend_from_slice(&piece));
        } else {
            self.bytes += piece.len();
            self.parts.push_back(Part::Piece(piece));
        }
    }

    /// Writes once; there must be output.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        socket: &ClientSocket,
    ) -> Poll<io::Result<usize>> {
        let mut own = &self.own[self.own_taken..];
        if let (1, Some(Part::Own(_))) = (self.parts.len(), self.parts.front()) {
            let written = socket.poll_write(cx, &[IoSlice::new(own)]);
            if let Poll::Ready(Ok(length)) = &written {
                self.take(*length);
            }
            return written;
        }
        let mut bufs = [IoSlice::new(&[]); PARTS];
        let mut count = 0;
        for (buf, part) in bufs.iter_mut().zip(&self.parts) {
            *buf = IoSlice::new(match part {
                Part::Own(length) => {
                    let (part, rest) = own.split_at(*length);
                    own = rest;
                    part
                }
                Part::Piece(piece) => piece,
            });
            count += 1;
        }
        let written = socket.poll_write(cx, &bufs[..count]);
        if let Poll::Ready(Ok(length)) = &written {
            self.take(*length);
        }
        written
    }

    /// Notes that the socket has accepted `length` bytes.
    fn take(&mut self, mut length: usize) {
        self.bytes -= length;
        if self.bytes == 0 {
            self.parts.clear();
            self.own.clear();
            self.own_taken = 0;
            return;
        }
        while let Some(part) = self.parts.front_mut() {
            let taken = match part {
                Part::Own(left) => {
                    let taken = length.min(*left);
                    self.own_taken += taken;
                    *left -= taken;
                    (taken, *left == 0)
                }
                Part::Piece(piece) => {
                    let taken = length.min(piece.len());
                    piece.advance(taken);
                    (taken, piece.is_empty())
                }
            };
            length -= taken.0;
            if !taken.1 {
                return;
            }
            self.parts.pop_front();
        }
    }
}

/// Counts the bytes of a body that are not sent, for a response that is cut.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    /// Bytes of the body that were gathered since nothing was unsent.
    body: u64,
    /// Bytes of heads and framing, likewise.
    framing: u64,
    /// How many bytes of both the connection accepted.
    written: u64,
    /// With TLS: the value of `sent` when nothing was unsent.
    sent_before: u64,
    /// The value of `sent` now.
    sent: Option<u64>,
}

impl Unsent {
    /// Notes that `body` bytes of a body are gathered, and `around` bytes of framing with them.
    pub(super) fn add(&mut self, body: usize, around: usize) {
        self.body += body as u64;
        self.framing += around as u64;
    }

    /// Notes that the connection accepted `written` bytes; with TLS, it has sent `sent` bytes in
    /// all.
    pub(super) fn note_written(&mut self, written: usize, sent: Option<u64>) {
        self.written += written as u64;
        self.sent = sent;
    }

    /// Notes that nothing is unsent.
    pub(super) fn clear(&mut self, sent: Option<u64>) {
        *self = Self {
            sent_before: sent.unwrap_or(0),
            sent,
            ..Self::default()
        };
    }

    /// How many bytes of the body the socket has not accepted. Never too few; too many by the
    /// framing of chunks at most, because all framing is assumed to precede the body.
    pub(super) fn body(&self) -> u64 {
        let left = self.sent.map_or(self.written, |sent| {
            // Records are longer than their content.
            self.written.min(sent.saturating_sub(self.sent_before))
        });
        self.body - left.saturating_sub(self.framing).min(self.body)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, duplex};

    use super::*;
    use crate::net::Stream;

    #[test]
    fn the_unsent_bytes_of_a_body_are_known() {
        let head = 19;
        // First nothing is accepted, then a part of the head, then all of it and a part of the
        // body.
        for (taken, left) in [(0, 100), (10, 100), (head + 40, 60), (head + 100, 0)] {
            let mut unsent = Unsent::default();
            unsent.add(0, head);
            unsent.add(100, 0);
            unsent.note_written(taken, None);
            assert_eq!(unsent.body(), left);
        }
        // With TLS, accepted bytes may still be unsent.
        let mut unsent = Unsent::default();
        unsent.clear(Some(1000));
        unsent.add(100, 0);
        unsent.note_written(100, Some(1030));
        assert_eq!(unsent.body(), 70);
    }

    #[tokio::test]
    async fn gathered_bytes_are_sent_in_order_however_few_are_accepted() {
        for room in [1, 7, 1000, 1 << 20] {
            let (near, mut far) = duplex(room);
            let socket = ClientSocket::new(Stream::Other(Box::new(near)), Bytes::new());
            let mut outgoing = Outgoing::default();
            let mut expected = Vec::new();
            for length in [0, 1, 3000, 5, 2000, 1500, 10] {
                let piece = vec![length as u8; length];
                outgoing.write(|own| own.extend_from_slice(b"<head>"));
                outgoing.push(piece.clone().into());
                expected.extend_from_slice(b"<head>");
                expected.extend_from_slice(&piece);
            }
            let mut arrived = vec![0; expected.len()];
            let write = async {
                while !outgoing.is_empty() {
                    let written = poll_fn(|cx| outgoing.poll_write(cx, &socket)).await;
                    assert!(written.expect("it is open") > 0);
                }
            };
            let (read, ()) = tokio::join!(far.read_exact(&mut arrived), write);
            read.expect("all of it");
            assert_eq!(arrived, expected, "{room}");
        }
    }

    #[test]
    fn gathering_stops_when_the_buffer_is_full() {
        let mut outgoing = Outgoing::default();
        while outgoing.has_room() {
            outgoing.push(vec![0; 10_000].into());
        }
        assert!((WRITE_AHEAD_BYTES..WRITE_AHEAD_BYTES + 10_000).contains(&outgoing.bytes));
    }
}
