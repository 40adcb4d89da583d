//! A scrape of a process with traffic, as text.

use std::collections::HashSet;

use super::*;
use crate::base::clock::{self, Duration};
use crate::exchange::{Outcome, RouteMetrics, ServerMetrics};
use crate::observe::metrics::frontend::ConnectionRefusal;
use crate::observe::metrics::frontend::Finished;
use crate::observe::metrics::frontend::FrontendMetrics;
use crate::observe::metrics::health::HealthMetrics;
use crate::observe::metrics::names::Kind;
use crate::observe::metrics::names::Metric;
use crate::observe::metrics::process_wide::ReloadResult;

/// A frontend and two servers with traffic of two workers.
struct Busy {
    frontend: FrontendMetrics,
    /// No exchange has taken the second one.
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
                    body_bytes_compressed: 0,
                },
            );
        }
        frontend.accept_paused(PauseCause::FrontendLimit);
        frontend.had_no_header(NoHeader::Timeout);
        frontend.connection_refused(ConnectionRefusal::Dropped);
        frontend.shook_hands(0, Ok(Handshake::ALL[1]));
        frontend.shook_hands(1, Ok(Handshake::ALL[2]));
        frontend.shook_hands(1, Err(HandshakeFailure::NotTls));
        let refused = Verdict::Failed(Reason::ServerConnectRefused);
        servers[0].settled(0, &Outcome::without_answer(refused));
        servers[0].settled(0, &Outcome::without_answer(Verdict::ClientLeft));
        let answered = |latency| Outcome {
            verdict: Verdict::Answered,
            status: 200,
            latency: Some(latency),
        };
        servers[0].opened(0, Duration::from_micros(250));
        servers[0].settled(0, &answered(Duration::from_secs(61)));
        servers[0].reused(1);
        servers[0].settled(1, &answered(Duration::from_millis(1)));
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
        [0, 1].map(|index| ServerRow {
            backend: "app",
            server: ["10.0.0.1:80", "10.0.0.2:80"][index],
            metrics: &self.servers[index],
            health: &self.health[index],
            state: states[index],
            queued: index as u64,
            in_flight: index as u64,
        })
    }

    fn whole(&self) -> String {
        let (access_log, _writer) = AccessLogHandle::open(&[]).expect("nothing to open");
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
            tables: &[TableRow {
                name: "clients",
                entries: 1,
                bytes: 2,
                evictions: 3,
                refusals: 4,
            }],
            rate_limits: &[RateLimitRow {
                name: "login",
                keys: 5,
                evictions: 6,
                over: [("delayed", 7), ("denied", 8), ("dry_run", 9)],
            }],
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
        # HELP evenkeel_frontend_requests_total Finished exchanges by the status that the client got; 499: the client left before it got one. Streams that were refused (`request.heads.too_large`) have no status: `evenkeel_replies_total` alone counts them.
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
        # HELP evenkeel_frontend_connections_refused_total Connections that were closed before they were served, by cause.
        # TYPE evenkeel_frontend_connections_refused_total counter
        evenkeel_frontend_connections_refused_total{frontend="web",cause="dropped"} 1
        # HELP evenkeel_frontend_accept_pauses_total How often accepting paused, by cause: the frontend's limit, the process's limit, or no free file descriptor.
        # TYPE evenkeel_frontend_accept_pauses_total counter
        evenkeel_frontend_accept_pauses_total{frontend="web",cause="frontend_limit"} 1
        # HELP evenkeel_frontend_request_body_bytes_total Bytes received in request bodies and tunnels.
        # TYPE evenkeel_frontend_request_body_bytes_total counter
        evenkeel_frontend_request_body_bytes_total{frontend="web"} 3
        # HELP evenkeel_frontend_response_body_bytes_total Bytes sent in response bodies and tunnels.
        # TYPE evenkeel_frontend_response_body_bytes_total counter
        evenkeel_frontend_response_body_bytes_total{frontend="web"} 30
        # HELP evenkeel_frontend_compression_input_bytes_total Bytes of response bodies before they were compressed.
        # TYPE evenkeel_frontend_compression_input_bytes_total counter
        evenkeel_frontend_compression_input_bytes_total{frontend="web"} 0
        # HELP evenkeel_frontend_compression_output_bytes_total Bytes of the same bodies after that, as far as they were sent.
        # TYPE evenkeel_frontend_compression_output_bytes_total counter
        evenkeel_frontend_compression_output_bytes_total{frontend="web"} 0
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
        # HELP evenkeel_server_queue_length Exchanges that wait for a slot at this server alone, because a rule has chosen it (`use_server`).
        # TYPE evenkeel_server_queue_length gauge
        evenkeel_server_queue_length{backend="app",server="10.0.0.2:80"} 1
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
        # HELP evenkeel_attempts_abandoned_total Attempts that ended early for no fault of the server, by cause: client (it left, or its request ended in an error), or cancelled.
        # TYPE evenkeel_attempts_abandoned_total counter
        evenkeel_attempts_abandoned_total{backend="app",server="10.0.0.1:80",cause="client"} 1
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
fn unused_series_except_up_and_sums_are_left_out_until_they_are_shown_once() {
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
            queued,
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
    // In flight, opened, reused and two queues; then the same although all are zero.
    grows(text(ServerState::Up, 1, 1), 5);
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
