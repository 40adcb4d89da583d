//! The tests of this target, each with the foreign programs that it needs.
//!
//! libtest cannot say at run time that a test was not run. So this target has a `main` of its own: a
//! test whose program is missing counts as ignored, with the reason, and the summary at the end names
//! the program and its package. `EVENKEEL_TEST_ALL=1`, for CI, makes a missing program a failure.
//!
//! `cargo test` runs this target after all others, so that the summary is the last thing it prints.

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::sync::mpsc::{Receiver, Sender, channel};

use libtest_mimic::{Completion, Failed, Trial};

use crate::need::Need;

/// Makes a missing program a failure.
pub(crate) const TEST_ALL: &str = "EVENKEEL_TEST_ALL";

/// A test.
pub(crate) struct Case {
    /// Its path in this target.
    pub(crate) name: &'static str,
    /// What it cannot run without.
    pub(crate) needs: &'static [Need],
    pub(crate) run: fn(),
}

/// A [`Case`] for the function of that name, which needs these needs.
macro_rules! case {
    ($run:ident $(, $need:ident)* $(,)?) => {
        crate::case::Case {
            name: concat!(module_path!(), "::", stringify!($run)),
            needs: &[$(crate::need::$need),*],
            run: $run,
        }
    };
}

pub(crate) use case;

/// What was not run.
pub(crate) struct NotRun {
    cases: usize,
    missing: Receiver<Vec<Need>>,
}

/// Makes tests of `cases`; the ones that were not run are reported afterwards.
pub(crate) fn trials(cases: Vec<Case>) -> (Vec<Trial>, NotRun) {
    let wants_all =
        env::var_os(TEST_ALL).is_some_and(|value| !["", "0"].contains(&&*value.to_string_lossy()));
    let (sender, missing) = channel();
    let not_run = NotRun {
        cases: cases.len(),
        missing,
    };
    let trials = cases.into_iter().map(|case| {
        let sender = sender.clone();
        // The name of the target comes first in a module's path.
        let name = case
            .name
            .split_once("::")
            .map_or(case.name, |(_, name)| name);
        Trial::ignorable_test(name, move || run(&case, wants_all, &sender))
    });
    (trials.collect(), not_run)
}

fn run(case: &Case, wants_all: bool, sender: &Sender<Vec<Need>>) -> Result<Completion, Failed> {
    let needs = case.needs.iter().copied();
    let missing: Vec<Need> = needs.filter(|need| !need.is_met()).collect();
    if missing.is_empty() {
        (case.run)();
        return Ok(Completion::Completed);
    }
    let names: Vec<&str> = missing.iter().map(|need| need.name()).collect();
    let why = format!("not run, needs {}", names.join(" and "));
    if wants_all && missing.iter().any(|need| need.is_program()) {
        return Err(format!("{why}; with {TEST_ALL} that is a failure").into());
    }
    // The summary is written after the last test, so the receiver still exists.
    let _ = sender.send(missing);
    Ok(Completion::ignored_with(why))
}

impl NotRun {
    /// The summary; `None`: nothing is missing.
    pub(crate) fn summary(self) -> Option<String> {
        let mut count = 0;
        let mut tests_by_need = BTreeMap::new();
        for missing in self.missing.try_iter() {
            count += 1;
            for need in missing {
                *tests_by_need.entry(need).or_insert(0) += 1;
            }
        }
        if count == 0 {
            return None;
        }
        let rule = "=".repeat(78);
        let total = self.cases;
        let mut text =
            format!("{rule}\nNOT RUN: {count} of {total} tests in tests/user. Missing here:\n\n");
        for (need, tests) in tests_by_need {
            let s = if tests == 1 { " " } else { "s" };
            let (name, source) = (need.name(), need.source());
            writeln!(text, "  {name:<24} {tests:>2} test{s}  {source}").expect("text");
        }
        write!(
            text,
            "\n`.ci/packages` installs the programs (Debian, as root or by sudo). With {TEST_ALL}=1,\n\
             as in CI, a missing program is a failure.\n{rule}\n"
        )
        .expect("text");
        Some(text)
    }
}
