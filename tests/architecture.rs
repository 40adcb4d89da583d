//! The house rules, checked by reading the sources.
//!
//! Which room may import which is one table, in the docs of `src/lib.rs`; this test reads it there
//! and fails on a path that no row allows. The other rules are the table in `rules.rs`.
//!
//! Test code is exempt from both: items under `#[cfg(test)]`, files that are modules of such items,
//! and everything outside `src/`. Two rules hold there too: each file has a head that says what it
//! is for, and names mean something.
//!
//! This reads words and is no compiler: a path that a macro assembles is not seen. Clippy's
//! `disallowed-methods` (`.clippy.toml`) knows types and checks some of the same rules.

#[path = "architecture/circles.rs"]
mod circles;
#[path = "architecture/house.rs"]
mod house;
#[path = "architecture/paths.rs"]
mod paths;
#[path = "architecture/rules.rs"]
mod rules;
#[path = "architecture/source.rs"]
mod source;
#[path = "architecture/tokens.rs"]
mod tokens;

use std::path::Path;

use house::House;
use source::{Source, sources};

/// The folders with code; a missing one is skipped.
const FOLDERS: [&str; 4] = ["src", "tests", "benches", "packaging"];

fn all_sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = sources(root, &FOLDERS);
    // Without files nothing wrong would be found.
    assert!(found.len() > 50, "only {} files were read", found.len());
    found
}

fn house(sources: &[Source]) -> House {
    let lib = sources.iter().find(|source| source.path == "src/lib.rs");
    House::read(&lib.expect("the crate has a lib.rs").text)
}

fn assert_none(what: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{what}:\n  {}\n", faults.join("\n  "));
}

#[test]
fn imports_flow_as_the_table_says() {
    let sources = all_sources();
    let faults = house(&sources).faults(&sources);
    assert_none("imports against the table in src/lib.rs", &faults);
}

#[test]
fn every_room_has_one_row_and_no_row_is_left_over() {
    let sources = all_sources();
    assert_none("table and rooms differ", &house(&sources).misfits(&sources));
}

#[test]
fn no_room_reaches_itself_through_others() {
    assert_none("cycles in the table", &house(&all_sources()).cycles());
}

#[test]
fn work_of_one_room_is_done_there_alone() {
    let faults: Vec<String> = all_sources().iter().flat_map(rules::faults).collect();
    assert_none("house rules broken", &faults);
}

#[test]
fn every_file_says_what_it_is_for() {
    let faults: Vec<String> = all_sources().iter().filter_map(rules::headless).collect();
    assert_none("files without a `//!` head", &faults);
}

#[test]
fn names_mean_something() {
    let faults: Vec<String> = all_sources().iter().flat_map(rules::empty_names).collect();
    assert_none("names that could mean anything", &faults);
}

/// Files that name each other, and why they may.
const CIRCLES: [(&[&str], &str); 4] = [
    (
        &["src/net/bind.rs", "src/net/unix.rs"],
        "a Unix socket is bound with the backlog of all",
    ),
    (
        &[
            "src/net/rewind.rs",
            "src/net/stream.rs",
            "src/net/tls_stream.rs",
            "src/net/tls_wire.rs",
        ],
        "a stream may be one under TLS or with bytes put back, and each of these is over a stream",
    ),
    (
        &[
            "src/proxy/upstream/h2/connection.rs",
            "src/proxy/upstream/h2/pool.rs",
        ],
        "a pool gives out streams of its connections, and a connection notifies its pool when one is free",
    ),
    (
        &["src/proxy/upstream/tls.rs", "src/proxy/upstream/trust.rs"],
        "the handshake verifies, and what is verified is what the handshake trusts",
    ),
];

#[test]
fn circles_of_files_have_a_reason() {
    let found = circles::circles(&all_sources());
    let is_allowed = |circle: &[String]| CIRCLES.iter().any(|(allowed, _)| *allowed == circle);
    let faults: Vec<String> = found
        .iter()
        .filter(|circle| !is_allowed(circle))
        .map(|circle| circle.join(" <-> "))
        .collect();
    assert_none("circles between files", &faults);
    let gone: Vec<String> = CIRCLES
        .iter()
        .filter(|(allowed, _)| !found.iter().any(|circle| *allowed == circle.as_slice()))
        .map(|(allowed, _)| allowed.join(" <-> "))
        .collect();
    assert_none("circles that are allowed and not there any more", &gone);
}
