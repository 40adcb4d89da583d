//! Reads the beginning of a connection under a deadline, and keeps it for the next reader.

use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};

use crate::base::clock::Instant;
use crate::net::Stream;
use crate::proxy::connections::{Registration, Shutdown};
use crate::proxy::io::Timer;
use crate::wire::client_hello::{First, MalformedHello, peek};

/// Bytes that are read at a time: most clients send all of it in one packet or two.
const PIECE_BYTES: usize = 4 << 10;

/// Why the beginning of a connection is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// It looks like TLS and is not.
    Malformed(MalformedHello),
    /// It did not come in time.
    Late,
    /// The client left.
    Left,
    /// The worker aborts all connections.
    Stopped,
}

/// The beginning of the connection, if that is known by `until`, and all bytes that were read.
pub(super) async fn first(
    stream: &mut Stream,
    until: Instant,
    registration: &Registration,
    timer: &mut Timer,
) -> (Result<First, Unknown>, Bytes) {
    let mut seen = BytesMut::new();
    let first = poll_fn(|cx| {
        let mut room = [const { MaybeUninit::uninit() }; PIECE_BYTES];
        loop {
            let mut buffer = ReadBuf::uninit(&mut room);
            match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
                Poll::Pending => break,
                Poll::Ready(read) if read.is_err() || buffer.filled().is_empty() => {
                    return Poll::Ready(Err(Unknown::Left));
                }
                Poll::Ready(_) => {}
            }
            seen.extend_from_slice(buffer.filled());
            // Bounded: it is known at the latest after `client_hello::LONGEST_BYTES`.
            match peek(&seen) {
                Ok(None) => {}
                Ok(Some(first)) => return Poll::Ready(Ok(first)),
                Err(malformed) => return Poll::Ready(Err(Unknown::Malformed(malformed))),
            }
        }
        // A client that has connected gets a server: a drain does not end this, only an abort.
        if registration.shutdown(cx) == Shutdown::Abort {
            return Poll::Ready(Err(Unknown::Stopped));
        }
        timer.poll(cx, until).map(|_| Err(Unknown::Late))
    })
    .await;
    (first, seen.freeze())
}
