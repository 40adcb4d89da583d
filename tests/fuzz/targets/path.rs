//! Any text as the path and the query of a target: one normal form, no dot segment, decoded once.

#![no_main]

use evenkeel::wire::{path, query, readings};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let path = format!("/{text}");
    let normal = path::normalise(&path);
    assert!(normal.starts_with('/'));
    // A byte that is not allowed in a URI becomes its escape.
    assert!(normal.len() <= 3 * path.len());
    assert_eq!(path::normalise(&normal), normal);
    assert_eq!(path::with_capital_escapes(&normal), normal);
    for segment in normal.split('/') {
        assert!(!matches!(segment, "." | ".."));
    }
    let spelled = path::with_capital_escapes(&path);
    assert_eq!(path::with_capital_escapes(&spelled), spelled);
    assert_eq!(path::normalise(&spelled), normal);
    let _ = path::normalise(text);
    if readings::has_only_one(&path) {
        assert_eq!(normal, path);
        assert!(readings::all(&path, |reading| reading == path));
    }

    for (name, value) in query::parameters(text) {
        assert!(name.count() + value.count() <= text.len());
    }
});
