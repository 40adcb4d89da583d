//! The counts of the load generator, and their way from that process to the one that reports.

use std::io;
use std::time::Duration;

use serde_json::{Value, json};

use crate::clock::nanos;

/// Counts and latencies of one measured window.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Proper answers within the window.
    pub(crate) completed: u64,
    /// Proper answers in all, with the warm-up: the number of lines in the access log.
    pub(crate) completed_ever: u64,
    /// Connections that broke with a request open, and wrong answers.
    pub(crate) broken: u64,
    /// Answers with a status other than 2xx.
    pub(crate) refused: u64,
    /// Scheduled and never answered; many at a rate above the proxy's maximum.
    pub(crate) unfinished: u64,
    /// Idle connections that the proxy closed, and that were opened again: allowed, but shown.
    pub(crate) reopened: u64,
    pub(crate) window: Duration,
    /// Processor time of the proxy within the window.
    pub(crate) cpu: Duration,
    /// Processor time of all other processes meanwhile, on any core.
    pub(crate) others: Duration,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) p999: Duration,
    pub(crate) max: Duration,
}

impl Tally {
    /// A window without any answer is a failure by itself.
    pub(crate) fn failed(&self) -> u64 {
        self.broken + self.refused + self.unfinished + u64::from(self.completed == 0)
    }

    /// Adds the events of another window that is not reported itself.
    pub(crate) fn with_history_of(mut self, other: &Self) -> Self {
        self.completed_ever += other.completed_ever;
        self.broken += other.broken;
        self.refused += other.refused;
        self
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.completed as f64 / self.window.as_secs_f64()
    }

    /// NaN when nothing was completed.
    pub(crate) fn cpu_us_per_request(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.completed as f64
    }

    /// The share of one core that the proxy was busy.
    pub(crate) fn busy(&self) -> f64 {
        self.cpu.as_secs_f64() / self.window.as_secs_f64()
    }

    /// How much of one core the rest of the machine used. Above some per cent the figures are not
    /// reliable.
    pub(crate) fn disturbance(&self) -> f64 {
        self.others.as_secs_f64() / self.window.as_secs_f64()
    }

    /// Median, 99th and 99.9th percentile and maximum of `latencies_ns`, which is sorted on the way.
    pub(crate) fn measure(&mut self, latencies_ns: &mut [u64]) {
        latencies_ns.sort_unstable();
        self.p50 = quantile(latencies_ns, 0.50);
        self.p99 = quantile(latencies_ns, 0.99);
        self.p999 = quantile(latencies_ns, 0.999);
        self.max = quantile(latencies_ns, 1.0);
    }

    pub(crate) fn to_line(self) -> String {
        json!({
            "completed": self.completed,
            "completed_ever": self.completed_ever,
            "broken": self.broken,
            "refused": self.refused,
            "unfinished": self.unfinished,
            "reopened": self.reopened,
            "window_ns": nanos(self.window),
            "cpu_ns": nanos(self.cpu),
            "others_ns": nanos(self.others),
            "p50_ns": nanos(self.p50),
            "p99_ns": nanos(self.p99),
            "p999_ns": nanos(self.p999),
            "max_ns": nanos(self.max),
        })
        .to_string()
    }

    pub(crate) fn from_line(line: &str) -> io::Result<Self> {
        let value: Value = serde_json::from_str(line)?;
        let number = |key: &str| {
            value[key]
                .as_u64()
                .ok_or_else(|| io::Error::other(format!("no {key} in {line}")))
        };
        let duration = |key: &str| number(key).map(Duration::from_nanos);
        Ok(Self {
            completed: number("completed")?,
            completed_ever: number("completed_ever")?,
            broken: number("broken")?,
            refused: number("refused")?,
            unfinished: number("unfinished")?,
            reopened: number("reopened")?,
            window: duration("window_ns")?,
            cpu: duration("cpu_ns")?,
            others: duration("others_ns")?,
            p50: duration("p50_ns")?,
            p99: duration("p99_ns")?,
            p999: duration("p999_ns")?,
            max: duration("max_ns")?,
        })
    }
}

/// The value below which `share` of the sorted `latencies_ns` lie; zero of none.
pub(crate) fn quantile(latencies_ns: &[u64], share: f64) -> Duration {
    let Some(last) = latencies_ns.len().checked_sub(1) else {
        return Duration::ZERO;
    };
    let rank = (last as f64 * share).round() as usize;
    Duration::from_nanos(latencies_ns[rank.min(last)])
}
