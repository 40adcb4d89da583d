//! Several files as one table.
//!
//! The files are merged in the order in which they are read: a file first, then what it includes,
//! as if the included text were at its end. `include` calls this once for each file.
//!
//! A table may be spread over files, but each of its keys is in one file: two values for one key are a
//! mistake, never an override, so that no meaning depends on the order of files. The only lists that
//! several files may add to are those of [`LISTS`]. Two files with a whole `[frontend.web]` or
//! `[backend.app]` each therefore always clash, by `listen` or by `servers`.

use crate::config::diagnostic::Diagnostic;
use crate::config::raw::{Entry, Kind, Table, Value};
use crate::config::source::Span;

/// The lists that are joined, by the keys that lead there; `NAME` is the user's word.
const LISTS: [&[&str]; 3] = [
    &["frontend", NAME, "route"],
    &["frontend", NAME, "passthrough"],
    &["frontend", NAME, "tls", "certificates"],
];

/// Tables that only one file may have: `tls.names."a.example.com"`.
const UNITS: [&[&str]; 1] = [&["frontend", NAME, "tls", "names", NAME]];

const NAME: &str = "NAME";

/// A key that is in two files, and its positions.
struct Clash {
    path: Vec<String>,
    first: Span,
    second: Span,
}

/// Moves the content of `from` into `into`.
pub(super) fn merge(into: &mut Table, from: Table, mistakes: &mut Vec<Diagnostic>) {
    let mut clashes = Vec::new();
    tables(into, from, &mut Vec::new(), &mut clashes, mistakes);
    mistakes.extend(clashes.into_iter().map(key_in_two_files));
}

fn tables(
    into: &mut Table,
    from: Table,
    path: &mut Vec<String>,
    clashes: &mut Vec<Clash>,
    mistakes: &mut Vec<Diagnostic>,
) {
    for entry in from.entries {
        path.push(entry.key.clone());
        match into.add(entry) {
            None => {}
            Some((existing, entry)) if is_named(path) => named(existing, entry, path, mistakes),
            Some((existing, entry)) => values(existing, entry, path, clashes, mistakes),
        }
        path.pop();
    }
}

/// One frontend or backend in two files: conflicts are reported once, not key by key.
fn named(
    existing: &mut Entry,
    entry: Entry,
    path: &mut Vec<String>,
    mistakes: &mut Vec<Diagnostic>,
) {
    let (first, second) = (existing.key_span, entry.key_span);
    let mut clashes = Vec::new();
    // Messages about the whole table point at the file that does not only add to lists.
    if only_adds_to_lists(&existing.value, path) {
        (existing.key_span, existing.value.span) = (entry.key_span, entry.value.span);
    }
    values(existing, entry, path, &mut clashes, mistakes);
    if clashes.len() < 2 {
        mistakes.extend(clashes.into_iter().map(key_in_two_files));
        return;
    }
    let keys: Vec<String> = clashes
        .iter()
        .map(|clash| format!("`{}`", clash.path[path.len()..].join(".")))
        .collect();
    mistakes.push(
        Diagnostic::error(
            second,
            format!(
                "`[{}]` is in two files, and both have {}",
                path.join("."),
                keys.join(", ")
            ),
        )
        .related(first, "the other is here")
        .help("keep each key in one file, or give one of the two another name"),
    );
}

fn values(
    existing: &mut Entry,
    entry: Entry,
    path: &mut Vec<String>,
    clashes: &mut Vec<Clash>,
    mistakes: &mut Vec<Diagnostic>,
) {
    let clash = Clash {
        path: path.clone(),
        first: existing.key_span,
        second: entry.key_span,
    };
    match (&mut existing.value.kind, entry.value.kind) {
        (Kind::Table(into), Kind::Table(from)) if !is_one_of(&UNITS, path) => {
            tables(into, from, path, clashes, mistakes);
        }
        (kind, more) if is_one_of(&LISTS, path) => {
            let mut items = into_items(std::mem::replace(kind, Kind::Broken), existing.value.span);
            items.extend(into_items(more, entry.value.span));
            *kind = Kind::Array(items);
        }
        _ => clashes.push(clash),
    }
}

/// The values of a list, or the one value that stands for a list of one.
fn into_items(kind: Kind, span: Span) -> Vec<Value> {
    match kind {
        Kind::Array(items) => items,
        kind => vec![Value { kind, span }],
    }
}

fn only_adds_to_lists(value: &Value, path: &mut Vec<String>) -> bool {
    let Kind::Table(table) = &value.kind else {
        return false;
    };
    table.entries.iter().all(|entry| {
        path.push(entry.key.clone());
        let adds = is_one_of(&LISTS, path) || only_adds_to_lists(&entry.value, path);
        path.pop();
        adds
    })
}

fn key_in_two_files(clash: Clash) -> Diagnostic {
    let help = match clash.path.last().map(String::as_str) {
        Some("tls") => {
            "write `[frontend.NAME.tls]` with `certificates = […]` in both files: lists of certificates are joined"
        }
        Some("listen") => {
            "a frontend listens in one file; other files add `[[frontend.NAME.route]]` alone"
        }
        Some("servers") => {
            "keep all servers of a backend in one file, or give one backend another name"
        }
        _ => "keep one of the two",
    };
    Diagnostic::error(
        clash.second,
        format!(
            "`{}` is already written in another file",
            clash.path.join(".")
        ),
    )
    .related(clash.first, "the other is here")
    .help(help)
}

/// Whether `path` is `frontend.NAME` or `backend.NAME`.
fn is_named(path: &[String]) -> bool {
    is_one_of(&[&["frontend", NAME], &["backend", NAME]], path)
}

fn is_one_of(patterns: &[&[&str]], path: &[String]) -> bool {
    patterns.iter().any(|pattern| {
        let mut pairs = pattern.iter().zip(path);
        pattern.len() == path.len() && pairs.all(|(want, key)| *want == NAME || want == key)
    })
}
