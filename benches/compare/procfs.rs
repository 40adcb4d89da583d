//! The resources of a process: processor time and memory, from `/proc`.

use std::time::Duration;
use std::{fs, io};

/// User and system time of `pids` together, with all their threads, ended ones too.
///
/// Clock ticks of 10 ms: over a window of some seconds that is a few parts in a thousand. Not
/// `schedstat`, which knows nanoseconds but forgets a thread that has ended.
pub(crate) fn cpu_time(pids: &[u32]) -> io::Result<Duration> {
    let mut ticks = 0;
    for pid in pids {
        let stat = Stat::of(*pid)?;
        ticks += stat.user_ticks + stat.system_ticks;
    }
    Ok(duration_of(ticks))
}

/// The time that all cores together were busy, and the time that the hypervisor gave to other
/// machines.
pub(crate) fn machine_time() -> io::Result<Duration> {
    let text = fs::read_to_string("/proc/stat")?;
    // proc_stat(5): user nice system idle iowait irq softirq steal. Interrupts count: they ran
    // while a process was charged for the time.
    let fields: Vec<u64> = text
        .lines()
        .next()
        .unwrap_or_default()
        .split_ascii_whitespace()
        .skip(1)
        .map_while(|field| field.parse().ok())
        .collect();
    match fields[..] {
        [user, nice, system, _, _, irq, softirq, steal, ..] => {
            Ok(duration_of(user + nice + system + irq + softirq + steal))
        }
        _ => Err(io::Error::other("/proc/stat is unreadable")),
    }
}

/// The resident set of `pids` together, in bytes. Pages that two of them share count twice.
///
/// `smaps_rollup` walks the page tables; the numbers in `status` are per-CPU counters that may be
/// megabytes behind.
pub(crate) fn resident_bytes(pids: &[u32]) -> io::Result<u64> {
    let mut kilobytes = 0;
    for pid in pids {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        kilobytes += text
            .lines()
            .find_map(|line| line.strip_prefix("Rss:"))
            .and_then(|value| value.trim().strip_suffix("kB"))
            .and_then(|value| value.trim().parse::<u64>().ok())
            .ok_or_else(|| io::Error::other("no Rss line in smaps_rollup"))?;
    }
    Ok(kilobytes * 1024)
}

fn duration_of(ticks: u64) -> Duration {
    Duration::from_nanos(ticks * (1_000_000_000 / rustix::param::clock_ticks_per_second()))
}

/// `parent` and the processes it started.
pub(crate) fn family(parent: u32) -> io::Result<Vec<u32>> {
    let mut pids = vec![parent];
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // A process may end while the list is read.
        if Stat::of(pid).is_ok_and(|stat| stat.parent == parent) {
            pids.push(pid);
        }
    }
    Ok(pids)
}

/// The fields of `/proc/PID/stat` that are needed here.
struct Stat {
    parent: u32,
    user_ticks: u64,
    system_ticks: u64,
}

impl Stat {
    fn of(pid: u32) -> io::Result<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        Self::parse(&text)
            .ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat is unreadable")))
    }

    /// proc_pid_stat(5). The name in parentheses may contain anything, so counting starts after it.
    fn parse(text: &str) -> Option<Self> {
        let (_, fields) = text.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace();
        Some(Self {
            parent: fields.nth(1)?.parse().ok()?,
            user_ticks: fields.nth(9)?.parse().ok()?,
            system_ticks: fields.next()?.parse().ok()?,
        })
    }
}
