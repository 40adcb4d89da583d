//! Clients and the origin. They do as little as possible, and none of it is counted.

use std::io;

use evenkeel::base::tasks;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::counting::Uncounted;
use crate::network::Listening;

/// A connection of a client.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// The request of an HTTP/1.1 client.
const REQUEST: &[u8] = b"GET /some/path?x=y HTTP/1.1\r\nHost: www.example.com\r\n\
    User-Agent: bench/1.0\r\nAccept: */*\r\n\r\n";

/// The answer of the origin.
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Mon, 30 Nov 2026 11:00:00 GMT\r\n\
    Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";

/// How many streams an HTTP/2 client has open at a time.
const STREAMS: usize = 8;

/// Answers the requests on a connection, until it ends.
async fn answer(mut stream: impl Stream) {
    let mut buffer = vec![0; 4 << 10];
    let mut filled = 0;
    while let Ok(read @ 1..) = stream.read(&mut buffer[filled..]).await {
        filled += read;
        if buffer[..filled].ends_with(b"\r\n\r\n") {
            filled = 0;
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
        }
    }
}

/// Serves every connection.
pub(crate) async fn origin(mut listening: Listening) {
    while let Some(stream) = listening.accept().await {
        tasks::spawn_local(Uncounted::new(answer(stream)));
    }
}

/// Sends `requests`, one after the other, and reads their answers.
pub(crate) async fn ask_h1(stream: &mut impl Stream, requests: usize) -> io::Result<()> {
    let mut buffer = vec![0; 4 << 10];
    for _ in 0..requests {
        stream.write_all(REQUEST).await?;
        stream.flush().await?;
        let mut filled = 0;
        while !buffer[..filled].ends_with(b"\r\n\r\nok") {
            let read = stream.read(&mut buffer[filled..]).await?;
            check(read > 0, "the proxy closed")?;
            filled += read;
        }
        check(
            buffer.starts_with(b"HTTP/1.1 200 "),
            "not the origin's answer",
        )?;
    }
    Ok(())
}

/// An HTTP/2 client. Its frames are constants, because a library would take longer than the proxy.
pub(crate) struct H2<S> {
    stream: S,
    next_stream: u32,
    unread: Vec<u8>,
}

/// Types and flags of frames (RFC 9113 §6).
mod frame {
    pub(super) const DATA: u8 = 0;
    pub(super) const HEADERS: u8 = 1;
    pub(super) const SETTINGS: u8 = 4;
    pub(super) const PING: u8 = 6;
    pub(super) const WINDOW_UPDATE: u8 = 8;
    pub(super) const ACK: u8 = 1;
    pub(super) const END_STREAM: u8 = 1;
    pub(super) const END_HEADERS: u8 = 4;
    pub(super) const HEAD_BYTES: usize = 9;
}

/// GET, http, and the path, each of which is indexed then (RFC 7541 §6).
const FIELDS: &[u8] = b"\x82\x86\x04\x0e/some/path?x=y";
const AUTHORITY: &[u8] = b"\x41\x0fwww.example.com";
const USER_AGENT: &[u8] = b"\x7a\x09bench/1.0";
const ACCEPT: &[u8] = b"\x53\x03*/*";
/// These three, from the second request on.
const INDEXED: &[u8] = b"\xc0\xbf\xbe";
/// `:status: 200`.
const OK: u8 = 0x88;

impl<S: Stream> H2<S> {
    pub(crate) async fn open(mut stream: S) -> io::Result<Self> {
        let mut opening = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        write_frame(&mut opening, frame::SETTINGS, 0, 0, &[]);
        let window = (0x7fff_ffff_u32 - 0xffff).to_be_bytes();
        write_frame(&mut opening, frame::WINDOW_UPDATE, 0, 0, &window);
        stream.write_all(&opening).await?;
        Ok(Self {
            stream,
            next_stream: 1,
            unread: Vec::new(),
        })
    }

    /// Sends `requests` in groups of [`STREAMS`], and reads the answers of each group before the next.
    pub(crate) async fn ask(&mut self, requests: usize) -> io::Result<()> {
        for _ in 0..requests / STREAMS {
            let mut out = Vec::new();
            for _ in 0..STREAMS {
                let fields = if self.next_stream == 1 {
                    [FIELDS, AUTHORITY, USER_AGENT, ACCEPT].concat()
                } else {
                    [FIELDS, INDEXED].concat()
                };
                let flags = frame::END_STREAM | frame::END_HEADERS;
                write_frame(&mut out, frame::HEADERS, flags, self.next_stream, &fields);
                self.next_stream += 2;
            }
            self.stream.write_all(&out).await?;
            self.stream.flush().await?;
            self.read_answers().await?;
        }
        Ok(())
    }

    async fn read_answers(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4 << 10];
        let mut open = STREAMS;
        while open > 0 {
            let read = self.stream.read(&mut buffer).await?;
            check(read > 0, "the proxy closed")?;
            self.unread.extend_from_slice(&buffer[..read]);
            while let Some((kind, flags, payload)) = split_frame(&mut self.unread) {
                let is_ack = flags & frame::ACK != 0;
                match kind {
                    frame::HEADERS => check(payload.contains(&OK), "not the origin's answer")?,
                    frame::DATA | frame::WINDOW_UPDATE => {}
                    frame::SETTINGS | frame::PING if is_ack => {}
                    frame::SETTINGS | frame::PING => {
                        let payload = if kind == frame::PING {
                            &payload[..]
                        } else {
                            &[]
                        };
                        let mut out = Vec::new();
                        write_frame(&mut out, kind, frame::ACK, 0, payload);
                        self.stream.write_all(&out).await?;
                    }
                    kind => check(false, &format!("a frame of type {kind} came"))?,
                }
                let may_end = kind == frame::HEADERS || kind == frame::DATA;
                if may_end && flags & frame::END_STREAM != 0 {
                    open -= 1;
                }
            }
        }
        Ok(())
    }
}

fn write_frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// Takes the first frame off, if it is complete: its type, flags and payload.
fn split_frame(unread: &mut Vec<u8>) -> Option<(u8, u8, Vec<u8>)> {
    let head: [u8; frame::HEAD_BYTES] = unread.get(..frame::HEAD_BYTES)?.try_into().ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    let end = frame::HEAD_BYTES + length;
    let payload = unread.get(frame::HEAD_BYTES..end)?.to_vec();
    unread.drain(..end);
    Some((head[3], head[4], payload))
}

fn check(is_so: bool, what: &str) -> io::Result<()> {
    if is_so {
        Ok(())
    } else {
        Err(io::Error::other(what))
    }
}
