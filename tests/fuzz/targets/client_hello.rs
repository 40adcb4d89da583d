//! Any bytes as the beginning of a connection in TCP mode: later bytes do not change the result,
//! and a name is a host name.

#![no_main]

use evenkeel::wire::client_hello::{First, LONGEST_BYTES, peek};
use evenkeel::wire::host::Authority;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let found = peek(bytes);
    match &found {
        Ok(None) => {
            assert!(bytes.len() < LONGEST_BYTES);
            return;
        }
        Ok(Some(First::Tls(hello))) => {
            if let Some(name) = &hello.server_name {
                let authority = Authority::parse(name.as_bytes()).expect("a host name");
                assert_eq!(authority.host, *name);
                assert_eq!(authority.port, None);
            }
            assert!(hello.alpn.iter().all(|protocol| !protocol.is_empty()));
        }
        Ok(Some(First::NotTls)) | Err(_) => {}
    }
    assert_eq!(peek(&[bytes, b"more"].concat()), found);
});
