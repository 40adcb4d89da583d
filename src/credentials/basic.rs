//! Basic credentials in a field (RFC 7617 §2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Writes user and password, as the field value `credentials` has them, into `bytes`, and returns the index
/// of the colon between them, counted from where the text begins.
pub fn decode(credentials: &[u8], bytes: &mut Vec<u8>) -> Option<usize> {
    let (scheme, encoded) = scheme(credentials)?;
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let begin = bytes.len();
    STANDARD.decode_vec(encoded, bytes).ok()?;
    memchr::memchr(b':', &bytes[begin..])
}

/// The scheme of credentials, and what follows it (RFC 9110 §11.4).
pub fn scheme(credentials: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = credentials.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = credentials.split_at(space);
    Some((scheme, rest.trim_ascii_start()))
}
