//! A client of HTTP/2 that sends exactly the frames it is given, sensible or not.
//!
//! Heads are written as literals that are never indexed (RFC 7541 §6.2.2), and no peer may use a
//! dynamic table towards it: so an answer's status can be read.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use rustls::ClientConnection;
use socket2::{Domain, Socket, Type};

use super::kernel::tcp_socket;
use super::tls::Speech;
use super::wait::{TIMEOUT, until};

/// The first bytes of a client (RFC 9113 §3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HEADER_BYTES: usize = 9;

// RFC 9113 §6.
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const ACK: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;
pub(crate) const WITH_PRIORITY: u8 = 0x20;

// RFC 9113 §7.
pub(crate) const NO_ERROR: u32 = 0;
pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const FLOW_CONTROL_ERROR: u32 = 3;
pub(crate) const STREAM_CLOSED: u32 = 5;
pub(crate) const FRAME_SIZE_ERROR: u32 = 6;
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const CANCEL: u32 = 8;
pub(crate) const COMPRESSION_ERROR: u32 = 9;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// A frame that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// A client connection.
pub(crate) struct Framed {
    stream: TcpStream,
    /// TLS below the frames; `None`: none.
    tls: Option<Box<ClientConnection>>,
    ahead: Vec<u8>,
}

impl Framed {
    /// Connects, sends the preface, and grants no dynamic table.
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::greeting(address, &[(1, 0)])
    }

    /// Connects and sends the preface with these settings.
    #[track_caller]
    pub(crate) fn greeting(address: SocketAddr, values: &[(u16, u32)]) -> Self {
        let mut client = Self::silent(address);
        client.send(PREFACE).send(settings(values));
        client
    }

    /// Connects and sends nothing.
    #[track_caller]
    pub(crate) fn silent(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT);
        Self::over(stream.expect("it listens"))
    }

    /// Connects with a small receive buffer, and sends nothing.
    #[track_caller]
    pub(crate) fn narrow(address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None);
        let socket = socket.expect("a socket");
        socket.set_recv_buffer_size(16 << 10).expect("a socket");
        socket.connect(&address.into()).expect("it listens");
        Self::over(socket.into())
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a TCP socket");
        stream
            .set_read_timeout(Some(TIMEOUT))
            .expect("a time above zero");
        stream
            .set_write_timeout(Some(TIMEOUT))
            .expect("a time above zero");
        Self {
            stream,
            tls: None,
            ahead: Vec::new(),
        }
    }

    /// Whether the other end's socket still exists; it may outlive its owner in the process.
    pub(crate) fn is_kept_at(&self, address: SocketAddr) -> bool {
        let ours = self.stream.local_addr().expect("a socket");
        tcp_socket(address, ours).is_some()
    }

    /// Waits until the other end's socket takes no more, because nothing is read here: not once,
    /// but in many looks, because a socket with acknowledgements on their way has room again.
    #[track_caller]
    pub(crate) fn wait_until_full(&self, address: SocketAddr) {
        const LOOKS: usize = 50;
        let ours = self.stream.local_addr().expect("a socket");
        let mut full = 0;
        until("the other end's socket is full", || {
            let is_full = tcp_socket(address, ours).is_some_and(|socket| !socket.has_room);
            full = if is_full { full + 1 } else { 0 };
            (full >= LOOKS).then_some(())
        });
    }

    /// Does a TLS handshake for `name`; everything later is inside it.
    #[track_caller]
    pub(crate) fn behind(mut self, speech: &Speech, name: &str) -> Self {
        let shaken = speech.shake_hands(&mut self.stream, name);
        let tls = shaken.expect("a handshake");
        assert_eq!(tls.alpn_protocol(), Some(&b"h2"[..]));
        self.tls = Some(Box::new(tls));
        self
    }

    /// Sends bytes.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.try_send(bytes).expect("it takes them");
        self
    }

    /// Sends bytes as far as the other end takes them.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let mut bytes = bytes.as_ref();
        let Some(tls) = &mut self.tls else {
            return self.stream.write_all(bytes);
        };
        while !bytes.is_empty() {
            // As much as it has room for.
            let taken = tls.writer().write(bytes)?;
            bytes = &bytes[taken..];
            while tls.wants_write() {
                tls.write_tls(&mut self.stream)?;
            }
        }
        Ok(())
    }

    /// Sends `bytes` so many times, or until the other end takes no more.
    pub(crate) fn flood(&mut self, times: usize, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        // Many at once: one by one, the kernel would be tested.
        let together = (64 << 10) / bytes.len().max(1) + 1;
        let piece = bytes.repeat(together.min(times));
        for _ in 0..times.div_ceil(together) {
            if self.try_send(&piece).is_err() {
                return;
            }
        }
    }

    /// The next frame; `None`: the connection has ended, in order or not.
    #[track_caller]
    pub(crate) fn frame(&mut self) -> Option<Frame> {
        let header: [u8; HEADER_BYTES] = self.bytes(HEADER_BYTES)?.try_into().ok()?;
        let [a, b, c, kind, flags, id @ ..] = header;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let payload = self.bytes(length)?;
        Some(Frame {
            kind,
            flags,
            stream: u32::from_be_bytes(id) & 0x7fff_ffff,
            payload,
        })
    }

    /// The next frame that `is_wanted`; those before are dropped.
    #[track_caller]
    pub(crate) fn frame_that(&mut self, is_wanted: impl Fn(&Frame) -> bool) -> Frame {
        loop {
            let frame = self.frame().expect("it goes on");
            if is_wanted(&frame) {
                return frame;
            }
        }
    }

    /// All frames until the connection ends.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> Vec<Frame> {
        std::iter::from_fn(|| self.frame()).collect()
    }

    /// Checks that the connection ends with GOAWAY, and returns the code.
    #[track_caller]
    pub(crate) fn sent_away(&mut self) -> u32 {
        let frames = self.rest();
        let last = frames.iter().rfind(|frame| frame.kind == GOAWAY);
        last.expect("GOAWAY before the end").code()
    }

    /// The status that stream `id` is answered with.
    #[track_caller]
    pub(crate) fn status(&mut self, id: u32) -> u16 {
        let head = self.frame_that(|frame| frame.kind == HEADERS && frame.stream == id);
        head.status()
    }

    /// The code with which stream `id` is reset.
    #[track_caller]
    pub(crate) fn reset_of(&mut self, id: u32) -> u32 {
        self.frame_that(|frame| frame.kind == RST_STREAM && frame.stream == id)
            .code()
    }

    /// Checks that the other end still answers.
    #[track_caller]
    pub(crate) fn is_alive(&mut self) {
        self.send(frame(PING, 0, 0, b"hearing?"));
        let is_ours = |frame: &Frame| frame.kind == PING && frame.payload == b"hearing?";
        assert_eq!(self.frame_that(is_ours).flags, ACK);
    }

    #[track_caller]
    fn bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        let mut room = [0; 16 << 10];
        while self.ahead.len() < count {
            match self.read(&mut room) {
                Ok(0) => return None,
                Ok(read) => self.ahead.extend_from_slice(&room[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let is_late =
                        matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                    assert!(!is_late, "nothing comes, not even the end");
                    return None;
                }
            }
        }
        Some(self.ahead.drain(..count).collect())
    }

    /// Never writes, unlike rustls' own streams: bytes before the end are read after it, too.
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.stream.read(room);
        };
        loop {
            match tls.reader().read(room) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    tls.read_tls(&mut self.stream)?;
                    tls.process_new_packets().map_err(io::Error::other)?;
                }
                done => return done,
            }
        }
    }
}

impl Frame {
    /// Of GOAWAY or RST_STREAM.
    #[track_caller]
    pub(crate) fn code(&self) -> u32 {
        let start = if self.kind == GOAWAY { 4 } else { 0 };
        let code = self.payload[start..start + 4].try_into();
        u32::from_be_bytes(code.expect("four bytes"))
    }

    /// Of the head of an answer: its first field, from the static table or a literal.
    #[track_caller]
    pub(crate) fn status(&self) -> u16 {
        let mut block = self.payload.as_slice();
        // Changes of the table's size (RFC 7541 §6.3).
        while block[0] & 0xe0 == 0x20 {
            block = &block[1..];
        }
        match block[0] {
            0x88 => 200,
            0x89 => 204,
            0x8a => 206,
            0x8b => 304,
            0x8c => 400,
            0x8d => 404,
            0x8e => 500,
            0x08 | 0x18 | 0x48 => status_of(block[1], &block[2..]),
            other => unreachable!("no status: {other:#x}"),
        }
    }
}

/// A status as a string literal (RFC 7541 §5.2), with Huffman's code or without.
fn status_of(length: u8, bytes: &[u8]) -> u16 {
    let text = &bytes[..usize::from(length & 0x7f)];
    if length & 0x80 == 0 {
        let text = std::str::from_utf8(text).expect("digits");
        return text.parse().expect("digits");
    }
    let bits: String = text.iter().map(|byte| format!("{byte:08b}")).collect();
    let mut bits = bits.as_str();
    let mut status = 0;
    for _ in 0..3 {
        // RFC 7541 appendix B: 0 to 2 have five bits, 3 to 9 six.
        let short = u16::from_str_radix(&bits[..5], 2).expect("bits");
        let (digit, length) = if short <= 2 {
            (short, 5)
        } else {
            let long = u16::from_str_radix(&bits[..6], 2).expect("bits");
            (long - 0x19 + 3, 6)
        };
        status = status * 10 + digit;
        bits = &bits[length..];
    }
    status
}

/// A frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// SETTINGS with these values.
pub(crate) fn settings(values: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (id, value) in values {
        payload.extend(id.to_be_bytes());
        payload.extend(value.to_be_bytes());
    }
    frame(SETTINGS, 0, 0, payload)
}

/// RST_STREAM.
pub(crate) fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, code.to_be_bytes())
}

/// WINDOW_UPDATE.
pub(crate) fn grant(stream: u32, bytes: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, bytes.to_be_bytes())
}

/// PRIORITY: `stream` depends on another.
pub(crate) fn priority(stream: u32, on: u32) -> Vec<u8> {
    let mut payload = on.to_be_bytes().to_vec();
    payload.push(16);
    frame(PRIORITY, 0, stream, payload)
}

/// A field that is not indexed, its name a literal too.
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(string(name));
    bytes.extend(string(value));
    bytes
}

/// A string without Huffman's code (RFC 7541 §5.2).
pub(crate) fn string(text: &str) -> Vec<u8> {
    let mut bytes = number(text.len(), 7);
    bytes.extend(text.as_bytes());
    bytes
}

/// A number with a prefix of so many bits, the bits above it zero (RFC 7541 §5.1).
fn number(value: usize, bits: u32) -> Vec<u8> {
    let most = (1 << bits) - 1;
    if value < most {
        return vec![value as u8];
    }
    let mut bytes = vec![most as u8];
    let mut rest = value - most;
    while rest >= 128 {
        bytes.push((rest % 128) as u8 | 0x80);
        rest /= 128;
    }
    bytes.push(rest as u8);
    bytes
}

/// The fields of a head.
pub(crate) fn block<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let fields = fields.into_iter();
    fields
        .flat_map(|(name, value)| field(name, value))
        .collect()
}

/// A head in as many frames as it needs.
pub(crate) fn head(flags: u8, stream: u32, block: &[u8]) -> Vec<u8> {
    let mut pieces: Vec<&[u8]> = block.chunks(16 << 10).collect();
    let last = pieces.pop().unwrap_or_default();
    let mut bytes = Vec::new();
    let mut kind = HEADERS;
    let mut flags = flags;
    for piece in pieces {
        bytes.extend(frame(kind, flags, stream, piece));
        (kind, flags) = (CONTINUATION, 0);
    }
    bytes.extend(frame(kind, flags | END_HEADERS, stream, last));
    bytes
}

/// The head of a request for `target`.
pub(crate) fn request(method: &str, target: &str) -> Vec<u8> {
    block([
        (":method", method),
        (":scheme", "http"),
        (":path", target),
        (":authority", "test"),
    ])
}

/// The head of `GET /`.
pub(crate) fn get() -> Vec<u8> {
    request("GET", "/")
}

/// A whole `GET /`.
pub(crate) fn ask(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, get())
}

/// A whole GET for `target`.
pub(crate) fn request_for(stream: u32, target: &str) -> Vec<u8> {
    let head = request("GET", target);
    frame(HEADERS, END_HEADERS | END_STREAM, stream, head)
}

/// The head of `POST /`, whose body is to follow.
pub(crate) fn begin(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, request("POST", "/"))
}
