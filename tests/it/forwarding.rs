//! Forwarding: which parts of messages pass, in which form, and which fields are added or removed.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::rig::{Client, Ending, Gate, Http2, Message, OK, Origin, Proxy, Setup, until};

/// A proxy for one server `origin`.
fn before(origin: &Origin) -> Proxy {
    Setup::of(&[origin]).start()
}

/// The same, with a client of it.
fn client_before(origin: &Origin) -> (Proxy, Client) {
    let proxy = before(origin);
    let client = proxy.client();
    (proxy, client)
}

/// The request as the server sees it, with these lines after the request line and `Host`.
fn seen_with(setup: impl Fn(Setup) -> Setup, lines: &str) -> Message {
    let origin = Origin::answering(OK);
    let proxy = setup(Setup::of(&[&origin])).start();
    let response = proxy.ask(format!("GET / HTTP/1.1\r\nHost: test\r\n{lines}\r\n"));
    assert_eq!(response.status(), 200, "{}", response.text());
    origin.request()
}

fn seen(lines: &str) -> Message {
    seen_with(|setup| setup, lines)
}

/// The answer that the client gets if the server's answer is these bytes.
fn answered(bytes: &str) -> Message {
    let origin = Origin::answering(bytes);
    before(&origin).get("/")
}

// Methods and targets.

#[test]
fn every_method_is_passed_on() {
    let origin = Origin::named("a");
    let (_proxy, mut client) = client_before(&origin);
    let methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PURGE"];
    for method in methods {
        let request = format!("{method} /m HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(client.ask(request).text(), "a", "{method}");
    }
    let requests = origin.requests();
    let passed_on: Vec<&str> = requests.iter().map(Message::method).collect();
    assert_eq!(passed_on, methods);
}

#[test]
fn the_target_is_forwarded_as_it_was_received() {
    let origin = Origin::named("a");
    let (_proxy, mut client) = client_before(&origin);
    let targets = [
        "/",
        "/a%2Fb%2fc",
        "//double//slash/",
        "/semi;colon=1;x/y",
        "/q?",
        "/q?a=b&&c=%zz;?/",
        "/%7Euser/%41",
        "/!$&'()*+,;=:@-._~",
        "/plus+and%20space",
        "/%",
        "/[brackets]|pipe{brace}",
    ];
    for target in targets {
        assert_eq!(client.get(target).status(), 200, "{target}");
    }
    let requests = origin.requests();
    let passed_on: Vec<&str> = requests.iter().map(Message::target).collect();
    assert_eq!(passed_on, targets);
}

#[test]
fn an_absolute_target_becomes_one_in_origin_form() {
    let origin = Origin::named("a");
    let request = "GET http://test/a%2Fb?c HTTP/1.1\r\nHost: test\r\n\r\n";
    assert_eq!(before(&origin).ask(request).status(), 200);
    assert_eq!(origin.request().start, "GET /a%2Fb?c HTTP/1.1");
    assert_eq!(origin.request().field("host"), Some("test"));
}

#[test]
fn a_target_without_a_path_went_out_as_two_spaces() {
    let origin = Origin::named("a");
    let (_proxy, mut client) = client_before(&origin);
    for (target, path) in [
        ("http://test", "/"),
        ("http://test?", "/?"),
        ("http://test?q=1", "/?q=1"),
        ("http://test/?q=1", "/?q=1"),
        ("http://test?q=1#x", "/?q=1"),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nhost: test\r\n\r\n");
        assert_eq!(client.ask(request).text(), "a", "{target}");
        let requests = origin.requests();
        assert_eq!(requests.last().expect("one").target(), path, "{target}");
    }
}

#[test]
fn options_of_the_server_itself_is_passed_on() {
    let origin = Origin::named("a");
    let request = "OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n";
    assert_eq!(before(&origin).ask(request).status(), 200);
    assert_eq!(origin.request().target(), "*");
}

// Bodies.

#[test]
fn a_sized_request_body_arrives_with_its_length() {
    let origin = Origin::named("a");
    let request = "POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\n\r\nhello";
    assert_eq!(before(&origin).ask(request).text(), "hello");
    let request = origin.request();
    assert_eq!(request.field("content-length"), Some("5"));
    assert_eq!(request.field("transfer-encoding"), None);
}

#[test]
fn a_chunked_request_body_arrives_chunked() {
    let origin = Origin::named("a");
    let request = "POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n\
                   5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
    assert_eq!(before(&origin).ask(request).text(), "hello world");
    let request = origin.request();
    assert_eq!(request.field("transfer-encoding"), Some("chunked"));
    assert_eq!(request.field("content-length"), None);
    assert!(
        !origin.received(0).contains("ext=1"),
        "extensions are for one hop"
    );
}

#[test]
fn a_get_may_have_a_body_too() {
    let origin = Origin::named("a");
    let sized = "GET /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 2\r\n\r\nhi";
    assert_eq!(before(&origin).ask(sized).text(), "hi");
    let chunked = "GET /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n\
                   2\r\nhi\r\n0\r\n\r\n";
    assert_eq!(before(&origin).ask(chunked).text(), "hi");
}

#[test]
fn a_sized_response_keeps_its_length() {
    let response = answered("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(response.text(), "hello");
    assert_eq!(response.field("content-length"), Some("5"));
    assert_eq!(response.field("transfer-encoding"), None);
}

#[test]
fn a_chunked_response_stays_chunked() {
    let response = answered(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
    );
    assert_eq!(response.text(), "hello!");
    assert_eq!(response.field("transfer-encoding"), Some("chunked"));
    assert_eq!(response.field("content-length"), None);
}

#[test]
fn an_answer_with_two_ends_is_refused() {
    let response = answered(
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n\
         5\r\nhello\r\n0\r\n\r\n",
    );
    assert_eq!(response.reason(), "server.response.malformed");
}

#[test]
fn bytes_after_an_interim_response_with_a_length_are_no_answer_to_the_next_request() {
    let origin = Origin::scripted(|visit| {
        while visit.request().is_some() {
            visit.send("HTTP/1.1 103 Early Hints\r\ncontent-length: 5\r\n\r\n");
            visit.send(OK);
        }
    });
    let (_proxy, mut client) = client_before(&origin);
    for visits in 1..4 {
        client.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n");
        assert_eq!(client.responses().1.text(), "ok");
        assert_eq!(origin.connections(), visits);
    }
}

#[test]
fn bytes_after_a_204_that_announces_a_body_are_no_answer_to_the_next_request() {
    for field in [
        "content-length: 42",
        "content-length: x",
        "transfer-encoding: chunked",
    ] {
        let origin = Origin::scripted(move |visit| {
            while visit.request().is_some() {
                // The announced body, or bytes that an attacker wants to be taken for the next
                // answer.
                visit.send(format!("HTTP/1.1 204 No Content\r\n{field}\r\n\r\n"));
            }
        });
        let (_proxy, mut client) = client_before(&origin);
        for visits in 1..4 {
            let response = client.get("/");
            assert_eq!((response.status(), response.text()), (204, String::new()));
            assert_eq!(origin.connections(), visits, "{field}");
        }
    }
}

#[test]
fn a_response_that_ends_with_its_connection_is_whole_and_the_client_stays() {
    let origin = Origin::answering_once("HTTP/1.1 200 OK\r\n\r\nuntil the end");
    let (_proxy, mut client) = client_before(&origin);
    for _ in 0..2 {
        let response = client.get("/");
        assert_eq!(response.text(), "until the end");
        assert_eq!(response.field("transfer-encoding"), Some("chunked"));
    }
}

#[test]
fn bodies_stream_piece_by_piece_both_ways() {
    let origin = Origin::scripted(|visit| {
        let head = visit.head().expect("a request");
        assert_eq!(head.field("transfer-encoding"), Some("chunked"));
        visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        // Each piece is answered before the next one is sent.
        for piece in ["one", "two"] {
            let chunk = format!("3\r\n{piece}\r\n");
            assert_eq!(visit.bytes(8), Some(chunk.clone().into_bytes()));
            visit.send(chunk);
        }
        visit.send("0\r\n\r\n");
        visit.wait_for_end();
    });
    let (_proxy, mut client) = client_before(&origin);
    client.send("POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n");
    assert_eq!(client.head().status(), 200);
    for chunk in ["3\r\none\r\n", "3\r\ntwo\r\n"] {
        client.send(chunk);
        assert_eq!(client.bytes(chunk.len()), chunk.as_bytes());
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.bytes(5), b"0\r\n\r\n");
}

const LARGE: usize = 50 << 20;

/// More than any kernel keeps for two connections, and much less than `LARGE`.
const IN_BETWEEN: usize = 25 << 20;

/// The value of `counter` when it has not changed for half a second.
fn settled(counter: &AtomicUsize) -> usize {
    let mut last = (counter.load(Ordering::SeqCst), Instant::now());
    until("a standstill", || {
        let now = counter.load(Ordering::SeqCst);
        if now != last.0 || now == 0 {
            last = (now, Instant::now());
        }
        (last.1.elapsed() > Duration::from_millis(500)).then_some(now)
    })
}

#[test]
fn a_client_that_does_not_read_holds_the_server_back() {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let origin = Origin::scripted(move |visit| {
        visit.request();
        visit.send(format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n"
        ));
        let piece = [b'x'; 64 << 10];
        while count.load(Ordering::SeqCst) < LARGE && visit.send(piece) {
            count.fetch_add(piece.len(), Ordering::SeqCst);
        }
    });
    let proxy = before(&origin);
    let mut client = Client::connect_narrow(proxy.address());
    client.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n");
    let stalled_at = settled(&sent);
    assert!(stalled_at < IN_BETWEEN, "{stalled_at} bytes were taken in");
    assert_eq!(client.response().body.len(), LARGE);
}

#[test]
fn a_server_that_does_not_read_holds_the_client_back() {
    let gate = Gate::default();
    let opened = gate.clone();
    let origin = Origin::scripted(move |visit| {
        visit.narrow();
        let head = visit.head().expect("a request");
        opened.pass();
        let request = visit.body(head).expect("all of it");
        visit.send(OK);
        assert_eq!(request.body.len(), LARGE);
    });
    let proxy = before(&origin);
    let mut client = proxy.client();
    client.narrow_sending();
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let sending = std::thread::spawn(move || {
        client.send(format!(
            "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: {LARGE}\r\n\r\n"
        ));
        let piece = [b'x'; 64 << 10];
        while count.load(Ordering::SeqCst) < LARGE {
            client.send(piece);
            count.fetch_add(piece.len(), Ordering::SeqCst);
        }
        client.response()
    });
    let stalled_at = settled(&sent);
    assert!(stalled_at < IN_BETWEEN, "{stalled_at} bytes were taken in");
    gate.open();
    assert_eq!(sending.join().expect("no panic").text(), "ok");
    assert_eq!(origin.request().body.len(), LARGE);
}

// Trailers.

#[test]
fn trailers_of_a_request_are_passed_on() {
    let origin = Origin::named("a");
    let request = "POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\
                   trailer: x-sum\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 42\r\n\r\n";
    assert_eq!(before(&origin).ask(request).text(), "hi");
    let request = origin.request();
    assert_eq!(request.field("trailer"), Some("x-sum"));
    assert_eq!(request.trailers, [("x-sum".to_owned(), "42".to_owned())]);
}

const WITH_TRAILERS: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n\
                             2\r\nhi\r\n0\r\nx-sum: 42\r\n\r\n";

#[test]
fn trailers_of_a_response_reach_a_client_that_takes_them() {
    let origin = Origin::answering(WITH_TRAILERS);
    let request = "GET / HTTP/1.1\r\nhost: test\r\nte: trailers\r\nconnection: te\r\n\r\n";
    let response = before(&origin).ask(request);
    assert_eq!(response.text(), "hi");
    assert_eq!(response.field("trailer"), Some("x-sum"));
    assert_eq!(response.trailers, [("x-sum".to_owned(), "42".to_owned())]);
    assert_eq!(origin.request().field("te"), Some("trailers"));
}

#[test]
fn a_client_that_takes_trailers_did_not_get_those_that_no_field_had_announced() {
    let origin = Origin::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
         2\r\nhi\r\n0\r\nx-sum: 42\r\ncontent-length: 7\r\nhost: x\r\n\r\n",
    );
    let proxy = Setup::of(&[&origin]).start();
    let mut client = proxy.client();
    for _ in 0..2 {
        let response =
            client.ask("GET / HTTP/1.1\r\nhost: test\r\nte: trailers\r\nconnection: te\r\n\r\n");
        // None that would be read as another part of the message.
        assert_eq!(response.trailers, [("x-sum".to_owned(), "42".to_owned())]);
    }
}

#[test]
fn a_response_with_trailers_is_whole_for_a_client_that_takes_none() {
    let response = answered(WITH_TRAILERS);
    assert_eq!(response.text(), "hi");
    assert!(response.trailers.is_empty(), "{:?}", response.trailers);
}

#[test]
fn names_of_trailers_are_written_as_those_of_fields() {
    let origin = Origin::answering(WITH_TRAILERS);
    for (case, expected) in [
        ("lower", "\r\nx-sum: 42\r\n"),
        ("title", "\r\nX-Sum: 42\r\n"),
    ] {
        let case = format!("header_case = \"{case}\"");
        let proxy = Setup::of(&[&origin]).frontend(&case).start();
        let mut client = proxy.client();
        client
            .send("GET / HTTP/1.1\r\nhost: test\r\nte: trailers\r\nconnection: te, close\r\n\r\n");
        let (answer, _) = client.rest();
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.ends_with(&format!("0{expected}\r\n")), "{answer}");
    }
}

// Expect.

const EXPECTING: &str = "POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\n\
                         expect: 100-continue\r\n\r\n";

#[test]
fn a_client_gets_100_when_the_server_sends_it() {
    let origin = Origin::named("a");
    let (_proxy, mut client) = client_before(&origin);
    assert_eq!(client.ask(EXPECTING).status(), 100);
    assert_eq!(client.ask("hello").text(), "hello");
    assert_eq!(origin.request().field("expect"), Some("100-continue"));
    assert_eq!(client.get("/again").text(), "a");
}

#[test]
fn a_client_gets_100_when_the_server_sends_nothing_for_a_second() {
    let origin = Origin::answering(OK);
    let began = Instant::now();
    let (_proxy, mut client) = client_before(&origin);
    assert_eq!(client.ask(EXPECTING).status(), 100);
    let waited = began.elapsed();
    assert!(waited > Duration::from_millis(950), "{waited:?}");
    assert_eq!(client.ask("hello").text(), "ok");
    assert_eq!(origin.request().text(), "hello");
}

#[test]
fn a_final_answer_to_an_expectation_is_not_preceded_by_go_on() {
    let origin = Origin::scripted(|visit| {
        visit.head();
        visit.send("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno");
        visit.wait_for_end();
    });
    let (_proxy, mut client) = client_before(&origin);
    let response = client.ask(EXPECTING);
    assert_eq!((response.status(), response.text().as_str()), (403, "no"));
    assert_eq!(response.field("connection"), Some("close"));
    client.is_closed();
    origin.wait_for_end_of(0);
    assert!(
        origin.received(0).ends_with("\r\n\r\n"),
        "no body was sent on"
    );
}

#[test]
fn a_body_that_did_not_wait_is_held_back_until_the_server_says_go_on() {
    let origin = Origin::scripted(|visit| {
        let head = visit.head().expect("a request");
        assert!(visit.is_quiet_for(Duration::from_millis(200)));
        visit.send("HTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(visit.body(head).expect("the body").text(), "hello");
        visit.send(OK);
    });
    let (_proxy, mut client) = client_before(&origin);
    client.send(format!("{EXPECTING}hello"));
    let mut response = client.response();
    if response.status() == 100 {
        response = client.response();
    }
    assert_eq!(response.text(), "ok");
}

#[test]
fn an_old_client_is_not_sent_100() {
    let origin = Origin::named("a");
    let (_proxy, mut client) = client_before(&origin);
    // HTTP/1.0 has no interim responses: this would be taken for the answer.
    let request = EXPECTING.replace("HTTP/1.1", "HTTP/1.0");
    let response = client.ask(request + "hello");
    assert_eq!(
        (response.status(), response.text().as_str()),
        (200, "hello")
    );
}

#[test]
fn an_expectation_without_a_body_is_no_expectation() {
    let request = seen("expect: 100-continue\r\n");
    assert_eq!(request.field("expect"), None);
}

// Responses without a body.

#[test]
fn a_response_to_head_has_a_length_and_no_body() {
    let origin = Origin::answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
    let (_proxy, mut client) = client_before(&origin);
    for _ in 0..2 {
        client.send("HEAD / HTTP/1.1\r\nhost: test\r\n\r\n");
        let response = client.response_to_head();
        assert_eq!(response.field("content-length"), Some("10"));
    }
    assert_eq!(
        origin.connections(),
        1,
        "the server's connection stays usable"
    );
}

#[test]
fn an_answer_without_a_date_gets_the_present_one() {
    let origin = Origin::named("a");
    let (_proxy, mut client) = client_before(&origin);
    let before = SystemTime::now() - Duration::from_secs(2);
    let response = client.get("/");
    let date = response.field("date").expect("RFC 9110 section 6.6.1");
    let date = httpdate::parse_http_date(date).expect("a date");
    assert!((before..=SystemTime::now()).contains(&date), "{date:?}");
}

#[test]
fn statuses_without_a_body_leave_the_connection_usable() {
    let answers = [
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 5\r\n\r\n",
    ];
    for answer in answers {
        let origin = Origin::answering(answer);
        let (_proxy, mut client) = client_before(&origin);
        for _ in 0..3 {
            let response = client.get("/");
            assert_eq!(answer[9..12], response.status().to_string());
            assert_eq!(response.field("transfer-encoding"), None, "{answer}");
            // Of a 304 it is the length that a 200 would have.
            let length = answer.contains("Content-Length").then_some("5");
            assert_eq!(response.field("content-length"), length, "{answer}");
        }
        assert_eq!(origin.connections(), 1, "{answer}");
    }
}

#[test]
fn interim_answers_of_a_server_break_nothing() {
    let origin = Origin::answering(
        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    );
    let (_proxy, mut client) = client_before(&origin);
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n");
        let (interims, response) = client.responses();
        let passed: Vec<u16> = interims.iter().map(Message::status).collect();
        assert_eq!(passed, [103, 102]);
        assert_eq!((response.status(), response.text().as_str()), (200, "ok"));
    }
}

// Order and time.

#[test]
fn an_answer_may_come_before_the_request_has_ended() {
    let origin = Origin::scripted(|visit| {
        let head = visit.head().expect("a request");
        visit.send(OK);
        visit.body(head);
    });
    let (proxy, mut client) = client_before(&origin);
    client.send("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\n\r\n");
    assert_eq!(client.response().text(), "ok");
    // The server still waits for the rest: the next request must not be taken for it.
    assert_eq!(proxy.get("/").text(), "ok");
    assert_eq!(origin.connections(), 2);
}

#[test]
fn a_server_that_stops_reading_still_reaches_a_client_that_sends() {
    let origin = Origin::scripted(|visit| {
        visit.head();
        visit.send(
            "HTTP/1.1 413 Content Too Large\r\nconnection: close\r\ncontent-length: 6\r\n\r\nenough",
        );
        visit.half_close();
        visit.wait_for_end();
    });
    let (_proxy, mut client) = client_before(&origin);
    client.send("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 200000\r\n\r\n");
    client.send([b'x'; 100_000]);
    let response = client.response();
    assert_eq!(
        (response.status(), response.text().as_str()),
        (413, "enough")
    );
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let origin = Origin::named("a");
    let (_proxy, mut client) = client_before(&origin);
    let request = |number: usize| {
        format!("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\n\r\n{number:03}")
    };
    let all: String = (0..50).map(request).collect();
    client.send(all);
    for number in 0..50 {
        assert_eq!(client.response().text(), format!("{number:03}"));
    }
    client.is_quiet_for(Duration::from_millis(50));
}

// HTTP/1.0.

#[test]
fn an_old_client_is_answered_and_its_connection_closed() {
    let origin = Origin::named("a");
    let (_proxy, mut client) = client_before(&origin);
    let response = client.ask("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(response.text(), "a");
    client.is_closed();
    let request = origin.request();
    assert_eq!(request.start, "GET / HTTP/1.1");
    let address = origin.address().to_string();
    assert_eq!(request.field("host"), Some(address.as_str()));
}

#[test]
fn an_old_client_may_ask_to_stay() {
    let origin = Origin::named("a");
    let (_proxy, mut client) = client_before(&origin);
    for _ in 0..2 {
        let response = client.ask("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
        assert_eq!(response.text(), "a");
        assert_eq!(response.field("connection"), Some("keep-alive"));
    }
}

#[test]
fn an_old_client_is_never_sent_chunks() {
    let origin = Origin::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    );
    let (_proxy, mut client) = client_before(&origin);
    let request = "GET / HTTP/1.0\r\nhost: test\r\nconnection: keep-alive\r\n\r\n";
    let response = client.ask(request);
    assert_eq!(response.field("transfer-encoding"), None);
    assert_eq!(response.text(), "hello");
}

#[test]
fn an_old_server_is_understood() {
    let origin = Origin::answering_once("HTTP/1.0 200 OK\r\n\r\nold");
    let response = before(&origin).get("/");
    assert_eq!(response.start, "HTTP/1.1 200 OK");
    assert_eq!(response.text(), "old");
}

// Fields.

#[test]
fn fields_are_passed_on_in_full() {
    let request = seen("X-One: 1\r\nAccept: a, b\r\nAccept: c\r\nX-Empty:\r\nX-High: \u{e9}\r\n");
    assert_eq!(request.field("host"), Some("test"));
    assert_eq!(request.field("x-one"), Some("1"));
    assert_eq!(request.values("accept"), ["a, b", "c"]);
    assert_eq!(request.field("x-empty"), Some(""));
    assert_eq!(request.field("x-high"), Some("\u{e9}"));
    let response = answered(
        "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(response.values("set-cookie"), ["a=1", "b=2"]);
}

#[test]
fn fields_for_one_hop_are_not_passed_on() {
    let request = seen(
        "Connection: keep-alive, X-Mine, close\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\n\
         Proxy-Connection: keep-alive\r\nUpgrade: websocket\r\nTE: gzip\r\nX-Yours: 2\r\n",
    );
    for gone in [
        "connection",
        "x-mine",
        "keep-alive",
        "proxy-connection",
        "upgrade",
        "te",
    ] {
        assert_eq!(request.field(gone), None, "{gone}");
    }
    assert_eq!(request.field("x-yours"), Some("2"));
    let response = answered(
        "HTTP/1.1 200 OK\r\nConnection: X-Mine\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\n\
         Content-Length: 0\r\nX-Yours: 2\r\n\r\n",
    );
    for gone in ["connection", "x-mine", "keep-alive"] {
        assert_eq!(response.field(gone), None, "{gone}");
    }
    assert_eq!(response.field("x-yours"), Some("2"));
}

#[test]
fn connection_cannot_take_away_what_makes_the_request() {
    let request = seen(
        "Connection: Host, Authorization, Cookie, Content-Type, X-Forwarded-For, X-Request-Id\r\n\
         Authorization: Basic x\r\nCookie: a=b\r\nContent-Type: text/plain\r\n",
    );
    let kept = [
        "host",
        "authorization",
        "cookie",
        "content-type",
        "x-forwarded-for",
        "x-request-id",
    ];
    for kept in kept {
        assert!(request.field(kept).is_some(), "{kept}");
    }
}

#[test]
fn the_servers_date_and_name_are_kept() {
    let date = "Mon, 01 Jan 2001 00:00:00 GMT";
    let answer =
        format!("HTTP/1.1 200 OK\r\nDate: {date}\r\nServer: theirs\r\nContent-Length: 0\r\n\r\n");
    let response = answered(&answer);
    assert_eq!(response.field("date"), Some(date));
    assert_eq!(response.field("server"), Some("theirs"));
}

#[test]
fn the_reason_phrase_may_be_anything() {
    assert_eq!(
        answered("HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n").status(),
        299
    );
    assert_eq!(
        answered("HTTP/1.1 599 Odd One\r\nContent-Length: 0\r\n\r\n").status(),
        599
    );
}

#[test]
fn the_server_gets_the_address_of_the_client() {
    let request = seen("");
    assert_eq!(request.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(request.field("x-forwarded-proto"), Some("http"));
    assert_eq!(request.field("x-forwarded-host"), Some("test"));
    assert_eq!(request.field("forwarded"), None);
    assert_eq!(request.field("via"), None);
}

const CLAIMS: &str = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n\
                      X-Forwarded-Host: theirs\r\nForwarded: for=203.0.113.9\r\n";

#[test]
fn an_untrusted_peer_cannot_name_the_client() {
    let request = seen(CLAIMS);
    assert_eq!(request.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(request.field("x-forwarded-proto"), Some("http"));
    assert_eq!(request.field("x-forwarded-host"), Some("test"));
    assert_eq!(request.field("forwarded"), None);
}

#[test]
fn a_trusted_proxy_is_believed_and_added_to() {
    let trusting = |setup: Setup| setup.frontend("trusted_proxies = [\"127.0.0.0/8\"]");
    let request = seen_with(trusting, CLAIMS);
    assert_eq!(
        request.field("x-forwarded-for"),
        Some("203.0.113.9, 127.0.0.1")
    );
    assert_eq!(request.field("x-forwarded-proto"), Some("https"));
    assert_eq!(request.field("x-forwarded-host"), Some("theirs"));
}

#[test]
fn only_the_proxies_that_are_named_are_trusted() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).frontend("trusted_proxies = [\"127.0.0.2\"]");
    let proxy = setup.start();
    let request = format!("GET / HTTP/1.1\r\nHost: test\r\n{CLAIMS}\r\n");
    for (last, expected) in [(2, "203.0.113.9, 127.0.0.2"), (3, "127.0.0.3")] {
        let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
        Client::connect_from(from, proxy.address()).ask(&request);
        let requests = origin.requests();
        let request = requests.last().expect("one");
        assert_eq!(request.field("x-forwarded-for"), Some(expected));
    }
    let lines = proxy.wait_for_lines(2);
    for expected in ["203.0.113.9:", "127.0.0.3:"] {
        let is_there = lines
            .iter()
            .any(|line| line.text("client").starts_with(expected));
        assert!(is_there, "{lines:?}");
    }
}

#[test]
fn the_fields_about_the_client_can_be_configured() {
    let other = |setup: Setup| {
        setup.frontend("forwarding = { x_forwarded = false, forwarded = true, via = true }")
    };
    let request = seen_with(other, CLAIMS);
    for gone in ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"] {
        assert_eq!(request.field(gone), None, "{gone}");
    }
    let forwarded = request.field("forwarded").expect("it was asked for");
    assert_eq!(forwarded, "for=127.0.0.1;host=test;proto=http");
    assert_eq!(request.field("via"), Some("1.1 evenkeel"));
}

#[test]
fn responses_name_us_in_via_when_asked_to() {
    let origin = Origin::answering("HTTP/1.1 200 OK\r\nVia: 1.0 b\r\nContent-Length: 0\r\n\r\n");
    let proxy = Setup::of(&[&origin])
        .frontend("forwarding.via = true")
        .start();
    assert_eq!(proxy.get("/").values("via"), ["1.0 b", "1.1 evenkeel"]);
}

// The request's id.

#[test]
fn a_request_gets_an_id_that_server_and_log_share() {
    let origin = Origin::named("a");
    let (proxy, mut client) = client_before(&origin);
    client.get("/one");
    client.get("/two");
    let sent: Vec<String> = origin
        .requests()
        .iter()
        .map(|request| {
            request
                .field("x-request-id")
                .expect("it has one")
                .to_owned()
        })
        .collect();
    let lines = proxy.wait_for_lines(2);
    let logged: Vec<&str> = lines.iter().map(|line| line.text("request_id")).collect();
    assert_eq!(sent, logged);
    assert_ne!(sent[0], sent[1]);
}

fn id_sent_on(setup: impl Fn(Setup) -> Setup, id: &str) -> Option<String> {
    let request = seen_with(setup, &format!("x-request-id: {id}\r\n"));
    request.field("x-request-id").map(str::to_owned)
}

#[test]
fn an_id_is_taken_from_every_client_if_it_is_one() {
    let longest = "x".repeat(128);
    for id in ["abc-123", "!~", &longest] {
        assert_eq!(id_sent_on(|setup| setup, id).as_deref(), Some(id));
    }
    let longer = "x".repeat(129);
    for id in ["", "a b", "a\tb", "\u{e9}", &longer] {
        let made = id_sent_on(|setup| setup, id).expect("one of our own");
        assert_ne!(made, id);
        assert!(!made.is_empty() && made.len() <= 128, "{made}");
    }
}

#[test]
fn an_id_can_have_another_field_or_none() {
    let named = |setup: Setup| setup.frontend("request_id = \"x-trace\"");
    let request = seen_with(named, "");
    assert!(request.field("x-trace").is_some());
    assert_eq!(request.field("x-request-id"), None);
    let off = |setup: Setup| setup.frontend("request_id = \"off\"");
    assert_eq!(seen_with(off, "").field("x-request-id"), None);
}

// The case of names.

#[test]
fn names_are_small_unless_asked_for_otherwise() {
    let request = seen("X-CuStom: 1\r\n");
    assert!(
        request.head.contains("\r\nx-custom: 1\r\n"),
        "{}",
        request.head
    );
    let response = answered("HTTP/1.1 200 OK\r\nX-CuStom: 1\r\nContent-Length: 0\r\n\r\n");
    assert!(
        response.head.contains("\r\nx-custom: 1\r\n"),
        "{}",
        response.head
    );
}

#[test]
fn names_can_be_in_title_case_or_as_they_came() {
    let cases = [
        ("title", "X-Custom: 1", "Content-Length"),
        ("preserve", "X-CuStom: 1", "coNtent-leNgth"),
    ];
    for (case, expected, length) in cases {
        let origin =
            Origin::answering("HTTP/1.1 200 OK\r\nX-CuStom: 1\r\ncoNtent-leNgth: 0\r\n\r\n");
        let setup = Setup::of(&[&origin])
            .frontend(&format!("header_case = \"{case}\""))
            .backend(&format!("header_case = \"{case}\""));
        let proxy = setup.start();
        let response = proxy.ask("GET / HTTP/1.1\r\nhost: test\r\nX-CuStom: 1\r\n\r\n");
        let expected = format!("\r\n{expected}\r\n");
        assert!(
            response.head.contains(&expected),
            "{case}: {}",
            response.head
        );
        assert!(response.head.contains(length), "{case}: {}", response.head);
        let request = origin.request();
        assert!(request.head.contains(&expected), "{case}: {}", request.head);
    }
}

#[test]
fn the_case_of_names_is_chosen_for_each_side() {
    let origin = Origin::answering("HTTP/1.1 200 OK\r\nX-CuStom: 1\r\nContent-Length: 0\r\n\r\n");
    let setup = Setup::of(&[&origin]).backend("header_case = \"preserve\"");
    let response = setup
        .start()
        .ask("GET / HTTP/1.1\r\nhost: test\r\nX-CuStom: 1\r\n\r\n");
    assert!(
        response.head.contains("\r\nx-custom: 1\r\n"),
        "{}",
        response.head
    );
    let request = origin.request();
    assert!(
        request.head.contains("\r\nX-CuStom: 1\r\n"),
        "{}",
        request.head
    );
}

// Lengths.

#[test]
fn a_length_with_zeros_in_front_is_passed_on_without_them() {
    let origin = Origin::named("a");
    let (_proxy, mut client) = client_before(&origin);
    for (fields, length) in [
        ("content-length: 005\r\n", "5"),
        ("content-length: 5\r\ncontent-length: 05\r\n", "5"),
        ("content-length: 05\r\ncontent-length: 5\r\n", "5"),
    ] {
        let request = format!("POST /echo HTTP/1.1\r\nhost: test\r\n{fields}\r\nhello");
        assert_eq!(client.ask(request).text(), "hello", "{fields}");
        let requests = origin.requests();
        let passed_on = requests.last().expect("one").values("content-length");
        assert_eq!(passed_on, [length], "{fields}");
    }
}

/// What a client of HTTP/1 and one of HTTP/2 get with `method` when the server's answer has these
/// lines: the status, and the length if it is not our own answer.
fn length_by(method: &str, lines: &str) -> [(u16, Option<String>); 2] {
    let origin = Origin::answering(format!("HTTP/1.1 {lines}\r\n"));
    let proxy = before(&origin);
    let mut client = proxy.client();
    client.send(format!("{method} / HTTP/1.1\r\nhost: test\r\n\r\n"));
    let by_h1 = match method {
        "HEAD" => client.response_to_head(),
        _ => client.response(),
    };
    let mut client = Http2::connect(proxy.address());
    let request = client.request(method, "/");
    let by_h2 = client.ask(request).head().head;
    let statuses = [by_h1.status(), by_h2.status().as_u16()];
    for line in proxy.wait_for_lines(2) {
        let expected = if statuses[0] == 502 {
            "server.response.malformed"
        } else {
            "-"
        };
        assert_eq!(line.verdict(), (statuses[0].into(), expected), "{lines}");
    }
    let of_h2: Vec<_> = by_h2.headers().get_all("content-length").iter().collect();
    assert!(of_h2.len() <= 1, "{lines}");
    let of_h2 = of_h2
        .first()
        .map(|value| value.to_str().expect("text").to_owned());
    let of_h1 = by_h1.field("content-length").map(str::to_owned);
    let unless_own = |status: u16, length| (status, if status == 502 { None } else { length });
    [
        unless_own(statuses[0], of_h1),
        unless_own(statuses[1], of_h2),
    ]
}

#[test]
fn an_answer_to_head_with_its_length_twice_reset_the_client() {
    let length = |lines: &str| length_by("HEAD", &format!("200 OK\r\n{lines}"));
    for (lines, expected) in [
        ("content-length: 5\r\n", "5"),
        ("content-length: 5\r\ncontent-length: 5\r\n", "5"),
        ("content-length: 5, 5\r\n", "5"),
        ("content-length: 005\r\n", "5"),
        ("content-length: 00\r\n", "0"),
    ] {
        for got in length(lines) {
            assert_eq!(got, (200, Some(expected.to_owned())), "{lines}");
        }
    }
    for lines in [
        "content-length: +5\r\n",
        "content-length: 0x5\r\n",
        "content-length: 5,6\r\n",
        "content-length: \r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 18446744073709551616\r\n",
    ] {
        assert_eq!(length(lines), [(502, None), (502, None)], "{lines}");
    }
    let coded = |length: &str| format!("{length}transfer-encoding: chunked\r\n");
    assert_eq!(length(&coded("")), [(200, None), (200, None)]);
    let beside = coded("content-length: 5\r\n");
    assert_eq!(length(&beside), [(502, None), (502, None)]);
}

#[test]
fn an_answer_has_one_length_or_is_refused() {
    for length in ["05", "2, 2", "2\r\ncontent-length: 2"] {
        let lines = format!("200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n");
        let answer = answered(&format!("HTTP/1.1 {lines}\r\nhello"));
        let wanted = if length == "05" { "5" } else { "2" };
        assert_eq!(answer.field("content-length"), Some(wanted), "{length}");
    }
    for length in ["5, 6", "+5", "0x5", "", "5\r\ncontent-length: 6"] {
        let answer = answered(&format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\nhello"
        ));
        assert_eq!(answer.reason(), "server.response.malformed", "{length}");
    }
    // It is the length of the body of a GET.
    for got in length_by("GET", "304 Not Modified\r\ncontent-length: x\r\n") {
        assert_eq!(got.0, 502);
    }
    for got in length_by("HEAD", "204 No Content\r\ncontent-length: 5\r\n") {
        assert_eq!(got, (204, None));
    }
}

#[test]
fn an_answer_of_unknown_length_says_to_an_old_client_that_the_connection_closes() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    for connection in ["", "connection: keep-alive\r\n"] {
        let origin = Origin::answering(chunked);
        let proxy = before(&origin);
        let mut client = proxy.client();
        client.send(format!("GET / HTTP/1.0\r\nhost: test\r\n{connection}\r\n"));
        let (answer, ending) = client.rest();
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
        assert_eq!(ending, Ending::Closed);
    }
    // If the length is known, the connection stays open.
    let origin = Origin::named("a");
    let (_proxy, mut client) = client_before(&origin);
    for _ in 0..2 {
        let request = "GET / HTTP/1.0\r\nhost: test\r\nconnection: keep-alive\r\n\r\n";
        let answer = client.ask(request);
        assert_eq!(answer.text(), "a");
        assert_eq!(answer.field("connection"), Some("keep-alive"));
    }
}
