//! An idle connection: only a socket that waits for bytes.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};

use crate::base::clock::Instant;
use crate::net::Stream;
use crate::proxy::connections::{Registration, Shutdown};
use crate::proxy::io::Timer;
use crate::wire::h1::request_head::blank_bytes;

/// How many bytes are read at first after an idle time; the task that wakes up reads the rest.
const FIRST_READ_BYTES: usize = 2048;

/// Why a connection woke up.
pub(super) enum Woken {
    Bytes(Bytes),
    Over,
}

/// How many bytes of line ends are skipped while a connection waits: a few empty lines, which old
/// clients send after a body. Later ones are bounded too (`wire::h1::request_head`).
const MOST_SKIPPED_BYTES: usize = 32;

/// The meaning of line ends that come alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnds {
    /// Old clients send them after a body: they are skipped.
    BeforeRequest,
    /// They are a part of a head that has begun.
    WithinRequest,
}

/// Waits for the next request, or for more of it, until `until` passes, or until the shutdown is at
/// least `end`.
pub(super) fn bytes_or(
    end: Shutdown,
    line_ends: LineEnds,
    stream: &mut Stream,
    until: Instant,
    registration: &Registration,
    timer: &mut Timer,
) -> impl Future<Output = Woken> {
    // This is no `async fn`: its future would hold each of these values twice, and an idle
    // connection holds it for long.
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
            let is_blank = blank_bytes(bytes) == bytes.len();
            let is_skipped = is_blank && skipped <= MOST_SKIPPED_BYTES;
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

/// The result of waiting for the rest of a head.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// It is complete, has reached its limit, or consists of empty lines.
    Came,
    /// The client sends no more.
    Ended,
    Late,
    /// The connection must end at once.
    Broken,
}

/// Waits until `head`, of which a part was read, is complete or has `most` bytes, and until `until`
/// at the latest.
///
/// Keeps only the bytes of the head, without the state of a connection with exchanges.
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
            let is_whole = has_blank_line(&head[looked_at..]) || blank_bytes(head) == head.len();
            if head.len() >= most || is_whole {
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

/// Whether these bytes contain an empty line, which ends a head (RFC 9112 §2.1, §2.2).
fn has_blank_line(bytes: &[u8]) -> bool {
    let is_end = |three: &[u8]| matches!(three, [b'\n', b'\n', ..] | [b'\n', b'\r', b'\n']);
    bytes.windows(3).any(is_end) || bytes.ends_with(b"\n\n")
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
