//! One scrape as text: the Prometheus exposition format 0.0.4.
//!
//! `control` hands in a row for each frontend, backend and server that there is, and the series of
//! one that is gone are gone with its row. Within a family all samples stand together, under one
//! `HELP` and one `TYPE`. What has never counted anything is left out: statuses, reasons, histograms, and
//! of servers and backends all but `up`, for there may be ten thousands without traffic. What was shown
//! once is shown until its row is gone.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::fmt::{self, Write as _};

use crate::base::TlsKeys;
use crate::base::clock::Instant;
use crate::exchange::{Appeared, BOUNDS_US, HistogramSum, Reason, RouteMetrics, ServerMetrics};
use crate::observe::AccessLogHandle;
use crate::observe::metrics::frontend::{
    FrontendMetrics, Handshake, HandshakeFailure, NoHeader, PauseCause,
};
use crate::observe::metrics::health::{CheckResult, HealthMetrics, ServerState};
use crate::observe::metrics::kernel::ProcessFacts;
use crate::observe::metrics::names::{self, Metric};
use crate::observe::metrics::process_wide::ProcessMetrics;

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
    pub routes: &'a [RouteRow<'a>],
    /// In the order of the plan.
    pub backends: &'a [BackendRow<'a>],
    /// In the order of the plan.
    pub servers: &'a [ServerRow<'a>],
    /// By name.
    pub certificates: &'a [CertificateRow<'a>],
    /// Files and directories that cannot be used as they are.
    pub certificates_broken: u64,
    /// Of all backends.
    pub server_connections: ServerConnections,
    /// The running state of a server counts until then.
    pub now: Instant,
}

/// The process's connections to servers.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerConnections {
    /// How many are open.
    pub open: u64,
    /// How many may be.
    pub limit: u64,
    /// How many were closed to make room for others.
    pub closed_for_room: u64,
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
    /// Tunnels now.
    pub open_tunnels: u64,
}

/// A route as a scrape sees it.
#[derive(Clone, Copy, Debug)]
pub struct RouteRow<'a> {
    /// Its frontend's name.
    pub frontend: &'a str,
    /// Its name.
    pub route: &'a str,
    /// Its counter.
    pub metrics: &'a RouteMetrics,
}

/// A backend as a scrape sees it.
#[derive(Clone, Copy, Debug)]
pub struct BackendRow<'a> {
    /// Its name.
    pub name: &'a str,
    /// Exchanges that wait for a slot now.
    pub queued: u64,
    /// Whether some have waited when it was scraped.
    pub queue_has_appeared: &'a QueueAppeared,
}

/// Whether a backend's queue has been shown.
#[derive(Debug, Default)]
pub struct QueueAppeared(Appeared);

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
    pub state: ServerState,
    /// Exchanges that hold one of its slots now.
    pub in_flight: u64,
}

/// A certificate as a scrape sees it.
#[derive(Clone, Copy, Debug)]
pub struct CertificateRow<'a> {
    /// One of its names.
    pub name: &'a str,
    /// When it expires, in seconds since 1970.
    pub expires: i64,
}

impl Scrape<'_> {
    /// The text. Its content type is `text/plain; version=0.0.4; charset=utf-8`.
    ///
    /// Reads a few files of `/proc` and takes some microseconds for each server that has traffic: for a
    /// thread that may block.
    pub fn render(&self) -> String {
        let mut text = self.process.render(self.access_log.dropped());
        process_facts(&mut text, &ProcessFacts::read());
        frontends(&mut text, self.frontends);
        routes(&mut text, self.routes);
        handshakes(&mut text, self.frontends);
        certificates(&mut text, self);
        server_connections(&mut text, &self.server_connections);
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

fn server_connections(text: &mut String, connections: &ServerConnections) {
    let ServerConnections {
        open,
        limit,
        closed_for_room,
    } = *connections;
    single(text, &names::PROCESS_SERVER_CONNECTIONS, Some(open));
    single(text, &names::PROCESS_SERVER_CONNECTIONS_LIMIT, Some(limit));
    single(
        text,
        &names::PROCESS_SERVER_CONNECTIONS_CLOSED,
        Some(closed_for_room),
    );
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
    family(text, &names::FRONTEND_OPEN_TUNNELS, rows, |family, row| {
        family.sample(row.open_tunnels);
    });
    family(
        text,
        &names::FRONTEND_PARKED_CONNECTIONS,
        rows,
        |family, row| {
            family.sample(row.metrics.parked_connections());
        },
    );
    family(text, &names::FRONTEND_PROXY_FAULTS, rows, |family, row| {
        for cause in NoHeader::ALL {
            family.unless_zero(cause.code(), row.metrics.headers(cause));
        }
    });
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

/// Routes that no exchange has taken are left out: there may be tens of thousands.
fn routes(text: &mut String, rows: &[RouteRow<'_>]) {
    family(text, &names::ROUTE_REQUESTS, rows, |family, row| {
        let requests = row.metrics.requests();
        if requests > 0 {
            family.sample(requests);
        }
    });
}

fn handshakes(text: &mut String, rows: &[FrontendRow<'_>]) {
    family(text, &names::TLS_HANDSHAKES, rows, |family, row| {
        for handshake in Handshake::ALL {
            let count = row.metrics.handshakes(handshake);
            if count > 0 {
                let resumed = handshake.keys == TlsKeys::Resumed;
                family.sample_with_two(&handshake.version.code(), &resumed, count);
            }
        }
    });
    family(text, &names::TLS_HANDSHAKE_FAILURES, rows, |family, row| {
        for failure in HandshakeFailure::ALL {
            family.unless_zero(failure.code(), row.metrics.handshake_failures(failure));
        }
    });
}

fn certificates(text: &mut String, scrape: &Scrape<'_>) {
    let rows = scrape.certificates;
    family(text, &names::CERTIFICATE_EXPIRY, rows, |family, row| {
        family.sample(row.expires);
    });
    if !rows.is_empty() || scrape.certificates_broken > 0 {
        let broken = Some(scrape.certificates_broken);
        single(text, &names::CERTIFICATES_BROKEN, broken);
    }
}

fn backends(text: &mut String, rows: &[BackendRow<'_>]) {
    let is_shown = |row: &&BackendRow<'_>| row.queue_has_appeared.0.or(row.queued > 0);
    let shown: Vec<_> = rows.iter().filter(is_shown).collect();
    family(text, &names::BACKEND_QUEUE, &shown, |family, row| {
        family.sample(row.queued);
    });
}

fn servers(text: &mut String, rows: &[ServerRow<'_>]) {
    family(text, &names::SERVER_UP, rows, |family, row| {
        family.sample(u8::from(row.state == ServerState::Up));
    });
    states(text, rows);
    let is_shown = |row: &&ServerRow<'_>| row.metrics.is_shown(row.in_flight);
    let rows: &[_] = &rows.iter().filter(is_shown).collect::<Vec<_>>();
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

/// How many servers are in each state.
fn states(text: &mut String, rows: &[ServerRow<'_>]) {
    let mut family = Family::new(text, &names::SERVERS);
    for state in ServerState::ALL {
        let of_state = rows.iter().filter(|row| row.state == state).count();
        family.sample_with(&state.code(), of_state);
    }
}

fn health(text: &mut String, rows: &[ServerRow<'_>], now: Instant) {
    let with_checks = rows.iter().filter(|row| row.health.has_checks());
    let with_checks: Vec<_> = with_checks.collect();
    family(text, &names::HEALTH_CHECKS, &with_checks, |family, row| {
        for result in CheckResult::ALL {
            family.unless_zero(result.code(), row.health.checks(result));
        }
    });
    let have_been_down = rows.iter().filter(|row| row.health.has_been_down());
    let rows: &[_] = &have_been_down.collect::<Vec<_>>();
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

    /// A sample with the values of the metric's last two labels.
    fn sample_with_two(
        &mut self,
        first: &dyn fmt::Display,
        last: &dyn fmt::Display,
        value: impl fmt::Display,
    ) {
        let labels = self.metric.labels;
        let [.., before_last, _] = labels else {
            return;
        };
        let row = self.row.clone();
        write!(self.row, ",{before_last}=\"{first}\"")
            .expect("a String takes what is written to it");
        self.sample_with(last, value);
        self.row = row;
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
            Some((label, of)) if row.is_empty() => {
                writeln!(self.text, "{name}{suffix}{{{label}=\"{of}\"}} {value}")
            }
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

impl<R: Row> Row for &R {
    fn values(&self) -> (&str, Option<&str>) {
        (**self).values()
    }
}

impl Row for FrontendRow<'_> {
    fn values(&self) -> (&str, Option<&str>) {
        (self.name, None)
    }
}

impl Row for RouteRow<'_> {
    fn values(&self) -> (&str, Option<&str>) {
        (self.frontend, Some(self.route))
    }
}

impl Row for BackendRow<'_> {
    fn values(&self) -> (&str, Option<&str>) {
        (self.name, None)
    }
}

impl Row for CertificateRow<'_> {
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::base::clock::{self, Duration};
    use crate::exchange::Attempt;
    use crate::observe::fixture;
    use crate::observe::metrics::frontend::Finished;
    use crate::observe::metrics::names::Kind;
    use crate::observe::metrics::process_wide::ReloadResult;
    use crate::plan::LogTarget;

    /// A frontend and two servers that have seen two workers' traffic.
    struct Busy {
        frontend: FrontendMetrics,
        /// The second one has never been taken.
        routes: [RouteMetrics; 2],
        servers: [ServerMetrics; 2],
        health: [HealthMetrics; 2],
        began: Instant,
    }

    impl Busy {
        fn new() -> Self {
            let began = clock::now();
            let frontend = FrontendMetrics::new(2);
            let servers = [ServerMetrics::new(2), ServerMetrics::new(2)];
            let routes = [RouteMetrics::new(2), RouteMetrics::new(2)];
            for worker in [0, 1, 1] {
                routes[0].finished(worker);
            }
            for (worker, status) in [(0, 200), (0, 503), (1, 200)] {
                frontend.accepted(worker);
                frontend.finished(
                    worker,
                    &Finished {
                        status: Some(status),
                        reason: (status == 503).then_some(Reason::ServerConnectRefused),
                        duration: Some(Duration::from_micros(700)),
                        body_bytes_in: 1,
                        body_bytes_out: 10,
                    },
                );
            }
            frontend.accept_paused(PauseCause::FrontendLimit);
            frontend.had_no_header(NoHeader::Timeout);
            frontend.shook_hands(0, Ok(Handshake::ALL[1]));
            frontend.shook_hands(1, Ok(Handshake::ALL[2]));
            frontend.shook_hands(1, Err(HandshakeFailure::NotTls));
            let at = fixture::server("10.0.0.1:80");
            servers[0].attempted(
                0,
                &Attempt {
                    reason: Some(Reason::ServerConnectRefused),
                    ..fixture::attempt(&at)
                },
            );
            let answered = Attempt {
                connect: Some(Duration::from_micros(250)),
                response: Some(Duration::from_secs(61)),
                status: 200,
                ..fixture::attempt(&at)
            };
            servers[0].attempted(0, &answered);
            let reused = Attempt {
                connect: None,
                response: Some(Duration::from_millis(1)),
                ..answered.clone()
            };
            servers[0].attempted(1, &reused);
            let up = || HealthMetrics::new(ServerState::Up, began);
            let health = [up(), up()];
            health[0].checked(CheckResult::Failed);
            health[0].became(ServerState::Down, began + Duration::from_millis(1_500));
            Self {
                frontend,
                routes,
                servers,
                health,
                began,
            }
        }

        fn routes(&self) -> [RouteRow<'_>; 2] {
            [("api", 0), ("2", 1)].map(|(route, index)| RouteRow {
                frontend: "web",
                route,
                metrics: &self.routes[index],
            })
        }

        fn frontends(&self) -> [FrontendRow<'_>; 1] {
            [FrontendRow {
                name: "web",
                metrics: &self.frontend,
                open_connections: 4,
                open_tunnels: 1,
            }]
        }

        fn servers(&self) -> [ServerRow<'_>; 2] {
            let states = [ServerState::Down, ServerState::Up];
            [0, 1].map(|place| ServerRow {
                backend: "app",
                server: ["10.0.0.1:80", "10.0.0.2:80"][place],
                metrics: &self.servers[place],
                health: &self.health[place],
                state: states[place],
                in_flight: place as u64,
            })
        }

        fn whole(&self) -> String {
            let (access_log, _writer) =
                AccessLogHandle::open(&LogTarget::Off).expect("nothing to open");
            let process = ProcessMetrics::new();
            process.runs_generation(3);
            process.reloaded(ReloadResult::Applied);
            let backend = BackendRow {
                name: "app",
                queued: 5,
                queue_has_appeared: &QueueAppeared::default(),
            };
            Scrape {
                process: &process,
                access_log: &access_log,
                frontends: &self.frontends(),
                routes: &self.routes(),
                backends: &[backend],
                servers: &self.servers(),
                certificates: &[CertificateRow {
                    name: "*.example.com",
                    expires: 1_800_000_000,
                }],
                certificates_broken: 0,
                server_connections: ServerConnections::default(),
                now: self.began + Duration::from_secs(2),
            }
            .render()
        }
    }

    #[test]
    fn a_frontend_is_written_so() {
        let mut text = String::new();
        frontends(&mut text, &Busy::new().frontends());
        insta::assert_snapshot!(text, @r##"
            # HELP evenkeel_frontend_requests_total Finished exchanges by the status that the client got; 499: the client left before it got one.
            # TYPE evenkeel_frontend_requests_total counter
            evenkeel_frontend_requests_total{frontend="web",status="200"} 2
            evenkeel_frontend_requests_total{frontend="web",status="503"} 1
            # HELP evenkeel_frontend_request_duration_seconds Time from the first byte of a request head to the last byte of its response, without tunnels.
            # TYPE evenkeel_frontend_request_duration_seconds histogram
            evenkeel_frontend_request_duration_seconds_bucket{frontend="web",le="0.00025"} 0
            evenkeel_frontend_request_duration_seconds_bucket{frontend="web",le="0.0005"} 0
            evenkeel_frontend_request_duration_seconds_bucket{frontend="web",le="0.001"} 3
            evenkeel_frontend_request_duration_seconds_bucket{frontend="web",le="0.0025"} 3
            evenkeel_frontend_request_duration_seconds_bucket{frontend="web",le="0.005"} 3
            evenkeel_frontend_request_duration_seconds_bucket{frontend="web",le="0.01"} 3
            evenkeel_frontend_request_duration_seconds_bucket{frontend="web",le="0.025"} 3
            evenkeel_frontend_request_duration_seconds_bucket{frontend="web",le="0.05"} 3
            evenkeel_frontend_request_duration_seconds_bucket{frontend="web",le="0.1"} 3
            evenkeel_frontend_request_duration_seconds_bucket{frontend="web",le="0.25"} 3
            evenkeel_frontend_request_duration_seconds_bucket{frontend="web",le="0.5"} 3
            evenkeel_frontend_request_duration_seconds_bucket{frontend="web",le="1"} 3
            evenkeel_frontend_request_duration_seconds_bucket{frontend="web",le="2.5"} 3
            evenkeel_frontend_request_duration_seconds_bucket{frontend="web",le="5"} 3
            evenkeel_frontend_request_duration_seconds_bucket{frontend="web",le="10"} 3
            evenkeel_frontend_request_duration_seconds_bucket{frontend="web",le="30"} 3
            evenkeel_frontend_request_duration_seconds_bucket{frontend="web",le="60"} 3
            evenkeel_frontend_request_duration_seconds_bucket{frontend="web",le="+Inf"} 3
            evenkeel_frontend_request_duration_seconds_sum{frontend="web"} 0.0021
            evenkeel_frontend_request_duration_seconds_count{frontend="web"} 3
            # HELP evenkeel_replies_total Exchanges that Evenkeel answered itself or that ended early, by reason.
            # TYPE evenkeel_replies_total counter
            evenkeel_replies_total{frontend="web",reason="server.connect.refused"} 1
            # HELP evenkeel_frontend_connections_total Accepted client connections.
            # TYPE evenkeel_frontend_connections_total counter
            evenkeel_frontend_connections_total{frontend="web"} 3
            # HELP evenkeel_frontend_open_connections Open client connections.
            # TYPE evenkeel_frontend_open_connections gauge
            evenkeel_frontend_open_connections{frontend="web"} 4
            # HELP evenkeel_frontend_open_tunnels Open tunnels: upgraded connections and streams, and connections in TCP mode.
            # TYPE evenkeel_frontend_open_tunnels gauge
            evenkeel_frontend_open_tunnels{frontend="web"} 1
            # HELP evenkeel_frontend_parked_connections Open client connections that are idle and hold no buffers.
            # TYPE evenkeel_frontend_parked_connections gauge
            evenkeel_frontend_parked_connections{frontend="web"} 0
            # HELP evenkeel_frontend_proxy_protocol_failures_total Connections that were closed because they did not begin with a valid PROXY header, by cause.
            # TYPE evenkeel_frontend_proxy_protocol_failures_total counter
            evenkeel_frontend_proxy_protocol_failures_total{frontend="web",cause="timeout"} 1
            # HELP evenkeel_frontend_accept_pauses_total How often accepting paused, by cause: the frontend's limit, the process's limit, or no free file descriptor.
            # TYPE evenkeel_frontend_accept_pauses_total counter
            evenkeel_frontend_accept_pauses_total{frontend="web",cause="frontend_limit"} 1
            # HELP evenkeel_frontend_request_body_bytes_total Bytes received in request bodies and tunnels.
            # TYPE evenkeel_frontend_request_body_bytes_total counter
            evenkeel_frontend_request_body_bytes_total{frontend="web"} 3
            # HELP evenkeel_frontend_response_body_bytes_total Bytes sent in response bodies and tunnels.
            # TYPE evenkeel_frontend_response_body_bytes_total counter
            evenkeel_frontend_response_body_bytes_total{frontend="web"} 30
        "##);
    }

    #[test]
    fn routes_that_were_taken_are_written() {
        let mut text = String::new();
        routes(&mut text, &Busy::new().routes());
        insta::assert_snapshot!(text, @r##"
            # HELP evenkeel_route_requests_total Finished exchanges of the route, by its name, or its number if it has none; in TCP mode connections.
            # TYPE evenkeel_route_requests_total counter
            evenkeel_route_requests_total{frontend="web",route="api"} 3
        "##);
    }

    #[test]
    fn servers_are_written_so() {
        let busy = Busy::new();
        let mut text = String::new();
        servers(&mut text, &busy.servers());
        let lines = text.lines().filter(|line| !line.contains("_bucket"));
        let text: Vec<&str> = lines.collect();
        let text = text.join("\n");
        insta::assert_snapshot!(text, @r##"
            # HELP evenkeel_server_up 1 if the server gets traffic, else 0.
            # TYPE evenkeel_server_up gauge
            evenkeel_server_up{backend="app",server="10.0.0.1:80"} 0
            evenkeel_server_up{backend="app",server="10.0.0.2:80"} 1
            # HELP evenkeel_servers Servers of all backends, by state.
            # TYPE evenkeel_servers gauge
            evenkeel_servers{state="checking"} 0
            evenkeel_servers{state="up"} 1
            evenkeel_servers{state="down"} 1
            # HELP evenkeel_server_in_flight Exchanges that hold a slot at the server.
            # TYPE evenkeel_server_in_flight gauge
            evenkeel_server_in_flight{backend="app",server="10.0.0.1:80"} 0
            evenkeel_server_in_flight{backend="app",server="10.0.0.2:80"} 1
            # HELP evenkeel_server_requests_total Attempts that the server answered, by its status; attempts without an answer are attempt faults.
            # TYPE evenkeel_server_requests_total counter
            evenkeel_server_requests_total{backend="app",server="10.0.0.1:80",status="200"} 2
            # HELP evenkeel_server_response_seconds Time from a connection being ready to the response head.
            # TYPE evenkeel_server_response_seconds histogram
            evenkeel_server_response_seconds_sum{backend="app",server="10.0.0.1:80"} 61.001
            evenkeel_server_response_seconds_count{backend="app",server="10.0.0.1:80"} 2
            # HELP evenkeel_server_connect_seconds Time to open a connection to the server.
            # TYPE evenkeel_server_connect_seconds histogram
            evenkeel_server_connect_seconds_sum{backend="app",server="10.0.0.1:80"} 0.00025
            evenkeel_server_connect_seconds_count{backend="app",server="10.0.0.1:80"} 1
            # HELP evenkeel_server_connections_opened_total Connections opened for an attempt.
            # TYPE evenkeel_server_connections_opened_total counter
            evenkeel_server_connections_opened_total{backend="app",server="10.0.0.1:80"} 1
            evenkeel_server_connections_opened_total{backend="app",server="10.0.0.2:80"} 0
            # HELP evenkeel_server_connections_reused_total Attempts that were sent on an idle connection from the pool.
            # TYPE evenkeel_server_connections_reused_total counter
            evenkeel_server_connections_reused_total{backend="app",server="10.0.0.1:80"} 1
            evenkeel_server_connections_reused_total{backend="app",server="10.0.0.2:80"} 0
            # HELP evenkeel_attempt_faults_total Failed attempts by reason, also those after which another attempt succeeded.
            # TYPE evenkeel_attempt_faults_total counter
            evenkeel_attempt_faults_total{backend="app",server="10.0.0.1:80",reason="server.connect.refused"} 1
        "##);
    }

    #[test]
    fn health_is_written_so() {
        let busy = Busy::new();
        let mut text = String::new();
        health(
            &mut text,
            &busy.servers(),
            busy.began + Duration::from_secs(2),
        );
        insta::assert_snapshot!(text, @r##"
            # HELP evenkeel_health_checks_total Finished active checks, by result.
            # TYPE evenkeel_health_checks_total counter
            evenkeel_health_checks_total{backend="app",server="10.0.0.1:80",result="failed"} 1
            # HELP evenkeel_server_state_seconds_total Time that the server was up, down, or not yet checked (checking).
            # TYPE evenkeel_server_state_seconds_total counter
            evenkeel_server_state_seconds_total{backend="app",server="10.0.0.1:80",state="checking"} 0
            evenkeel_server_state_seconds_total{backend="app",server="10.0.0.1:80",state="up"} 1.5
            evenkeel_server_state_seconds_total{backend="app",server="10.0.0.1:80",state="down"} 0.5
            # HELP evenkeel_server_transitions_total Changes from up to down and from down to up; the first check does not count.
            # TYPE evenkeel_server_transitions_total counter
            evenkeel_server_transitions_total{backend="app",server="10.0.0.1:80",to="up"} 0
            evenkeel_server_transitions_total{backend="app",server="10.0.0.1:80",to="down"} 1
        "##);
    }

    #[test]
    fn every_metric_of_the_table_is_one_family_with_its_labels_and_no_other_is_there() {
        let text = Busy::new().whole();
        let mut families = HashSet::new();
        let mut running: Option<&Metric> = None;
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(typed) = line.strip_prefix("# TYPE ") {
                let (name, kind) = typed.split_once(' ').expect("a type");
                let metric = *names::ALL
                    .iter()
                    .find(|metric| metric.name == name)
                    .expect(name);
                assert_eq!(metric.kind.as_str(), kind, "{name}");
                assert!(families.insert(name), "{name} is there twice");
                running = Some(metric);
            } else if !line.starts_with('#') {
                let metric = running.expect("a type before the first sample");
                assert!(line.starts_with(metric.name), "{line}");
                let labels = line.split_once('{').map_or("", |(_, rest)| rest);
                let labels = labels.split_once("\"} ").map_or("", |(labels, _)| labels);
                let written = labels
                    .split("\",")
                    .filter_map(|label| label.split_once('='));
                let mut written: Vec<&str> = written.map(|(name, _)| name).collect();
                if metric.kind == Kind::Histogram {
                    written.retain(|name| *name != "le");
                }
                assert_eq!(written, metric.labels, "{line}");
            }
        }
        for metric in names::ALL {
            assert!(
                families.contains(metric.name),
                "{} is never written",
                metric.name
            );
        }
    }

    #[test]
    fn what_has_never_moved_is_left_out_but_for_up_and_sums_and_stays_once_it_was_shown() {
        let (metrics, appeared) = (ServerMetrics::new(2), QueueAppeared::default());
        let began = clock::now();
        let health_metrics = HealthMetrics::new(ServerState::Checking, began);
        let text = |state, in_flight, queued| {
            let row = ServerRow {
                backend: "app",
                server: "a",
                metrics: &metrics,
                health: &health_metrics,
                state,
                in_flight,
            };
            let backend = BackendRow {
                name: "app",
                queued,
                queue_has_appeared: &appeared,
            };
            let mut text = String::new();
            backends(&mut text, &[backend]);
            servers(&mut text, &[row]);
            health(&mut text, &[row], began + Duration::from_secs(9));
            let samples = text.lines().filter(|line| !line.starts_with('#'));
            samples.map(str::to_owned).collect::<Vec<_>>()
        };
        let up_and_sums = |up: u8, states: [u8; 3]| {
            let [checking, is_up, down] = states;
            vec![
                format!("evenkeel_server_up{{backend=\"app\",server=\"a\"}} {up}"),
                format!("evenkeel_servers{{state=\"checking\"}} {checking}"),
                format!("evenkeel_servers{{state=\"up\"}} {is_up}"),
                format!("evenkeel_servers{{state=\"down\"}} {down}"),
            ]
        };
        let checking = text(ServerState::Checking, 0, 0);
        assert_eq!(checking, up_and_sums(0, [1, 0, 0]));
        health_metrics.became(ServerState::Up, began + Duration::from_secs(1));
        let is_up = text(ServerState::Up, 0, 0);
        assert_eq!(
            is_up,
            up_and_sums(1, [0, 1, 0]),
            "a first check is no change"
        );
        let names = |lines: Vec<String>| -> HashSet<String> {
            let series = lines.iter().filter_map(|line| line.rsplit_once(' '));
            series.map(|(name, _)| name.to_owned()).collect()
        };
        let mut shown = names(is_up);
        let mut grows = |lines: Vec<String>, count: usize| {
            let now = names(lines);
            let gone: Vec<_> = shown.difference(&now).collect();
            assert!(gone.is_empty(), "{gone:?}");
            assert_eq!(now.len(), shown.len() + count, "{now:?}");
            shown = now;
        };
        // In flight, opened, reused and the queue; then the same although nothing is there any more.
        grows(text(ServerState::Up, 1, 1), 4);
        grows(text(ServerState::Up, 0, 0), 0);
        health_metrics.checked(CheckResult::Failed);
        health_metrics.became(ServerState::Down, began + Duration::from_secs(2));
        // A result, three states, two changes.
        grows(text(ServerState::Down, 0, 0), 6);
        health_metrics.became(ServerState::Up, began + Duration::from_secs(2));
        grows(text(ServerState::Up, 0, 0), 0);
        // At another address, where it has never been down.
        health_metrics.moved(ServerState::Checking, began + Duration::from_secs(3));
        grows(text(ServerState::Checking, 0, 0), 0);
    }

    #[test]
    fn a_row_that_is_gone_takes_its_series_along() {
        let busy = Busy::new();
        let mut text = String::new();
        servers(&mut text, &busy.servers()[1..]);
        assert!(!text.contains("10.0.0.1:80"), "{text}");
        assert!(text.contains("10.0.0.2:80"), "{text}");
    }

    #[test]
    fn handshakes_are_written_so() {
        let mut text = String::new();
        handshakes(&mut text, &Busy::new().frontends());
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                r#"evenkeel_tls_handshakes_total{frontend="web",version="1.2",resumed="true"} 1"#,
                r#"evenkeel_tls_handshakes_total{frontend="web",version="1.3",resumed="false"} 1"#,
                r#"evenkeel_tls_handshake_failures_total{frontend="web",reason="not_tls"} 1"#,
            ]
        );
    }

    #[test]
    fn a_label_cannot_end_its_line() {
        let row = BackendRow {
            name: "a\"b\\c\nd",
            queued: 1,
            queue_has_appeared: &QueueAppeared::default(),
        };
        let mut text = String::new();
        backends(&mut text, &[row]);
        let last = text.lines().last().expect("a sample");
        assert_eq!(
            last,
            r#"evenkeel_backend_queue_length{backend="a\"b\\c\nd"} 1"#
        );
    }

    #[test]
    fn seconds_are_exact() {
        let text = |nanos| Seconds(nanos).to_string();
        assert_eq!(text(0), "0");
        assert_eq!(text(250_000), "0.00025");
        assert_eq!(text(60_000_000_000), "60");
        assert_eq!(text(1_000_000_001), "1.000000001");
    }
}
