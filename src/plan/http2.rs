//! What HTTP/2 towards clients may cost.

use crate::base::ByteSize;

/// `[frontend.NAME.http2]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Http2 {
    /// Whether clients may speak it.
    pub enabled: bool,
    /// Streams that a client may have open at a time on one connection.
    pub max_streams: u32,
    /// How much of one request body is taken ahead of the server.
    pub stream_window: ByteSize,
    /// The same, of all request bodies of a connection.
    pub connection_window: ByteSize,
    /// How large the heads of all open requests of a connection may be together.
    pub open_heads: ByteSize,
    /// Streams that a client may reset a second, or break so that they are, over time; five seconds'
    /// worth at once.
    pub resets_per_second: u32,
    /// Frames that ask for nothing that a client may send a second, over time; five seconds' worth
    /// at once.
    pub idle_frames_per_second: u32,
}

/// What `open_heads` has for each stream, where only `max_streams` is given: twice the head of a
/// call or of a page with many cookies.
const HEAD_BYTES_OF_STREAM: u64 = 10 << 10;

/// The least of that: with few streams, too, a head may be as large as `limits.head` lets it.
const LEAST_OPEN_HEADS: u64 = 1 << 20;

impl Http2 {
    /// `open_heads` where only `max_streams` is given.
    pub fn open_heads_of(max_streams: u32) -> ByteSize {
        ByteSize((u64::from(max_streams) * HEAD_BYTES_OF_STREAM).max(LEAST_OPEN_HEADS))
    }
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            enabled: true,
            max_streams: 100,
            stream_window: ByteSize(256 << 10),
            connection_window: ByteSize(2 << 20),
            open_heads: Self::open_heads_of(100),
            resets_per_second: 100,
            idle_frames_per_second: 1000,
        }
    }
}
