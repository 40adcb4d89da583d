//! Any values as `Content-Length` fields: refused and unchanged, or one number in canonical form.

#![no_main]

use evenkeel::wire::content_length::{Lists, settle};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (bool, Vec<Vec<u8>>)| {
    let (is_answer, values) = input;
    let lists = if is_answer {
        Lists::Allowed
    } else {
        Lists::Refused
    };
    let values: Vec<HeaderValue> = values
        .iter()
        .take(8)
        .filter_map(|value| HeaderValue::from_bytes(value).ok())
        .collect();
    let mut headers = HeaderMap::new();
    for value in &values {
        headers.append(CONTENT_LENGTH, value.clone());
    }
    let before = headers.clone();
    match settle(&mut headers, lists) {
        Err(_) => assert_eq!(headers, before),
        Ok(None) => assert!(values.is_empty()),
        Ok(Some(length)) => {
            assert!(length <= i64::MAX as u64);
            let written = length.to_string();
            let left: Vec<&HeaderValue> = headers.get_all(CONTENT_LENGTH).iter().collect();
            assert_eq!(left, [written.as_str()]);
            // Each reader of the sent field finds the same number.
            for value in &values {
                let text = value.to_str().expect("digits are ASCII");
                let parts: Vec<&str> = match lists {
                    Lists::Allowed => text.split(',').map(str::trim).collect(),
                    Lists::Refused => vec![text],
                };
                for part in parts {
                    assert!(part.bytes().all(|byte| byte.is_ascii_digit()), "{part:?}");
                    assert_eq!(part.parse(), Ok(length), "{part:?}");
                }
            }
            assert_eq!(settle(&mut headers, lists), Ok(Some(length)));
        }
    }
});
