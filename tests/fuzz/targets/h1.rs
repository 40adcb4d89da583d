//! Answers of HTTP/1: no bytes panic, and it does not matter in which pieces they come.
#![no_main]

use bytes::BytesMut;
use evenkeel::wire::h1::chunks::{ChunkDecoder, Piece};
use evenkeel::wire::h1::response::{Framing, ResponseHead, ResponseParser};
use evenkeel::wire::h1::{HeadLimits, Refusal};
use http::Method;
use libfuzzer_sys::fuzz_target;

const LIMITS: HeadLimits = HeadLimits {
    bytes: 4096,
    fields: 100,
};

fuzz_target!(|input: (u8, bool, &[u8])| {
    let (size, is_head, bytes) = input;
    let method = match is_head {
        true => Method::HEAD,
        false => Method::GET,
    };
    let whole = read(bytes.chunks(bytes.len().max(1)), &method);
    let pieces = read(bytes.chunks(usize::from(size).max(1)), &method);
    match (&whole, &pieces) {
        // A mistake in a head may be found when it is complete, and not before.
        (Err(_), Err(_) | Ok(None)) => {}
        _ => assert_eq!(whole, pieces),
    }
});

/// Head, body and remaining bytes, as text; `None`: the head is incomplete.
fn read<'a>(
    mut pieces: impl Iterator<Item = &'a [u8]>,
    method: &Method,
) -> Result<Option<String>, Refusal> {
    let mut parser = ResponseParser::default();
    let mut bytes = BytesMut::new();
    let ResponseHead {
        response, framing, ..
    } = loop {
        match pieces.next() {
            Some(piece) => bytes.extend_from_slice(piece),
            None => return Ok(None),
        }
        if let Some(answer) = parser.parse(&mut bytes, method, LIMITS)? {
            break answer;
        }
    };
    let mut body = Vec::new();
    let mut trailers = None;
    if framing == Framing::Chunked {
        let mut decoder = ChunkDecoder::default();
        loop {
            match decoder.decode(&mut bytes) {
                Ok(Some(Piece::Data(data))) => body.extend_from_slice(&data),
                Ok(Some(Piece::Trailers(fields))) => trailers = Some(fields),
                Ok(Some(Piece::End)) => break,
                Ok(None) => match pieces.next() {
                    Some(piece) => bytes.extend_from_slice(piece),
                    None => break,
                },
                // How much of the body came before depends on the pieces.
                Err(refusal) => return Ok(Some(format!("{response:?} {refusal}"))),
            }
        }
    }
    bytes.extend(pieces.flatten());
    Ok(Some(format!(
        "{response:?} {framing:?} {body:?} {trailers:?} {bytes:?}"
    )))
}
