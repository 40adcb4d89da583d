//! The `evenkeel` program: hands the command line to [`evenkeel::cli`].

use std::process::ExitCode;

/// As fast as mimalloc and glibc's here, and the only one that gives memory back after a burst of
/// connections: see `benches/README.md`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    evenkeel::cli::main("jemalloc")
}
