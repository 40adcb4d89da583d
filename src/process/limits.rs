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

/// One in so many descriptors is for pipes, which are two each.
const FILES_FOR_ONE_OF_PIPES: u64 = 256;

/// Of one worker, however many descriptors there are: four workers then have all that the kernel lets
/// a user have without privileges (`pipe-user-pages-soft`, 64 MiB), and who gets none copies.
const MOST_PIPES: u64 = 64;

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
    let reserved = RESERVED_FILES.min(files / 4) + files / FILES_FOR_ONE_OF_PIPES;
    (files.saturating_sub(reserved) / FILES_OF_EXCHANGE).max(1)
}

/// The pipes that each of `workers` may have.
pub(super) fn pipes_of_worker(files: u64, workers: usize) -> usize {
    let all = files / FILES_FOR_ONE_OF_PIPES / 2;
    let share = (all / workers as u64).clamp(1, MOST_PIPES);
    share as usize
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
        assert_eq!(default_max_connections(25_600), (25_600 - 256 - 100) / 2);
        assert_eq!(default_max_connections(64), 24);
        assert_eq!(default_max_connections(1), 1);
        let many = u64::MAX - u64::MAX / 256 - RESERVED_FILES;
        assert_eq!(default_max_connections(u64::MAX), many / 2);
    }

    #[test]
    fn pipes_take_no_descriptors_from_connections() {
        for (files, workers, each) in [(1_024, 2, 1), (25_600, 1, 50), (25_600, 4, 12)] {
            assert_eq!(pipes_of_worker(files, workers), each);
            let connections = default_max_connections(files);
            let pipes = (each * workers) as u64;
            assert!(2 * connections + 2 * pipes + RESERVED_FILES.min(files / 4) <= files);
        }
        assert_eq!(pipes_of_worker(1 << 20, 8), 64);
        assert_eq!(pipes_of_worker(64, 8), 1, "one cannot do harm");
    }
}
