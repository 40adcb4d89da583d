//! The documents, commands and programs of a user: the documents are true, their commands work, and
//! the programs are served.
//!
//! Tests with foreign programs are here. If one is missing, its tests are not run, and the last
//! output of `cargo test` names it: see [`case`]. See `tests/it` for the proxy itself.

#![expect(
    clippy::disallowed_methods,
    reason = "a child process has no other clock than the system's"
)]

mod browser;
mod case;
mod clients;
mod command_line;
mod commands;
mod demo;
mod differential;
mod examples;
mod haproxy;
mod house;
mod ipv6;
mod need;
mod nginx;
mod program;
mod prometheus;
mod readme;
mod refusals;
#[expect(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "these are the tools of tests/it, of which a few are used here"
)]
#[path = "../it/rig/mod.rs"]
mod rig;
mod servers;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let rooms = [
        browser::cases(),
        clients::cases(),
        command_line::cases(),
        commands::cases(),
        demo::cases(),
        differential::cases(),
        examples::cases(),
        haproxy::cases(),
        house::cases(),
        ipv6::cases(),
        nginx::cases(),
        prometheus::cases(),
        readme::cases(),
        refusals::cases(),
        servers::cases(),
    ];
    let (trials, not_run) = case::trials(rooms.into_iter().flatten().collect());
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    if let Some(summary) = not_run.summary() {
        println!("{summary}");
    }
    conclusion.exit_code()
}
