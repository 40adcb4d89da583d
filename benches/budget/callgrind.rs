//! Runs a cell under callgrind and reads its output: instructions by function, file and call.
//!
//! The format: "Callgrind Format Specification" in valgrind's manual.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, io};

use crate::cell::Cell;

/// The instructions of a run, by function.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    pub(crate) functions: Vec<Function>,
    by_name: HashMap<String, usize>,
}

#[derive(Debug, Default)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// The file that contains it.
    pub(crate) file: String,
    /// Its own instructions, by source file: inlined code has another file.
    pub(crate) own: HashMap<String, u64>,
    /// The instructions of it and of everything that it calls, by the index of the caller.
    pub(crate) callers: HashMap<usize, u64>,
}

/// Stops jemalloc from returning memory: it would do so by time and on its own thread, and the
/// count would vary between runs.
const ALLOCATOR: (&str, &str) = (
    "_RJEM_MALLOC_CONF",
    "background_thread:false,dirty_decay_ms:-1,muzzy_decay_ms:-1,narenas:1",
);

/// Runs `cell` of this program under callgrind.
pub(crate) fn profile(cell: Cell, dir: &Path) -> io::Result<Profile> {
    let out = dir.join("callgrind.out");
    let run = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--collect-atstart=no",
            "--dump-line=yes",
        ])
        .args(["--compress-strings=no", "--compress-pos=no"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .args(["cell", cell.name()])
        .env(ALLOCATOR.0, ALLOCATOR.1)
        .stdout(Stdio::null())
        .output()
        .map_err(|error| io::Error::other(format!("valgrind: {error}")))?;
    if !run.status.success() {
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        return Err(io::Error::other(said));
    }
    Profile::parse(&fs::read_to_string(&out)?)
}

impl Profile {
    pub(crate) fn total(&self) -> u64 {
        self.functions.iter().map(Function::own_total).sum()
    }

    fn parse(text: &str) -> io::Result<Self> {
        let mut profile = Self::default();
        let mut function = 0;
        let mut file = "";
        let mut callee_file = "";
        let mut callee = 0;
        // Whether the line follows a `calls=`.
        let mut is_call = false;
        for line in text.lines() {
            if let Some((key, value)) = line.split_once('=') {
                match key {
                    "fl" => {
                        file = value;
                        callee_file = value;
                    }
                    "fi" | "fe" => file = value,
                    "fn" => function = profile.function(value, file),
                    "cfi" | "cfl" => callee_file = value,
                    "cfn" => callee = profile.function(value, callee_file),
                    "calls" => is_call = true,
                    _ => {}
                }
            } else if line.starts_with(|first: char| first.is_ascii_digit()) {
                let cost = second_number(line)?;
                if std::mem::take(&mut is_call) {
                    let callers = &mut profile.functions[callee].callers;
                    *callers.entry(function).or_default() += cost;
                } else {
                    let own = &mut profile.functions[function].own;
                    match own.get_mut(file) {
                        Some(instructions) => *instructions += cost,
                        None => drop(own.insert(file.to_owned(), cost)),
                    }
                }
            }
        }
        Ok(profile)
    }

    /// The index of the function with that name; `file` is noted when it first appears.
    fn function(&mut self, name: &str, file: &str) -> usize {
        if let Some(index) = self.by_name.get(name) {
            return *index;
        }
        let index = self.functions.len();
        self.functions.push(Function {
            name: name.to_owned(),
            file: file.to_owned(),
            ..Function::default()
        });
        self.by_name.insert(name.to_owned(), index);
        index
    }
}

impl Function {
    pub(crate) fn own_total(&self) -> u64 {
        self.own.values().sum()
    }
}

/// The cost on a line: the number after the line number.
fn second_number(text: &str) -> io::Result<u64> {
    let number = text.split(' ').nth(1);
    number
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| io::Error::other("not what callgrind writes"))
}
