//! Any set of field names and any other name: no spelling that a server takes for one of the set
//! passes, and nothing else is removed.

#![no_main]

use evenkeel::wire::field_names::{FieldNames, NameKinds, is_plain, plain_form};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

/// The name in a CGI server.
fn environment(name: &str) -> String {
    let known = |c: char| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_uppercase(),
        false => '_',
    };
    name.chars().map(known).collect()
}

fuzz_target!(|input: (Vec<Vec<u8>>, Vec<u8>)| {
    let (names, other) = input;
    let names: Vec<HeaderName> = names
        .iter()
        .take(16)
        .filter_map(|name| HeaderName::from_bytes(name).ok())
        .collect();
    let Ok(other) = HeaderName::from_bytes(&other) else {
        return;
    };
    let set: FieldNames = names.iter().cloned().collect();
    let kinds = NameKinds::of(names.iter().map(HeaderName::as_str));

    let form = plain_form(other.as_str());
    assert!(is_plain(&form));
    assert_eq!(plain_form(&form), form);
    assert_eq!(is_plain(other.as_str()), form == other.as_str());

    let is_one = names.contains(&other);
    let known = environment(other.as_str());
    let is_like = names.iter().any(|name| environment(name.as_str()) == known);
    assert_eq!(set.have(other.as_str()), is_one);
    assert_eq!(set.have_like(other.as_str()), is_like);
    // It may accept a name that is not in the set, never the other way round.
    assert!(kinds.have(other.as_str()) || !is_like);

    let mut headers = HeaderMap::new();
    for name in names.iter().chain([&other]) {
        headers.append(name, HeaderValue::from_static("1"));
    }
    set.remove_from(&mut headers);
    assert_eq!(headers.contains_key(&other), !is_one);
    assert!(headers.keys().all(|name| *name == other));
    assert!(set.iter().all(|name| names.contains(name)));
});
