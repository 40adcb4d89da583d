//! The rooms, and the table of which may import which.
//!
//! The table is the `text` block in the docs of `src/lib.rs` that begins under [`TITLE`]; a line is
//! `room -> rooms that it may import`. `proxy/*` on the left adds to the row of every room of the
//! data plane; on the right it means all of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::paths::references;
use crate::source::Source;

/// The heading above the table.
const TITLE: &str = "//! # Which room imports which";

const DATA_PLANE: &str = "proxy/*";

/// The table, with `proxy/*` expanded.
pub(crate) struct House {
    rows: BTreeMap<String, BTreeSet<String>>,
    /// Mistakes in the table's syntax.
    slips: Vec<String>,
}

impl House {
    /// The table in the docs `lib`.
    pub(crate) fn read(lib: &str) -> Self {
        let block = lib
            .lines()
            .skip_while(|line| !line.starts_with(TITLE))
            .skip_while(|line| !line.starts_with("//! ```text"))
            .skip(1)
            .take_while(|line| !line.starts_with("//! ```"))
            .map(|line| line.trim_start_matches("//!").trim())
            .filter(|line| !line.is_empty());
        let mut rows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut slips = Vec::new();
        for line in block {
            let Some((room, allowed)) = line.split_once("->") else {
                slips.push(format!("`{line}` has no `->`"));
                continue;
            };
            let words = allowed.split_whitespace().filter(|word| *word != "nothing");
            let allowed = words.map(str::to_owned).collect();
            if rows.insert(room.trim().to_owned(), allowed).is_some() {
                slips.push(format!("`{}` has two rows", room.trim()));
            }
        }
        Self {
            rows: unfolded(rows),
            slips,
        }
    }

    /// Paths of product code that no row allows.
    pub(crate) fn faults(&self, sources: &[Source]) -> Vec<String> {
        sources
            .iter()
            .filter(|source| source.is_product())
            .flat_map(|source| self.faults_of(source))
            .collect()
    }

    fn faults_of(&self, source: &Source) -> Vec<String> {
        let Some(room) = room_of(&source.module()) else {
            return Vec::new();
        };
        let nothing = BTreeSet::new();
        let allowed = self.rows.get(&room).unwrap_or(&nothing);
        // The first occurrence is enough: the others follow from it.
        let mut faults: BTreeMap<String, usize> = BTreeMap::new();
        for reference in references(source).paths {
            let Some((first, module)) = reference.path.split_first() else {
                continue;
            };
            let is_ours = first == "crate" || first == "evenkeel";
            if !is_ours {
                continue;
            }
            let Some(other) = room_of(module) else {
                continue;
            };
            // A door may name the rooms below it.
            let is_behind = other.starts_with(&format!("{room}/"));
            if other != room && !is_behind && !allowed.contains(&other) {
                faults.entry(other).or_insert(reference.line);
            }
        }
        faults
            .into_iter()
            .map(|(other, line)| {
                format!("{}:{line}: `{room}` must not import `{other}`", source.path)
            })
            .collect()
    }

    /// Rooms without a row, rows without a room, and mistakes in the table's syntax.
    pub(crate) fn misfits(&self, sources: &[Source]) -> Vec<String> {
        let rooms: BTreeSet<String> = sources
            .iter()
            .filter(|source| source.is_product())
            .filter_map(|source| room_of(&source.module()))
            // The door of the data plane is no room.
            .filter(|room| room != "proxy")
            .collect();
        let mut misfits = self.slips.clone();
        for room in &rooms {
            if !self.rows.contains_key(room) {
                misfits.push(format!("`{room}` has no row"));
            }
        }
        for (room, allowed) in &self.rows {
            for name in std::iter::once(room).chain(allowed) {
                if !rooms.contains(name) {
                    misfits.push(format!(
                        "the row of `{room}` names `{name}`, which is no room"
                    ));
                }
            }
        }
        misfits
    }

    /// Rooms that could import themselves through others.
    pub(crate) fn cycles(&self) -> Vec<String> {
        let mut cycles = Vec::new();
        for room in self.rows.keys() {
            let mut reached = BTreeSet::new();
            let mut next: Vec<&String> = vec![room];
            while let Some(here) = next.pop() {
                for other in self.rows.get(here).into_iter().flatten() {
                    if reached.insert(other) {
                        next.push(other);
                    }
                }
            }
            if reached.contains(room) {
                cycles.push(format!("`{room}` reaches itself"));
            }
        }
        cycles
    }
}

fn unfolded(mut rows: BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    let of_all = rows.remove(DATA_PLANE).unwrap_or_default();
    let is_inside = |room: &String| room.starts_with("proxy/");
    let inside: Vec<String> = rows
        .keys()
        .filter(|room| is_inside(room))
        .cloned()
        .collect();
    for (room, allowed) in &mut rows {
        if is_inside(room) {
            allowed.extend(of_all.iter().cloned());
        }
        if allowed.remove(DATA_PLANE) {
            allowed.extend(inside.iter().cloned());
        }
        // The row of `proxy/*` may contain the room itself, and no room imports itself.
        if is_inside(room) {
            allowed.remove(room);
        }
    }
    rows
}

/// The room of a module: its first folder, two in the data plane. `None`: the root.
fn room_of(module: &[String]) -> Option<String> {
    match module {
        [] => None,
        [plane, room, ..] if plane == "proxy" => Some(format!("proxy/{room}")),
        [room, ..] => Some(room.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIB: &str = "\
//! A crate.
//!
//! # Which room imports which
//!
//! ```text
//! base        -> nothing
//! net         -> base
//! proxy/*     -> base proxy/io
//! proxy/io    -> nothing
//! proxy/http  -> net
//! control     -> base proxy/*
//! ```
";

    fn faults(path: &str, text: &str) -> Vec<String> {
        House::read(LIB).faults(&[Source::new(path, text)])
    }

    #[test]
    fn an_allowed_import_is_no_fault() {
        let text = "use crate::net::A; use crate::proxy::io::B; use super::c; use std::fmt;";
        assert_eq!(faults("src/proxy/http/serve.rs", text), [""; 0]);
        assert_eq!(
            faults("src/control/mod.rs", "use crate::proxy::http::A;"),
            [""; 0]
        );
        assert_eq!(
            faults("src/proxy/mod.rs", "pub mod http; pub use http::A;"),
            [""; 0]
        );
    }

    #[test]
    fn a_forbidden_import_is_one_however_it_is_written() {
        for text in [
            "use crate::control::A;",
            "use crate::{base::B, control::A};",
            "fn f() -> crate::control::A {}",
            "fn f() { super::super::control::a(); }",
            "use crate as house; fn f() { house::control::a(); }",
            "use evenkeel::control::A;",
        ] {
            let found = faults("src/proxy/io.rs", text);
            let expected = "src/proxy/io.rs:1: `proxy/io` must not import `control`";
            assert_eq!(found, [expected], "{text}");
        }
    }

    #[test]
    fn a_room_of_the_data_plane_needs_its_row_for_another() {
        assert_eq!(faults("src/proxy/io.rs", "use super::http::A;").len(), 1);
        assert_eq!(faults("src/base/a.rs", "use crate::proxy::io::A;").len(), 1);
        assert_eq!(faults("src/base/a.rs", "use crate::proxy;").len(), 1);
    }

    #[test]
    fn tests_may_import_what_they_need() {
        let text = "#[cfg(test)] mod tests { use crate::control::A; }";
        assert_eq!(faults("src/proxy/io.rs", text), [""; 0]);
    }

    #[test]
    fn table_and_rooms_must_fit() {
        let sources = ["src/base/a.rs", "src/net/a.rs", "src/cellar.rs"]
            .map(|path| Source::new(path, "fn f() {}"));
        let found = House::read(LIB).misfits(&sources);
        assert!(
            found.contains(&"`cellar` has no row".to_owned()),
            "{found:?}"
        );
        assert!(
            found.iter().any(|fault| fault.contains("`control`")),
            "{found:?}"
        );
        assert_eq!(House::read("//! No table.").misfits(&sources).len(), 3);
    }

    #[test]
    fn a_cycle_is_seen_through_any_number_of_rooms() {
        assert_eq!(House::read(LIB).cycles(), [""; 0]);
        let bent = LIB.replace("base        -> nothing", "base        -> control");
        assert!(House::read(&bent).cycles().len() > 2);
    }
}
