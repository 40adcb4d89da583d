//! What the system lets this process have: cores and open files.

use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that no connection of the data plane may take: the admin listener and its connections, logs,
/// the files of a reload, checks, the watched directories.
const RESERVED_FILES: u64 = 256;

/// The reserve is no more than one in so many.
const RESERVE_AT_MOST_ONE_IN: u64 = 4;

/// Descriptors of a thread's runtime, and of what every program has open.
const FILES_OF_RUNTIME: u64 = 5;

/// Threads with a runtime beside the workers: the control thread and the main thread.
const OTHER_RUNTIMES: u64 = 2;

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

/// What is left of `files` for the sockets of the data plane, listening ones included.
pub(super) fn of_sockets(files: u64, workers: usize) -> u64 {
    let reserved = RESERVED_FILES.min(files / RESERVE_AT_MOST_ONE_IN);
    let runtimes = (workers as u64 + OTHER_RUNTIMES) * FILES_OF_RUNTIME;
    let pipes = files / FILES_FOR_ONE_OF_PIPES;
    files.saturating_sub(reserved + runtimes + pipes)
}

/// The pipes that each of `workers` may have.
pub(super) fn pipes_of_worker(files: u64, workers: usize) -> usize {
    let all = files / FILES_FOR_ONE_OF_PIPES / 2;
    let share = (all / workers as u64).clamp(1, MOST_PIPES);
    share as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserve_is_kept_from_connections() {
        assert_eq!(of_sockets(25_600, 2), 25_600 - 256 - 20 - 100);
        assert_eq!(of_sockets(128, 2), 128 - 32 - 20);
        assert_eq!(of_sockets(16, 8), 0);
        let many = u64::MAX - u64::MAX / 256 - RESERVED_FILES;
        assert_eq!(of_sockets(u64::MAX, 2), many - 20);
    }

    #[test]
    fn pipes_take_no_descriptors_from_connections() {
        for (files, workers, each) in [(1_024, 2, 1), (25_600, 1, 50), (25_600, 4, 12)] {
            assert_eq!(pipes_of_worker(files, workers), each);
            let pipes = (each * workers) as u64;
            assert!(
                of_sockets(files, workers) + 2 * pipes + RESERVED_FILES.min(files / 4) <= files
            );
        }
        assert_eq!(pipes_of_worker(1 << 20, 8), 64);
        assert_eq!(pipes_of_worker(64, 8), 1, "one cannot do harm");
    }
}
