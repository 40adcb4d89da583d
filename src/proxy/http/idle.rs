//! An idle connection: nothing but a socket that waits for bytes.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};

use crate::base::clock::Instant;
use crate::net::Stream;
use crate::proxy::connections::{Registration, Shutdown};
use crate::proxy::io::Timer;

/// What is read of the first bytes after being idle; the task that is woken reads the others.
const FIRST_READ_BYTES: usize = 2048;

/// What a connection woke up for.
pub(super) enum Woken {
    Bytes(Bytes),
    Over,
}

/// How many bytes of line ends are skipped while a connection waits: a few empty lines, which old clients
/// send after a body. What comes then is bounded too (`wire::h1::request_head`).
const MOST_SKIPPED_BYTES: usize = 32;

/// What line ends are that come by themselves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnds {
    /// What old clients send after a body: they are skipped.
    BeforeRequest,
    /// A part of what has begun.
    WithinRequest,
}

/// Waits for the next request, or for more of it, until `until`, or until the shutdown is `end` or
/// stronger.
pub(super) fn bytes_or(
    end: Shutdown,
    line_ends: LineEnds,
    stream: &mut Stream,
    until: Instant,
    registration: &Registration,
    timer: &mut Timer,
) -> impl Future<Output = Woken> {
    // No `async fn`, whose future would hold each of these twice: an idle connection holds it for long.
    let mut skipped = 0;
    poll_fn(move |cx| {
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
        if registration.shutdown(cx) >= end {
            return Poll::Ready(Woken::Over);
        }
        timer.poll(cx, until).map(|_| Woken::Over)
    })
}

/// How the wait for the rest of a head came to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// It has come whole, or as much as it may have.
    Came,
    /// Nothing more follows.
    Ended,
    Late,
    /// It has to end at once.
    Broken,
}

/// Waits until `head`, of which a part was read, has come whole, or `most` bytes of it, and until `until`
/// at the latest.
///
/// Only what came is kept, without the state of a connection on which exchanges run.
pub(super) async fn rest_of_head(
    head: &mut Vec<u8>,
    most: usize,
    stream: &mut Stream,
    until: Instant,
    registration: &Registration,
    timer: &mut Timer,
) -> Rest {
    poll_fn(|cx| {
        let mut room = [0; FIRST_READ_BYTES];
        let mut buffer = ReadBuf::new(&mut room);
        while let Poll::Ready(read) = Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
            let bytes = buffer.filled();
            let looked_at = head.len().saturating_sub(3);
            head.extend_from_slice(bytes);
            if read.is_err() || bytes.is_empty() {
                return Poll::Ready(Rest::Ended);
            }
            if head.len() >= most || has_blank_line(&head[looked_at..]) {
                return Poll::Ready(Rest::Came);
            }
            buffer.clear();
        }
        if registration.shutdown(cx) == Shutdown::Abort {
            return Poll::Ready(Rest::Broken);
        }
        timer.poll(cx, until).map(|_| Rest::Late)
    })
    .await
}

/// Whether a line ends in these bytes that has nothing in it, as the last of a head (RFC 9112 §2.1, §2.2).
fn has_blank_line(bytes: &[u8]) -> bool {
    let is_end = |three: &[u8]| matches!(three, [b'\n', b'\n', ..] | [b'\n', b'\r', b'\n']);
    bytes.windows(3).any(is_end) || bytes.ends_with(b"\n\n")
}

/// Whether these are only line ends, which old clients send after a body (RFC 9112 §2.2): no request
/// has begun.
pub(super) fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blank_line_ends_a_head_however_its_lines_end() {
        for whole in [
            "x: y\r\n\r\n",
            "x: y\n\n",
            "x: y\r\n\nGET",
            "\n\r\n",
            "\n\n",
        ] {
            assert!(has_blank_line(whole.as_bytes()), "{whole:?}");
        }
        for part in [
            "",
            "\n",
            "\r\n",
            "x: y\r\n",
            "x\r\n\r",
            "\r\r\r",
            "a\nb\nc\r\nd",
        ] {
            assert!(!has_blank_line(part.as_bytes()), "{part:?}");
        }
    }
}
