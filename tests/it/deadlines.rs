//! How long each step may take, and how a client sees that it took longer.
//!
//! The clock of these proxies stands still until a test moves it: on a busy machine nothing is
//! late.

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::rig::{
    Client, Deaf, Ending, Frames, Gate, Line, Message, OK, Origin, Proxy, RefusingAddress, Setup,
    until,
};

/// The deadline in these tests.
const SHORT: Duration = Duration::from_millis(300);

/// Less than `SHORT`, for slow things that are in time.
const SLOWLY: Duration = Duration::from_millis(120);

/// The step by which the clock is moved.
const MOMENT: Duration = Duration::from_millis(10);

/// Far more than the delay of a deadline: the proxy may receive bytes a little later than they were
/// sent.
const MUCH_LATER: Duration = Duration::from_secs(3);

const GET: &str = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";

/// Moves the clock until `client` receives something, which must be after `SHORT` and not much
/// later.
#[track_caller]
fn in_due_time(proxy: &Proxy, client: &mut Client) {
    let mut passed = Duration::ZERO;
    while !client.hears() {
        proxy.advance(MOMENT);
        passed += MOMENT;
        assert!(passed < SHORT + MUCH_LATER, "{passed:?}");
    }
    assert!(passed >= SHORT, "{passed:?}");
}

/// The answer to `client`, however late.
#[track_caller]
fn ask(proxy: &Proxy, client: &mut Client) -> Message {
    client.send(GET);
    client.hears_in_time(proxy);
    client.response()
}

/// Checks that `client` gets this answer after `SHORT`, and that it is the only line in the log.
#[track_caller]
fn answered_late(proxy: &Proxy, client: &mut Client, status: u16, reason: &str) -> Line {
    in_due_time(proxy, client);
    let response = client.response();
    assert_eq!(response.status(), status);
    assert_eq!(response.reason(), reason);
    checked_line(proxy, status, reason)
}

/// Checks that the only line has this status and reason, and that the metrics have it too.
#[track_caller]
fn checked_line(proxy: &Proxy, status: u16, reason: &str) -> Line {
    let line = proxy.line();
    assert_eq!(line.verdict(), (status.into(), reason));
    let replies = proxy.metric("evenkeel_replies_total", &[("reason", reason)]);
    assert_eq!(replies, 1.0);
    let status = status.to_string();
    let requests = proxy.metric("evenkeel_frontend_requests_total", &[("status", &status)]);
    assert_eq!(requests, 1.0);
    line
}

// The client's time.

#[test]
fn a_head_that_does_not_come_whole_is_answered_408() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).frontend("timeout.head = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nhost: te");
    answered_late(&proxy, &mut client, 408, "request.head.timeout");
    client.half_close().is_closed();
    assert!(origin.has_seen_nothing());
}

#[test]
fn a_head_that_trickles_is_as_late_as_one_that_stops() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).frontend("timeout.head = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    let mut passed = Duration::ZERO;
    let mut pieces = "GET / HTTP/1.1\r\nhost: test-test-test-test".chars();
    while !client.hears() {
        let piece = pieces.next().expect("it is late before the end");
        // It may have been closed just now.
        let _ = client.try_send(piece.to_string());
        proxy.advance(SHORT / 6);
        passed += SHORT / 6;
    }
    assert!(passed >= SHORT, "{passed:?}");
    assert_eq!(client.response().reason(), "request.head.timeout");
}

#[test]
fn the_second_head_has_its_time_too() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).frontend("timeout.head = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    assert_eq!(client.get("/").text(), "a");
    client.send("GET / HT");
    in_due_time(&proxy, &mut client);
    assert_eq!(client.response().reason(), "request.head.timeout");
}

#[test]
fn a_connection_that_never_asks_is_closed_without_a_word() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).frontend("timeout.head = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    in_due_time(&proxy, &mut client);
    client.is_closed();
    assert_eq!(proxy.end().len(), 0, "no exchange began");
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).frontend("timeout.keep_alive = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    client.get("/");
    in_due_time(&proxy, &mut client);
    client.is_closed();
    assert_eq!(proxy.end().len(), 1);
}

#[test]
fn a_parked_connection_is_closed_when_its_time_is_over() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).frontend("timeout.keep_alive = \"1500ms\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    client.get("/");
    proxy.advance(Duration::from_millis(1400));
    assert!(!client.hears());
    client.hears_in_time(&proxy);
    client.is_closed();
    proxy.wait_for_metric("evenkeel_frontend_open_connections", &[], 0.0);
}

#[test]
fn an_idle_connection_is_closed_at_the_end_of_its_time_however_long_that_is() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).frontend("timeout.keep_alive = \"60s\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    client.get("/");
    let mut passed = Duration::ZERO;
    while !client.hears() {
        proxy.advance(10 * MOMENT);
        passed += 10 * MOMENT;
        assert!(passed < Duration::from_secs(62), "{passed:?}");
    }
    assert!(passed >= Duration::from_secs(60), "{passed:?}");
    client.is_closed();
}

#[test]
fn each_request_gives_the_connection_its_time_anew() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).frontend("timeout.keep_alive = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    for _ in 0..5 {
        assert_eq!(client.get("/").text(), "a");
        proxy.advance(SLOWLY);
    }
}

#[test]
fn a_request_body_that_stops_is_answered_408_and_the_server_sees_it_aborted() {
    let origin = Origin::silent();
    let setup = Setup::of(&[&origin]).frontend("timeout.body = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nhello");
    answered_late(&proxy, &mut client, 408, "request.body.timeout");
    client.half_close().is_closed();
    origin.wait_for_end_of(0);
    assert!(origin.requests().is_empty());
}

#[test]
fn a_request_body_may_come_slowly() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin])
        .frontend("timeout.body = \"300ms\"")
        .backend("timeout.response = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    client.send("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\n\r\n");
    for sent in ["h", "he", "hel", "hell"] {
        client.send(&sent[sent.len() - 1..]);
        until("the server has the piece", || {
            origin
                .received(0)
                .ends_with(&format!("\r\n\r\n{sent}"))
                .then_some(())
        });
        proxy.advance(SLOWLY);
    }
    assert_eq!(client.ask("o").text(), "hello");
}

#[test]
fn a_client_that_takes_nothing_is_cut_off() {
    let body = "x".repeat(30 << 20);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    let origin = Origin::answering(head + &body);
    let setup = Setup::of(&[&origin]).frontend("timeout.body = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = Client::connect_narrow(proxy.address());
    client.send(GET);
    let line = checked_line(&proxy, 200, "client.stalled");
    let (read, ending) = client.rest();
    assert!(read.len() < body.len());
    // The reset discards what the proxy's socket still holds.
    let taken = read.iter().filter(|&&byte| byte == b'x').count();
    assert_eq!(line.number("bytes_out"), taken as u64);
    assert_eq!(ending, Ending::Reset, "it must not look whole");
    proxy.wait_for_metric("evenkeel_server_in_flight", &[], 0.0);
}

#[test]
fn a_client_that_takes_slowly_gets_everything() {
    let body = "x".repeat(12 << 20);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    let origin = Origin::answering(head + &body);
    let setup = Setup::of(&[&origin])
        .frontend("timeout.body = \"800ms\"")
        .backend("timeout.body = \"800ms\"");
    let proxy = setup.start_paused();
    let mut client = Client::connect_narrow(proxy.address());
    client.send(GET).head();
    // The kernel reports room when a third of its buffer is free: some pieces at a time.
    let piece = body.len() / 24;
    for _ in 0..24 {
        assert_eq!(client.bytes(piece).len(), piece);
        proxy.advance(Duration::from_millis(60));
    }
}

// The server's time.

#[test]
fn a_server_that_refuses_is_answered_503() {
    let refusing = RefusingAddress::new();
    let proxy = Setup::at([refusing.address()]).start();
    let response = proxy.get("/");
    assert_eq!(response.status(), 503);
    assert_eq!(response.reason(), "server.connect.refused");
    let line = checked_line(&proxy, 503, "server.connect.refused");
    assert_eq!(line.number("attempts"), 1);
    let of_reason = [("reason", "server.connect.refused"), ("backend", "app")];
    let faults = proxy.metric("evenkeel_attempt_faults_total", &of_reason);
    assert_eq!(faults, 1.0);
}

#[test]
fn a_server_that_does_not_accept_is_answered_503() {
    let deaf = Deaf::new();
    let setup = Setup::at([deaf.address()]).backend("timeout.connect = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    client.send(GET);
    let line = answered_late(&proxy, &mut client, 503, "server.connect.timeout");
    assert_eq!(line.number("attempts"), 1);
    assert_eq!(
        ask(&proxy, &mut client).status(),
        503,
        "the client's connection goes on"
    );
}

#[test]
fn another_server_is_tried_when_one_does_not_accept() {
    let deaf = Deaf::new();
    let origin = Origin::named("a");
    let setup =
        Setup::at([deaf.address(), origin.address()]).backend("timeout.connect = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    let answers = [(); 2].map(|()| ask(&proxy, &mut client).text());
    assert_eq!(answers, ["a", "a"]);
    let lines = proxy.wait_for_lines(2);
    let failed: Vec<&Line> = lines
        .iter()
        .filter(|line| line.number("attempts") == 2)
        .collect();
    assert!(!failed.is_empty());
    assert_eq!(failed[0].0["failed"][0]["reason"], "server.connect.timeout");
    assert_eq!(failed[0].verdict(), (200, "-"));
}

#[test]
fn a_server_that_does_not_answer_is_answered_504() {
    let origin = Origin::silent();
    let setup = Setup::of(&[&origin]).backend("timeout.response = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    client.send(GET);
    let line = answered_late(&proxy, &mut client, 504, "server.response.timeout");
    assert_eq!(
        line.number("attempts"),
        1,
        "the server may have acted on it"
    );
    origin.wait_for_end_of(0);
    assert_eq!(
        ask(&proxy, &mut client).status(),
        504,
        "the client's connection goes on"
    );
}

#[test]
fn half_a_head_is_no_answer() {
    let origin = Origin::scripted(|visit| {
        visit.request();
        visit.send("HTTP/1.1 200 OK\r\ncontent-le");
        visit.wait_for_end();
    });
    let setup = Setup::of(&[&origin]).backend("timeout.response = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    client.send(GET);
    answered_late(&proxy, &mut client, 504, "server.response.timeout");
}

#[test]
fn a_response_body_that_stops_is_cut() {
    for (head, body) in [
        ("content-length: 10", "hello"),
        ("transfer-encoding: chunked", "5\r\nhello\r\n"),
    ] {
        let origin = Origin::scripted(move |visit| {
            visit.request();
            visit.send(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}"));
            visit.wait_for_end();
        });
        let setup = Setup::of(&[&origin]).backend("timeout.body = \"300ms\"");
        let proxy = setup.start_paused();
        let mut client = proxy.client();
        client.send(GET).head();
        assert_eq!(client.bytes(body.len()), body.as_bytes());
        in_due_time(&proxy, &mut client);
        let (rest, _) = client.rest();
        assert!(rest.is_empty(), "it must not look whole: {rest:?}");
        assert_eq!(
            checked_line(&proxy, 200, "server.body.timeout").number("bytes_out"),
            5
        );
        origin.wait_for_end_of(0);
    }
}

#[test]
fn a_response_body_may_come_slowly() {
    let (next, is_next) = channel();
    let is_next = Mutex::new(is_next);
    let origin = Origin::scripted(move |visit| {
        visit.request();
        visit.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
        while let Ok(piece) = is_next.lock().expect("no thread panics with it").recv() {
            let piece: &str = piece;
            visit.send(piece);
        }
    });
    let setup = Setup::of(&[&origin]).backend("timeout.body = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    client.send(GET).head();
    for piece in ["h", "e", "l", "l", "o"] {
        proxy.advance(SLOWLY);
        next.send(piece).expect("it waits");
        assert_eq!(client.bytes(1), piece.as_bytes());
    }
    drop(next);
    assert_eq!(proxy.line().verdict(), (200, "-"));
}

#[test]
fn a_body_may_come_after_the_time_that_a_head_may_take() {
    let gate = Gate::default();
    let by_http1 = Origin::scripted({
        let gate = gate.clone();
        move |visit| {
            visit.request();
            visit.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            gate.pass();
            visit.send("2\r\nhi\r\n0\r\n\r\n");
        }
    });
    let by_http2 = Origin::scripted({
        let gate = gate.clone();
        move |visit| {
            let mut frames = Frames::begin(visit, &[]).expect("a connection");
            let stream = frames.request().expect("a request");
            frames.head(stream);
            gate.pass();
            frames.last(stream, b"hi");
            while frames.next().is_some() {}
        }
    });
    let start = |origin: &Origin, protocol: &str| {
        let lines = format!("protocol = \"{protocol}\"\ntimeout.response = \"300ms\"");
        let setup = Setup::of(&[origin]).backend(&lines);
        let proxy = setup.start_paused();
        let mut client = proxy.client();
        client.send(GET).head();
        (proxy, client)
    };
    let both = [start(&by_http1, "h1"), start(&by_http2, "h2")];
    for (proxy, _) in &both {
        proxy.advance(2 * SHORT);
    }
    gate.open();
    for (proxy, mut client) in both {
        assert_eq!(client.bytes(7), b"2\r\nhi\r\n");
        assert_eq!(proxy.line().verdict(), (200, "-"));
    }
}

#[test]
fn an_exchange_is_answered_504_when_its_time_is_over() {
    let origin = Origin::silent();
    let setup = Setup::of(&[&origin]).frontend("timeout.exchange = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    client.send(GET);
    answered_late(&proxy, &mut client, 504, "exchange.timeout");
}

#[test]
fn an_exchange_whose_answer_has_begun_is_cut_when_its_time_is_over() {
    const CHUNK: &str = "1\r\nx\r\n";
    let (next, is_next) = channel();
    let is_next = Mutex::new(is_next);
    let origin = Origin::scripted(move |visit| {
        visit.request();
        visit.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        while is_next.lock().expect("no thread panics with it").recv() == Ok(())
            && visit.send(CHUNK)
        {}
    });
    let setup = Setup::of(&[&origin]).frontend("timeout.exchange = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    client.send(GET).head();
    // Also if it comes steadily.
    let mut passed = Duration::ZERO;
    while !client.hears() {
        // It may have been cut just now.
        let _ = next.send(());
        let _ = client.try_bytes(CHUNK.len());
        proxy.advance(SHORT / 6);
        passed += SHORT / 6;
    }
    assert!(passed >= SHORT, "{passed:?}");
    let (rest, _) = client.rest();
    assert!(rest.is_empty(), "it must not look whole: {rest:?}");
    checked_line(&proxy, 200, "exchange.timeout");
}

#[test]
fn an_exchange_within_its_time_is_left_alone() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).frontend("timeout.exchange = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    for _ in 0..4 {
        assert_eq!(client.get("/").text(), "a");
        proxy.advance(SLOWLY);
    }
}

// The queue.

/// One server that takes one exchange and is busy with it until the gate opens.
fn busy(settings: &str) -> (Origin, Proxy, Gate, Client) {
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let address = origin.address();
    let server = format!("{{ address = \"{address}\", max_connections = 1 }}");
    let proxy = Setup::servers([server]).backend(settings).start_paused();
    let mut first = proxy.client();
    first.send(GET);
    origin.wait_for_requests(1);
    (origin, proxy, gate, first)
}

#[test]
fn a_slot_that_does_not_come_free_is_answered_503() {
    let (_origin, proxy, gate, mut first) = busy("timeout.queue = \"300ms\"");
    let mut client = proxy.client();
    client.send(GET);
    let line = answered_late(&proxy, &mut client, 503, "queue.timeout");
    assert_eq!(line.number("attempts"), 0);
    let queued = line.0["times_ms"]["queue"].as_f64().expect("it waited");
    assert!(queued >= 280.0, "{queued}");
    gate.open();
    assert_eq!(first.response().text(), "ok");
}

#[test]
fn a_request_that_one_server_refused_does_not_wait_for_a_slot_at_another() {
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let (busy, refusing) = (origin.address(), RefusingAddress::new());
    let servers = [
        format!("{{ address = \"{busy}\", max_connections = 1 }}"),
        format!("\"{}\"", refusing.address()),
    ];
    let proxy = Setup::servers(servers).workers(1).start_paused();
    let mut first = proxy.client();
    first.send(GET);
    origin.wait_for_requests(1);
    // The clock stands still, so it does not wait. Nor does it end up at the same server again.
    assert_eq!(proxy.get("/").reason(), "server.connect.refused");
    assert_eq!(proxy.line().number("attempts"), 1);
    gate.open();
    assert_eq!(first.response().text(), "ok");
}

#[test]
fn one_more_than_the_queue_holds_is_answered_503_at_once() {
    let (_origin, proxy, gate, mut first) = busy("queue.max = 1");
    let mut second = proxy.client();
    second.send(GET);
    proxy.wait_for_metric("evenkeel_backend_queue_length", &[("backend", "app")], 1.0);
    // The clock stands still, so it does not wait.
    let response = proxy.get("/");
    assert_eq!(
        (response.status(), response.reason().as_str()),
        (503, "queue.full")
    );
    checked_line(&proxy, 503, "queue.full");
    gate.open();
    assert_eq!(first.response().text(), "ok");
    assert_eq!(second.response().text(), "ok");
}

#[test]
fn without_a_queue_no_exchange_waits() {
    let (_origin, proxy, gate, _first) = busy("queue.max = 0");
    assert_eq!(proxy.get("/").reason(), "queue.full");
    gate.open();
}

// Invalid answers.

/// Checks that a server which does this makes the client read this status.
#[track_caller]
fn bad(answer: &'static str, reason: &str) {
    let origin = Origin::answering_once(answer);
    let proxy = Setup::of(&[&origin]).start();
    let response = proxy.get("/");
    assert_eq!(response.status(), 502, "{answer:?}");
    assert_eq!(response.reason(), reason, "{answer:?}");
    checked_line(&proxy, 502, reason);
    let faults = proxy.metric("evenkeel_attempt_faults_total", &[("reason", reason)]);
    assert_eq!(faults, 1.0, "{answer:?}");
}

#[test]
fn an_invalid_answer_becomes_502() {
    let answers = [
        "nonsense\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 99 Low\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad field\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\x00b\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\nhello",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
    ];
    for answer in answers {
        bad(answer, "server.response.malformed");
    }
}

#[test]
fn a_coding_of_a_server_that_we_do_not_know_is_answered_502() {
    bad(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "server.response.malformed",
    );
}

#[test]
fn no_answer_is_answered_502() {
    for answer in ["", "HTTP/1.1 200 OK\r\ncontent-len"] {
        bad(answer, "server.response.empty");
    }
}

#[test]
fn a_response_head_over_the_limit_is_answered_502() {
    let field = |size: usize| {
        let bare = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: \r\n\r\n".len();
        let value = "x".repeat(size - bare);
        format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: {value}\r\n\r\n")
    };
    let limited = |answer: String, limits: &str| {
        let origin = Origin::answering(answer);
        let proxy = Setup::of(&[&origin]).backend(limits).start();
        proxy.get("/").status()
    };
    let limits = "limits.head = \"8KiB\"";
    assert_eq!(limited(field(8 << 10), limits), 200);
    assert_eq!(limited(field((8 << 10) + 1), limits), 502);
    let fields = |count: usize| {
        let fields = "x: y\r\n".repeat(count - 1);
        format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{fields}\r\n")
    };
    for (limits, limit) in [("", 100), ("limits.fields = 12", 12)] {
        assert_eq!(limited(fields(limit), limits), 200, "{limit}");
        assert_eq!(limited(fields(limit + 1), limits), 502, "{limit}");
    }
}

/// Checks that a client can see that the body of this answer is incomplete.
#[track_caller]
fn cut(answer: &'static str, reason: &str) {
    let origin = Origin::answering_once(format!("HTTP/1.1 200 OK\r\n{answer}"));
    let proxy = Setup::of(&[&origin]).start();
    let response = proxy.client().send(GET).try_response();
    assert!(response.is_err(), "{response:?}");
    checked_line(&proxy, 200, reason);
}

#[test]
fn a_body_that_ends_early_is_cut() {
    cut("content-length: 10\r\n\r\nhello", "server.body.incomplete");
    cut(
        "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "server.body.incomplete",
    );
    cut(
        "transfer-encoding: chunked\r\n\r\n5\r\nhel",
        "server.body.incomplete",
    );
}

#[test]
fn a_body_that_is_not_framed_as_it_says_is_cut() {
    cut(
        "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
        "server.body.malformed",
    );
    cut(
        "transfer-encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
        "server.body.malformed",
    );
}

#[test]
fn bytes_after_an_answer_are_no_answer_to_the_next_request() {
    let origin = Origin::scripted(|visit| {
        if visit.request().is_some() {
            let theirs = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged";
            visit.send([OK, theirs.as_bytes()].concat());
            visit.wait_for_end();
        }
    });
    let proxy = Setup::of(&[&origin]).workers(1).start();
    let mut client = proxy.client();
    for _ in 0..3 {
        assert_eq!(client.get("/").text(), "ok");
    }
    assert_eq!(origin.connections(), 3, "none is used again");
}

#[test]
fn a_backend_without_a_server_is_answered_503_with_a_time_to_come_again() {
    let origin = Origin::named("a");
    let server = format!("{{ address = \"{}\", weight = 0 }}", origin.address());
    let proxy = Setup::servers([server]).start();
    let response = proxy.get("/");
    assert_eq!(
        (response.status(), response.reason().as_str()),
        (503, "backend.no_server")
    );
    assert_eq!(response.field("retry-after"), Some("2"));
    checked_line(&proxy, 503, "backend.no_server");
    assert_eq!(origin.connections(), 0);
}

#[test]
fn deadlines_can_be_changed_while_a_connection_is_open() {
    let origin = Origin::silent();
    let setup = Setup::of(&[&origin]);
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    client.send("GET /slow HTTP/1.1\r\nhost: test\r\n\r\n");
    origin.wait_for_requests(1);
    proxy.apply(&setup.clone().backend("timeout.response = \"300ms\""));
    let mut later = proxy.client();
    later.send(GET);
    in_due_time(&proxy, &mut later);
    assert_eq!(later.response().status(), 504);
    assert!(!client.hears());
    assert_eq!(
        until("one line", || Some(proxy.lines())
            .filter(|lines| !lines.is_empty()))
        .len(),
        1
    );
}

#[test]
fn an_open_connection_has_the_time_that_a_reload_gives_it_from_its_next_request_on() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]);
    let with = |time: &str| {
        let line = format!("timeout.keep_alive = \"{time}\"");
        setup.clone().frontend(&line)
    };
    let proxy = with("1h").start_paused();
    let mut client = proxy.client();
    assert_eq!(client.get("/").text(), "a");
    proxy.apply(&with("300ms"));
    assert_eq!(client.get("/").text(), "a");
    in_due_time(&proxy, &mut client);
    client.is_closed();
}

#[test]
fn a_client_that_keeps_sending_is_not_late_while_the_server_takes_nothing() {
    const CHUNK: [u8; 15 << 10] = [b'x'; 15 << 10];
    let gate = Gate::default();
    let server_gate = gate.clone();
    let origin = Origin::scripted(move |visit| {
        server_gate.pass();
        while visit.serve("a") {}
    });
    let proxy = Setup::of(&[&origin])
        .frontend("timeout.body = \"300ms\"")
        .start_paused();
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n");
    let chunk = [format!("{:x}\r\n", CHUNK.len()).as_bytes(), &CHUNK, b"\r\n"].concat();
    // Each is read from the socket before the next one is sent, so that the client is waited for
    // when the server takes no more.
    loop {
        client.send(&chunk);
        proxy.advance(SLOWLY);
        assert!(!client.hears(), "{}", client.response().head);
        if client.unread_bytes() > 0 {
            break;
        }
    }
    for _ in 0..10 {
        client.send("1\r\nx\r\n");
        proxy.advance(SLOWLY);
        assert!(!client.hears(), "{}", client.response().head);
    }
    gate.open();
    client.send("0\r\n\r\n");
    assert_eq!(client.response().status(), 200);
}
