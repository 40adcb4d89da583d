//! What the system lets this process have: cores and open files.

use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::observe::event;

/// Descriptors that no client connection may take: listeners, logs, the admin listener, checks.
const RESERVED_FILES: u64 = 256;

/// The least limit that systems come with (`ulimit -n`).
const FEW_FILES: u64 = 1024;

/// Descriptors of an exchange: the client's connection and the server's.
const FILES_OF_EXCHANGE: u64 = 2;

/// The cores that the affinity mask and the cgroup quota leave us.
pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Raises the soft limit of open files to the hard one, and says how many that is.
pub(super) fn raise_open_files() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum.unwrap_or(u64::MAX),
        Err(_) => current.unwrap_or(u64::MAX),
    }
}

/// The client connections for which `files` suffice.
pub(super) fn default_max_connections(files: u64) -> u64 {
    let reserved = RESERVED_FILES.min(files / 4);
    (files.saturating_sub(reserved) / FILES_OF_EXCHANGE).max(1)
}

/// Says so when `files` make for so few connections that somebody must have forgotten the limit.
pub(super) fn warn_if_few(files: u64) {
    if files < FEW_FILES {
        event::descriptors_few(files, default_max_connections(files));
    }
}

/// Says so when `files` do not suffice for the connections that are `wanted`.
pub(super) fn warn_if_too_few(files: u64, wanted: u64) {
    let needed = wanted
        .saturating_mul(FILES_OF_EXCHANGE)
        .saturating_add(RESERVED_FILES);
    if needed > files {
        event::descriptor_limit_low(files, needed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_costs_two_descriptors() {
        assert_eq!(default_max_connections(RESERVED_FILES + 2_000), 1_000);
        assert_eq!(default_max_connections(64), 24);
        assert_eq!(default_max_connections(1), 1);
        assert_eq!(
            default_max_connections(u64::MAX),
            (u64::MAX - RESERVED_FILES) / 2
        );
    }
}
