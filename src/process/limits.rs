//! The limits of the system for this process: cores and open files.

use std::fmt;
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that no connection of the data plane may take: the admin listener and its connections, logs,
/// the files of a reload, checks, the watched directories.
const RESERVED_FILES: u64 = 256;

/// The reserve is at most one descriptor in so many.
const RESERVE_AT_MOST_ONE_IN: u64 = 4;

/// Descriptors of a thread's runtime, and of the standard streams.
const FILES_OF_RUNTIME: u64 = 5;

/// Threads with a runtime beside the workers: the control thread and the main thread.
const OTHER_RUNTIMES: u64 = 2;

/// One in so many descriptors is for pipes, which are two each.
const FILES_FOR_ONE_OF_PIPES: u64 = 256;

/// The most pipes of one worker, however many descriptors there are: four workers then have all
/// that the kernel allows a user without privileges (`pipe-user-pages-soft`, 64 MiB); a relay
/// without a pipe copies.
const MOST_PIPES: u64 = 64;

/// The least number of descriptors for a reload, the log, checks and a probe. Below it they would
/// fail one after another, each with another message.
const LEAST_RESERVED: u64 = 16;

/// The least number of connections to clients and to servers, together, with which the program
/// starts.
const LEAST_CONNECTIONS: u64 = 16;

/// Why there are too few descriptors for a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooFewFiles {
    files: u64,
    needed: u64,
    workers: usize,
    listeners: usize,
}

/// The number of cores that the affinity mask and the cgroup quota allow.
pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Raises the soft limit of open files to the hard one, and returns it.
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

/// The part of `files` for the sockets of the data plane, listening ones included.
pub(super) fn of_sockets(files: u64, workers: usize) -> u64 {
    let reserved = RESERVED_FILES.min(files / RESERVE_AT_MOST_ONE_IN);
    let runtimes = (workers as u64 + OTHER_RUNTIMES) * FILES_OF_RUNTIME;
    let pipes = files / FILES_FOR_ONE_OF_PIPES;
    files.saturating_sub(reserved + runtimes + pipes)
}

/// Makes sure that `files` are enough for `listeners`, each of which has a socket in each worker, and
/// for a few connections.
///
/// # Errors
///
/// [`TooFewFiles`].
pub(super) fn check_open_files(
    files: u64,
    workers: usize,
    listeners: usize,
) -> Result<(), TooFewFiles> {
    let sockets = (workers * listeners) as u64 + LEAST_CONNECTIONS;
    let is_enough = |files: u64| {
        files / RESERVE_AT_MOST_ONE_IN >= LEAST_RESERVED && of_sockets(files, workers) >= sockets
    };
    if is_enough(files) {
        return Ok(());
    }
    // At most one in four is reserved, and one in 256 is for pipes: twice as many are enough.
    let runtimes = (workers as u64 + OTHER_RUNTIMES) * FILES_OF_RUNTIME;
    let most = 2 * (sockets + runtimes) + RESERVE_AT_MOST_ONE_IN * LEAST_RESERVED;
    Err(TooFewFiles {
        files,
        needed: (files..most)
            .find(|&files| is_enough(files))
            .unwrap_or(most),
        workers,
        listeners,
    })
}

/// The pipes that each of `workers` may have.
pub(super) fn pipes_of_worker(files: u64, workers: usize) -> usize {
    let all = files / FILES_FOR_ONE_OF_PIPES / 2;
    let share = (all / workers as u64).clamp(1, MOST_PIPES);
    share as usize
}

impl fmt::Display for TooFewFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            files,
            needed,
            workers,
            listeners,
        } = self;
        write!(
            f,
            "the limit of {files} open files is too low: {listeners} listening addresses in {workers} \
             workers need at least {needed}; raise it with `ulimit -n {needed}`, in systemd with \
             `LimitNOFILE={needed}`, or write fewer `workers` in `[process]`"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_too_low_is_refused_with_the_one_that_is_enough() {
        for (workers, listeners) in [(1, 1), (2, 3), (64, 10), (256, 1)] {
            for files in [0, 20, 63] {
                let refused = check_open_files(files, workers, listeners);
                let refused = refused.expect_err("it is too low");
                let enough = refused.needed;
                assert_eq!(check_open_files(enough, workers, listeners), Ok(()));
                assert!(check_open_files(enough - 1, workers, listeners).is_err());
                assert!(
                    refused
                        .to_string()
                        .contains(&format!("`ulimit -n {enough}`"))
                );
            }
        }
        assert_eq!(check_open_files(100, 2, 3), Ok(()));
        assert_eq!(check_open_files(u64::MAX, 2, 3), Ok(()));
    }

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
