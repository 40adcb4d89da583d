//! Any text as the path and the query of a target: one form, no dot segment, decoded once.

#![no_main]

use evenkeel::wire::{path, query};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let path = format!("/{text}");
    let normal = path::normalise(&path);
    assert!(normal.starts_with('/'));
    assert!(normal.len() <= path.len());
    assert_eq!(path::normalise(&normal), normal);
    assert_eq!(path::with_capital_escapes(&normal), normal);
    for segment in normal.split('/') {
        assert!(!matches!(segment, "." | ".."));
    }
    let spelled = path::with_capital_escapes(&path);
    assert!(spelled.eq_ignore_ascii_case(&path));
    assert_eq!(path::normalise(&spelled), normal);
    let _ = path::normalise(text);

    for (name, value) in query::parameters(text) {
        assert!(name.count() + value.count() <= text.len());
    }
});
