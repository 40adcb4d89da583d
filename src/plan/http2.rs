//! HTTP/2 with clients: whether it is on, and the bounds of its cost.

use crate::base::ByteSize;

/// `[frontend.NAME.http2]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Http2 {
    /// Whether clients may use it.
    pub enabled: bool,
    /// The most streams that a client may have open at a time on one connection.
    pub max_streams: u32,
    /// How many bytes of one request body are read before the server takes them.
    pub stream_window: ByteSize,
    /// The same for all request bodies of a connection together.
    pub connection_window: ByteSize,
    /// The most bytes of the heads of all open requests of a connection together.
    pub open_heads: ByteSize,
    /// Streams that a client may reset a second, or cause to be reset, on average; five seconds'
    /// worth at once.
    pub resets_per_second: u32,
    /// Frames without effect that a client may send a second, on average; five seconds' worth at
    /// once.
    pub idle_frames_per_second: u32,
}

/// The share of each stream in `open_heads`, if only `max_streams` is given: twice the head of a
/// call or of a page with many cookies.
const HEAD_BYTES_OF_STREAM: u64 = 10 << 10;

/// The least `open_heads`: with few streams, too, a head may be as large as `limits.head` allows.
const LEAST_OPEN_HEADS: u64 = 1 << 20;

impl Http2 {
    /// `open_heads` if only `max_streams` is given.
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
