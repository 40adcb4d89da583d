//! Circles between files: files of one room that name each other, directly or through others.
//!
//! A reader of one file of a circle has to know all of it. A door (`mod.rs`) is left out: it names
//! the files in its folder, and they may use the door's items. A name that a door re-exports
//! (`pub use`) counts for the file that it comes from.

use std::collections::{BTreeMap, BTreeSet};

use crate::paths::references;
use crate::source::Source;

/// For each file, the files that it names.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// The circles among `sources`, each as its files in order of their paths.
pub(crate) fn circles(sources: &[Source]) -> Vec<Vec<String>> {
    let graph = graph(sources);
    let reach: BTreeMap<&String, BTreeSet<String>> = graph
        .keys()
        .map(|file| (file, reachable(&graph, file)))
        .collect();
    let mut found: BTreeSet<Vec<String>> = BTreeSet::new();
    for (file, others) in &reach {
        let circle: Vec<String> = others
            .iter()
            .filter(|other| reach[other].contains(*file))
            .cloned()
            .collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

/// The files that can be reached from `file`.
fn reachable(graph: &Graph, file: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![file.to_owned()];
    while let Some(next) = open.pop() {
        for other in graph.get(&next).into_iter().flatten() {
            if reached.insert(other.clone()) {
                open.push(other.clone());
            }
        }
    }
    reached
}

fn graph(sources: &[Source]) -> Graph {
    let doors = doors(sources);
    let products = || sources.iter().filter(|source| source.is_product());
    let files: BTreeMap<Vec<String>, &Source> =
        products().map(|source| (source.module(), source)).collect();
    let exports: BTreeMap<&str, Vec<Vec<String>>> = products()
        .filter(|source| doors.contains(source.path.as_str()))
        .map(|door| {
            let paths = references(door).paths.into_iter();
            (door.path.as_str(), paths.map(|one| one.path).collect())
        })
        .collect();
    let mut graph = Graph::new();
    for source in products().filter(|source| !doors.contains(source.path.as_str())) {
        let named = references(source).paths.into_iter();
        let named = named
            .filter_map(|one| file_of(&one.path, &files, &exports))
            .filter(|other| *other != source.path);
        graph.insert(source.path.clone(), named.collect());
    }
    graph
}

/// The doors, which have files below them: `mod.rs`, and `show.rs` beside `show/`.
fn doors(sources: &[Source]) -> BTreeSet<&str> {
    let folders: BTreeSet<&str> = sources
        .iter()
        .filter_map(|source| Some(source.path.rsplit_once('/')?.0))
        .collect();
    let is_door = |source: &&Source| {
        let name = source.path.rsplit('/').next();
        let beside = source.path.strip_suffix(".rs");
        matches!(name, Some("mod.rs" | "lib.rs" | "main.rs"))
            || beside.is_some_and(|folder| folders.contains(folder))
    };
    let doors = sources.iter().filter(is_door);
    doors.map(|source| source.path.as_str()).collect()
}

/// The file, no door, that `path` leads to.
fn file_of(
    path: &[String],
    files: &BTreeMap<Vec<String>, &Source>,
    exports: &BTreeMap<&str, Vec<Vec<String>>>,
) -> Option<String> {
    let (first, module) = path.split_first()?;
    if first != "crate" {
        return None;
    }
    let (length, found) = (1..=module.len())
        .rev()
        .find_map(|length| Some((length, files.get(&module[..length])?)))?;
    let Some(exports_of) = exports.get(found.path.as_str()) else {
        return Some(found.path.clone());
    };
    // `crate::room::Name`, which the door re-exports from one of its files.
    let name = module.get(length)?;
    let handed_on = exports_of.iter().find(|export| {
        let is_behind = export.len() > length + 2 && export[1..=length] == module[..length];
        is_behind && export.last() == Some(name)
    })?;
    file_of(handed_on, files, exports)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let sources = files.iter();
        let sources: Vec<Source> = sources
            .map(|(path, text)| Source::new(path, text))
            .collect();
        circles(&sources)
    }

    #[test]
    fn files_that_name_each_other_are_a_circle() {
        let found = circles_of(&[
            ("src/a/mod.rs", "mod b; mod c; mod d;"),
            ("src/a/b.rs", "use super::c::C; use crate::a::d::D;"),
            ("src/a/c.rs", "use crate::a::b::B;"),
            ("src/a/d.rs", "use crate::other::X;"),
        ]);
        assert_eq!(found, [["src/a/b.rs", "src/a/c.rs"]]);
    }

    #[test]
    fn a_door_hides_no_circle() {
        let found = circles_of(&[
            (
                "src/a/mod.rs",
                "mod b; mod c; pub use b::B; pub(crate) use c::{C, D};",
            ),
            ("src/a/b.rs", "use super::D;"),
            ("src/a/c.rs", "fn f(_: crate::a::B) {}"),
        ]);
        assert_eq!(found, [["src/a/b.rs", "src/a/c.rs"]]);
    }

    #[test]
    fn an_item_of_the_door_itself_is_no_circle() {
        let found = circles_of(&[
            ("src/a/mod.rs", "mod b; mod c; pub struct Own; use b::B;"),
            ("src/a/b.rs", "use super::Own; use super::c::C;"),
            ("src/a/c.rs", "use super::Own;"),
        ]);
        assert!(found.is_empty(), "{found:?}");
    }
}
