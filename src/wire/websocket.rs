//! WebSocket for a proxy (RFC 6455): the boundaries of frames, close frames, and the keys of the
//! opening handshake.
//!
//! `proxy::io::relay` follows the frames that it passes on, without reading their content: a frame
//! of ours may only be written between two of theirs. `proxy::http` does the opening handshake if
//! one side uses HTTP/2 (RFC 8441), which has no key, and the other HTTP/1.

use std::fmt;

use aws_lc_rs::digest;

/// RFC 6455 §4.2.2.
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// RFC 6455 §5.2: two bytes, a length of 8 more at most, and a masking key of 4.
const LONGEST_HEAD_BYTES: usize = 14;

/// RFC 6455 §5.5.1.
const CLOSE: u8 = 8;

/// A close frame's body: the code and nothing else.
const CLOSE_BODY_BYTES: usize = 2;

/// RFC 6455 §7.4.1: the endpoint is shutting down.
pub const GOING_AWAY: u16 = 1001;

/// Follows one direction of a connection from frame to frame.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    /// The part of the present frame's head that has arrived.
    head: [u8; LONGEST_HEAD_BYTES],
    head_bytes: u8,
    /// The bytes of the present frame's payload that have not come yet.
    payload_left: u64,
    has_closed: bool,
}

/// Whether a frame's payload is masked: clients have to, servers must not (RFC 6455 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Masking {
    /// As from a client, with this key.
    Key([u8; 4]),
    /// As from a server.
    None,
}

/// RFC 4648 §4.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A `Sec-WebSocket-Key`: 16 bytes in base64.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; 24]);

impl Frames {
    /// Continues with `bytes`.
    pub fn advance(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let passed = self.payload_left.min(bytes.len() as u64);
            self.payload_left -= passed;
            bytes = &bytes[passed as usize..];
            // A head is short, and most bytes are payload: one byte at a time is fast enough.
            let Some((&byte, rest)) = bytes.split_first() else {
                return;
            };
            bytes = rest;
            self.head[usize::from(self.head_bytes)] = byte;
            self.head_bytes += 1;
            if let Some(payload) = payload_of(&self.head[..usize::from(self.head_bytes)]) {
                self.has_closed |= self.head[0] & 0xf == CLOSE;
                self.payload_left = payload;
                self.head_bytes = 0;
            }
        }
    }

    /// Whether a frame of ours may be written here: between two frames, and before the close frame.
    pub fn has_room(&self) -> bool {
        self.head_bytes == 0 && self.payload_left == 0 && !self.has_closed
    }
}

/// The length of the payload, if the head is complete (RFC 6455 §5.2).
fn payload_of(head: &[u8]) -> Option<u64> {
    let second = *head.get(1)?;
    let mask_bytes = if second & 0x80 == 0 { 0 } else { 4 };
    let (length, length_bytes) = match second & 0x7f {
        126 => {
            let bytes = head.get(2..)?.first_chunk()?;
            (u64::from(u16::from_be_bytes(*bytes)), 2)
        }
        127 => (u64::from_be_bytes(*head.get(2..)?.first_chunk()?), 8),
        short => (u64::from(short), 0),
    };
    (head.len() >= 2 + length_bytes + mask_bytes).then_some(length)
}

/// A close frame with `code` (RFC 6455 §5.5.1).
pub fn close_frame(code: u16, masking: Masking) -> Vec<u8> {
    let body: [u8; CLOSE_BODY_BYTES] = code.to_be_bytes();
    let last_frame_of_close = 0x80 | CLOSE;
    match masking {
        Masking::None => vec![last_frame_of_close, body.len() as u8, body[0], body[1]],
        Masking::Key(key) => {
            let mut frame = vec![last_frame_of_close, 0x80 | body.len() as u8];
            frame.extend_from_slice(&key);
            frame.extend(body.iter().zip(key).map(|(byte, key)| byte ^ key));
            frame
        }
    }
}

impl Key {
    /// The key from 128 random bits.
    pub fn made(random: [u64; 2]) -> Self {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&random[0].to_be_bytes());
        bytes[8..].copy_from_slice(&random[1].to_be_bytes());
        let mut text = [0; 24];
        text.copy_from_slice(&base64(&bytes));
        Self(text)
    }

    /// The key in a field; `None`: it is invalid (RFC 6455 §4.2.1).
    pub fn of(field: &[u8]) -> Option<Self> {
        let text: [u8; 24] = field.try_into().ok()?;
        let digits = text.strip_suffix(b"==")?;
        let is_key = digits.iter().all(|digit| DIGITS.contains(digit));
        is_key.then_some(Self(text))
    }

    /// The text of the field.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether `accept` is the `Sec-WebSocket-Accept` that answers it.
    pub fn is_answered_by(&self, accept: &[u8]) -> bool {
        self.answer() == accept
    }

    /// The `Sec-WebSocket-Accept` that answers it (RFC 6455 §4.2.2).
    pub fn answer(&self) -> Vec<u8> {
        let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
        context.update(&self.0);
        context.update(KEY_SUFFIX);
        base64(context.finish().as_ref())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// RFC 4648 §4, padded.
fn base64(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for index in 0..4 {
            text.push(match index <= group.len() {
                true => DIGITS[(bits >> (18 - 6 * index)) as usize & 0x3f],
                false => b'=',
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_example_of_the_rfc_is_answered() {
        let key = Key::of(b"dGhlIHNhbXBsZSBub25jZQ==").expect("a key");
        assert!(key.is_answered_by(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert!(!key.is_answered_by(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOp="));
        assert!(!key.is_answered_by(b""));
    }

    #[test]
    fn a_key_is_sixteen_bytes_in_base64_and_nothing_else() {
        let made = Key::made([1, u64::MAX]);
        assert_eq!(Key::of(made.as_bytes()), Some(made));
        for bad in [
            "",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZQ= ",
            "dGhlIHNhbXBsZSBub25jZ===",
            "dGhlIHNhbXBsZSBub25j*Q==",
            "dGhlIHNhbXBsZSBub25jZQQQ",
            "dGhlIHNhbXBsZSBub25jZQ==dGhl",
        ] {
            assert_eq!(Key::of(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        let cases = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (text, expected) in cases {
            assert_eq!(base64(text.as_bytes()), expected.as_bytes());
        }
    }

    #[test]
    fn a_close_frame_is_masked_towards_a_server() {
        assert_eq!(close_frame(GOING_AWAY, Masking::None), [0x88, 2, 3, 0xe9]);
        let masked = close_frame(GOING_AWAY, Masking::Key([1, 2, 3, 4]));
        assert_eq!(masked, [0x88, 0x82, 1, 2, 3, 4, 3 ^ 1, 0xe9 ^ 2]);
    }

    /// A frame with a payload of `length` bytes.
    fn frame(opcode: u8, length: usize, masking: Masking) -> Vec<u8> {
        let mask_bit = if masking == Masking::None { 0 } else { 0x80 };
        let mut frame = vec![0x80 | opcode];
        match length {
            0..126 => frame.push(mask_bit | length as u8),
            126..0x1_0000 => {
                frame.push(mask_bit | 126);
                frame.extend_from_slice(&(length as u16).to_be_bytes());
            }
            _ => {
                frame.push(mask_bit | 127);
                frame.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        if let Masking::Key(key) = masking {
            frame.extend_from_slice(&key);
        }
        frame.resize(frame.len() + length, 0x88);
        frame
    }

    #[test]
    fn nothing_is_written_after_a_close_frame() {
        let mut frames = Frames::default();
        frames.advance(&frame(1, 5, Masking::None));
        assert!(frames.has_room());
        frames.advance(&frame(CLOSE, 2, Masking::None));
        assert!(!frames.has_room());
    }

    proptest! {
        #[test]
        fn there_is_room_between_frames_and_nowhere_else(
            lengths in prop::collection::vec(prop_oneof![0_usize..130, 65_530_usize..65_540], 1..5),
            is_masked: bool,
        ) {
            let masking = if is_masked { Masking::Key([9, 8, 7, 6]) } else { Masking::None };
            let mut frames = Frames::default();
            for length in lengths {
                let frame = frame(2, length, masking);
                let (last, before) = frame.split_last().expect("a frame has a head");
                for byte in before {
                    prop_assert!(frames.has_room() == (frames.head_bytes == 0 && frames.payload_left == 0));
                    frames.advance(std::slice::from_ref(byte));
                    prop_assert!(!frames.has_room());
                }
                frames.advance(std::slice::from_ref(last));
                prop_assert!(frames.has_room());
            }
        }

        #[test]
        fn pieces_of_any_size_lead_to_the_same_place(bytes: Vec<u8>, cut: prop::sample::Index) {
            let mut whole = Frames::default();
            whole.advance(&bytes);
            let cut = cut.index(bytes.len() + 1);
            let mut parts = Frames::default();
            parts.advance(&bytes[..cut]);
            parts.advance(&bytes[cut..]);
            prop_assert_eq!(format!("{whole:?}"), format!("{parts:?}"));
        }
    }
}
