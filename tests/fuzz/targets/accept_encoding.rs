//! Any values as `Accept-Encoding` fields: every weight is from 0 to 1000, and a coding that is not
//! written weighs what `*` does.

#![no_main]

use evenkeel::wire::accept_encoding::weights;
use http::HeaderValue;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|values: Vec<Vec<u8>>| {
    let values: Vec<HeaderValue> = values
        .iter()
        .take(8)
        .filter_map(|value| HeaderValue::from_bytes(value).ok())
        .collect();
    let ([gzip, br], identity) = weights(values.iter(), ["gzip", "br"]);
    assert!(gzip <= 1000 && br <= 1000 && identity.unwrap_or(0) <= 1000);
    let has = |byte| values.iter().any(|value| value.as_bytes().contains(&byte));
    if !has(b'*') && !has(b'b') && !has(b'B') {
        assert_eq!(br, 0);
    }
});
