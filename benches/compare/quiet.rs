//! Waiting for a quiet machine.
//!
//! A build beside the measurement takes cache, memory bandwidth and time from proxy and load alike,
//! and every figure grows. `compare` waits before each window while other processes are busy,
//! repeats disturbed windows, and the tables show the remaining disturbance.

use std::time::{Duration, Instant};
use std::{io, thread};

use crate::procfs::machine_time;
use crate::tally::Tally;

/// How much of a core the rest of the machine may use.
const QUIET: f64 = 0.08;
/// How long it must have been quiet.
const LOOK: Duration = Duration::from_millis(500);
/// Windows until the quietest is used, with its disturbance in the table.
const TRIES: usize = 4;

/// The remaining time, for the whole run, to wait for other processes and to repeat windows.
pub(crate) struct Allowance {
    left: Duration,
}

impl Allowance {
    pub(crate) fn new(left: Duration) -> Self {
        Self { left }
    }

    pub(crate) fn is_left(&self) -> bool {
        self.left > Duration::ZERO
    }

    /// Returns when the machine is quiet, or when the allowance is used up. Nothing of ours may be
    /// busy.
    pub(crate) fn wait(&mut self) -> io::Result<()> {
        while self.is_left() {
            let (begin, used) = (Instant::now(), machine_time()?);
            thread::sleep(LOOK);
            let busy = machine_time()?.saturating_sub(used);
            let span = begin.elapsed();
            if is_quiet(busy.as_secs_f64() / span.as_secs_f64()) {
                return Ok(());
            }
            self.spend(span);
        }
        Ok(())
    }

    fn spend(&mut self, span: Duration) {
        self.left = self.left.saturating_sub(span);
    }
}

/// Calls `measure` until the rest of the machine was quiet, and keeps the quietest window.
///
/// Failures and answers count from all tries: a failed request is a failure on a busy machine too, and
/// the log has lines of each.
pub(crate) fn quietest(
    allowance: &mut Allowance,
    measure: impl Fn() -> io::Result<Tally>,
) -> io::Result<Tally> {
    allowance.wait()?;
    let mut best = measure()?;
    for _ in 1..TRIES {
        if is_quiet(best.disturbance()) || !allowance.is_left() {
            break;
        }
        allowance.wait()?;
        let begin = Instant::now();
        let next = measure()?;
        allowance.spend(begin.elapsed());
        best = if next.disturbance() < best.disturbance() {
            next.with_history_of(&best)
        } else {
            best.with_history_of(&next)
        };
    }
    Ok(best)
}

/// Whether a window is valid in which other processes used this much of a core.
fn is_quiet(disturbance: f64) -> bool {
    disturbance <= QUIET
}
