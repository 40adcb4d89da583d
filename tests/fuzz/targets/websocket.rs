//! Any bytes as one direction of a WebSocket: the result does not depend on where they are split.

#![no_main]

use evenkeel::wire::websocket::Frames;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut whole = Frames::default();
    whole.advance(bytes);
    let mut parts = Frames::default();
    for byte in bytes {
        parts.advance(std::slice::from_ref(byte));
    }
    assert_eq!(whole.has_room(), parts.has_room());
});
