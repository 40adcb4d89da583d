//! The chunked transfer coding (RFC 9112 §7.1): a decoder, and the parts that a writer needs.

use bytes::{Buf, Bytes, BytesMut};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use httparse::Status;

use super::Refusal;
use super::names::{NameCase, NameWriter};

/// The most bytes that the extensions of all chunks of one body may have together. Extensions have
/// no known use, and without a bound a sender could send them for ever.
const EXTENSION_BYTES_MAX: usize = 16 << 10;

/// The bounds of a trailer section: bytes, and field lines.
const TRAILER_BYTES_MAX: usize = 16 << 10;
const TRAILER_FIELDS_MAX: usize = 100;

/// Decodes a chunked body whose bytes arrive piece by piece.
#[derive(Debug)]
pub struct ChunkDecoder {
    state: State,
    extension_bytes: usize,
}

/// The part of the body that the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The size of a chunk, of which `digits` have come.
    Size { size: u64, digits: u8 },
    /// White space after the size.
    Space { size: u64 },
    /// An extension of the chunk, after a semicolon.
    Extension { size: u64 },
    /// The line feed that ends the line of the size.
    SizeEnd { size: u64 },
    /// The data of the chunk, of which `left` bytes are still to come.
    Data { left: u64 },
    /// The carriage return after the data.
    DataEnd,
    /// The line feed after that carriage return.
    DataEndLf,
    /// The trailers, or the empty line that ends the body without them.
    Trailers,
    /// Nothing: the body has ended.
    Over,
}

/// A piece of a decoded body.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Some bytes of the body; never empty.
    Data(Bytes),
    /// The trailer fields, which end the body.
    Trailers(HeaderMap),
    /// The body has ended, without trailers.
    End,
}

impl Default for ChunkDecoder {
    fn default() -> Self {
        Self {
            state: State::Size { size: 0, digits: 0 },
            extension_bytes: 0,
        }
    }
}

impl ChunkDecoder {
    /// Takes the next piece out of `bytes`; `None`: more bytes have to come first.
    ///
    /// # Errors
    ///
    /// [`Refusal::ChunkSize`], [`Refusal::ChunkEnd`], [`Refusal::ChunkExtensions`] or
    /// [`Refusal::Trailers`]: the body is malformed, or over a bound.
    pub fn decode(&mut self, bytes: &mut BytesMut) -> Result<Option<Piece>, Refusal> {
        loop {
            match self.state {
                State::Over => return Ok(Some(Piece::End)),
                State::Data { left } => {
                    if bytes.is_empty() {
                        return Ok(None);
                    }
                    let length =
                        usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                    self.state = match left - length as u64 {
                        0 => State::DataEnd,
                        left => State::Data { left },
                    };
                    return Ok(Some(Piece::Data(bytes.split_to(length).freeze())));
                }
                State::Trailers => return self.decode_trailers(bytes),
                _ => {}
            }
            let Some(&byte) = bytes.first() else {
                return Ok(None);
            };
            self.state = self.next_state(byte)?;
            bytes.advance(1);
        }
    }

    /// Whether the body has ended.
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// How many bytes of the current chunk's data are still to come; 0 between chunks.
    pub fn chunk_left(&self) -> u64 {
        match self.state {
            State::Data { left } => left,
            _ => 0,
        }
    }

    /// The state after `byte`, which is neither chunk data nor part of the trailers.
    fn next_state(&mut self, byte: u8) -> Result<State, Refusal> {
        Ok(match (self.state, byte) {
            (State::Size { size, digits }, byte) if byte.is_ascii_hexdigit() => {
                let digit = (byte as char).to_digit(16).unwrap_or_default();
                // A `u64` has at most 16 digits. Leading zeros count, so that their number is
                // bounded too.
                if digits == 16 {
                    return Err(Refusal::ChunkSize);
                }
                State::Size {
                    size: size << 4 | u64::from(digit),
                    digits: digits + 1,
                }
            }
            (State::Size { digits: 0, .. }, _) => return Err(Refusal::ChunkSize),
            (State::Size { size, .. } | State::Space { size }, b' ' | b'\t') => {
                self.count_extension()?;
                State::Space { size }
            }
            (State::Size { size, .. } | State::Space { size }, b';') => {
                self.count_extension()?;
                State::Extension { size }
            }
            (
                State::Size { size, .. } | State::Space { size } | State::Extension { size },
                b'\r',
            ) => State::SizeEnd { size },
            (State::Size { .. } | State::Space { .. }, _) => return Err(Refusal::ChunkSize),
            (State::Extension { .. }, b'\n' | 0) => return Err(Refusal::ChunkEnd),
            (State::Extension { size }, _) => {
                self.count_extension()?;
                State::Extension { size }
            }
            (State::SizeEnd { size: 0 }, b'\n') => State::Trailers,
            (State::SizeEnd { size }, b'\n') => State::Data { left: size },
            (State::DataEnd, b'\r') => State::DataEndLf,
            (State::DataEndLf, b'\n') => State::Size { size: 0, digits: 0 },
            _ => return Err(Refusal::ChunkEnd),
        })
    }

    fn count_extension(&mut self) -> Result<(), Refusal> {
        self.extension_bytes += 1;
        match self.extension_bytes > EXTENSION_BYTES_MAX {
            true => Err(Refusal::ChunkExtensions),
            false => Ok(()),
        }
    }

    fn decode_trailers(&mut self, bytes: &mut BytesMut) -> Result<Option<Piece>, Refusal> {
        if bytes.starts_with(b"\r\n") {
            bytes.advance(2);
            self.state = State::Over;
            return Ok(Some(Piece::End));
        }
        let end = memchr::memmem::find(bytes, b"\r\n\r\n");
        let trailer_bytes = end.map_or(bytes.len(), |end| end + 4);
        if trailer_bytes > TRAILER_BYTES_MAX || has_bare_line_end(&bytes[..trailer_bytes]) {
            return Err(Refusal::Trailers);
        }
        if end.is_none() {
            return Ok(None);
        }
        let mut slots = [httparse::EMPTY_HEADER; TRAILER_FIELDS_MAX];
        let parsed = httparse::parse_headers(bytes, &mut slots).map_err(|_| Refusal::Trailers)?;
        let Status::Complete((length, fields)) = parsed else {
            return Err(Refusal::Trailers);
        };
        let mut trailers = HeaderMap::with_capacity(fields.len());
        for field in fields {
            let name = HeaderName::from_bytes(field.name.as_bytes());
            let value = HeaderValue::from_bytes(field.value);
            let (Ok(name), Ok(value)) = (name, value) else {
                return Err(Refusal::Trailers);
            };
            trailers.append(name, value);
        }
        bytes.advance(length);
        self.state = State::Over;
        Ok(Some(Piece::Trailers(trailers)))
    }
}

/// Whether an LF stands without the CR before it, or a CR without the LF after it: both are refused in all
/// lines of a chunked body. The LF of a CR at the end may still come.
fn has_bare_line_end(bytes: &[u8]) -> bool {
    let mut ends = memchr::memchr2_iter(b'\r', b'\n', bytes);
    ends.any(|end| match bytes[end] {
        b'\n' => end == 0 || bytes[end - 1] != b'\r',
        _ => bytes.get(end + 1).is_some_and(|next| *next != b'\n'),
    })
}

/// Appends the line before a chunk of `length` bytes. `length` must not be 0, which is the last
/// chunk. The caller writes the data and CR LF after it.
pub fn write_size(length: usize, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = length.max(1).ilog2() / 4 + 1;
    for digit in (0..digits).rev() {
        out.push(DIGITS[length >> (4 * digit) & 15]);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends the last chunk, `trailers`, and the empty line that ends the body.
pub fn write_end(trailers: Option<&HeaderMap>, case: NameCase<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n");
    let mut names = NameWriter::new(case);
    for (name, value) in trailers.into_iter().flatten() {
        names.write(name, false, out);
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Data, trailers, and what is left over.
    type Decoded = (Vec<u8>, Option<HeaderMap>, Vec<u8>);

    /// Decodes `text`, given in pieces of `size` bytes.
    fn decode(text: &[u8], size: usize) -> Result<Decoded, Refusal> {
        let mut decoder = ChunkDecoder::default();
        let mut bytes = BytesMut::new();
        let mut pieces = text.chunks(size);
        let mut data = Vec::new();
        loop {
            match decoder.decode(&mut bytes)? {
                Some(Piece::Data(piece)) => {
                    assert!(!piece.is_empty());
                    data.extend_from_slice(&piece);
                }
                Some(end) => {
                    assert!(decoder.is_over());
                    let trailers = match end {
                        Piece::Trailers(trailers) => Some(trailers),
                        _ => None,
                    };
                    bytes.extend(pieces.flatten());
                    return Ok((data, trailers, bytes.to_vec()));
                }
                None => match pieces.next() {
                    Some(piece) => bytes.extend_from_slice(piece),
                    None => return Ok((data, None, b"more is wanted".to_vec())),
                },
            }
        }
    }

    #[test]
    fn chunks_are_decoded_wherever_the_text_is_split() {
        let text =
            b"5\r\nhello\r\n00B;a=\"b\"\r\n, world and\r\n1 \t\r\n!\r\n0\r\nX-A: b\r\n\r\nnext";
        for size in 1..text.len() {
            let (data, trailers, left) = decode(text, size).expect("it is understood");
            assert_eq!(data, b"hello, world and!");
            assert_eq!(trailers.expect("trailers")["x-a"], "b");
            assert_eq!(left, b"next");
        }
        let (data, trailers, left) = decode(b"0\r\n\r\n", 1).expect("it is understood");
        assert_eq!((data, trailers, left), (vec![], None, vec![]));
    }

    #[test]
    fn ambiguous_text_is_refused() {
        let cases: [(&[u8], Refusal); 21] = [
            (b"\r\n", Refusal::ChunkSize),
            (b";a\r\n", Refusal::ChunkSize),
            (b" 5\r\n", Refusal::ChunkSize),
            (b"+5\r\n", Refusal::ChunkSize),
            (b"0x5\r\n", Refusal::ChunkSize),
            (b"5g\r\n", Refusal::ChunkSize),
            (b"5 5\r\n", Refusal::ChunkSize),
            (b"5\nhello\n", Refusal::ChunkSize),
            (b"10000000000000000\r\n", Refusal::ChunkSize),
            (b"00000000000000005\r\n", Refusal::ChunkSize),
            (b"5\r\rhello", Refusal::ChunkEnd),
            (b"5;a\nhello", Refusal::ChunkEnd),
            (b"5;a\0\r\nhello", Refusal::ChunkEnd),
            (b"5\r\nhello!\r\n", Refusal::ChunkEnd),
            (b"5\r\nhello\n", Refusal::ChunkEnd),
            (b"0\r\nx\r\n\r\n", Refusal::Trailers),
            (b"0\r\nx : y\r\n\r\n", Refusal::Trailers),
            (b"0\r\nx: y\n\r\n", Refusal::Trailers),
            (b"0\r\nx: y\n\n", Refusal::Trailers),
            (b"0\r\n\n", Refusal::Trailers),
            (b"0\r\n\r\r\n", Refusal::Trailers),
        ];
        for (text, refusal) in cases {
            for size in [1, text.len()] {
                assert_eq!(
                    decode(text, size),
                    Err(refusal),
                    "{:?}",
                    text.escape_ascii()
                );
            }
        }
    }

    #[test]
    fn extensions_and_trailers_have_a_bound() {
        let extensions = b"1;a\r\nx\r\n".repeat(EXTENSION_BYTES_MAX);
        assert_eq!(decode(&extensions, 1000), Err(Refusal::ChunkExtensions));
        let one = [
            b"1;".as_slice(),
            &b"a".repeat(EXTENSION_BYTES_MAX),
            b"\r\nx",
        ]
        .concat();
        assert_eq!(decode(&one, 1000), Err(Refusal::ChunkExtensions));
        let trailers = [b"0\r\n".as_slice(), &b"a: b\r\n".repeat(TRAILER_BYTES_MAX)].concat();
        assert_eq!(decode(&trailers, 1000), Err(Refusal::Trailers));
        let long = [
            b"0\r\nx: ".as_slice(),
            &b"y".repeat(TRAILER_BYTES_MAX),
            b"\r\n\r\n",
        ]
        .concat();
        assert_eq!(decode(&long, long.len()), Err(Refusal::Trailers));
        let many = [
            b"0\r\n".as_slice(),
            &b"a:\r\n".repeat(TRAILER_FIELDS_MAX + 1),
            b"\r\n",
        ]
        .concat();
        assert_eq!(decode(&many, 1000), Err(Refusal::Trailers));
    }

    proptest! {
        #[test]
        fn the_writer_and_the_reader_agree(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..5), size in 1_usize..100) {
            let mut text = Vec::new();
            for piece in &pieces {
                write_size(piece.len(), &mut text);
                text.extend_from_slice(piece);
                text.extend_from_slice(b"\r\n");
            }
            let mut trailers = HeaderMap::new();
            trailers.append("x-a", HeaderValue::from_static("b"));
            let has_trailers = pieces.len() % 2 == 1;
            write_end(has_trailers.then_some(&trailers), NameCase::Lower, &mut text);
            let (data, read, left) = decode(&text, size).expect("it is understood");
            prop_assert_eq!(data, pieces.concat());
            prop_assert_eq!(read, has_trailers.then_some(trailers));
            prop_assert!(left.is_empty());
        }

        #[test]
        fn no_bytes_panic(text: Vec<u8>, size in 1_usize..9) {
            let _ = decode(&text, size);
        }
    }
}
