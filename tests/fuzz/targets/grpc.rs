//! Any bytes as fields of gRPC: a message is never lost, and a written one reads back.

#![no_main]

use evenkeel::wire::grpc;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = grpc::text_of(bytes);
    assert_eq!(text.is_empty(), bytes.is_empty());
    let written = grpc::message(&text);
    assert!(written.to_str().is_ok());
    assert_eq!(grpc::text_of(written.as_bytes()), text);
    let _ = (grpc::is_grpc(bytes), grpc::timeout(bytes));
});
