//! The few bytes of RFC 6455 for an idle WebSocket.
//!
//! `edge::idle` sends, `origin` answers; the proxies in between see an upgrade and then bytes.

/// The key of RFC 6455 §1.3, so that its answer is known.
pub(crate) const UPGRADE: &[u8] =
    b"GET /ws HTTP/1.1\r\nHost: bench.test\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

pub(crate) const ACCEPTED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// A text of two letters from a client, under a mask of zeros (§5.3).
pub(crate) const MESSAGE: &[u8] = b"\x81\x82\0\0\0\0hi";

/// The same from a server, which does not mask.
pub(crate) const ANSWER: &[u8] = b"\x81\x02hi";
