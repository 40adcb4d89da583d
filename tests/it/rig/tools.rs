//! Real programs: what a user would try it with.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// Runs curl, quietly and not for long.
#[track_caller]
pub(crate) fn curl(arguments: &[&str]) -> Output {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "30"]);
    let output = command.args(arguments).output();
    output.expect("curl is needed for these tests: apt-get install curl")
}

/// Runs `program` with `input`; `how` says how to get it.
#[track_caller]
pub(crate) fn feed(program: &str, arguments: &[&str], input: &str, how: &str) -> Output {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.expect(how);
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}
