//! What users see from outside: the access log, the metrics, the admin listener.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::rig::{
    Client, Gate, Http2, Origin, Program, Proxy, RefusingAddress, Setup, Slow, lively, narrow,
    until,
};

const GET: &str = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";

// The access log.

#[test]
fn a_line_contains_everything_about_an_exchange() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).route("name = \"all\"\npath = \"*\"\nbackend = \"app\"");
    let proxy = setup.start();
    let mut client = proxy.client();
    client.ask("POST /echo?a=%22b HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\n\r\nhello");
    let Value::Object(line) = proxy.line().0 else {
        unreachable!("a line is an object");
    };
    let keys: Vec<&str> = line.keys().map(String::as_str).collect();
    let mut expected = [
        "time",
        "frontend",
        "route",
        "backend",
        "server",
        "client",
        "method",
        "host",
        "target",
        "version",
        "user_agent",
        "referer",
        "tls_version",
        "tls_cipher",
        "sni",
        "status",
        "reason",
        "request_id",
        "generation",
        "attempts",
        "bytes_in",
        "bytes_out",
        "times_ms",
    ];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    let facts = [
        ("frontend", json!("web")),
        ("route", json!("all")),
        ("backend", json!("app")),
        ("server", json!(origin.address().to_string())),
        ("client", json!(client.address().to_string())),
        ("method", json!("POST")),
        ("host", json!("test")),
        ("target", json!("/echo?a=%22b")),
        ("user_agent", json!(null)),
        ("referer", json!(null)),
        ("version", json!("HTTP/1.1")),
        ("status", json!(200)),
        ("reason", json!(null)),
        ("generation", json!(1)),
        ("attempts", json!(1)),
        ("bytes_in", json!(5)),
        ("bytes_out", json!(5)),
    ];
    for (key, expected) in facts {
        assert_eq!(line[key], expected, "{key}");
    }
    let times = &line["times_ms"];
    let time = |key: &str| times[key].as_f64();
    assert!(
        time("connect").is_some() && time("head").is_some(),
        "{times}"
    );
    let (response, total) = (time("response"), time("total"));
    assert!(response > Some(0.0) && total >= response, "{times}");
    assert_eq!(time("queue"), Some(0.0), "it did not wait");
}

#[test]
fn every_version_of_http_has_the_same_fields_in_the_log() {
    let origin = Origin::named("a");
    // One worker: its lines are in order.
    let proxy = Setup::of(&[&origin]).workers(1).start();
    let host = proxy.address();
    let fields = "user-agent: Mozilla/5.0\r\nreferer: https://a.test/\r\n\r\n";
    let mut old = proxy.client();
    old.ask(format!("GET /a?b HTTP/1.0\r\nhost: {host}\r\n{fields}"));
    let mut client = proxy.client();
    client.ask(format!("GET /a?b HTTP/1.1\r\nhost: {host}\r\n{fields}"));
    client.ask(format!(
        "GET http://{host}/a?b HTTP/1.1\r\nhost: {host}\r\n{fields}"
    ));
    let mut h2 = Http2::connect(proxy.address());
    let request = h2.request("GET", "/a?b");
    let request = request
        .header("user-agent", "Mozilla/5.0")
        .header("referer", "https://a.test/");
    h2.ask(request).answer();
    let lines = proxy.wait_for_lines(4);
    let versions = ["HTTP/1.0", "HTTP/1.1", "HTTP/1.1", "HTTP/2"];
    for (line, version) in lines.iter().zip(versions) {
        assert_eq!(line.text("version"), version);
        assert_eq!(line.text("method"), "GET", "{version}");
        assert_eq!(line.text("host"), host.to_string(), "{version}");
        assert_eq!(line.text("target"), "/a?b", "{version}");
        assert_eq!(line.text("user_agent"), "Mozilla/5.0", "{version}");
        assert_eq!(line.text("referer"), "https://a.test/", "{version}");
    }
    let clients = [old.address(), client.address(), client.address()];
    for (line, client) in lines.iter().zip(clients) {
        assert_eq!(line.text("client"), client.to_string());
    }
    let h2_client: SocketAddr = lines[3].text("client").parse().expect("with its port");
    assert!(
        h2_client.ip() == host.ip() && h2_client.port() != 0,
        "{h2_client}"
    );
}

#[test]
fn long_values_of_a_client_do_not_fill_a_line() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin])
        .workers(1)
        .frontend("limits = { head = \"1MiB\", target = \"65534B\" }")
        .start();
    let long = "x".repeat(60_000);
    proxy.ask(format!(
        "GET /{long} HTTP/1.1\r\nhost: {long}\r\nuser-agent: {long}\r\nreferer: {long}\r\n\r\n"
    ));
    proxy.ask(format!("{long} / HTTP/1.1\r\nhost: test\r\n\r\n"));
    let lines = proxy.wait_for_lines(2);
    let lengths = [
        ("target", 8 << 10, 60_001),
        ("host", 260, 60_000),
        ("user_agent", 512, 60_000),
        ("referer", 1 << 10, 60_000),
    ];
    for (key, kept, whole) in lengths {
        assert_eq!(lines[0].text(key).len(), kept, "{key}");
        assert_eq!(lines[0].number(&format!("{key}_bytes")), whole, "{key}");
    }
    assert_eq!(lines[1].text("method").len(), 32);
    assert_eq!(lines[1].number("method_bytes"), 60_000);
    for line in &lines {
        assert!(
            line.0.to_string().len() < 12_000,
            "{:?}",
            line.0.to_string().len()
        );
    }
}

#[test]
fn each_time_measures_its_part() {
    const SPAN: Duration = Duration::from_millis(200);
    // One before each head and one before each last byte.
    let gates: [Gate; 4] = Default::default();
    let origin = Origin::scripted({
        let gates = gates.clone();
        move |visit| {
            for gates in gates.chunks(2) {
                if visit.request().is_none() {
                    return;
                }
                gates[0].pass();
                visit.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no");
                gates[1].pass();
                visit.send("k");
            }
        }
    });
    let proxy = Setup::of(&[&origin]).start_paused();
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\n");
    proxy.advance(SPAN);
    for (number, rest) in [(0, "host: test\r\n\r\n"), (1, GET)] {
        client.send(rest);
        origin.wait_for_requests(number + 1);
        proxy.advance(SPAN);
        gates[2 * number].open();
        client.head();
        proxy.advance(SPAN);
        gates[2 * number + 1].open();
        assert_eq!(client.bytes(2), b"ok");
    }
    let lines = proxy.wait_for_lines(2);
    let time = |line: usize, key: &str| lines[line].0["times_ms"][key].as_f64();
    for (line, key, span) in [
        (0, "head", Some(200.0)),
        (0, "connect", Some(0.0)),
        (0, "response", Some(200.0)),
        (0, "total", Some(600.0)),
        (1, "head", Some(0.0)),
        // From the pool.
        (1, "connect", None),
        (1, "response", Some(200.0)),
        (1, "total", Some(400.0)),
    ] {
        assert_eq!(time(line, key), span, "{key} of {lines:?}");
    }
}

#[test]
fn every_exchange_has_one_line_and_one_count_whatever_ends_it() {
    let origin = Origin::scripted(|visit| {
        while let Some(request) = visit.request() {
            let answer = match request.target() {
                "/empty" => return,
                "/nonsense" => "nonsense\r\n\r\n",
                "/half" => "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe",
                "/stream" => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n",
                "/silent" => "",
                "/204" => "HTTP/1.1 204 No Content\r\n\r\n",
                _ => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            };
            visit.send(answer);
            match request.target() {
                "/half" | "/nonsense" => return,
                "/stream" | "/silent" => visit.wait_for_end(),
                _ => {}
            }
        }
    });
    let proxy = Setup::of(&[&origin])
        .backend("timeout.response = \"300ms\"")
        .start_paused();
    let request = |target: &str| format!("GET {target} HTTP/1.1\r\nhost: test\r\n\r\n");
    // Replies and faults of the server.
    for target in ["/", "/204", "/empty", "/nonsense"] {
        proxy.get(target);
    }
    let mut client = proxy.client();
    client.send(request("/silent")).hears_in_time(&proxy);
    client.response();
    let _ = proxy.client().send(request("/half")).try_response();
    // Refusals, by the parser and by admission.
    proxy.ask("nonsense\r\n\r\n");
    proxy.ask("GET / HTTP/1.1\r\n\r\n");
    proxy.ask("POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n");
    // A HEAD.
    let mut client = proxy.client();
    client
        .send("HEAD / HTTP/1.1\r\nhost: test\r\n\r\n")
        .response_to_head();
    client.get("/pipelined");
    // Clients that leave: before the answer, in it, in the body.
    let mut client = proxy.client();
    client.send(request("/silent"));
    origin.wait_for_requests(9);
    client.reset();
    let mut client = proxy.client();
    client.send(request("/stream")).head();
    client.reset();
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 9\r\n\r\nhalf");
    client.half_close();
    let lines = proxy.wait_for_lines(14);
    proxy.wait_for_metric("evenkeel_server_in_flight", &[], 0.0);
    let mut tally: BTreeMap<(u64, &str), usize> = BTreeMap::new();
    for line in &lines {
        *tally.entry(line.verdict()).or_default() += 1;
    }
    let expected = BTreeMap::from([
        ((200, "-"), 3),
        ((204, "-"), 1),
        ((200, "server.body.incomplete"), 1),
        ((200, "client.left"), 1),
        ((400, "request.body.malformed"), 1),
        ((400, "request.head.malformed"), 1),
        ((400, "request.host.missing"), 1),
        ((499, "client.left"), 2),
        ((502, "server.response.empty"), 1),
        ((502, "server.response.malformed"), 1),
        ((504, "server.response.timeout"), 1),
    ]);
    assert_eq!(tally, expected);
    for ((status, reason), count) in &expected {
        let status = status.to_string();
        if *reason != "-" {
            let replies = proxy.metric("evenkeel_replies_total", &[("reason", reason)]);
            let all = expected.iter().filter(|((_, other), _)| other == reason);
            let sum: usize = all.map(|(_, count)| count).sum();
            assert_eq!(replies, sum as f64, "{reason}");
        }
        let requests = proxy.metric("evenkeel_frontend_requests_total", &[("status", &status)]);
        assert!(requests >= *count as f64, "{status}");
    }
    assert_eq!(proxy.metric("evenkeel_frontend_requests_total", &[]), 14.0);
    let counted = proxy.metric("evenkeel_frontend_request_duration_seconds_count", &[]);
    assert_eq!(counted, 14.0);
    assert_eq!(proxy.end().len(), 14);
}

#[test]
fn failed_attempts_are_in_the_line_of_their_exchange() {
    let refusing = [RefusingAddress::new(), RefusingAddress::new()];
    let proxy = Setup::at(refusing.iter().map(RefusingAddress::address)).start();
    proxy.get("/");
    let line = proxy.line();
    assert_eq!(line.number("attempts"), 2);
    let failed = line.0["failed"].as_array().expect("a list");
    assert_eq!(failed.len(), 1, "the last one is the exchange's own");
    assert_eq!(failed[0]["reason"], "server.connect.refused");
}

#[test]
fn bodies_are_counted_without_their_framing() {
    let origin = Origin::answering(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    );
    let proxy = Setup::of(&[&origin]).start();
    proxy.ask(
        "POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n\
         3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
    );
    let line = proxy.line();
    assert_eq!((line.number("bytes_in"), line.number("bytes_out")), (7, 11));
    assert_eq!(
        proxy.metric("evenkeel_frontend_request_body_bytes_total", &[]),
        7.0
    );
    assert_eq!(
        proxy.metric("evenkeel_frontend_response_body_bytes_total", &[]),
        11.0
    );
}

#[test]
fn the_access_log_can_be_off() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).log_to("off").start();
    proxy.get("/");
    proxy.wait_for_metric("evenkeel_frontend_requests_total", &[], 1.0);
    assert!(proxy.end().is_empty());
}

#[test]
fn a_stalled_log_delays_no_exchange() {
    let origin = Origin::named("a");
    // The program's standard output is not read.
    let program = Program::start(&Setup::of(&[&origin]).log_to("stdout"));
    let mut client = program.client();
    // As much of a target as a line takes.
    let target = format!("/{}", "x".repeat(8_000));
    for _ in 0..1_500 {
        assert_eq!(client.get(&target).text(), "a");
    }
    let dropped = || {
        let metrics = program.admin("GET", "/metrics").text();
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix("evenkeel_access_log_dropped_total "));
        line.and_then(|count| count.parse::<f64>().ok())
            .unwrap_or_default()
    };
    until("lines are dropped and counted", || {
        (dropped() > 0.0).then_some(())
    });
    // Also while the writer hangs.
    program.wait_for("access_log.dropped");
}

// Metrics.

#[test]
fn metrics_have_the_documented_names() {
    let (_origin, proxy) = lively();
    let text = proxy.metrics();
    let promised = [
        (
            "evenkeel_frontend_requests_total",
            "counter",
            "frontend,status",
        ),
        (
            "evenkeel_frontend_request_duration_seconds",
            "histogram",
            "frontend",
        ),
        (
            "evenkeel_server_requests_total",
            "counter",
            "backend,server,status",
        ),
        (
            "evenkeel_server_response_seconds",
            "histogram",
            "backend,server",
        ),
        (
            "evenkeel_server_connect_seconds",
            "histogram",
            "backend,server",
        ),
        ("evenkeel_server_up", "gauge", "backend,server"),
        ("evenkeel_server_in_flight", "gauge", "backend,server"),
        ("evenkeel_replies_total", "counter", "frontend,reason"),
        (
            "evenkeel_attempt_faults_total",
            "counter",
            "backend,server,reason",
        ),
        (
            "evenkeel_health_checks_total",
            "counter",
            "backend,server,result",
        ),
        (
            "evenkeel_server_state_seconds_total",
            "counter",
            "backend,server,state",
        ),
        (
            "evenkeel_server_transitions_total",
            "counter",
            "backend,server,to",
        ),
        ("evenkeel_config_generation", "gauge", ""),
        ("evenkeel_config_reloads_total", "counter", "result"),
        ("process_cpu_seconds_total", "counter", ""),
        ("process_resident_memory_bytes", "gauge", ""),
        ("process_open_fds", "gauge", ""),
        ("process_max_fds", "gauge", ""),
        ("process_start_time_seconds", "gauge", ""),
    ];
    for (name, kind, labels) in promised {
        let line = format!("# TYPE {name} {kind}\n");
        assert!(text.contains(&line), "{line} is missing");
        let suffix = if kind == "histogram" { "_count" } else { "" };
        let series = proxy.series(&format!("{name}{suffix}"), &[]);
        let first = &series.first().expect(name).0;
        let inner = first.split_once('{').map_or("", |(_, inner)| inner);
        let mut found: Vec<&str> = inner
            .split(',')
            .filter_map(|label| Some(label.split_once('=')?.0))
            .collect();
        found.sort_unstable();
        let mut expected: Vec<&str> = labels
            .split(',')
            .filter(|label| !label.is_empty())
            .collect();
        expected.sort_unstable();
        assert_eq!(found, expected, "{name}");
    }
}

/// The names of the series of a server.
fn series_of(proxy: &Proxy, server: &str) -> Vec<String> {
    let of_server = format!("server=\"{server}\"");
    let text = proxy.metrics();
    let series = text.lines().filter(|line| line.contains(&of_server));
    let series = series.filter_map(|line| line.rsplit_once(' '));
    series.map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn a_server_that_was_never_used_has_one_series_and_keeps_each_that_it_gets() {
    let (a, b) = (Origin::named("a"), Origin::named("b"));
    let at = |address: SocketAddr| {
        Setup::servers([
            format!("{{ name = \"used\", address = \"{address}\" }}"),
            format!(
                "{{ name = \"backup\", address = \"{}\", backup = true }}",
                b.address()
            ),
        ])
    };
    let proxy = at(a.address()).start();
    let up = |server| format!("evenkeel_server_up{{backend=\"app\",server=\"{server}\"}}");
    assert_eq!(series_of(&proxy, "used"), [up("used")]);
    assert_eq!(proxy.metric("evenkeel_servers", &[("state", "up")]), 2.0);
    let transitions = "evenkeel_servers_transitions_total";
    assert_eq!(proxy.series(transitions, &[]).len(), 2);
    proxy.get("/");
    let requests = "evenkeel_server_requests_total";
    proxy.wait_for_metric(requests, &[("server", "used")], 1.0);
    let mut shown = series_of(&proxy, "used");
    assert!(shown.len() > 20, "{shown:?}");
    assert_eq!(series_of(&proxy, "backup"), [up("backup")]);
    // Another address, another setting, and back.
    let other = Origin::named("c");
    for setup in [
        at(other.address()),
        at(other.address()).backend("attempts = 2"),
        at(a.address()),
    ] {
        proxy.apply(&setup);
        let now = series_of(&proxy, "used");
        assert!(shown.iter().all(|series| now.contains(series)), "{now:?}");
        shown = now;
    }
    assert_eq!(proxy.metric(requests, &[("server", "used")]), 1.0);
    assert_eq!(series_of(&proxy, "backup"), [up("backup")]);
}

#[test]
fn statuses_have_three_digits() {
    let origin = Origin::answering("HTTP/1.1 299 X\r\ncontent-length: 0\r\n\r\n");
    let proxy = Setup::of(&[&origin]).start();
    proxy.get("/");
    for name in [
        "evenkeel_frontend_requests_total",
        "evenkeel_server_requests_total",
    ] {
        proxy.wait_for_metric(name, &[("status", "299")], 1.0);
    }
}

#[test]
fn histograms_add_up() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).workers(3).start();
    for _ in 0..30 {
        proxy.get("/");
    }
    for name in [
        "evenkeel_frontend_request_duration_seconds",
        "evenkeel_server_response_seconds",
    ] {
        proxy.wait_for_metric(&format!("{name}_count"), &[], 30.0);
        let infinite = proxy.metric(&format!("{name}_bucket"), &[("le", "+Inf")]);
        assert_eq!(infinite, 30.0, "{name}");
        let buckets = proxy.series(&format!("{name}_bucket"), &[]);
        let is_rising = buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1);
        assert!(is_rising, "{buckets:?}");
        assert!(proxy.metric(&format!("{name}_sum"), &[]) > 0.0);
    }
}

#[test]
fn exchanges_in_flight_are_shown() {
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let proxy = Setup::of(&[&origin]).start();
    let mut clients = [proxy.client(), proxy.client()];
    for client in &mut clients {
        client.send(GET);
    }
    origin.wait_for_requests(2);
    assert_eq!(proxy.metric("evenkeel_server_in_flight", &[]), 2.0);
    assert_eq!(proxy.server(origin.address())["in_flight"], 2);
    assert_eq!(proxy.metric("evenkeel_frontend_open_connections", &[]), 2.0);
    gate.open();
    for client in &mut clients {
        client.response();
    }
    proxy.wait_for_metric("evenkeel_server_in_flight", &[], 0.0);
}

#[test]
fn counts_by_route_continue_over_a_reload() {
    let (a, b) = (Origin::named("a"), Origin::named("b"));
    let setup = || {
        Setup::of(&[&a])
            .also("b", &b)
            .route("name = \"api\"\npath = \"/api/*\"\nbackend = \"b\"")
    };
    let proxy = setup()
        .route("name = \"idle\"\npath = \"/idle\"\nbackend = \"b\"")
        .start();
    for target in ["/api/1", "/api/2", "/", "/api/3"] {
        assert_eq!(proxy.get(target).status(), 200);
    }
    let name = "evenkeel_route_requests_total";
    let api = [("frontend", "web"), ("route", "api")];
    proxy.wait_for_metric(name, &api, 3.0);
    assert_eq!(proxy.series(name, &[]).len(), 1, "one route was taken");
    proxy.apply(&setup().route("name = \"new\"\npath = \"/new\"\nbackend = \"b\""));
    for target in ["/api/4", "/new"] {
        assert_eq!(proxy.get(target).status(), 200);
    }
    proxy.wait_for_metric(name, &api, 4.0);
    proxy.wait_for_metric(name, &[("route", "new")], 1.0);
}

// The admin listener.

#[test]
fn the_status_has_the_documented_form() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).start();
    let status = proxy.status();
    assert_eq!(status["generation"], 1);
    assert!(status["frontends"]["web"].is_object());
    let server = proxy.server(origin.address());
    assert_eq!(server["state"], "up");
    assert_eq!(server["in_flight"], 0);
    let since = server["since"].as_str().expect("a time");
    assert!(since.ends_with('Z') && since.contains('T'), "{since}");
    assert!(server["reason"].is_string());
}

#[test]
fn the_admin_listener_answers_known_paths_and_methods_only() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).start();
    assert_eq!(proxy.admin("GET", "/live").status(), 200);
    assert_eq!(proxy.admin("GET", "/ready").status(), 200);
    let metrics = proxy.admin("GET", "/metrics");
    let content_type = metrics.field("content-type").expect("it has one");
    assert!(
        content_type.starts_with("text/plain; version=0.0.4"),
        "{content_type}"
    );
    assert_eq!(proxy.admin("GET", "/nowhere").status(), 404);
    for (method, target, allow) in [
        ("POST", "/metrics", "GET, HEAD"),
        ("DELETE", "/status", "GET, HEAD"),
        ("GET", "/reload", "POST"),
    ] {
        let answer = proxy.admin(method, target);
        assert_eq!(
            (answer.status(), answer.field("allow")),
            (405, Some(allow)),
            "{target}"
        );
    }
    assert_eq!(proxy.end().len(), 0, "none of it is an exchange");
}

#[test]
fn a_web_page_can_neither_read_the_status_nor_make_the_proxy_reload() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]);
    let proxy = setup.start();
    let address = proxy.admin_address();
    let ask = |method: &str, target: &str, fields: &str| {
        let request = format!("{method} {target} HTTP/1.1\r\n{fields}\r\n");
        Client::connect(address).ask(request)
    };
    for target in ["/status", "/metrics", "/"] {
        let answer = ask("GET", target, "host: evil.example\r\n");
        assert_eq!(answer.status(), 403, "{target}");
        let text = answer.text();
        assert!(text.contains("hosts = [\"evil.example\"]"), "{text}");
    }
    let renamed = ask("POST", "/reload", "host: evil.example\r\n");
    assert_eq!(renamed.status(), 403);
    for page in ["origin: http://evil.example", "sec-fetch-site: cross-site"] {
        let fields = format!("host: {address}\r\n{page}\r\n");
        assert_eq!(ask("POST", "/reload", &fields).status(), 403, "{page}");
        assert_eq!(ask("GET", "/live", &fields).status(), 403, "{page}");
    }
    let reloads = proxy.metric("evenkeel_config_reloads_total", &[]);
    assert_eq!(reloads, 0.0, "nothing was read");

    for name in ["localhost", &address.to_string(), "[::1]:9900"] {
        let fields = format!("host: {name}\r\norigin: http://{name}\r\n");
        assert_eq!(ask("GET", "/status", &fields).status(), 200, "{name}");
    }
    for probe in ["/live", "/ready"] {
        assert_eq!(ask("GET", probe, "host: pod.test\r\n").status(), 200);
    }
    assert_eq!(ask("GET", "/status", "").status(), 400, "it names nothing");
    let old = Client::connect(address).ask("GET /status HTTP/1.0\r\n\r\n");
    assert_eq!(old.status(), 200, "HTTP/1.0 need not");

    proxy.apply(&setup.admin_lines("hosts = [\"lb.internal\", \"*.svc.test\"]"));
    for name in ["lb.internal:9900", "a.b.svc.test"] {
        let fields = format!("host: {name}\r\n");
        assert_eq!(ask("GET", "/status", &fields).status(), 200, "{name}");
    }
    let fields = "host: evil.example\r\n";
    assert_eq!(ask("GET", "/status", fields).status(), 403);
}

#[test]
fn silent_clients_keep_no_probe_out() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).start();
    let address = proxy.admin_address();
    // As many as the admin listener has places, and more than its file descriptors would bear.
    let silent: Vec<Client> = (0..200).map(|_| Client::connect(address)).collect();
    let asked = Instant::now();
    assert_eq!(proxy.admin("GET", "/live").status(), 200);
    assert_eq!(proxy.admin("GET", "/ready").status(), 200);
    assert_eq!(proxy.admin("GET", "/metrics").status(), 200);
    // Half a minute is the time of a silent client that does not delay another.
    assert!(asked.elapsed() < Duration::from_secs(20), "they waited");
    drop(silent);
}

/// A client of the admin listener that has sent many requests and reads nothing, when the proxy's
/// socket is full.
fn stuck(proxy: &Proxy) -> TcpStream {
    let mut client = narrow(proxy.admin_address());
    let asked = "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(1_000);
    client.write_all(asked.as_bytes()).expect("it is taken");
    let near = client.local_addr().expect("connected");
    Slow::WhenFull.wait(near, proxy.admin_address());
    client
}

fn was_reset(client: &TcpStream) -> bool {
    client.take_error().expect("a socket").is_some()
}

#[test]
fn a_client_of_the_admin_listener_that_reads_nothing_is_closed_after_ten_seconds() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).start_paused();
    let client = stuck(&proxy);
    proxy.advance(Duration::from_secs(9));
    assert!(!was_reset(&client), "it has ten seconds");
    let mut passed = 9;
    until("it is let go", || {
        proxy.advance(Duration::from_secs(1));
        passed += 1;
        was_reset(&client).then_some(())
    });
    // A whole answer may take a minute, including the bytes that were sent before the clock moved.
    assert!(passed < 55, "{passed} s");
}

#[test]
fn a_client_of_the_admin_listener_without_requests_is_closed_after_half_a_minute() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).start_paused();
    let address = proxy.admin_address();
    let [silent, mut begun, mut idle] = [(); 3].map(|()| Client::connect(address));
    begun.send("GET /live HTTP/1.1\r\nho");
    assert_eq!(idle.get("/live").status(), 200);
    let mut clients = [silent, begun, idle];
    proxy.advance(Duration::from_secs(29));
    for client in &clients {
        assert!(!client.hears(), "it has half a minute");
    }
    proxy.advance(Duration::from_secs(2));
    for client in &mut clients {
        client.rest();
    }
}

#[test]
fn clients_that_read_no_answers_keep_no_probe_out() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).start_paused();
    // The limit of simultaneous answers to requests other than probes.
    let clients: Vec<TcpStream> = (0..16).map(|_| stuck(&proxy)).collect();
    // The clock is paused: none of them has had its second.
    assert_eq!(proxy.admin("GET", "/metrics").status(), 503);
    let silent: Vec<Client> = (0..48)
        .map(|_| Client::connect(proxy.admin_address()))
        .collect();
    assert_eq!(proxy.admin("GET", "/live").status(), 200);
    assert!(!clients.iter().any(was_reset));
    proxy.advance(Duration::from_secs(2));
    assert_eq!(proxy.admin("GET", "/metrics").status(), 200);
    let ended = clients.iter().filter(|client| was_reset(client)).count();
    assert_eq!(ended, 1, "one made room");
    drop(silent);
}

#[test]
fn readiness_can_depend_on_a_backend() {
    let (mut app, other) = (Origin::named("a"), Origin::named("b"));
    let check =
        "health = { path = \"/\", interval = \"50ms\", timeout = \"20s\", fall = 1, rise = 1 }";
    let setup = Setup::of(&[&app])
        .backend(check)
        .also("other", &other)
        .route("path = \"/other\"\nbackend = \"other\"");
    let needing = setup.clone().admin_lines("ready_needs = [\"app\"]");
    let proxy = needing.start();
    let address = app.address();
    proxy.wait_for_state(address, "up");
    assert_eq!(proxy.admin("GET", "/ready").status(), 200);
    app.stop();
    proxy.wait_for_state(address, "down");
    let answer = proxy.admin("GET", "/ready");
    assert_eq!(answer.status(), 503);
    let text = answer.text();
    let begin = format!("no server of backend app takes traffic ({address} is down: ");
    assert!(text.starts_with(&begin), "{text}");
    let status = proxy.status();
    assert_eq!(status["ready"], false);
    assert_eq!(status["why_not_ready"], text.trim_end());
    // Without the key, the process is ready.
    proxy.apply(&setup);
    assert_eq!(proxy.admin("GET", "/ready").status(), 200);
}
