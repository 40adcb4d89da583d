//! One compressed stream, by one of the codings: bytes in, bytes out, no I/O.
//!
//! Its memory is bounded: the window is 256 KiB, and with their tables the encoders need at most
//! 1 to 2 MiB each. Every client must be able to decode a window of this size (RFC 9659).

use std::io;

use compression_codecs::brotli::params::EncoderParams;
use compression_codecs::core::Level;
use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::zstd::params::CParameter;
use compression_codecs::{BrotliEncoder, EncodeV2, GzipEncoder, ZstdEncoder};

use crate::plan::{Coding, Compression};

/// The window in bytes, as a power of two.
const WINDOW_BITS: u32 = 18;

/// A compressed stream that is being written.
pub(in crate::proxy::http) enum Encoder {
    Gzip(Box<GzipEncoder>),
    Br(Box<BrotliEncoder>),
    Zstd(Box<ZstdEncoder>),
}

/// Whether everything is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It is.
    All,
    /// There was no room for all.
    Some,
}

impl Encoder {
    /// An empty stream in `coding`.
    pub(in crate::proxy::http) fn new(coding: Coding, compression: &Compression) -> Self {
        match coding {
            Coding::Gzip => {
                let level = flate2::Compression::new(compression.gzip_level);
                Self::Gzip(Box::new(GzipEncoder::new(level.into())))
            }
            Coding::Br => {
                let level = Level::Precise(compression.br_level as i32);
                let params = EncoderParams::default().quality(level);
                let params = params.window_size(WINDOW_BITS as i32);
                Self::Br(Box::new(BrotliEncoder::new(params)))
            }
            Coding::Zstd => {
                let level = compression.zstd_level as i32;
                let window = CParameter::window_log(WINDOW_BITS);
                let encoder = ZstdEncoder::new_with_params(level, &[window]);
                Self::Zstd(Box::new(encoder))
            }
        }
    }

    /// Compresses as much of `input` as there is room for in `output`, and returns how much of each
    /// was used.
    pub(super) fn encode(&mut self, input: &[u8], output: &mut [u8]) -> io::Result<(usize, usize)> {
        let mut input = PartialBuffer::new(input);
        let mut output = WriteBuffer::new_initialized(output);
        self.codec().encode(&mut input, &mut output)?;
        Ok((input.written_len(), output.written_len()))
    }

    /// Writes so much that a client can decode everything up to here. `output` has room for more than
    /// six bytes: else gzip would write the end of a flush again and again (zlib.h, `deflate`).
    pub(super) fn flush(&mut self, output: &mut [u8]) -> io::Result<(Written, usize)> {
        let mut output = WriteBuffer::new_initialized(output);
        let is_all = self.codec().flush(&mut output)?;
        Ok((Written::of(is_all), output.written_len()))
    }

    /// Writes the end of the stream.
    pub(super) fn finish(&mut self, output: &mut [u8]) -> io::Result<(Written, usize)> {
        let mut output = WriteBuffer::new_initialized(output);
        let is_all = self.codec().finish(&mut output)?;
        Ok((Written::of(is_all), output.written_len()))
    }

    fn codec(&mut self) -> &mut dyn EncodeV2 {
        match self {
            Self::Gzip(codec) => &mut **codec,
            Self::Br(codec) => &mut **codec,
            Self::Zstd(codec) => &mut **codec,
        }
    }
}

impl Written {
    fn of(is_all: bool) -> Self {
        match is_all {
            true => Self::All,
            false => Self::Some,
        }
    }
}

#[cfg(test)]
mod tests {
    use compression_codecs::{BrotliDecoder, DecodeV2, GzipDecoder, ZstdDecoder};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const CODINGS: [Coding; 3] = [Coding::Gzip, Coding::Br, Coding::Zstd];

    /// What a client makes of `bytes`, and whether it is the whole.
    fn decoded(coding: Coding, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut decoder: Box<dyn DecodeV2> = match coding {
            Coding::Gzip => Box::new(GzipDecoder::new()),
            Coding::Br => Box::new(BrotliDecoder::new()),
            Coding::Zstd => Box::new(ZstdDecoder::new()),
        };
        let mut input = PartialBuffer::new(bytes);
        let mut content = Vec::new();
        loop {
            let mut room = [0; 4096];
            let mut output = WriteBuffer::new_initialized(&mut room);
            let before = input.written_len();
            let is_whole = match decoder.decode(&mut input, &mut output) {
                Ok(is_whole) => is_whole,
                // The one for gzip fails where the others wait for more.
                Err(_) if input.unwritten().is_empty() => return (content, false),
                Err(error) => unreachable!("it is valid: {error}"),
            };
            content.extend_from_slice(output.written());
            let is_stuck = output.written_len() == 0 && input.written_len() == before;
            if is_whole || is_stuck {
                return (content, is_whole && input.unwritten().is_empty());
            }
        }
    }

    /// Compressed bytes, written with `room` bytes at a time.
    struct Compressing {
        encoder: Encoder,
        room: usize,
        bytes: Vec<u8>,
    }

    impl Compressing {
        fn new(coding: Coding, room: usize) -> Self {
            Self {
                encoder: Encoder::new(coding, &Compression::default()),
                room,
                bytes: Vec::new(),
            }
        }

        fn encode(&mut self, mut piece: &[u8]) {
            while !piece.is_empty() {
                let mut room = vec![0; self.room];
                let (taken, written) = self.encoder.encode(piece, &mut room).expect("no error");
                assert!(taken + written > 0, "it goes on");
                piece = &piece[taken..];
                self.bytes.extend_from_slice(&room[..written]);
            }
        }

        fn write_all(&mut self, write: impl Fn(&mut Encoder, &mut [u8]) -> (Written, usize)) {
            loop {
                let mut room = vec![0; self.room];
                let (is_all, written) = write(&mut self.encoder, &mut room);
                self.bytes.extend_from_slice(&room[..written]);
                if is_all == Written::All {
                    return;
                }
            }
        }

        fn flush(&mut self) {
            self.write_all(|encoder, room| encoder.flush(room).expect("no error"));
        }

        fn finish(&mut self) {
            self.write_all(|encoder, room| encoder.finish(room).expect("no error"));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_pieces_of_any_body_are_the_same_bytes_after_decoding(
            pieces in vec((vec(any::<u8>(), 0..40), 0_usize..400, any::<bool>()), 0..12),
            // With less, zlib writes the end of a flush again and again (zlib.h, deflate).
            room in 7_usize..3000,
        ) {
            for coding in CODINGS {
                let mut one = Compressing::new(coding, room);
                let mut content = Vec::new();
                for (piece, times, is_flushed) in &pieces {
                    let piece = piece.repeat(*times);
                    one.encode(&piece);
                    content.extend_from_slice(&piece);
                    if *is_flushed {
                        one.flush();
                        let (there, is_whole) = decoded(coding, &one.bytes);
                        prop_assert_eq!(&there, &content);
                        prop_assert!(!is_whole);
                    }
                }
                one.finish();
                prop_assert_eq!(decoded(coding, &one.bytes), (content, true));
            }
        }
    }

    #[test]
    fn a_part_of_a_body_is_not_taken_for_the_whole() {
        for coding in CODINGS {
            let mut one = Compressing::new(coding, 100);
            one.encode(b"hello");
            one.flush();
            assert_eq!(decoded(coding, &one.bytes), (b"hello".to_vec(), false));
        }
    }
}
