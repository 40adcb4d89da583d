//! Any bytes as the beginning of a connection that must have a PROXY header: refused, incomplete,
//! or a header that reads back as itself, and that is incomplete in every shorter beginning.

#![no_main]

use evenkeel::wire::proxy_protocol::{
    Checksum, Endpoints, LONGEST_BYTES, parse, write_v1, write_v2,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (header, length) = match parse(bytes) {
        Ok(Some(read)) => read,
        Ok(None) => {
            assert!(bytes.len() < LONGEST_BYTES);
            return;
        }
        Err(_) => return,
    };
    assert!(length <= bytes.len() && length <= LONGEST_BYTES);
    assert_eq!(parse(&bytes[..length - 1]), Ok(None));
    assert_eq!(parse(&bytes[..length]), Ok(Some((header.clone(), length))));

    let mut v2 = Vec::new();
    write_v2(&header, Checksum::Written, &mut v2);
    let (again, _) = parse(&v2).expect("well-formed").expect("complete");
    assert_eq!(kind(&again.endpoints), kind(&header.endpoints));
    // From here on addresses have one form.
    let mut second = Vec::new();
    write_v2(&again, Checksum::Written, &mut second);
    assert_eq!(second, v2);

    let mut v1 = Vec::new();
    write_v1(&header.endpoints, &mut v1);
    assert!(matches!(parse(&v1), Ok(Some((_, length))) if length == v1.len()));
});

fn kind(endpoints: &Endpoints<'_>) -> u8 {
    match endpoints {
        Endpoints::Own => 0,
        Endpoints::Unknown => 1,
        Endpoints::Ip { .. } => 2,
        Endpoints::Unix { .. } => 3,
    }
}
