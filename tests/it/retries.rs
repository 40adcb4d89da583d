//! Retries: which requests go to another server, and what the client gets if no server answers
//! well.

use std::net::SocketAddr;
use std::time::Duration;

use crate::rig::{
    Gate, Good, Http2, Line, OK, Origin, Proxy, RefusingAddress, Reply, Setup, until,
};

const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy";

const GET: &str = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";

const MIB: usize = 1 << 20;

/// Servers of which the first gets the first request, with one worker. A connection that is kept stays open.
fn setup<const N: usize>(servers: [&Origin; N], on: &str) -> Setup {
    setup_at(servers.map(Origin::address), on)
}

/// The same for servers at these addresses.
fn setup_at(servers: impl IntoIterator<Item = SocketAddr>, on: &str) -> Setup {
    let retry = format!("retry = {{ on = [{on}] }}\npool.idle_timeout = \"1h\"");
    Setup::at(servers).workers(1).backend(&retry)
}

/// A server that answers 503 with a body of `bytes`.
fn busy_with(bytes: usize) -> Origin {
    let head = format!("HTTP/1.1 503 Service Unavailable\r\ncontent-length: {bytes}\r\n\r\n");
    Origin::answering([head.as_bytes(), &vec![b'x'; bytes]].concat())
}

/// Waits until no server has an exchange in flight.
#[track_caller]
fn nothing_in_flight(proxy: &Proxy) {
    proxy.wait_for_metric("evenkeel_server_in_flight", &[], 0.0);
}

/// Checks that the only other attempt was at `server`, and why it failed.
#[track_caller]
fn tried_before(line: &Line, server: &Origin, reason: &str, status: Option<u16>) {
    assert_eq!(line.number("attempts"), 2, "{line:?}");
    let failed = &line.0["failed"];
    assert_eq!(failed[0]["server"], server.address().to_string());
    assert_eq!(failed[0]["reason"], reason);
    assert_eq!(failed[0]["status"], serde_json::json!(status));
    assert_eq!(failed[1], serde_json::Value::Null);
}

#[test]
fn a_status_that_is_not_wanted_is_answered_by_another_server() {
    let (busy, good) = (Origin::answering(BUSY), Origin::named("good"));
    let proxy = setup([&busy, &good], "\"503\"").start();
    let mut client = proxy.client();
    let response = client.get("/");
    assert_eq!((response.status(), response.text()), (200, "good".into()));
    let line = proxy.line();
    tried_before(&line, &busy, "server.response.unwanted", Some(503));
    assert_eq!(line.text("server"), good.address().to_string());
    assert_eq!(line.verdict(), (200, "-"));
    nothing_in_flight(&proxy);
    let (name, status) = (busy.address().to_string(), [("status", "503")]);
    let counted = proxy.metric("evenkeel_server_requests_total", &status);
    assert_eq!(counted, 1.0, "it is an answer");
    let of_busy = [("server", &*name), ("reason", "server.response.unwanted")];
    assert_eq!(proxy.metric("evenkeel_attempt_faults_total", &of_busy), 1.0);
    assert_eq!(proxy.server(busy.address())["failures_in_a_row"], 1);
    assert_eq!(proxy.server(good.address())["failures_in_a_row"], 0);
}

#[test]
fn the_connection_of_a_short_unwanted_answer_is_used_again() {
    let (busy, good) = (Origin::answering(BUSY), Origin::named("good"));
    let proxy = setup([&busy, &good], "\"503\"").start();
    let mut client = proxy.client();
    while busy.requests().len() < 3 {
        assert_eq!(client.get("/").status(), 200);
    }
    assert_eq!(busy.connections(), 1);
}

#[test]
fn if_every_server_is_busy_the_client_gets_the_last_answer() {
    let busy = |body: &str| {
        let length = body.len();
        Origin::answering(format!(
            "HTTP/1.1 503 Service Unavailable\r\nretry-after: 7\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
    };
    let (first, second) = (busy("first"), busy("second"));
    let proxy = setup([&first, &second], "\"503\"").start();
    let mut client = proxy.client();
    let response = client.get("/");
    assert_eq!((response.status(), response.text()), (503, "second".into()));
    assert_eq!(response.field("retry-after"), Some("7"));
    let line = proxy.line();
    tried_before(&line, &first, "server.response.unwanted", Some(503));
    assert_eq!(line.text("server"), second.address().to_string());
    assert_eq!(line.verdict(), (503, "-"));
    nothing_in_flight(&proxy);
    assert_eq!(proxy.server(second.address())["failures_in_a_row"], 1);
    assert_eq!(client.get("/").status(), 503, "the connection goes on");
}

#[test]
fn an_answer_that_was_set_aside_is_better_than_none() {
    for body in [4, 4 * MIB] {
        let (busy, refusing) = (busy_with(body), RefusingAddress::new());
        let proxy = setup_at([busy.address(), refusing.address()], "\"503\"").start();
        let response = proxy.get("/");
        assert_eq!((response.status(), response.body.len()), (503, body));
        let line = proxy.line();
        assert_eq!(line.number("attempts"), 2);
        assert_eq!(line.text("server"), busy.address().to_string());
        assert_eq!(line.verdict(), (503, "-"));
        assert_eq!(line.0["failed"][0]["reason"], "server.connect.refused");
        nothing_in_flight(&proxy);
    }
}

#[test]
fn an_answer_that_was_set_aside_comes_whole_when_two_others_were_late() {
    let (busy, late) = (busy_with(MIB), [(); 2].map(|()| Origin::silent()));
    let setup = setup([&busy, &late[0], &late[1]], "\"503\", \"timeout\"")
        .backend("timeout.response = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    client.send(GET);
    client.hears_in_time(&proxy);
    let response = client.response();
    assert_eq!((response.status(), response.body.len()), (503, MIB));
    let line = proxy.line();
    assert_eq!(line.number("attempts"), 3);
    assert_eq!(line.verdict(), (503, "-"));
    nothing_in_flight(&proxy);
}

#[test]
fn no_more_attempts_are_made_than_may_be() {
    let servers = [(); 4].map(|()| Origin::answering(BUSY));
    let setup = Setup::at(servers.iter().map(Origin::address)).workers(1);
    let retry = "retry = { on = [\"503\"], attempts = 3 }";
    let proxy = setup.backend(retry).start();
    assert_eq!(proxy.get("/").text(), "busy");
    assert_eq!(proxy.line().number("attempts"), 3);
    let asked: usize = servers.iter().map(|one| one.requests().len()).sum();
    assert_eq!(asked, 3);
}

#[test]
fn statuses_that_are_not_listed_are_delivered() {
    let (busy, good) = (Origin::answering(BUSY), Origin::named("good"));
    for on in ["", "\"502\", \"empty\", \"timeout\""] {
        let proxy = setup([&busy, &good], on).start();
        assert_eq!(proxy.get("/").text(), "busy", "{on}");
        assert_eq!(proxy.line().number("attempts"), 1);
    }
}

#[test]
fn a_request_that_is_not_idempotent_is_sent_once() {
    let (busy, good) = (Origin::answering(BUSY), Origin::named("good"));
    for head in ["POST / HTTP/1.1", "PATCH / HTTP/1.1"] {
        for body in ["content-length: 0\r\n\r\n", "content-length: 2\r\n\r\nhi"] {
            let proxy = setup([&busy, &good], "\"503\"").start();
            let response = proxy.ask(format!("{head}\r\nhost: test\r\n{body}"));
            assert_eq!(response.text(), "busy", "{head} {body}");
            assert_eq!(proxy.line().number("attempts"), 1);
        }
    }
    assert!(good.has_seen_nothing());
}

/// A PUT to `/echo` with a body of this size, with a length and in chunks.
fn puts(bytes: usize) -> [Vec<u8>; 2] {
    let head = "PUT /echo HTTP/1.1\r\nhost: test\r\n";
    let body = vec![b'x'; bytes];
    let sized = format!("{head}content-length: {bytes}\r\n\r\n");
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{bytes:x}\r\n");
    [
        [sized.as_bytes(), &body].concat(),
        [chunked.as_bytes(), &body, b"\r\n0\r\n\r\n"].concat(),
    ]
}

#[test]
fn a_short_body_is_sent_to_the_other_server_too() {
    let (busy, good) = (Origin::answering(BUSY), Origin::named("good"));
    for put in [puts(5), puts(16 << 10)].concat() {
        let proxy = setup([&busy, &good], "\"503\"").start();
        let response = proxy.ask(&put);
        assert_eq!(response.status(), 200);
        let bytes = response.body.len();
        assert!(put.windows(bytes).any(|part| part == response.body));
        let line = proxy.line();
        tried_before(&line, &busy, "server.response.unwanted", Some(503));
        assert_eq!(line.number("bytes_in"), bytes as u64, "it came once");
        nothing_in_flight(&proxy);
    }
}

#[test]
fn a_long_body_is_sent_once() {
    let (busy, good) = (Origin::answering(BUSY), Origin::named("good"));
    for put in puts((16 << 10) + 1) {
        let proxy = setup([&busy, &good], "\"503\"").start();
        assert_eq!(proxy.ask(&put).text(), "busy");
        assert_eq!(proxy.line().number("attempts"), 1);
    }
    assert!(good.has_seen_nothing());
}

#[test]
fn a_body_of_which_the_rest_is_still_to_come_goes_to_the_other_server_as_a_whole() {
    let good = Origin::named("good");
    let busy = Origin::scripted(|visit| {
        visit.head();
        visit.bytes(3);
        visit.send(BUSY);
        visit.wait_for_end();
    });
    let proxy = setup([&busy, &good], "\"503\"").start();
    let mut client = proxy.client();
    client.send("PUT /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 6\r\n\r\nabc");
    until("the beginning at the other server", || {
        good.received(0).contains("abc").then_some(())
    });
    // It is not reused: it waits for the rest of the request.
    busy.wait_for_end_of(0);
    let response = client.send("def").response();
    assert_eq!(response.text(), "abcdef");
    nothing_in_flight(&proxy);
}

#[test]
fn a_client_that_stops_in_its_body_gets_408_after_any_earlier_answer() {
    let good = Origin::named("good");
    let busy = Origin::scripted(|visit| {
        visit.head();
        visit.bytes(3);
        visit.send(BUSY);
        visit.wait_for_end();
    });
    let setup = setup([&busy, &good], "\"503\"").frontend("timeout.body = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    client.send("PUT /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 6\r\n\r\nabc");
    until("the beginning at the other server", || {
        good.received(0).contains("abc").then_some(())
    });
    client.hears_in_time(&proxy);
    let response = client.response();
    assert_eq!(response.status(), 408);
    assert_eq!(response.reason(), "request.body.timeout");
    nothing_in_flight(&proxy);
}

#[test]
fn long_unwanted_answers_are_not_read() {
    let head = format!("HTTP/1.1 503 Service Unavailable\r\ncontent-length: {MIB}\r\n\r\n");
    let answer = [head.as_bytes(), &vec![b'x'; MIB]].concat();
    let busy = [(); 2].map(|()| Origin::answering(answer.clone()));
    let good = Origin::named("good");
    let proxy = setup([&busy[0], &busy[1], &good], "\"503\"").start();
    assert_eq!(proxy.get("/").text(), "good");
    let line = proxy.line();
    assert_eq!((line.number("attempts"), line.number("bytes_out")), (3, 4));
    nothing_in_flight(&proxy);
    for busy in busy {
        busy.wait_for_end_of(0);
        assert_eq!(proxy.server(busy.address())["failures_in_a_row"], 1);
    }
    let of_reason = [("reason", "server.response.unwanted")];
    let faults = proxy.metric("evenkeel_attempt_faults_total", &of_reason);
    assert_eq!(faults, 2.0);
}

#[test]
fn an_unwanted_answer_that_never_ends_delays_nothing() {
    let good = Origin::named("good");
    let endless = Origin::scripted(|visit| {
        visit.request();
        visit.send(
            "HTTP/1.1 503 Service Unavailable\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n",
        );
        visit.wait_for_end();
    });
    let proxy = setup([&endless, &good], "\"503\"").start();
    assert_eq!(proxy.get("/").text(), "good");
    endless.wait_for_end_of(0);
    nothing_in_flight(&proxy);
}

#[test]
fn a_late_server_is_followed_by_another_if_that_is_wanted() {
    for (on, expected) in [
        ("\"timeout\"", (200, "-")),
        ("\"empty\"", (504, "server.response.timeout")),
    ] {
        let (late, good) = (Origin::silent(), Origin::named("good"));
        let setup = setup([&late, &good], on).backend("timeout.response = \"300ms\"");
        let proxy = setup.start_paused();
        let mut client = proxy.client();
        client.send(GET);
        client.hears_in_time(&proxy);
        assert_eq!(client.response().status(), expected.0);
        let line = proxy.line();
        assert_eq!(line.verdict(), (u64::from(expected.0), expected.1), "{on}");
        if expected.0 == 200 {
            tried_before(&line, &late, "server.response.timeout", None);
        }
        late.wait_for_end_of(0);
        nothing_in_flight(&proxy);
    }
}

#[test]
fn two_late_servers_are_followed_by_a_third() {
    let (one, two, good) = (Origin::silent(), Origin::silent(), Origin::named("good"));
    let setup = setup([&one, &two, &good], "\"timeout\"").backend("timeout.response = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    client.send(GET);
    client.hears_in_time(&proxy);
    assert_eq!(client.response().text(), "good");
    assert_eq!(proxy.line().number("attempts"), 3);
    nothing_in_flight(&proxy);
}

#[test]
fn each_attempt_has_the_whole_time_of_a_server() {
    let (late, slow) = (Origin::silent(), Gate::default());
    let good = Origin::behind(&slow);
    let setup = setup([&late, &good], "\"timeout\"").backend("timeout.response = \"10s\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    client.send(GET);
    late.wait_for_requests(1);
    until("the other server is asked", || {
        proxy.advance(Duration::from_millis(100));
        (!good.requests().is_empty()).then_some(())
    });
    // Together they take longer than one attempt may.
    proxy.advance(Duration::from_secs(9));
    slow.open();
    assert_eq!(client.response().status(), 200);
}

#[test]
fn an_answer_that_was_set_aside_is_not_given_when_the_time_of_the_exchange_is_over() {
    let (busy, silent) = (Origin::answering(BUSY), Origin::silent());
    let setup = setup([&busy, &silent], "\"503\"").frontend("timeout.exchange = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    client.send(GET);
    silent.wait_for_requests(1);
    client.hears_in_time(&proxy);
    let response = client.response();
    assert_eq!(response.status(), 504);
    assert_eq!(response.reason(), "exchange.timeout");
    let line = proxy.line();
    assert_eq!(line.verdict(), (504, "exchange.timeout"));
    tried_before(&line, &busy, "server.response.unwanted", Some(503));
    nothing_in_flight(&proxy);
}

#[test]
fn a_connection_that_ends_without_an_answer_is_followed_by_another_server_if_that_is_wanted() {
    let good = Origin::named("good");
    for (on, status) in [("\"empty\"", 200), ("\"timeout\"", 502)] {
        let empty = Origin::scripted(|visit| {
            visit.request();
        });
        let proxy = setup([&empty, &good], on).start();
        assert_eq!(proxy.get("/").status(), status, "{on}");
        if status == 200 {
            tried_before(&proxy.line(), &empty, "server.response.empty", None);
        }
        nothing_in_flight(&proxy);
    }
}

#[test]
fn a_malformed_answer_is_followed_by_another_server_if_that_is_wanted() {
    let good = Origin::named("good");
    let malformed: [&[u8]; 3] = [
        b"what is this\r\n\r\n",
        // Well-formed, but an answer to another request.
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ];
    for answer in malformed {
        for (on, status) in [("\"malformed\"", 200), ("\"empty\"", 502)] {
            let bad = Origin::answering_once(answer);
            let proxy = setup([&bad, &good], on).start();
            let put = "PUT /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\nhi";
            assert_eq!(proxy.ask(put).status(), status, "{on}");
            if status == 200 {
                tried_before(&proxy.line(), &bad, "server.response.malformed", None);
            }
            nothing_in_flight(&proxy);
        }
    }
}

#[test]
fn a_body_survives_an_old_connection_that_has_died() {
    // The server closes after the second request of its first connection has come.
    let origin = Origin::scripted(|visit| {
        visit.serve("a");
        if visit.number() == 0 {
            visit.request();
        } else {
            while visit.serve("a") {}
        }
    });
    let proxy = Setup::of(&[&origin]).workers(1).start();
    let mut client = proxy.client();
    assert_eq!(client.get("/").text(), "a");
    let put = "PUT /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\nhi";
    assert_eq!(client.ask(put).text(), "hi");
    let lines = proxy.wait_for_lines(2);
    tried_before(&lines[1], &origin, "server.response.empty", None);
    assert_eq!(proxy.server(origin.address())["failures_in_a_row"], 0);
    let of_reason = [("reason", "server.response.empty")];
    let faults = proxy.metric("evenkeel_attempt_faults_total", &of_reason);
    assert_eq!(faults, 1.0, "it counts as an attempt");
    nothing_in_flight(&proxy);
}

#[test]
fn a_request_that_is_sent_again_keeps_its_path_and_its_fields() {
    let (busy, good) = (Origin::answering(BUSY), Origin::named("good"));
    let proxy = setup([&busy, &good], "\"503\"").start();
    let get = "GET /a?b HTTP/1.1\r\nhost: app.example\r\nx-kept: 1\r\n\r\n";
    assert_eq!(proxy.ask(get).text(), "good");
    let request = good.request();
    assert_eq!(request.target(), "/a?b");
    let fields = ["host", "x-kept"].map(|name| request.field(name));
    assert_eq!(fields, [Some("app.example"), Some("1")]);

    let ([_busy, echo], setup) = h2_servers();
    let put = "PUT /a?b HTTP/1.1\r\nhost: app.example\r\nx-kept: 1\r\ncontent-length: 2\r\n\r\nhi";
    for request in [get, put] {
        let proxy = setup.start();
        assert_eq!(proxy.ask(request).status(), 200);
    }
    let requests = echo.requests();
    assert_eq!(requests.len(), 2);
    for request in requests.iter() {
        assert_eq!(request.uri(), "http://app.example/a?b");
        assert_eq!(request.headers()["x-kept"], "1");
    }
}

#[test]
fn a_client_that_leaves_during_a_later_attempt_occupies_no_server() {
    let (busy, gate) = (Origin::answering(BUSY), Gate::default());
    let slow = Origin::behind(&gate);
    let proxy = setup([&busy, &slow], "\"503\"").start();
    let mut client = proxy.client();
    client.send(GET);
    slow.wait_for_requests(1);
    let occupied = proxy.metric("evenkeel_server_in_flight", &[]);
    assert_eq!(occupied, 1.0, "the answer that was set aside holds no slot");
    client.reset();
    nothing_in_flight(&proxy);
    assert_eq!(proxy.line().verdict(), (499, "client.left"));
    let abandoned = proxy.metric("evenkeel_attempts_abandoned_total", &[]);
    assert_eq!(abandoned, 1.0);
    gate.open();
}

#[test]
fn where_the_other_server_is_full_the_client_gets_the_answer() {
    let (busy, gate) = (Origin::answering(BUSY), Gate::default());
    let full = Origin::behind(&gate);
    let servers = [&busy, &full]
        .map(|one| format!("{{ address = \"{}\", max_connections = 1 }}", one.address()));
    let proxy = Setup::servers(servers)
        .workers(1)
        .backend("retry = { on = [\"503\"] }")
        .start();
    let mut first = proxy.client();
    first.send(GET);
    full.wait_for_requests(1);
    assert_eq!(proxy.get("/").text(), "busy");
    gate.open();
    assert_eq!(first.response().status(), 200);
}

/// A proxy in front of a server that answers with `answer` and closes, and of one that refuses connections.
fn before_a_server_that_leaves(answer: &'static str) -> (Proxy, Origin, RefusingAddress) {
    let leaving = Origin::scripted(move |visit| {
        if visit.request().is_some() {
            visit.send(answer);
        }
    });
    let refusing = RefusingAddress::new();
    let proxy = setup_at([leaving.address(), refusing.address()], "\"503\"").start();
    (proxy, leaving, refusing)
}

#[test]
fn an_unwanted_answer_that_was_cut_reached_its_client_as_if_it_were_whole() {
    for (answer, reason) in [
        (
            "HTTP/1.1 503 X\r\ncontent-length: 100\r\n\r\n0123456789",
            "server.body.incomplete",
        ),
        (
            "HTTP/1.1 503 X\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n",
            "server.body.incomplete",
        ),
        (
            "HTTP/1.1 503 X\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\nzz\r\n",
            "server.body.malformed",
        ),
    ] {
        let (proxy, _leaving, _refusing) = before_a_server_that_leaves(answer);
        // Whether the end has come when the answer is set aside is a matter of microseconds.
        const TIMES: usize = 20;
        for _ in 0..TIMES {
            let mut client = proxy.client();
            client.send("GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
            let (got, _) = client.rest();
            let got = String::from_utf8_lossy(&got).into_owned();
            assert!(got.starts_with("HTTP/1.1 503 "), "{got}");
            assert!(!got.ends_with("0\r\n\r\n"), "{got}");
            assert!(!got.contains("content-length: 5\r\n"), "{got}");
        }
        for line in proxy.wait_for_lines(TIMES) {
            assert_eq!(line.verdict(), (503, reason), "{answer}");
        }
        nothing_in_flight(&proxy);
    }
}

#[test]
fn an_unwanted_answer_keeps_its_trailers() {
    let (proxy, _leaving, _refusing) = before_a_server_that_leaves(
        "HTTP/1.1 503 X\r\ntransfer-encoding: chunked\r\ntrailer: x-t\r\n\r\n5\r\nabcde\r\n\
         0\r\nx-t: y\r\n\r\n",
    );
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nhost: test\r\nte: trailers\r\nconnection: close, te\r\n\r\n");
    let (got, _) = client.rest();
    let got = String::from_utf8_lossy(&got).into_owned();
    assert!(got.ends_with("0\r\nx-t: y\r\n\r\n"), "{got}");
    assert_eq!(proxy.line().verdict(), (503, "-"));
}

// HTTP/2.

/// HTTP/2 servers, as in [`setup_at`].
fn setup_h2(servers: [&Good; 2], on: &str) -> Setup {
    setup_at(servers.map(Good::address), on).backend("protocol = \"h2\"")
}

/// An HTTP/2 server whose answer is the body of the request.
fn echo() -> Good {
    Good::answering(|asked| Reply::of(asked.body().clone()))
}

/// Two HTTP/2 servers: the first is busy, the other answers with the body of the request.
fn h2_servers() -> ([Good; 2], Setup) {
    let busy = Good::answering(|_| {
        let mut reply = Reply::of("busy");
        *reply.response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
        reply
    });
    let echo = echo();
    let setup = setup_h2([&busy, &echo], "\"503\"");
    ([busy, echo], setup)
}

#[test]
fn a_request_goes_from_one_server_of_http2_to_another_with_its_body() {
    let (_servers, setup) = h2_servers();
    let proxy = setup.start();
    let put = "PUT / HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\nhi";
    assert_eq!(proxy.ask(put).text(), "hi");
    assert_eq!(proxy.line().number("attempts"), 2);
    nothing_in_flight(&proxy);
}

#[test]
fn an_answer_of_http2_with_too_many_fields_is_followed_by_another_server_if_that_is_wanted() {
    let too_many = Good::answering(|_| {
        let mut reply = Reply::of("");
        for number in 0..101 {
            let name: http::HeaderName = format!("x-{number}").parse().expect("a name");
            reply
                .response
                .headers_mut()
                .insert(name, "a".parse().expect("a value"));
        }
        reply
    });
    let echo = echo();
    for (on, status) in [("\"malformed\"", 200), ("\"empty\"", 502)] {
        let proxy = setup_h2([&too_many, &echo], on).start();
        let put = "PUT / HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\nhi";
        let response = proxy.ask(put);
        assert_eq!(response.status(), status, "{on}");
        if status == 200 {
            assert_eq!(response.text(), "hi", "the body goes with it");
            assert_eq!(proxy.line().number("attempts"), 2);
        }
        nothing_in_flight(&proxy);
    }
}

#[test]
fn clients_of_http2_are_answered_by_another_server_too() {
    let (_servers, setup) = h2_servers();
    let proxy = setup.start();
    let mut client = Http2::connect(proxy.address());
    let request = client.request("PUT", "/");
    let mut asked = client.begin(request);
    asked.send("h").send_last("i");
    let answer = asked.answer();
    assert_eq!(answer.text(), "hi");
    assert_eq!(proxy.line().number("attempts"), 2);
    nothing_in_flight(&proxy);
}

#[test]
fn a_call_of_grpc_is_sent_once_and_gets_the_answer() {
    let ([busy, echo], setup) = h2_servers();
    let proxy = setup.start();
    let mut client = Http2::connect(proxy.address());
    let request = client.request("POST", "/a/b");
    let request = request.header("content-type", "application/grpc");
    let answer = client.begin(request).send_last("hi").answer();
    assert_eq!((answer.status, answer.text()), (503, "busy".into()));
    assert_eq!((busy.requests().len(), echo.requests().len()), (1, 0));
    nothing_in_flight(&proxy);
}

#[test]
fn clients_of_http2_get_the_answer_of_another_server_of_http1() {
    let (busy, good) = (Origin::answering(BUSY), Origin::named("good"));
    let proxy = setup([&busy, &good], "\"503\"").start();
    let mut client = Http2::connect(proxy.address());
    assert_eq!(client.get("/").text(), "good");
    let (first, second) = (Origin::answering(BUSY), Origin::answering(OK));
    let proxy = setup([&first, &second], "\"502\"").start();
    let mut client = Http2::connect(proxy.address());
    assert_eq!(client.get("/").text(), "busy");
}
