//! Any field values as those of proxies before us: only trusted proxies are believed, and the next
//! hop reads what we append.

#![no_main]

use std::net::IpAddr;

use evenkeel::wire::forwarded::{Element, Field, Proto, client_of, forwarded, x_forwarded_for};
use http::HeaderValue;
use libfuzzer_sys::fuzz_target;

#[derive(arbitrary::Arbitrary, Debug)]
struct Input<'a> {
    lines: Vec<&'a [u8]>,
    host: &'a [u8],
    peer: IpAddr,
}

fuzz_target!(|input: Input<'_>| {
    let lines: Vec<HeaderValue> = input
        .lines
        .iter()
        .filter_map(|line| HeaderValue::from_bytes(line).ok())
        .collect();
    let peer = input.peer.to_canonical();
    for field in [Field::XForwardedFor, Field::Forwarded] {
        let _ = client_of(field, &lines, |_| true);
    }
    let appended = x_forwarded_for(&lines, Some(peer));
    assert_eq!(
        client_of(Field::XForwardedFor, &appended, |_| false),
        Some(peer)
    );

    let host = HeaderValue::from_bytes(input.host).ok();
    for client in [Some(peer), None] {
        let element = Element {
            client,
            host: host.as_ref(),
            proto: Proto::Https,
        };
        let written = forwarded([], &element);
        let read = client_of(Field::Forwarded, [&written], |_| false);
        assert_eq!(read, client);
        // Whatever the host is, it stays within its quotes.
        assert_eq!(
            parameters(written.as_bytes()),
            if host.is_some() { 3 } else { 2 }
        );
    }
});

/// The number of parameters of one element, by semicolons outside of quotes.
fn parameters(element: &[u8]) -> usize {
    let mut count = 1;
    let mut is_quoted = false;
    let mut bytes = element.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if is_quoted => assert!(bytes.next().is_some()),
            b'"' => is_quoted = !is_quoted,
            b';' if !is_quoted => count += 1,
            b',' => assert!(is_quoted),
            _ => {}
        }
    }
    assert!(!is_quoted);
    count
}
