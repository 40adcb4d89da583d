//! Which words the suite compares: every fetch and converter that both programs have is in one of its
//! files, or is listed here with the reason.
//!
//! HAProxy lists its words itself (`-dK`), so a new one of ours is missed here until it has a line.

use evenkeel::plan::expr::{Converter, Fetch};

use crate::case::{Case, case};
use crate::need::HAPROXY;
use crate::rig::Folder;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case!(fetches_of_both_are_compared, HAPROXY),
        case!(converters_of_both_are_compared, HAPROXY),
    ]
}

/// The files whose lines are run by both programs.
const SUITE: &[&str] = &[
    include_str!("actions.rs"),
    include_str!("content.rs"),
    include_str!("expressions.rs"),
    include_str!("logs.rs"),
    include_str!("same_file.rs"),
    include_str!("tables.rs"),
];

const NO_TLS: &str =
    "the clients of this suite speak no TLS: tests of `expr` have OpenSSL's values";
const UNKNOWN_MOMENT: &str = "HAProxy counts it at a moment that the suite does not know";
const OTHER_RATE: &str = "it is counted from the first time on that an expression asks";

/// Fetches of both that are not compared. A name with `*` stands for all with this beginning.
const FETCHES_LEFT_OUT: &[(&str, &str)] = &[
    ("be_sess_rate", OTHER_RATE),
    ("fe_req_rate", OTHER_RATE),
    ("sc_bytes_in_rate", UNKNOWN_MOMENT),
    ("sc_bytes_out_rate", UNKNOWN_MOMENT),
    ("sc_conn_cur", UNKNOWN_MOMENT),
    ("sc_kbytes_in", UNKNOWN_MOMENT),
    ("sc_kbytes_out", UNKNOWN_MOMENT),
    ("sc_trackers", UNKNOWN_MOMENT),
    ("ssl_c_*", NO_TLS),
    ("ssl_f_*", NO_TLS),
    ("ssl_fc_*", NO_TLS),
    ("unique-id", "each program makes its own"),
];

/// Converters of both that are not compared.
const CONVERTERS_LEFT_OUT: &[(&str, &str)] = &[
    ("table_bytes_in_rate", UNKNOWN_MOMENT),
    ("table_bytes_out_rate", UNKNOWN_MOMENT),
    ("table_conn_cur", UNKNOWN_MOMENT),
    ("table_kbytes_in", UNKNOWN_MOMENT),
    ("table_kbytes_out", UNKNOWN_MOMENT),
    ("table_trackers", UNKNOWN_MOMENT),
];

fn fetches_of_both_are_compared() {
    let rows = Fetch::ALL.iter().map(|fetch| fetch.row());
    let ours: Vec<Names> = rows.map(|row| names(row.name, row.aliases)).collect();
    // `[ Y Y … . ] name([arguments]): type`
    let theirs = listed("-dKsmp", |line| Some(line.split_once(']')?.1));
    check(&ours, &theirs, FETCHES_LEFT_OUT);
}

fn converters_of_both_are_compared() {
    let rows = Converter::ALL.iter().map(|converter| converter.row());
    let ours: Vec<Names> = rows.map(|row| names(row.name, row.aliases)).collect();
    // `name([arguments]): type => type`
    let theirs = listed("-dKcnv", |line| line.contains("=>").then_some(line));
    check(&ours, &theirs, CONVERTERS_LEFT_OUT);
}

/// All names of one word.
type Names = Vec<&'static str>;

fn names(name: &'static str, aliases: &[&'static str]) -> Names {
    std::iter::once(name)
        .chain(aliases.iter().copied())
        .collect()
}

/// The words that HAProxy lists with `option`; `part` is the part of a line that begins with a word.
#[track_caller]
fn listed(option: &str, part: fn(&str) -> Option<&str>) -> Vec<String> {
    let folder = Folder::new();
    let file = folder.write("haproxy.cfg", "defaults\n mode http\n");
    let path = file.to_str().expect("a path of text");
    let output = HAPROXY.run(&[option, "-q", "-c", "-f", path]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let parts = text.lines().filter(|line| !line.starts_with('#'));
    let words = parts.filter_map(part).map(|part| {
        let part = part.trim_start();
        let end = part.find(['(', ':', ' ']).unwrap_or(part.len());
        part[..end].to_owned()
    });
    let words: Vec<String> = words.collect();
    assert!(words.len() > 100, "HAProxy lists few words: {text}");
    words
}

/// Checks that each word of both is in the suite or in `left_out`, and not in both.
#[track_caller]
fn check(ours: &[Names], theirs: &[String], left_out: &[(&str, &str)]) {
    let of_both = ours.iter().filter(|names| {
        names
            .iter()
            .any(|name| theirs.iter().any(|one| one == name))
    });
    let is_compared = |names: &Names| {
        names
            .iter()
            .any(|name| SUITE.iter().any(|text| has(text, name)))
    };
    let (compared, missing): (Vec<&Names>, Vec<&Names>) =
        of_both.partition(|names| is_compared(names));
    assert!(compared.len() > 50, "the suite has few words: {compared:?}");
    let stands_for = |listed: &str, name: &str| match listed.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == listed,
    };
    let unexplained: Vec<&str> = missing
        .iter()
        .map(|names| names[0])
        .filter(|name| !left_out.iter().any(|(listed, _)| stands_for(listed, name)))
        .collect();
    assert!(
        unexplained.is_empty(),
        "HAProxy has these words too, and no case compares them: {unexplained:?}"
    );
    for (listed, reason) in left_out {
        let is_missing = missing.iter().any(|names| stands_for(listed, names[0]));
        assert!(
            is_missing,
            "`{listed}` is compared, or is no word: {reason}"
        );
    }
}

/// Whether a line of `text` other than a comment has `word`, with no other part of a word beside it.
fn has(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let lines = text.lines().map(str::trim_start);
    let mut lines = lines.filter(|line| !line.starts_with("//"));
    lines.any(|line| {
        line.match_indices(word).any(|(at, _)| {
            let (before, after) = (&line[..at], &line[at + word.len()..]);
            !before.ends_with(is_part) && !after.starts_with(is_part)
        })
    })
}
