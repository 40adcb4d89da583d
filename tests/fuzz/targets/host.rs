//! Any bytes as a `Host` field: refused, or a host in a normal form that reads back as itself.

#![no_main]

use evenkeel::wire::host::Authority;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let Ok(authority) = Authority::parse(text) else {
        return;
    };
    let host = authority.host.as_bytes();
    assert!(!host.is_empty());
    assert!(
        host.iter()
            .all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase())
    );
    assert!(!host.iter().any(|byte| b"/?#@\\".contains(byte)));

    let again = Authority::parse(host).expect("the form of a host is a host");
    assert_eq!(again.host, authority.host);
    assert_eq!(again.port, None);
    assert!(authority.is_same(&authority, 80));
});
