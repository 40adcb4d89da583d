//! The build of `evenkeel --version`: the commit and the compiler.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    // HEAD names a branch and does not change with a commit; its log does. A missing file would
    // make this run at each build.
    for file in [".git/HEAD", ".git/logs/HEAD"] {
        if Path::new(file).exists() {
            println!("cargo::rerun-if-changed={file}");
        }
    }
    println!("cargo::rerun-if-env-changed=EVENKEEL_COMMIT");
    let commit = env::var("EVENKEEL_COMMIT")
        .ok()
        .or_else(|| first_line("git", &["rev-parse", "--short=12", "HEAD"]))
        .unwrap_or_else(|| "unknown".to_owned());
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let compiler = first_line(&rustc, &["--version"]).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=EVENKEEL_COMMIT={commit}");
    println!("cargo::rustc-env=EVENKEEL_RUSTC={compiler}");
}

fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(str::to_owned)
}
