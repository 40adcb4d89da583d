//! The `evenkeel` program: hands the command line to [`evenkeel::cli`].

use std::process::ExitCode;

/// As fast here as mimalloc and glibc's allocator, and the only one that returns memory after many
/// connections have closed: see `benches/README.md`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    evenkeel::cli::main("jemalloc")
}
