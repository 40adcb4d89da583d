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
    /// The most bytes that all open requests of a connection occupy together: their heads, and what of
    /// their bodies no server has taken.
    pub open_requests: ByteSize,
    /// Streams that a client may reset a second, or cause to be reset, on average; five seconds'
    /// worth at once.
    pub resets_per_second: u32,
    /// Frames without effect that a client may send a second, on average; five seconds' worth at
    /// once.
    pub idle_frames_per_second: u32,
}

/// The share of each stream's head in `open_requests`, if that is not given: twice the head of a call or
/// of a page with many cookies.
const HEAD_BYTES_OF_STREAM: u64 = 10 << 10;

/// The least share of all heads: with few streams, too, a head may be as large as `limits.head` allows.
const LEAST_OPEN_HEADS: u64 = 1 << 20;

impl Http2 {
    /// `open_requests` if it is not given: room for heads beside what the windows let clients send.
    pub fn open_requests_of(max_streams: u32, connection_window: ByteSize) -> ByteSize {
        let heads = (u64::from(max_streams) * HEAD_BYTES_OF_STREAM).max(LEAST_OPEN_HEADS);
        ByteSize(connection_window.0 + heads)
    }
}

impl Default for Http2 {
    fn default() -> Self {
        let max_streams = 100;
        let connection_window = ByteSize(2 << 20);
        Self {
            enabled: true,
            max_streams,
            stream_window: ByteSize(256 << 10),
            connection_window,
            open_requests: Self::open_requests_of(max_streams, connection_window),
            resets_per_second: 100,
            idle_frames_per_second: 1000,
        }
    }
}
