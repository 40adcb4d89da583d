//! Work that only one room may do, as a table, and the rules for files and names.

use crate::paths::references;
use crate::source::Source;

/// Work that only some files may do.
struct Rule {
    what: &'static str,
    /// Files and folders that may.
    only_in: &'static [&'static str],
    /// Paths that do it, with all below them.
    paths: &'static [&'static str],
    /// Ends of paths that do it, wherever the path begins.
    endings: &'static [&'static str],
    /// Except for paths below this one.
    door: &'static str,
    /// Methods that do it.
    methods: &'static [&'static str],
}

const RULES: [Rule; 5] = [
    Rule {
        what: "starting tasks and threads",
        only_in: &["src/base/tasks.rs"],
        paths: &[
            "tokio::spawn",
            "tokio::task",
            "tokio::runtime",
            "std::thread::Builder",
        ],
        endings: &["spawn", "spawn_local", "spawn_blocking", "thread::scope"],
        door: "crate::base::tasks",
        methods: &["spawn", "spawn_local", "spawn_blocking"],
    },
    Rule {
        what: "reading clocks and sleeping",
        only_in: &["src/base/clock.rs"],
        paths: &["tokio::time", "std::time::Instant", "std::thread::sleep"],
        endings: &["Instant::now", "SystemTime::now"],
        door: "",
        methods: &["elapsed"],
    },
    Rule {
        what: "opening sockets",
        only_in: &["src/net/"],
        paths: &[
            "tokio::net",
            "std::net::TcpListener",
            "std::net::TcpStream",
            "std::net::UdpSocket",
            "std::os::unix::net",
            "socket2",
            "rustix::net",
        ],
        endings: &[],
        door: "",
        methods: &[],
    },
    Rule {
        what: "writing metrics",
        only_in: &["src/observe/"],
        paths: &["metrics", "metrics_exporter_prometheus"],
        endings: &[],
        door: "",
        methods: &[],
    },
    Rule {
        what: "reading TOML",
        only_in: &["src/config/"],
        paths: &["toml"],
        endings: &[],
        door: "",
        methods: &[],
    },
];

/// The files in which the kernel's interface may need it.
const UNSAFE_IN: [&str; 4] = [
    "src/process/",
    "src/net/inherited.rs",
    "src/net/readable.rs",
    "src/net/send_queue.rs",
];

const EMPTY_NAMES: [&str; 9] = [
    "util", "utils", "helper", "helpers", "common", "misc", "manager", "managers", "utility",
];

/// Rules that product code in `source` breaks.
pub(crate) fn faults(source: &Source) -> Vec<String> {
    if !source.is_product() {
        return Vec::new();
    }
    let mut faults: Vec<(usize, String)> = Vec::new();
    let found = references(source);
    for rule in RULES.iter().filter(|rule| !is_in(source, rule.only_in)) {
        let mut add = |line: usize, name: String| {
            let (what, only_in) = (rule.what, rule.only_in.join(", "));
            let fault = format!("`{name}`: {what} is for {only_in} alone");
            faults.push((line, fault));
        };
        for reference in &found.paths {
            if rule.forbids(&reference.path) {
                add(reference.line, reference.path.join("::"));
            }
        }
        for method in &found.methods {
            if rule.methods.contains(&method.path[0].as_str()) {
                add(method.line, format!(".{}()", method.path[0]));
            }
        }
    }
    if !is_in(source, &UNSAFE_IN) {
        let unsafes = source.tokens.iter().filter(|token| token.is_word("unsafe"));
        let only_in = UNSAFE_IN.join(", ");
        faults.extend(unsafes.map(|t| (t.line, format!("`unsafe` is for {only_in} alone"))));
    }
    faults.sort();
    faults.dedup();
    let at_its_line = |(line, fault)| format!("{}:{line}: {fault}", source.path);
    faults.into_iter().map(at_its_line).collect()
}

impl Rule {
    fn forbids(&self, path: &[String]) -> bool {
        if !self.door.is_empty() && starts_with(path, self.door) {
            return false;
        }
        self.paths.iter().any(|forbidden| covers(path, forbidden))
            || self.endings.iter().any(|ending| is_called(path, ending))
    }
}

/// Whether `path` is `forbidden`, lies below it, or imports everything around it.
fn covers(path: &[String], forbidden: &str) -> bool {
    let imports_around = path.split_last().is_some_and(|(last, around)| {
        last == "*" && forbidden.starts_with(&format!("{}::", around.join("::")))
    });
    starts_with(path, forbidden) || imports_around
}

fn starts_with(path: &[String], start: &str) -> bool {
    let start: Vec<&str> = start.split("::").collect();
    path.len() >= start.len() && start.iter().zip(path).all(|(a, b)| a == b)
}

/// Whether `path` ends in `ending`. A single word may be any name (a field, a variable); a path, or
/// an imported name, is certain.
fn is_called(path: &[String], ending: &str) -> bool {
    let ending: Vec<&str> = ending.split("::").collect();
    path.len() > 1
        && path.len() >= ending.len()
        && ending
            .iter()
            .rev()
            .zip(path.iter().rev())
            .all(|(a, b)| a == b)
}

fn is_in(source: &Source, prefixes: &[&str]) -> bool {
    prefixes
        .iter()
        .any(|prefix| source.path.starts_with(prefix))
}

/// The path of `source`, if its first line does not say what it is for.
pub(crate) fn headless(source: &Source) -> Option<String> {
    // An inner attribute that a fuzzer needs may come first.
    let first = source
        .text
        .lines()
        .find(|line| !line.trim().is_empty() && !line.starts_with("#!["));
    let is_there = first.is_some_and(|line| line.starts_with("//! ") && line.len() > 10);
    (!is_there).then(|| source.path.clone())
}

/// Files, folders, modules and types whose names could mean anything.
pub(crate) fn empty_names(source: &Source) -> Vec<String> {
    let mut faults: Vec<String> = source
        .path
        .trim_end_matches(".rs")
        .split('/')
        .filter(|part| is_empty_name(part))
        .map(|part| format!("{}: `{part}`", source.path))
        .collect();
    for pair in source.tokens.windows(2) {
        let declares = ["mod", "struct", "enum", "trait", "type", "union"];
        let (Some(keyword), Some(name)) = (pair[0].word(), pair[1].word()) else {
            continue;
        };
        if declares.contains(&keyword) && is_empty_name(name) {
            faults.push(format!(
                "{}:{}: `{keyword} {name}`",
                source.path, pair[1].line
            ));
        }
    }
    faults
}

/// Whether one of the words in `name` is empty: `string_utils`, `PoolManager`.
fn is_empty_name(name: &str) -> bool {
    let mut spaced = String::new();
    for c in name.chars() {
        if c.is_uppercase() || !c.is_alphanumeric() {
            spaced.push(' ');
        }
        spaced.extend(c.to_lowercase().filter(|c| c.is_alphanumeric()));
    }
    spaced.split(' ').any(|word| EMPTY_NAMES.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(path: &str, text: &str) -> Vec<String> {
        faults(&Source::new(path, text))
    }

    #[test]
    fn each_of_these_is_found() {
        for text in [
            "fn f() { tokio::spawn(async {}); }",
            "use tokio::task; fn f() { task::spawn_local(x); }",
            "use tokio::{task::{self as jobs}}; fn f() { jobs::spawn_blocking(x); }",
            "fn f() { std::thread::spawn(x); }",
            "use std::thread; fn f() { thread::Builder::new(); }",
            "use std::thread; fn f() { thread::scope(|s| {}); }",
            "fn f(set: LocalSet) { set.spawn_local(x); }",
            "use tokio::*;",
            "fn f() { std::time::Instant::now(); }",
            "use crate::base::clock::Instant; fn f() { Instant::now(); }",
            "use std::time::{Duration, Instant};",
            "use std::time::*;",
            "use std::time as t; fn f() { t::SystemTime::now(); }",
            "fn f() { tokio::time::sleep(x); }",
            "use tokio::time::timeout;",
            "fn f(start: Instant) { start.elapsed(); }",
            "fn f() { std::thread::sleep(x); }",
            "use tokio::net::TcpStream;",
            "fn f() { std::net::TcpListener::bind(x); }",
            "use socket2::Socket;",
            "fn f() { metrics::counter!(\"x\"); }",
            "fn f() { ::metrics::gauge!(\"x\"); }",
            "fn f() -> toml::Value {}",
            "fn f() { unsafe { x() } }",
        ] {
            assert_ne!(broken("src/proxy/io/a.rs", text), [""; 0], "{text}");
        }
    }

    #[test]
    fn none_of_these_is() {
        for text in [
            "use crate::base::tasks; fn f() { tasks::spawn_local(x); tasks::spawn_thread(y); }",
            "use crate::base::clock::{self, Duration}; fn f() { clock::now(); clock::sleep(x); }",
            "use std::net::SocketAddr; use std::time::Duration;",
            "// tokio::spawn\nfn f() { g(\"tokio::spawn\"); }",
            "fn f(metrics: &Metrics) { metrics.add(1); spawn; }",
            "#[cfg(test)] mod tests { fn f() { tokio::spawn(x); std::thread::sleep(y); } }",
        ] {
            assert_eq!(broken("src/proxy/io/a.rs", text), [""; 0], "{text}");
        }
    }

    #[test]
    fn the_room_itself_may() {
        for (path, text) in [
            (
                "src/base/tasks.rs",
                "fn f() { tokio::task::spawn_local(x); }",
            ),
            (
                "src/base/clock.rs",
                "fn f() { tokio::time::sleep(x); Instant::now(); }",
            ),
            (
                "src/net/inherited.rs",
                "use socket2::Socket; fn f() { unsafe {} }",
            ),
            ("src/observe/a.rs", "fn f() { metrics::counter!(\"x\"); }"),
            ("src/config/a.rs", "use toml::Spanned;"),
            (
                "tests/it/main.rs",
                "fn f() { std::thread::spawn(x); unsafe {} }",
            ),
        ] {
            assert_eq!(broken(path, text), [""; 0], "{path}");
        }
    }

    #[test]
    fn a_file_without_a_head_is_found() {
        let is_headless = |text: &str| headless(&Source::new("src/a.rs", text)).is_some();
        assert!(is_headless("use std::fmt;"));
        assert!(is_headless("// Not a head.\nfn f() {}"));
        assert!(is_headless("//!\nfn f() {}"));
        assert!(!is_headless("//! What this is for.\nfn f() {}"));
        assert!(!is_headless("#![no_main]\n//! What this is for.\n"));
    }

    #[test]
    fn names_that_could_mean_anything_are_found() {
        let is_found = |path: &str, text: &str| !empty_names(&Source::new(path, text)).is_empty();
        assert!(is_found("src/util/mod.rs", ""));
        assert!(is_found("src/a/string_utils.rs", ""));
        assert!(is_found("src/a.rs", "struct PoolManager;"));
        assert!(is_found("src/a.rs", "mod helpers { }"));
        assert!(!is_found(
            "src/a/utilisation.rs",
            "struct Utilisation; enum Commonness {}"
        ));
    }
}
