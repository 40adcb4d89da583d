//! The kernel's numbers about this process: CPU, memory, descriptors, threads (proc(5)).
//!
//! Read at each scrape, on the thread of the scrape. Unreadable values are left out.

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// The usual `process_*` numbers.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ProcessFacts {
    pub(super) cpu_seconds: Option<f64>,
    pub(super) resident_bytes: Option<u64>,
    pub(super) virtual_bytes: Option<u64>,
    pub(super) open_fds: Option<u64>,
    pub(super) max_fds: Option<u64>,
    pub(super) start_seconds: Option<f64>,
    pub(super) threads: Option<u64>,
}

impl ProcessFacts {
    /// Reads the present numbers.
    pub(super) fn read() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let mut facts = Self::of_stat(&stat, clock_ticks_per_second(), page_size() as u64);
        if let Some(since_boot) = facts.start_seconds {
            facts.start_seconds = boot_seconds().map(|boot| boot + since_boot);
        }
        // Counted from the listing, because `stat` has the number only since Linux 6.2. The listing
        // itself holds one descriptor.
        let listed = fs::read_dir("/proc/self/fd").map(Iterator::count);
        facts.open_fds = listed.ok().map(|count| count.saturating_sub(1) as u64);
        facts.max_fds = Some(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX));
        facts
    }

    /// Parses `/proc/self/stat`; the start counts from boot here.
    fn of_stat(stat: &str, ticks_per_second: u64, page_bytes: u64) -> Self {
        // The second field is the program's name in parentheses, and may contain anything, also
        // parentheses and spaces: fields are counted from its end, where field 3 begins.
        let Some((_, fields)) = stat.rsplit_once(')') else {
            return Self::default();
        };
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let seconds = |ticks: u64| ticks as f64 / ticks_per_second as f64;
        Self {
            cpu_seconds: field(14)
                .zip(field(15))
                .map(|(user, system)| seconds(user + system)),
            threads: field(20),
            start_seconds: field(22).map(seconds),
            virtual_bytes: field(23),
            resident_bytes: field(24).map(|pages| pages * page_bytes),
            ..Self::default()
        }
    }
}

/// When the machine started, in seconds since 1970.
fn boot_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock;

    #[test]
    fn a_program_name_with_parentheses_shifts_nothing() {
        let stat =
            "42 (a) b (c) S 1 42 42 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 4 0 1000 4096000 250 99";
        let facts = ProcessFacts::of_stat(stat, 100, 4096);
        assert_eq!(facts.cpu_seconds, Some(2.0));
        assert_eq!(facts.threads, Some(4));
        assert_eq!(facts.start_seconds, Some(10.0));
        assert_eq!(facts.virtual_bytes, Some(4_096_000));
        assert_eq!(facts.resident_bytes, Some(1_024_000));
        assert_eq!(
            ProcessFacts::of_stat("", 100, 4096),
            ProcessFacts::default()
        );
    }

    #[test]
    fn this_process_is_known_to_the_kernel() {
        let facts = ProcessFacts::read();
        assert!(facts.resident_bytes > Some(100_000), "{facts:?}");
        assert!(facts.virtual_bytes >= facts.resident_bytes, "{facts:?}");
        assert!(
            facts.open_fds >= Some(3) && facts.max_fds >= facts.open_fds,
            "{facts:?}"
        );
        assert!(facts.threads >= Some(1), "{facts:?}");
        let wall = clock::wall().duration_since(std::time::UNIX_EPOCH);
        let now = wall.expect("it is later than 1970").as_secs_f64();
        let age = now - facts.start_seconds.expect("a start");
        assert!((-2.0..86_400.0).contains(&age), "{age} s");
    }
}
