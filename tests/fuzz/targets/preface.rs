//! Any bytes as the beginning of a connection: a result does not change with later bytes.

#![no_main]

use evenkeel::wire::preface::{PREFACE, Version, version};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let expected = match bytes {
        _ if bytes.starts_with(PREFACE) => Some(Version::H2),
        _ if PREFACE.starts_with(bytes) => None,
        _ => Some(Version::H1),
    };
    assert_eq!(version(bytes), expected);
});
