//! The promise of this target: a test that was not run is always reported.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::case::{Case, TEST_ALL, case};
use crate::need::{
    CHROMIUM, CURL, GUNICORN, H2LOAD, HAPROXY, NGHTTP, NGINX, NODE, Need, OPENSSL, PROMTOOL,
};
use crate::rig::Folder;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case!(a_test_without_its_program_is_not_run_and_the_last_lines_say_so),
        case!(a_test_without_its_program_fails_where_all_are_wanted),
        case!(no_summary_is_printed_if_nothing_is_missing),
        case!(every_program_is_installed_by_the_script),
        case!(no_test_is_left_out_of_the_list),
        case!(tests_with_foreign_programs_are_in_this_target),
        case!(this_target_is_the_last_one),
    ]
}

/// A test that needs a program.
const NEEDY: &str = "clients::nghttp_gets_back_what_it_sends";

/// Runs tests of this target without any foreign program.
#[track_caller]
fn run_without_programs(test: &str, test_all: &str) -> Output {
    let nothing = Folder::new();
    let program = std::env::current_exe().expect("it runs");
    let output = Command::new(program)
        .args([test, "--exact"])
        .env("PATH", nothing.path(""))
        .env(TEST_ALL, test_all)
        .output();
    output.expect("it runs")
}

fn a_test_without_its_program_is_not_run_and_the_last_lines_say_so() {
    let output = run_without_programs(NEEDY, "");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("not run, needs nghttp"), "{said}");
    let (_, summary) = said.split_once("NOT RUN: 1 of ").expect("a summary");
    let named = "  nghttp                    1 test   Debian package nghttp2-client\n";
    assert!(summary.contains(named), "{said}");
    assert!(!summary.contains("test result"), "it comes last: {said}");
}

fn a_test_without_its_program_fails_where_all_are_wanted() {
    let output = run_without_programs(NEEDY, "1");
    assert_eq!(output.status.code(), Some(101), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("not run, needs nghttp"), "{said}");
}

fn no_summary_is_printed_if_nothing_is_missing() {
    let output = run_without_programs("house::this_target_is_the_last_one", "");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("NOT RUN"), "{said}");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn every_program_is_installed_by_the_script() {
    let script = fs::read_to_string(root().join(".ci/packages")).expect("the script");
    for need in [
        CURL, NGHTTP, H2LOAD, HAPROXY, NGINX, NODE, GUNICORN, OPENSSL, PROMTOOL, CHROMIUM,
    ] {
        let row = match need {
            Need::Program(program, package) => format!("{program} {package}"),
            Need::Ipv6 => continue,
        };
        let has_row = script.lines().any(|line| line.trim() == row);
        assert!(has_row, "`{row}` is missing");
    }
}

fn no_test_is_left_out_of_the_list() {
    // What is only marked so is not even compiled here.
    let mark = ["#[", "test]"].concat();
    let mut files = 0;
    let mut folders = vec![root().join("tests/user")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of tests") {
            let path = entry.expect("a file").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("a file");
            assert!(!text.contains(&mark), "{path:?}: add it to `cases`");
            files += 1;
        }
    }
    assert!(files > 5);
}

fn tests_with_foreign_programs_are_in_this_target() {
    // There, a missing program would be a failure. Every machine has a shell.
    let own = ["env!(\"CARGO_BIN_EXE_evenkeel\")", "\"sh\""];
    let mut files = 0;
    let mut folders = vec![root().join("tests/it"), root().join("tests/sim")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of tests") {
            let path = entry.expect("a file").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("a file");
            for program in text.split("Command::new(").skip(1) {
                let is_own = own.iter().any(|own| program.starts_with(own));
                assert!(
                    is_own,
                    "{path:?} runs another program: move that to tests/user"
                );
            }
            files += 1;
        }
    }
    assert!(files > 20);
}

fn this_target_is_the_last_one() {
    // Cargo runs targets by name, and documentation tests after them.
    let entries = fs::read_dir(root().join("tests")).expect("the tests");
    let targets = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        let is_target =
            path.extension().is_some_and(|ext| ext == "rs") || path.join("main.rs").exists();
        is_target.then(|| path.file_stem().map(|name| name.to_owned()))?
    });
    assert_eq!(targets.max().as_deref(), Some("user".as_ref()));
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    assert!(manifest.contains("doctest = false"));
}
