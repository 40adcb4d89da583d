//! The rooms that the instructions belong to.
//!
//! A room is charged for its own code, for code that is inlined into it, and for its calls of
//! libraries: the allocator, `memmove`, a lookup in a header map. The instructions of a library
//! that several rooms call are divided among them in proportion to callgrind's counts of their
//! calls.

use std::collections::{BTreeMap, HashMap};

use crate::callgrind::{Function, Profile};

/// Charged if no room of ours is: the runtime, which calls our tasks.
const RUNTIME: &str = "runtime";

/// How often shares are passed on to callers: more than the length of any chain of calls within
/// libraries.
const ROUNDS: usize = 40;

/// Instructions by room.
pub(crate) fn by_room(profile: &Profile) -> BTreeMap<String, f64> {
    let functions = &profile.functions;
    let mut shares: Vec<HashMap<String, f64>> = functions.iter().map(own_shares).collect();
    let is_ours: Vec<bool> = shares.iter().map(|shares| !shares.is_empty()).collect();
    for _ in 0..ROUNDS {
        for index in 0..functions.len() {
            if is_ours[index] {
                continue;
            }
            let callers = &functions[index].callers;
            let all: u64 = callers.values().sum();
            let mut share = HashMap::new();
            for (caller, instructions) in callers {
                let weight = *instructions as f64 / all.max(1) as f64;
                for (room, part) in &shares[*caller] {
                    *share.entry(room.clone()).or_default() += weight * part;
                }
            }
            shares[index] = share;
        }
    }
    let mut rooms = BTreeMap::new();
    for (function, shares) in functions.iter().zip(&shares) {
        let total = function.own_total() as f64;
        let mut paid = 0.0;
        for (room, part) in shares {
            *rooms.entry(room.clone()).or_default() += total * part;
            paid += part;
        }
        *rooms.entry(RUNTIME.to_owned()).or_default() += total * (1.0 - paid).max(0.0);
    }
    rooms
}

/// Instructions by library; the one with the name of the crate is our own code.
pub(crate) fn by_library(profile: &Profile) -> BTreeMap<String, f64> {
    let mut libraries = BTreeMap::new();
    for function in &profile.functions {
        for (file, instructions) in &function.own {
            let library = library_of(file, &function.name);
            *libraries.entry(library).or_default() += *instructions as f64;
        }
    }
    libraries
}

/// The share of each room in the code of `function`. Empty: no room has code in it.
fn own_shares(function: &Function) -> HashMap<String, f64> {
    let mut shares: HashMap<String, f64> = HashMap::new();
    for (file, instructions) in &function.own {
        if let Some(room) = room_of(file) {
            *shares.entry(room).or_default() += *instructions as f64;
        }
    }
    let all: f64 = shares.values().sum();
    if all > 0.0 {
        for share in shares.values_mut() {
            *share /= all;
        }
    } else {
        shares.clear();
        // A function of ours that consists of inlined code only.
        shares.extend(room_of(&function.file).map(|room| (room, 1.0)));
    }
    shares
}

/// The room of a file of ours: its folder, down to the third level. Code that the compiler
/// generates is attributed to `lib.rs`, which has no room.
fn room_of(file: &str) -> Option<String> {
    let file = file.strip_prefix(env!("CARGO_MANIFEST_DIR"))?;
    let (folder, _) = file.strip_prefix("/src/")?.rsplit_once('/')?;
    let levels: Vec<&str> = folder.split('/').take(3).collect();
    Some(levels.join("/"))
}

fn library_of(file: &str, function: &str) -> String {
    if room_of(file).is_some() {
        return env!("CARGO_PKG_NAME").to_owned();
    }
    if function.starts_with("__mem") || function.starts_with("mem") {
        return "memmove and the like".to_owned();
    }
    for c in ["jemalloc", "aws-lc"] {
        if file.contains(c) {
            return c.to_owned();
        }
    }
    let mut parts = file.split('/');
    while let Some(part) = parts.next() {
        match part {
            "library" => return parts.next().unwrap_or("std").to_owned(),
            "registry" => {
                let package = parts.nth(2).unwrap_or("");
                let name = package.rsplit_once('-').map_or(package, |(name, _)| name);
                return name.to_owned();
            }
            _ => {}
        }
    }
    "other".to_owned()
}
