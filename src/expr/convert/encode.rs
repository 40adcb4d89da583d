//! Converters between bytes and their spellings: base64, hexadecimal digits, percent-encoding, JSON.

use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, Engine as _};

use super::arguments::Arguments;

/// RFC 4648 §4, with padding.
const STANDARD: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// RFC 4648 §5, without padding, which is accepted.
pub(super) const FOR_URLS: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const UPPER_DIGITS: &[u8; 16] = b"0123456789ABCDEF";

pub(super) fn base64((): &(), bytes: &[u8], into: &mut Vec<u8>) -> bool {
    encode(&STANDARD, bytes, into)
}

pub(super) fn base64_for_urls((): &(), bytes: &[u8], into: &mut Vec<u8>) -> bool {
    encode(&FOR_URLS, bytes, into)
}

pub(super) fn from_base64((): &(), text: &[u8], into: &mut Vec<u8>) -> bool {
    STANDARD.decode_vec(text, into).is_ok()
}

pub(super) fn from_base64_for_urls((): &(), text: &[u8], into: &mut Vec<u8>) -> bool {
    FOR_URLS.decode_vec(text, into).is_ok()
}

fn encode(engine: &GeneralPurpose, bytes: &[u8], into: &mut Vec<u8>) -> bool {
    let Some(length) = base64::encoded_len(bytes.len(), true) else {
        return false;
    };
    let start = into.len();
    into.resize(start + length, 0);
    match engine.encode_slice(bytes, &mut into[start..]) {
        Ok(written) => {
            into.truncate(start + written);
            true
        }
        Err(_) => false,
    }
}

pub(super) fn hex((): &(), bytes: &[u8], into: &mut Vec<u8>) -> bool {
    into.extend(bytes.iter().flat_map(|byte| digits(*byte)));
    true
}

fn digits(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 15].map(|digit| UPPER_DIGITS[usize::from(digit)])
}

/// Digits before the last 16 are shifted out.
pub(super) fn from_hex((): &(), text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0i64, |number, byte| {
        let digit = char::from(*byte).to_digit(16)?;
        Some(number << 4 | i64::from(digit))
    })
}

pub(super) fn htonl((): &(), number: i64, into: &mut Vec<u8>) -> bool {
    into.extend_from_slice(&(number as u32).to_be_bytes());
    true
}

/// Chunks of bytes, separated.
#[derive(Debug)]
pub(super) struct Chunks {
    separator: Box<[u8]>,
    /// `None`: one chunk has all bytes.
    size: Option<usize>,
    /// Whether a shorter chunk at the end is left out.
    truncates: bool,
}

impl Chunks {
    pub(super) fn of(arguments: Arguments<'_>) -> Self {
        let size = arguments.int(1).and_then(|size| usize::try_from(size).ok());
        Self {
            separator: arguments.owned(0),
            size: size.filter(|size| *size > 0),
            truncates: arguments.is_set(2),
        }
    }

    fn write(&self, bytes: &[u8], into: &mut Vec<u8>, write: fn(&[u8], &mut Vec<u8>)) -> bool {
        let size = self.size.unwrap_or(bytes.len().max(1));
        for (index, chunk) in bytes.chunks(size).enumerate() {
            if self.truncates && chunk.len() < size {
                break;
            }
            if index > 0 {
                into.extend_from_slice(&self.separator);
            }
            write(chunk, into);
        }
        true
    }

    pub(super) fn decimal(&self, bytes: &[u8], into: &mut Vec<u8>) -> bool {
        self.write(bytes, into, |chunk, into| {
            let number = chunk
                .iter()
                .fold(0u64, |number, byte| number << 8 | u64::from(*byte));
            into.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        })
    }

    pub(super) fn decimal_from_the_lowest(&self, bytes: &[u8], into: &mut Vec<u8>) -> bool {
        self.write(bytes, into, |chunk, into| {
            let bytes = chunk.iter().rev();
            let number = bytes.fold(0u64, |number, byte| number << 8 | u64::from(*byte));
            into.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        })
    }

    pub(super) fn hexadecimal(&self, bytes: &[u8], into: &mut Vec<u8>) -> bool {
        self.write(bytes, into, |chunk, into| {
            into.extend(chunk.iter().flat_map(|byte| digits(*byte)));
        })
    }
}

/// `in_form`: whether `+` is a space before the first `?` too.
pub(super) fn url_dec(in_form: &bool, text: &[u8], into: &mut Vec<u8>) -> bool {
    let mut in_form = *in_form;
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        rest = after;
        match byte {
            b'+' if in_form => into.push(b' '),
            b'%' => {
                let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
                let (Some(high), Some(low)) = (digit(after.first()), digit(after.get(1))) else {
                    return false;
                };
                into.push((high << 4 | low) as u8);
                rest = &after[2..];
            }
            byte => {
                in_form |= *byte == b'?';
                into.push(*byte);
            }
        }
    }
    true
}

pub(super) fn url_enc((): &(), text: &[u8], into: &mut Vec<u8>) -> bool {
    for byte in text {
        match byte {
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) => into.push(*byte),
            byte => {
                into.push(b'%');
                into.extend(digits(*byte));
            }
        }
    }
    true
}
