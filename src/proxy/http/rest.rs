//! A connection at rest: nothing but a socket that waits for bytes.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};

use crate::base::clock::Instant;
use crate::net::Stream;
use crate::proxy::io::Timer;
use crate::proxy::roll::{Entry, Order};

/// What is read of the first bytes after a rest; whoever is woken reads the others.
const FIRST_READ_BYTES: usize = 2048;

/// What a connection woke up for.
pub(super) enum Woken {
    Bytes(Bytes),
    Over,
}

/// How many bytes of line ends are skipped while a connection waits: a few empty lines, which old clients
/// send after a body. hyper is given what comes then, and bounds it too (see `WatchedStream`).
const MOST_SKIPPED_BYTES: usize = 32;

/// What line ends are that come by themselves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnds {
    /// What old clients send after a body: they are skipped.
    BeforeRequest,
    /// A part of what has begun.
    WithinRequest,
}

/// Waits for the next request, or for more of it, until `until`, or until `end` or something
/// stronger is ordered.
pub(super) async fn bytes_or(
    end: Order,
    line_ends: LineEnds,
    stream: &mut Stream,
    until: Instant,
    entry: &Entry,
    timer: &mut Timer,
) -> Woken {
    let mut skipped = 0;
    poll_fn(|cx| {
        let mut room = [0; FIRST_READ_BYTES];
        let mut buffer = ReadBuf::new(&mut room);
        while let Poll::Ready(read) = Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
            let bytes = buffer.filled();
            if read.is_err() || bytes.is_empty() {
                return Poll::Ready(Woken::Over);
            }
            skipped += bytes.len();
            let is_skipped = is_blank(bytes) && skipped <= MOST_SKIPPED_BYTES;
            if line_ends == LineEnds::WithinRequest || !is_skipped {
                return Poll::Ready(Woken::Bytes(Bytes::copy_from_slice(bytes)));
            }
            buffer.clear();
        }
        if entry.order(cx) >= end {
            return Poll::Ready(Woken::Over);
        }
        timer.poll(cx, until).map(|_| Woken::Over)
    })
    .await
}

/// Whether these are only line ends, which old clients send after a body (RFC 9112 §2.2): no request
/// has begun.
pub(super) fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
}
