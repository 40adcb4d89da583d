//! HTTP/2 frame by frame, for scripts of a server that misbehaves.

use super::origin::Visit;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Kinds of frames (RFC 9113 §6).
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const RESET: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
    pub(crate) const WINDOW_UPDATE: u8 = 8;
}

/// Settings (RFC 9113 §6.5.2).
pub(crate) mod setting {
    pub(crate) const MAX_STREAMS: u16 = 3;
    pub(crate) const WINDOW: u16 = 4;
    /// RFC 8441 §3.
    pub(crate) const CONNECT: u16 = 8;
}

pub(crate) const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// `:status: 200` in HPACK.
const OK: &[u8] = &[0x88];

/// One frame.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// A connection with HTTP/2.
pub(crate) struct Frames<'a> {
    visit: &'a mut Visit,
}

impl<'a> Frames<'a> {
    /// After the client's preface; `None`: the client has closed.
    pub(crate) fn begin(visit: &'a mut Visit, settings: &[(u16, u32)]) -> Option<Self> {
        let mut frames = Self::preface(visit)?;
        let mut payload = Vec::new();
        for (name, value) in settings {
            payload.extend_from_slice(&name.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        }
        frames.send(kind::SETTINGS, 0, 0, &payload);
        Some(frames)
    }

    /// The same, without sending anything.
    pub(crate) fn preface(visit: &'a mut Visit) -> Option<Self> {
        let preface = visit.bytes(PREFACE.len())?;
        assert_eq!(preface, PREFACE);
        Some(Self { visit })
    }

    /// The next frame that is not about settings or windows; those are answered.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        loop {
            let frame = self.read()?;
            match frame.kind {
                kind::SETTINGS if frame.flags & ACK == 0 => {
                    self.send(kind::SETTINGS, ACK, 0, b"");
                }
                kind::SETTINGS | kind::WINDOW_UPDATE => {}
                _ => return Some(frame),
            }
        }
    }

    /// The stream of the next request; its body is not waited for.
    pub(crate) fn request(&mut self) -> Option<u32> {
        loop {
            let frame = self.next()?;
            if frame.kind == kind::HEADERS {
                return Some(frame.stream);
            }
        }
    }

    /// The next frame of this kind.
    pub(crate) fn wait_for(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next()?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    fn read(&mut self) -> Option<Frame> {
        let head = self.visit.bytes(9)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Frame {
            kind: head[3],
            flags: head[4],
            stream: stream & 0x7fff_ffff,
            payload: self.visit.bytes(length as usize)?,
        })
    }

    /// Sends a frame; `false`: the peer has closed.
    pub(crate) fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        let length = u32::try_from(payload.len()).expect("a frame");
        let mut frame = length.to_be_bytes()[1..].to_vec();
        frame.extend_from_slice(&[kind, flags]);
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        self.visit.send(frame)
    }

    /// The head of a successful answer.
    pub(crate) fn head(&mut self, stream: u32) -> bool {
        self.send(kind::HEADERS, END_HEADERS, stream, OK)
    }

    /// A piece of its body.
    pub(crate) fn data(&mut self, stream: u32, data: &[u8]) -> bool {
        self.send(kind::DATA, 0, stream, data)
    }

    /// The last piece of its body.
    pub(crate) fn last(&mut self, stream: u32, data: &[u8]) -> bool {
        self.send(kind::DATA, END_STREAM, stream, data)
    }

    /// A successful answer.
    pub(crate) fn answer(&mut self, stream: u32, body: &[u8]) -> bool {
        self.head(stream);
        self.last(stream, body)
    }

    /// Ends one stream; see RFC 9113 §7 for the codes.
    pub(crate) fn reset(&mut self, stream: u32, code: u32) -> bool {
        self.send(kind::RESET, 0, stream, &code.to_be_bytes())
    }

    /// Reports that no stream after `last` was processed.
    pub(crate) fn goaway(&mut self, last: u32) -> bool {
        let payload = [last.to_be_bytes(), 0_u32.to_be_bytes()].concat();
        self.send(kind::GOAWAY, 0, 0, &payload)
    }

    /// Answers a ping.
    pub(crate) fn pong(&mut self, ping: &Frame) -> bool {
        self.send(kind::PING, ACK, 0, &ping.payload)
    }
}
