//! The house rules, held by reading the sources.
//!
//! Which room may import which stands in one table, in the docs of `src/lib.rs`; this test reads it there
//! and fails on a path that no row allows. The other rules are the table in `rules.rs`.
//!
//! Test code is exempt from both, as it has to be: items under `#[cfg(test)]`, files that are
//! modules of such items, and everything outside `src/`. What holds there too is what a reader
//! relies on: a head that says what the file is for, and names that say something.
//!
//! This is a reading of words and no compiler: a path that a macro puts together is not seen.
//! Clippy's `disallowed-methods` (`.clippy.toml`) knows types and covers the same ground from the
//! other side.

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

/// Where code is; what is not there (yet) is skipped.
const FOLDERS: [&str; 4] = ["src", "tests", "benches", "packaging"];

/// How many of the largest files are shown.
const SHOWN: usize = 12;

fn all_sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = sources(root, &FOLDERS);
    // A test that reads nothing finds nothing wrong.
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
fn what_belongs_to_one_room_is_done_there_alone() {
    let faults: Vec<String> = all_sources().iter().flat_map(rules::faults).collect();
    assert_none("house rules broken", &faults);
}

#[test]
fn every_file_says_what_it_is_for() {
    let faults: Vec<String> = all_sources().iter().filter_map(rules::headless).collect();
    assert_none("files without a `//!` head", &faults);
}

#[test]
fn names_say_something() {
    let faults: Vec<String> = all_sources().iter().flat_map(rules::empty_names).collect();
    assert_none("names that could mean anything", &faults);
}

/// Shown and not judged: a file is split where a reader would look for the seam.
#[test]
fn the_largest_files_are_shown() {
    let mut sizes: Vec<(usize, String)> = all_sources()
        .into_iter()
        .filter(|source| source.is_product())
        .map(|source| (source.product_lines(), source.path))
        .collect();
    sizes.sort_unstable();
    println!("the largest files, in lines without tests (from 400 on, ask where the seam is):");
    for (lines, path) in sizes.iter().rev().take(SHOWN) {
        println!("{lines:>6}  {path}");
    }
}
