//! Requests of HTTP/1: no bytes panic, it does not matter in which pieces they come, and what is parsed is
//! what httparse makes of the same bytes.
#![no_main]

use bytes::BytesMut;
use evenkeel::wire::h1::chunks::{ChunkDecoder, Piece};
use evenkeel::wire::h1::request_head::{RequestHead, RequestParser, blank_bytes};
use evenkeel::wire::h1::{BodyFraming, HeadLimits, KeepNames, OriginalNames, Refusal};
use http::header;
use libfuzzer_sys::fuzz_target;

const LIMITS: HeadLimits = HeadLimits {
    bytes: 4096,
    fields: 100,
};

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let blank = blank_bytes(bytes);
    assert!(
        bytes[..blank]
            .iter()
            .all(|byte| matches!(byte, b'\r' | b'\n'))
    );
    let bytes = &bytes[blank..];
    let whole = read(bytes.chunks(bytes.len().max(1)));
    let pieces = read(bytes.chunks(usize::from(size).max(1)));
    match (&whole, &pieces) {
        // What is wrong with a head may be found out when it has come whole, and not before.
        (Err(_), Err(_) | Ok(None)) => {}
        _ => assert_eq!(whole, pieces),
    }
    compare(bytes);
});

/// Head, body and what is left over, as text; `None`: there is no whole head.
fn read<'a>(mut pieces: impl Iterator<Item = &'a [u8]>) -> Result<Option<String>, Refusal> {
    let mut parser = RequestParser::default();
    let mut bytes = BytesMut::new();
    let head = loop {
        match pieces.next() {
            Some(piece) => bytes.extend_from_slice(piece),
            None => return Ok(None),
        }
        let before = bytes.clone();
        match parser.parse(&mut bytes, LIMITS, KeepNames::Yes) {
            Ok(Some(head)) => break head,
            Ok(None) => assert_eq!(bytes, before),
            Err(refusal) => {
                assert_eq!(bytes, before);
                return Err(refusal);
            }
        }
    };
    check(&head);
    let mut body = Vec::new();
    if head.framing == BodyFraming::Chunked {
        let mut decoder = ChunkDecoder::default();
        loop {
            match decoder.decode(&mut bytes) {
                Ok(Some(Piece::Data(data))) => body.extend_from_slice(&data),
                Ok(Some(Piece::Trailers(_) | Piece::End)) => break,
                Ok(None) => match pieces.next() {
                    Some(piece) => bytes.extend_from_slice(piece),
                    None => break,
                },
                // How much of the body came before that depends on the pieces.
                Err(refusal) => return Ok(Some(format!("{head:?} {refusal}"))),
            }
        }
    }
    bytes.extend(pieces.flatten());
    Ok(Some(format!("{head:?} {body:?} {bytes:?}")))
}

/// What holds for every head that is accepted.
fn check(head: &RequestHead) {
    let headers = head.request.headers();
    let lengths = headers.get_all(header::CONTENT_LENGTH).iter().count();
    match head.framing {
        BodyFraming::Chunked => assert_eq!(lengths, 0),
        BodyFraming::Length(length) => {
            assert!(lengths <= 1 && !headers.contains_key(header::TRANSFER_ENCODING));
            let said = headers.get(header::CONTENT_LENGTH);
            let said = said.map(|said| said.to_str().expect("digits").to_owned());
            assert_eq!(said.unwrap_or("0".to_owned()), length.to_string());
        }
    }
    assert!(head.request.extensions().get::<OriginalNames>().is_some());
}

/// What httparse accepts is parsed as httparse reads it, and nothing else is accepted but what has escapes in
/// its target.
fn compare(bytes: &[u8]) {
    let mut slots = [httparse::EMPTY_HEADER; LIMITS.fields];
    let mut theirs = httparse::Request::new(&mut slots);
    let parsed = theirs.parse(bytes);
    let mut left = BytesMut::from(bytes);
    let ours = RequestParser::default().parse(&mut left, LIMITS, KeepNames::No);
    let Ok(Some(head)) = ours else {
        return;
    };
    let Ok(httparse::Status::Complete(length)) = parsed else {
        assert!(bytes.iter().any(|&byte| byte >= 0x80), "{head:?}");
        return;
    };
    assert_eq!(left, bytes[length..]);
    assert_eq!(Some(head.request.method().as_str()), theirs.method);
    let is_framing = |name: &str| {
        name.eq_ignore_ascii_case("content-length")
            || name.eq_ignore_ascii_case("transfer-encoding")
    };
    let fields = theirs
        .headers
        .iter()
        .filter(|field| !is_framing(field.name));
    let mut count = 0;
    for field in fields {
        count += 1;
        let mut values = head.request.headers().get_all(field.name).iter();
        assert!(values.any(|value| value.as_bytes() == field.value));
    }
    let headers = head.request.headers();
    let framing = headers.keys().filter(|name| is_framing(name.as_str()));
    let framing: usize = framing
        .map(|name| headers.get_all(name).iter().count())
        .sum();
    assert_eq!(headers.len() - framing, count);
}
