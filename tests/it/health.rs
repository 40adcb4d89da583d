//! Active checks: which servers are checked, which answers pass, and the effect.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use crate::rig::{
    Gate, Message, OK, Origin, Program, Proxy, RefusingAddress, Setup, until, while_for,
};

/// A server whose health page has a status of the test's choice; other requests get its name.
struct CheckedServer {
    origin: Origin,
    status: Arc<AtomicU16>,
}

impl CheckedServer {
    fn new(name: &'static str) -> Self {
        let status = Arc::new(AtomicU16::new(200));
        let shown = Arc::clone(&status);
        let origin = Origin::scripted(move |visit| {
            while let Some(request) = visit.request() {
                let answer = if request.target() == "/healthz" {
                    let status = shown.load(Ordering::SeqCst);
                    format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\nok")
                } else {
                    let length = name.len();
                    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{name}")
                };
                visit.send(answer);
            }
        });
        Self { origin, status }
    }

    fn says(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn checks(&self) -> Vec<Message> {
        let mut requests = self.origin.requests();
        requests.retain(|request| request.target() == "/healthz");
        requests
    }

    fn is(&self, proxy: &Proxy, state: &str) {
        proxy.wait_for_state(self.origin.address(), state);
    }

    /// Waits for so many more checks.
    fn wait_for_checks(&self, count: usize) {
        let before = self.checks().len();
        until("a check", || {
            (self.checks().len() >= before + count).then_some(())
        });
    }
}

const QUICK: &str =
    "health = { path = \"/healthz\", interval = \"40ms\", timeout = \"20s\", rise = 2, fall = 3 }";

fn two() -> (CheckedServer, CheckedServer, Setup) {
    let (a, b) = (CheckedServer::new("a"), CheckedServer::new("b"));
    let setup = Setup::of(&[&a.origin, &b.origin]).backend(QUICK);
    (a, b, setup)
}

fn started(setup: &Setup, servers: &[&CheckedServer]) -> Proxy {
    let proxy = setup.start();
    for patient in servers {
        patient.is(&proxy, "up");
    }
    proxy
}

/// The servers that answer so many requests.
fn answers(proxy: &Proxy, count: usize) -> Vec<String> {
    let mut client = proxy.client();
    (0..count).map(|_| client.get("/").text()).collect()
}

#[test]
fn a_server_that_fails_its_checks_gets_no_new_exchange_until_it_is_back() {
    let (a, b, setup) = two();
    let proxy = started(&setup, &[&a, &b]);
    assert!(answers(&proxy, 4).contains(&"a".to_owned()));
    a.says(503);
    a.is(&proxy, "down");
    assert!(answers(&proxy, 20).iter().all(|name| name == "b"));
    let status = proxy.server(a.origin.address());
    assert_eq!(status["reason"], "status 503");
    a.says(200);
    a.is(&proxy, "up");
    assert_eq!(
        answers(&proxy, 20)
            .iter()
            .filter(|name| *name == "a")
            .count(),
        10
    );
}

#[test]
fn an_exchange_in_flight_at_a_server_that_goes_down_is_finished() {
    let gate = Gate::default();
    let opened = gate.clone();
    let status = Arc::new(AtomicU16::new(200));
    let shown = Arc::clone(&status);
    let origin = Origin::scripted(move |visit| {
        while let Some(request) = visit.request() {
            if request.target() == "/healthz" {
                let status = shown.load(Ordering::SeqCst);
                visit.send(format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n"));
            } else {
                opened.pass();
                visit.send(OK);
            }
        }
    });
    let proxy = Setup::of(&[&origin]).backend(QUICK).start();
    proxy.wait_for_state(origin.address(), "up");
    let mut client = proxy.client();
    client.send("GET /slow HTTP/1.1\r\nhost: test\r\n\r\n");
    proxy.wait_for_metric("evenkeel_server_in_flight", &[], 1.0);
    status.store(500, Ordering::SeqCst);
    proxy.wait_for_state(origin.address(), "down");
    assert_eq!(proxy.get("/").reason(), "backend.no_server");
    gate.open();
    assert_eq!(client.response().text(), "ok");
}

#[test]
fn a_server_goes_down_after_as_many_failed_checks_as_fall_says() {
    let (a, b, setup) = two();
    let proxy = started(&setup, &[&a, &b]);
    let before = a.checks().len();
    a.says(500);
    a.is(&proxy, "down");
    assert!(a.checks().len() >= before + 3);
    // Two failures and a success, again and again.
    let uneven = Origin::scripted(|visit| {
        visit.request();
        let status = if visit.number() % 3 == 0 { 200 } else { 500 };
        visit.send(format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n"));
    });
    let proxy = Setup::of(&[&uneven]).backend(QUICK).start();
    proxy.wait_for_state(uneven.address(), "up");
    until("many checks", || (uneven.connections() > 12).then_some(()));
    assert_eq!(proxy.server(uneven.address())["state"], "up");
    assert_eq!(proxy.metric("evenkeel_server_transitions_total", &[]), 0.0);
}

#[test]
fn a_server_comes_up_after_as_many_passed_checks_as_rise_says() {
    let (a, b, _) = two();
    let health = "health = { path = \"/healthz\", interval = \"40ms\", timeout = \"20s\", rise = 4, fall = 1 }";
    let setup = Setup::of(&[&a.origin, &b.origin]).backend(health);
    let proxy = started(&setup, &[&a, &b]);
    a.says(500);
    a.is(&proxy, "down");
    let before = a.checks().len();
    a.says(200);
    a.is(&proxy, "up");
    assert!(a.checks().len() >= before + 4);
}

#[test]
fn a_new_server_takes_traffic_after_its_first_passed_check() {
    let health = "health = { path = \"/healthz\", interval = \"10s\", rise = 10 }";
    let a = CheckedServer::new("a");
    let proxy = started(&Setup::of(&[&a.origin]).backend(health), &[&a]);
    assert_eq!(proxy.get("/").text(), "a");
    assert_eq!(a.checks().len(), 1);
}

#[test]
fn a_server_that_was_never_checked_takes_no_traffic_and_the_proxy_is_not_ready() {
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let setup =
        Setup::of(&[&origin]).backend("health = { interval = \"60s\" }\ntimeout.queue = \"100ms\"");
    let proxy = setup.start();
    origin.wait_for_requests(1);
    let ready = proxy.admin("GET", "/ready");
    assert_eq!(ready.status(), 503);
    assert_eq!(ready.text(), "1 server waits for its first check\n");
    assert_eq!(proxy.server(origin.address())["state"], "checking");
    assert_eq!(proxy.get("/").status(), 503);
    assert_eq!(origin.requests().len(), 1, "only the check");
    gate.open();
    proxy.wait_for_state(origin.address(), "up");
    assert_eq!(proxy.admin("GET", "/ready").status(), 200);
    assert_eq!(proxy.get("/").text(), "ok");
}

#[test]
fn readiness_does_not_wait_for_a_check_that_fails() {
    let refusing = RefusingAddress::new();
    let setup = Setup::at([refusing.address()]).backend("health = { interval = \"10s\" }");
    let proxy = setup.start();
    until("ready", || {
        (proxy.admin("GET", "/ready").status() == 200).then_some(())
    });
    proxy.wait_for_state(refusing.address(), "down");
    let response = proxy.get("/");
    assert_eq!(response.reason(), "backend.no_server");
    assert!(response.field("retry-after").is_some());
}

#[test]
fn a_server_can_be_taken_for_up_before_its_first_check() {
    let gate = Gate::default();
    let opened = gate.clone();
    let origin = Origin::scripted(move |visit| {
        while let Some(request) = visit.request() {
            if request.target() == "/healthz" {
                opened.pass();
            }
            visit.send(OK);
        }
    });
    let health = "health = { path = \"/healthz\", interval = \"60s\", initial = \"up\" }";
    let proxy = Setup::of(&[&origin]).backend(health).start();
    assert_eq!(proxy.get("/").text(), "ok");
    assert_eq!(proxy.server(origin.address())["state"], "up");
    gate.open();
}

#[test]
fn without_checks_a_server_is_up() {
    for settings in ["", "health = \"off\""] {
        let refusing = RefusingAddress::new();
        let proxy = Setup::at([refusing.address()]).backend(settings).start();
        let server = proxy.server(refusing.address());
        assert_eq!(
            (&server["state"], &server["reason"]),
            (&"up".into(), &"not checked".into())
        );
        assert_eq!(proxy.metric("evenkeel_server_up", &[]), 1.0);
        assert!(proxy.series("evenkeel_health_checks_total", &[]).is_empty());
    }
}

/// Whether a server with this answer passes this check, and the reason.
#[track_caller]
fn judged(health: &str, answer: &str) -> (String, String) {
    let origin = Origin::answering_once(answer);
    let health = format!(
        "health = {{ interval = \"40ms\", timeout = \"20s\", rise = 1, fall = 1, {health} }}"
    );
    let proxy = Setup::of(&[&origin]).backend(&health).start();
    until("a verdict", || {
        let server = proxy.server(origin.address());
        let text = |key: &str| server[key].as_str().unwrap_or_default().to_owned();
        (text("state") != "checking").then(|| (text("state"), text("reason")))
    })
}

#[test]
fn the_answers_that_pass_a_check_can_be_configured() {
    let answer = |status: u16, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{body}")
    };
    let cases = [
        ("path = \"/\"", answer(200, ""), "up", "status 200"),
        ("path = \"/\"", answer(399, ""), "up", "status 399"),
        ("path = \"/\"", answer(400, ""), "down", "status 400"),
        ("status = 204", answer(204, ""), "up", "status 204"),
        ("status = 204", answer(200, ""), "down", "status 200"),
        (
            "status = [\"200-201\", 404]",
            answer(404, ""),
            "up",
            "status 404",
        ),
        (
            "status = [\"200-201\", 404]",
            answer(202, ""),
            "down",
            "status 202",
        ),
        (
            "body = \"fine\"",
            answer(200, "all is fine here"),
            "up",
            "status 200",
        ),
        (
            "body = \"fine\"",
            answer(200, "all is Fine"),
            "down",
            "body does not contain \"fine\"",
        ),
        (
            "path = \"/\"",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
                .to_owned(),
            "down",
            "response is malformed: Content-Length beside Transfer-Encoding",
        ),
        ("type = \"tcp\"", "nonsense".to_owned(), "up", ""),
        ("path = \"/\"", "nonsense\r\n\r\n".to_owned(), "down", ""),
        (
            "path = \"/\"",
            String::new(),
            "down",
            "connection closed before the response",
        ),
    ];
    for (health, answer, state, reason) in cases {
        let (found, why) = judged(health, &answer);
        assert_eq!(found, state, "{health} {answer}: {why}");
        assert!(why.contains(reason), "{health} {answer}: {why}");
    }
}

#[test]
fn a_check_sends_the_configured_request() {
    let a = CheckedServer::new("a");
    let setup = Setup::of(&[&a.origin]).backend(
        "[backend.app.health]\npath = \"/healthz\"\nhost = \"probe.test\"\nheaders = { x-probe = \"1\" }",
    );
    let _proxy = started(&setup, &[&a]);
    let checks = a.checks();
    assert_eq!(checks[0].start, "GET /healthz HTTP/1.1");
    assert_eq!(checks[0].field("host"), Some("probe.test"));
    assert_eq!(checks[0].field("x-probe"), Some("1"));
    let b = CheckedServer::new("b");
    let _proxy = started(
        &Setup::of(&[&b.origin]).backend("health = \"/healthz\""),
        &[&b],
    );
    let address = b.origin.address().to_string();
    assert_eq!(b.checks()[0].field("host"), Some(address.as_str()));
}

#[test]
fn a_server_can_have_a_check_port_of_its_own() {
    let (app, other) = (Origin::named("a"), CheckedServer::new("b"));
    let probe = CheckedServer::new("probe");
    let port = probe.origin.address().port();
    let servers = [
        format!(
            "{{ address = \"{}\", health = {{ port = {port} }} }}",
            app.address()
        ),
        format!("\"{}\"", other.origin.address()),
    ];
    let proxy = Setup::servers(servers)
        .backend(
            "health = { path = \"/healthz\", interval = \"40ms\", timeout = \"20s\", fall = 1 }",
        )
        .start();
    proxy.wait_for_state(app.address(), "up");
    proxy.wait_for_state(other.origin.address(), "up");
    probe.says(500);
    proxy.wait_for_state(app.address(), "down");
    assert_eq!(app.connections(), 0, "it is checked elsewhere");
    proxy.wait_for_state(other.origin.address(), "up");
}

#[test]
fn a_check_can_go_to_another_port() {
    let (app, probe) = (Origin::named("a"), CheckedServer::new("probe"));
    let port = probe.origin.address().port();
    let health = format!(
        "health = {{ path = \"/healthz\", port = {port}, interval = \"40ms\", timeout = \"20s\", fall = 1 }}"
    );
    let proxy = Setup::of(&[&app]).backend(&health).start();
    proxy.wait_for_state(app.address(), "up");
    assert_eq!(proxy.get("/").text(), "a");
    probe.says(500);
    proxy.wait_for_state(app.address(), "down");
    assert_eq!(app.connections(), 1, "only the exchange");
}

#[test]
fn a_check_that_takes_too_long_has_failed() {
    let origin = Origin::silent();
    let health = "health = { interval = \"100ms\", timeout = \"80ms\", initial = \"up\" }";
    let proxy = Setup::of(&[&origin]).backend(health).start();
    proxy.wait_for_state(origin.address(), "down");
    let reason = proxy.server(origin.address())["reason"].to_string();
    assert!(reason.contains("timed out after 80ms"), "{reason}");
}

#[test]
fn checks_are_counted_and_are_no_exchanges() {
    let (a, b, setup) = two();
    let proxy = started(&setup, &[&a, &b]);
    let address = a.origin.address().to_string();
    let of_a = [("backend", "app"), ("server", address.as_str())];
    assert_eq!(proxy.metric("evenkeel_server_up", &of_a), 1.0);
    a.says(500);
    a.is(&proxy, "down");
    assert_eq!(proxy.metric("evenkeel_server_up", &of_a), 0.0);
    let to_down = [of_a[0], of_a[1], ("to", "down")];
    assert_eq!(
        proxy.metric("evenkeel_server_transitions_total", &to_down),
        1.0
    );
    a.says(200);
    a.is(&proxy, "up");
    let to_up = [of_a[0], of_a[1], ("to", "up")];
    assert_eq!(
        proxy.metric("evenkeel_server_transitions_total", &to_up),
        1.0
    );
    let down = [of_a[0], of_a[1], ("state", "down")];
    let spent = proxy.metric("evenkeel_server_state_seconds_total", &down);
    assert!(spent > 0.0 && spent < 20.0, "{spent}");
    for result in ["passed", "failed"] {
        let of_result = [of_a[0], of_a[1], ("result", result)];
        assert!(
            proxy.metric("evenkeel_health_checks_total", &of_result) >= 1.0,
            "{result}"
        );
    }
    assert_eq!(proxy.metric("evenkeel_server_requests_total", &[]), 0.0);
    assert_eq!(proxy.end().len(), 0, "checks are not in the access log");
}

#[test]
fn the_log_has_the_server_that_went_down_the_reason_and_the_servers_left() {
    let (mut a, b, _) = two();
    let health = "health = { path = \"/healthz\", interval = \"40ms\", timeout = \"20s\", rise = 2, fall = 3 }";
    let setup = Setup::of(&[&a.origin, &b.origin]).backend(health);
    let program = Program::start(&setup);
    until("both are up", || {
        let status = program.admin("GET", "/status").text();
        (status.matches("\"state\": \"up\"").count() == 2).then_some(())
    });
    let address = a.origin.address();
    a.origin.stop();
    let down = program.wait_for("server.down");
    let expected =
        format!("app/{address} is down: connection refused, after 3 failed checks; 1 of 2 up");
    assert_eq!(
        (&down["message"], &down["level"]),
        (&expected.into(), &"warn".into())
    );
    a.origin.start();
    // Two came up at the start.
    let up = program.wait_for_another("server.up", 3);
    let expected = format!("app/{address} is up, after 2 passed checks; 2 of 2 up");
    assert_eq!(
        (&up["message"], &up["level"]),
        (&expected.into(), &"info".into())
    );
}

#[test]
fn a_checked_server_that_a_reload_adds_waits_for_its_first_check() {
    let gate = Gate::default();
    let (a, b) = (CheckedServer::new("a"), Origin::behind(&gate));
    let setup = Setup::of(&[&a.origin]).backend(QUICK);
    let proxy = started(&setup, &[&a]);
    let both =
        Setup::of(&[&a.origin, &b]).backend("health = { path = \"/healthz\", interval = \"60s\" }");
    proxy.apply(&both);
    assert!(answers(&proxy, 10).iter().all(|name| name == "a"));
    assert_eq!(
        proxy.server(a.origin.address())["state"],
        "up",
        "it stays up meanwhile"
    );
    gate.open();
    proxy.wait_for_state(b.address(), "up");
    assert!(answers(&proxy, 10).contains(&"ok".to_owned()));
}

#[test]
fn checks_that_are_taken_away_leave_servers_up() {
    let (a, b, setup) = two();
    let proxy = started(&setup, &[&a, &b]);
    a.says(500);
    a.is(&proxy, "down");
    proxy.apply(&Setup::of(&[&a.origin, &b.origin]));
    a.is(&proxy, "up");
    let checks = a.checks().len() + b.checks().len();
    while_for(Duration::from_millis(150), "no server is checked", || {
        a.checks().len() + b.checks().len() <= checks + 2
    });
}

#[test]
fn a_server_that_stays_is_still_down_after_a_reload() {
    let (a, b, setup) = two();
    let proxy = started(&setup, &[&a, &b]);
    a.says(500);
    a.is(&proxy, "down");
    let since = proxy.server(a.origin.address())["since"].clone();
    proxy.apply(&setup.clone().backend("attempts = 2"));
    assert_eq!(proxy.server(a.origin.address())["state"], "down");
    assert_eq!(proxy.server(a.origin.address())["since"], since);
    assert!(answers(&proxy, 10).iter().all(|name| name == "b"));
    a.wait_for_checks(2);
}
