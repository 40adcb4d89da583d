//! The `evenkeel` program: hands the command line to [`evenkeel::cli`].

use std::process::ExitCode;

/// Measured against glibc's and jemalloc: see `benches/README.md`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    evenkeel::cli::main("mimalloc")
}
