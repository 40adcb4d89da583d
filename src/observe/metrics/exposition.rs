//! One scrape as text: the Prometheus exposition format 0.0.4.
//!
//! `control` hands in a row for each frontend, backend and server that there is, and the series of
//! one that is gone are gone with its row. Within a family all samples stand together, under one
//! `HELP` and one `TYPE`; statuses, reasons and histograms that have counted nothing are left out.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::fmt::{self, Write as _};

use crate::base::clock::Instant;
use crate::exchange::Reason;
use crate::observe::AccessLogHandle;
use crate::observe::metrics::frontend::{FrontendMetrics, PauseCause};
use crate::observe::metrics::health::{CheckResult, HealthMetrics, ServerState};
use crate::observe::metrics::kernel::ProcessFacts;
use crate::observe::metrics::names::{self, Metric};
use crate::observe::metrics::process_wide::ProcessMetrics;
use crate::observe::metrics::server::ServerMetrics;
use crate::observe::metrics::shard::{BOUNDS_US, HistogramSum};

/// Everything that a scrape shows.
#[derive(Clone, Copy, Debug)]
pub struct Scrape<'a> {
    /// The process's own numbers.
    pub process: &'a ProcessMetrics,
    /// Knows how many lines were lost.
    pub access_log: &'a AccessLogHandle,
    /// In the order of the plan.
    pub frontends: &'a [FrontendRow<'a>],
    /// In the order of the plan.
    pub backends: &'a [BackendRow<'a>],
    /// In the order of the plan.
    pub servers: &'a [ServerRow<'a>],
    /// The running state of a server counts until then.
    pub now: Instant,
}

/// A frontend as a scrape sees it.
#[derive(Clone, Copy, Debug)]
pub struct FrontendRow<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its counters.
    pub metrics: &'a FrontendMetrics,
    /// Client connections now.
    pub open_connections: u64,
}

/// A backend as a scrape sees it.
#[derive(Clone, Copy, Debug)]
pub struct BackendRow<'a> {
    /// Its name.
    pub name: &'a str,
    /// Exchanges that wait for a slot now.
    pub queued: u64,
}

/// A server as a scrape sees it.
#[derive(Clone, Copy, Debug)]
pub struct ServerRow<'a> {
    /// Its backend's name.
    pub backend: &'a str,
    /// Its name.
    pub server: &'a str,
    /// Its counters.
    pub metrics: &'a ServerMetrics,
    /// Its health's counters.
    pub health: &'a HealthMetrics,
    /// Whether it can take traffic now.
    pub up: bool,
    /// Exchanges that hold one of its slots now.
    pub in_flight: u64,
}

impl Scrape<'_> {
    /// The text. Its content type is `text/plain; version=0.0.4; charset=utf-8`.
    ///
    /// Reads a few files of `/proc` and takes some 10 µs for a server with traffic: for the control
    /// thread, never for a worker.
    pub fn render(&self) -> String {
        let mut text = self.process.render(self.access_log.dropped());
        process_facts(&mut text, &ProcessFacts::read());
        frontends(&mut text, self.frontends);
        backends(&mut text, self.backends);
        servers(&mut text, self.servers);
        health(&mut text, self.servers, self.now);
        text
    }
}

fn process_facts(text: &mut String, facts: &ProcessFacts) {
    single(text, &names::PROCESS_CPU, facts.cpu_seconds);
    single(text, &names::PROCESS_RESIDENT, facts.resident_bytes);
    single(text, &names::PROCESS_VIRTUAL, facts.virtual_bytes);
    single(text, &names::PROCESS_OPEN_FDS, facts.open_fds);
    single(text, &names::PROCESS_MAX_FDS, facts.max_fds);
    single(text, &names::PROCESS_START, facts.start_seconds);
    single(text, &names::PROCESS_THREADS, facts.threads);
}

fn frontends(text: &mut String, rows: &[FrontendRow<'_>]) {
    family(text, &names::FRONTEND_REQUESTS, rows, |family, row| {
        row.metrics
            .each_status(|status, count| family.sample_with(&status, count));
    });
    family(text, &names::FRONTEND_DURATION, rows, |family, row| {
        family.histogram(&row.metrics.duration());
    });
    family(text, &names::REPLIES, rows, |family, row| {
        for reason in Reason::ALL {
            family.unless_zero(reason.code(), row.metrics.replies(*reason));
        }
    });
    family(text, &names::FRONTEND_CONNECTIONS, rows, |family, row| {
        family.sample(row.metrics.connections());
    });
    family(
        text,
        &names::FRONTEND_OPEN_CONNECTIONS,
        rows,
        |family, row| {
            family.sample(row.open_connections);
        },
    );
    family(text, &names::FRONTEND_ACCEPT_PAUSES, rows, |family, row| {
        for cause in PauseCause::ALL {
            family.unless_zero(cause.code(), row.metrics.pauses(cause));
        }
    });
    family(text, &names::FRONTEND_REQUEST_BYTES, rows, |family, row| {
        family.sample(row.metrics.body_bytes_in());
    });
    family(
        text,
        &names::FRONTEND_RESPONSE_BYTES,
        rows,
        |family, row| {
            family.sample(row.metrics.body_bytes_out());
        },
    );
}

fn backends(text: &mut String, rows: &[BackendRow<'_>]) {
    family(text, &names::BACKEND_QUEUE, rows, |family, row| {
        family.sample(row.queued);
    });
}

fn servers(text: &mut String, rows: &[ServerRow<'_>]) {
    family(text, &names::SERVER_UP, rows, |family, row| {
        family.sample(u8::from(row.up));
    });
    family(text, &names::SERVER_IN_FLIGHT, rows, |family, row| {
        family.sample(row.in_flight);
    });
    family(text, &names::SERVER_REQUESTS, rows, |family, row| {
        row.metrics
            .each_status(|status, count| family.sample_with(&status, count));
    });
    family(text, &names::SERVER_RESPONSE, rows, |family, row| {
        family.histogram(&row.metrics.response());
    });
    family(text, &names::SERVER_CONNECT, rows, |family, row| {
        family.histogram(&row.metrics.connect());
    });
    family(
        text,
        &names::SERVER_CONNECTIONS_OPENED,
        rows,
        |family, row| {
            family.sample(row.metrics.connect().count());
        },
    );
    family(
        text,
        &names::SERVER_CONNECTIONS_REUSED,
        rows,
        |family, row| {
            family.sample(row.metrics.reused());
        },
    );
    family(text, &names::ATTEMPT_FAULTS, rows, |family, row| {
        for reason in Reason::ALL {
            family.unless_zero(reason.code(), row.metrics.faults(*reason));
        }
    });
}

fn health(text: &mut String, rows: &[ServerRow<'_>], now: Instant) {
    family(text, &names::HEALTH_CHECKS, rows, |family, row| {
        for result in CheckResult::ALL {
            family.unless_zero(result.code(), row.health.checks(result));
        }
    });
    // These two are there from the start, zero or not: a rate over a first failure needs the zero before it.
    family(text, &names::SERVER_STATE_SECONDS, rows, |family, row| {
        let sum = row.health.sum(now);
        for state in ServerState::ALL {
            let seconds = Seconds(sum.spent[state as usize].as_nanos() as u64);
            family.sample_with(&state.code(), seconds);
        }
    });
    family(text, &names::SERVER_TRANSITIONS, rows, |family, row| {
        let sum = row.health.sum(now);
        family.sample_with(&"up", sum.to_up);
        family.sample_with(&"down", sum.to_down);
    });
}

fn single(text: &mut String, metric: &'static Metric, value: Option<impl fmt::Display>) {
    if let Some(value) = value {
        Family::new(text, metric).sample(value);
    }
}

/// What tells a row's series from those of other rows.
trait Row {
    /// The values of the first one or two labels of each of its metrics.
    fn values(&self) -> (&str, Option<&str>);
}

/// Lets `write` write the samples of each row.
fn family<R: Row>(
    text: &mut String,
    metric: &'static Metric,
    rows: &[R],
    write: impl Fn(&mut Family<'_>, &R),
) {
    let mut family = Family::new(text, metric);
    for row in rows {
        family.begin_row(row.values());
        write(&mut family, row);
    }
}

/// Writes the samples of one metric; its `HELP` and `TYPE` come with the first.
struct Family<'a> {
    text: &'a mut String,
    metric: &'static Metric,
    is_begun: bool,
    /// The labels that all samples of a row have: `name="value",name="value"`.
    row: String,
}

impl<'a> Family<'a> {
    fn new(text: &'a mut String, metric: &'static Metric) -> Self {
        Self {
            text,
            metric,
            is_begun: false,
            row: String::new(),
        }
    }

    fn begin_row(&mut self, (first, second): (&str, Option<&str>)) {
        self.row.clear();
        let values = [Some(first), second].into_iter().flatten();
        for (name, value) in self.metric.labels.iter().zip(values) {
            if !self.row.is_empty() {
                self.row.push(',');
            }
            self.row.push_str(name);
            self.row.push_str("=\"");
            escape(value, &mut self.row);
            self.row.push('"');
        }
    }

    fn sample(&mut self, value: impl fmt::Display) {
        self.line("", None, value);
    }

    /// A sample of which `last` is the value of the metric's last label.
    fn sample_with(&mut self, last: &dyn fmt::Display, value: impl fmt::Display) {
        let name = self.metric.labels.last().copied().unwrap_or_default();
        self.line("", Some((name, last)), value);
    }

    /// The same, left out as long as it is zero.
    fn unless_zero(&mut self, last: &str, count: u64) {
        if count > 0 {
            self.sample_with(&last, count);
        }
    }

    fn histogram(&mut self, sum: &HistogramSum) {
        let count = sum.count();
        if count == 0 {
            return;
        }
        let mut so_far = 0;
        for (bound_us, in_bucket) in BOUNDS_US.iter().zip(sum.buckets) {
            so_far += in_bucket;
            let bound = Seconds(bound_us * 1_000);
            self.line("_bucket", Some(("le", &bound)), so_far);
        }
        self.line("_bucket", Some(("le", &"+Inf")), count);
        self.line("_sum", None, Seconds(sum.sum_ns));
        self.line("_count", None, count);
    }

    fn line(
        &mut self,
        suffix: &str,
        last: Option<(&str, &dyn fmt::Display)>,
        value: impl fmt::Display,
    ) {
        self.begin();
        let Self { row, metric, .. } = self;
        let name = metric.name;
        let written = match last {
            None if row.is_empty() => writeln!(self.text, "{name}{suffix} {value}"),
            None => writeln!(self.text, "{name}{suffix}{{{row}}} {value}"),
            Some((label, of)) => {
                writeln!(
                    self.text,
                    "{name}{suffix}{{{row},{label}=\"{of}\"}} {value}"
                )
            }
        };
        written.expect("a String takes what is written to it");
    }

    fn begin(&mut self) {
        if self.is_begun {
            return;
        }
        self.is_begun = true;
        let Metric {
            name, help, kind, ..
        } = self.metric;
        let kind = kind.as_str();
        write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n")
            .expect("a String takes what is written to it");
    }
}

impl Row for FrontendRow<'_> {
    fn values(&self) -> (&str, Option<&str>) {
        (self.name, None)
    }
}

impl Row for BackendRow<'_> {
    fn values(&self) -> (&str, Option<&str>) {
        (self.name, None)
    }
}

impl Row for ServerRow<'_> {
    fn values(&self) -> (&str, Option<&str>) {
        (self.backend, Some(self.server))
    }
}

/// Nanoseconds, written as seconds without trailing zeros: exact, as a division by 1e9 is not.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, nanos) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        if nanos == 0 {
            return write!(f, "{whole}");
        }
        let fraction = format!("{nanos:09}");
        write!(f, "{whole}.{}", fraction.trim_end_matches('0'))
    }
}

/// Appends `value` with what the format gives a meaning escaped.
fn escape(value: &str, out: &mut String) {
    for character in value.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            plain => out.push(plain),
        }
    }
}
