//! HTTP/2 towards clients: requests and answers, and their early ends.

use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::Reason;
use h2::client::Builder;
use http::{HeaderMap, HeaderValue};

use crate::rig::framed::{
    self as frames, DATA, END_HEADERS, END_STREAM, Framed, GOAWAY, HEADERS, NO_ERROR, PREFACE,
    REFUSED_STREAM, RST_STREAM,
};
use crate::rig::{
    Answer, Frames, Gate, Http2, Message, OK, Origin, Proxy, Setup, Way, until, while_for,
};

/// More than any window and any socket's buffer on the way.
const MUCH: usize = 3 << 20;

/// A proxy for one server `origin`.
fn before(origin: &Origin) -> Proxy {
    Setup::of(&[origin]).start()
}

/// The same, with a client of it.
#[track_caller]
fn client_before(origin: &Origin) -> (Proxy, Http2) {
    let proxy = before(origin);
    let client = Http2::connect(proxy.address());
    (proxy, client)
}

/// The request as the server sees it, with these fields.
#[track_caller]
fn seen_with(setup: impl Fn(Setup) -> Setup, fields: &[(&str, &str)]) -> Message {
    let origin = Origin::answering(OK);
    let proxy = setup(Setup::of(&[&origin])).start();
    let mut client = Http2::connect(proxy.address());
    let mut request = client.request("GET", "/");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    assert_eq!(client.ask(request).answer().status, 200);
    origin.request()
}

#[track_caller]
fn seen(fields: &[(&str, &str)]) -> Message {
    seen_with(|setup| setup, fields)
}

/// The answer that the client gets if the server's answer is these bytes.
#[track_caller]
fn answered(bytes: &str) -> Answer {
    let origin = Origin::answering(bytes);
    let (_proxy, mut client) = client_before(&origin);
    client.get("/")
}

/// Bytes that do not repeat soon.
fn patterned(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 251) as u8).collect()
}

// Heads.

#[test]
fn a_request_becomes_one_of_http_1() {
    let request = seen(&[("x-a", "1"), ("x-b", "2"), ("x-a", "3")]);
    assert_eq!(request.start, "GET / HTTP/1.1");
    let host = request.field("host").expect("a host");
    assert!(host.starts_with("127.0.0.1:"), "{host}");
    assert_eq!(request.values("x-a"), ["1", "3"]);
    assert_eq!(request.values("x-b"), ["2"]);
    for name in ["connection", "transfer-encoding", "content-length", "te"] {
        assert_eq!(request.field(name), None, "{name}");
    }
}

#[test]
fn the_authority_is_the_host_and_need_not_be_repeated() {
    let origin = Origin::answering(OK);
    let proxy = before(&origin);
    let mut client = Framed::connect(proxy.address());
    let mut head = frames::get();
    head.extend(frames::field("host", "TEST"));
    client.send(frames::frame(HEADERS, 5, 1, head));
    assert_eq!(client.status(1), 200);
    assert_eq!(origin.request().values("host"), ["TEST"]);
}

#[test]
fn a_host_without_an_authority_will_do() {
    let origin = Origin::answering(OK);
    let proxy = before(&origin);
    let mut client = Framed::connect(proxy.address());
    let head = frames::block([
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/a?b"),
        ("host", "elsewhere"),
    ]);
    client.send(frames::frame(HEADERS, 5, 1, head));
    assert_eq!(client.status(1), 200);
    let request = origin.request();
    assert_eq!(request.target(), "/a?b");
    assert_eq!(request.values("host"), ["elsewhere"]);
}

#[test]
fn cookies_are_joined() {
    let request = seen(&[("cookie", "a=1"), ("x", "y"), ("cookie", "b=2; c=3")]);
    assert_eq!(request.values("cookie"), ["a=1; b=2; c=3"]);
}

#[test]
fn the_server_gets_the_clients_address_and_protocol() {
    let request = seen(&[
        ("x-forwarded-for", "1.2.3.4"),
        ("x-forwarded-proto", "https"),
    ]);
    assert_eq!(request.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(request.field("x-forwarded-proto"), Some("http"));
    assert_eq!(
        request.field("x-forwarded-host"),
        request.field("host"),
        "{}",
        request.head
    );
}

#[test]
fn a_trusted_proxy_is_believed() {
    let trusting = |setup: Setup| setup.frontend("trusted_proxies = [\"127.0.0.1\"]");
    let request = seen_with(trusting, &[("x-forwarded-for", "1.2.3.4")]);
    assert_eq!(request.field("x-forwarded-for"), Some("1.2.3.4, 127.0.0.1"));
}

#[test]
fn a_server_gets_te_trailers_and_no_other_te() {
    assert_eq!(seen(&[("te", "trailers")]).values("te"), ["trailers"]);
}

#[test]
fn an_answers_fields_of_its_hop_are_not_passed_on() {
    let answer = answered(
        "HTTP/1.1 200 OK\r\nconnection: keep-alive, x-hop\r\nkeep-alive: timeout=5\r\nx-hop: 1\r\n\
         proxy-connection: x\r\nupgrade: h2c\r\nX-Kept: 2\r\nset-cookie: a\r\nset-cookie: b\r\n\
         content-length: 2\r\n\r\nok",
    );
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    for name in [
        "connection",
        "keep-alive",
        "x-hop",
        "proxy-connection",
        "upgrade",
    ] {
        assert_eq!(answer.field(name), None, "{name}");
    }
    assert_eq!(answer.field("x-kept"), Some("2"));
    assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2);
    assert_eq!(answer.field("content-length"), Some("2"));
    assert!(answer.field("date").is_some(), "RFC 9110 section 6.6.1");
}

#[test]
fn the_log_contains_the_version_of_http() {
    let origin = Origin::named("abc");
    let (proxy, mut client) = client_before(&origin);
    assert_eq!(client.post("/echo?x=1", "hello").text(), "hello");
    let line = proxy.line();
    assert_eq!(line.verdict(), (200, "-"));
    assert_eq!(line.text("version"), "HTTP/2");
    assert_eq!(line.text("method"), "POST");
    assert_eq!(line.text("target"), "/echo?x=1");
    assert_eq!(line.number("bytes_in"), 5);
    assert_eq!(line.number("bytes_out"), 5);
}

// Bodies.

#[test]
fn bodies_pass_byte_for_byte_both_ways() {
    let origin = Origin::named("a");
    let (_proxy, mut client) = client_before(&origin);
    let body = patterned(MUCH);
    let answer = client.post("/echo", body.clone());
    assert!(answer.body == body);
    assert!(origin.request().body == body);
}

#[test]
fn a_body_whose_length_is_known_arrives_with_it() {
    let origin = Origin::named("a");
    let (_proxy, mut client) = client_before(&origin);
    let request = client
        .request("POST", "/echo")
        .header("content-length", "5");
    let mut asked = client.begin(request);
    asked.send("he").send_last("llo");
    assert_eq!(asked.answer().text(), "hello");
    let request = origin.request();
    assert_eq!(request.field("content-length"), Some("5"));
    assert_eq!(request.field("transfer-encoding"), None);
}

#[test]
fn a_body_whose_length_is_unknown_arrives_in_chunks_whatever_the_method() {
    for method in ["POST", "GET", "DELETE"] {
        let origin = Origin::named("a");
        let (_proxy, mut client) = client_before(&origin);
        let request = client.request(method, "/echo");
        let mut asked = client.begin(request);
        asked.send("he").send("llo").send_last("");
        assert_eq!(asked.answer().text(), "hello", "{method}");
        let request = origin.request();
        assert_eq!(request.field("transfer-encoding"), Some("chunked"));
        assert_eq!(request.field("content-length"), None);
    }
}

#[test]
fn a_body_that_turns_out_empty_is_complete() {
    let origin = Origin::named("a");
    let (_proxy, mut client) = client_before(&origin);
    assert_eq!(client.post("/echo", "").text(), "");
}

#[test]
fn an_answer_of_unknown_length_is_passed_on() {
    let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\n\r\n";
    let answer = answered(chunked);
    assert_eq!(answer.text(), "ok!");
    assert_eq!(answer.field("transfer-encoding"), None);
    assert_eq!(answer.field("content-length"), None);
    let origin = Origin::answering_once("HTTP/1.1 200 OK\r\n\r\nuntil the end");
    let (_proxy, mut client) = client_before(&origin);
    assert_eq!(client.get("/").text(), "until the end");
    assert_eq!(client.get("/").text(), "until the end", "the client stays");
}

#[test]
fn bodies_stream_piece_by_piece_both_ways() {
    let origin = Origin::scripted(|visit| {
        visit.head();
        visit.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        for piece in ["one", "two", "three"] {
            let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
            let came = visit.bytes(chunk.len()).expect("a piece");
            assert_eq!(String::from_utf8_lossy(&came), chunk);
            visit.send(chunk);
        }
        visit.bytes("0\r\n\r\n".len());
        visit.send("0\r\n\r\n");
        visit.wait_for_end();
    });
    let (_proxy, mut client) = client_before(&origin);
    let request = client.request("POST", "/");
    let mut asked = client.begin(request);
    let mut coming = asked.head();
    for piece in ["one", "two", "three"] {
        asked.send(piece);
        let came = coming.piece().expect("more").expect("no error");
        assert_eq!(came, piece);
    }
    asked.send_last("");
    assert!(coming.rest().body.is_empty());
}

/// A piece that fills its frames is not held back for another, by the connection or by TLS.
#[test]
fn a_piece_as_large_as_a_frame_arrives_before_the_next_is_sent() {
    const FRAME: usize = 16 << 10;
    for way in [Way::Clear, Way::tls()] {
        let gate = Gate::default();
        let until_it_came = gate.clone();
        let origin = Origin::scripted(move |visit| {
            visit.request();
            visit.send(OK);
            visit.request();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 3 * FRAME);
            visit.send(head);
            visit.send(vec![b'x'; 2 * FRAME]);
            until_it_came.pass();
            visit.send(vec![b'y'; FRAME]);
            visit.wait_for_end();
        });
        let proxy = way.of(Setup::of(&[&origin])).start();
        let mut client = way.connect(proxy.address());
        // Only the requested bytes may be sent: any other frame would release the held bytes.
        client.send(frames::request_for(1, "/"));
        assert_eq!(client.status(1), 200);
        client.is_alive();
        client.send(frames::request_for(3, "/"));
        let mut arrive = |wanted: usize| {
            let mut arrived = 0;
            while arrived < wanted {
                let data = client.frame_that(|frame| frame.kind == DATA);
                arrived += data.payload.len();
            }
            assert_eq!(arrived, wanted);
        };
        arrive(2 * FRAME);
        gate.open();
        arrive(FRAME);
    }
}

#[test]
fn trailers_pass_both_ways() {
    let origin = Origin::scripted(|visit| {
        while visit.request().is_some() {
            visit.send(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
                 2\r\nok\r\n0\r\nx-sum: 2\r\nconnection: x\r\n\r\n",
            );
        }
    });
    let (_proxy, mut client) = client_before(&origin);
    let request = client
        .request("POST", "/")
        .header("te", "trailers")
        .header("trailer", "x-check");
    let mut asked = client.begin(request);
    asked.send("hello");
    let mut trailers = HeaderMap::new();
    trailers.insert("x-check", HeaderValue::from_static("5"));
    asked.send_trailers(trailers);
    let answer = asked.answer();
    assert_eq!(answer.text(), "ok");
    let trailers = answer.trailers.expect("trailers");
    assert_eq!(trailers["x-sum"], "2");
    assert_eq!(trailers.get("connection"), None);
    let request = origin.request();
    assert_eq!(request.text(), "hello");
    assert_eq!(request.trailers, [("x-check".to_owned(), "5".to_owned())]);
}

#[test]
fn a_length_stays_if_trailers_follow_that_http1_cannot_carry() {
    let origin = Origin::named("ok");
    let (_proxy, mut client) = client_before(&origin);
    let request = client
        .request("POST", "/")
        .header("content-length", "5")
        .header("trailer", "x-check");
    let mut asked = client.begin(request);
    asked.send("hello");
    let mut trailers = HeaderMap::new();
    trailers.insert("x-check", HeaderValue::from_static("5"));
    asked.send_trailers(trailers);
    assert_eq!(asked.answer().text(), "ok");
    let request = origin.request();
    assert_eq!(request.field("content-length"), Some("5"));
    assert_eq!(request.field("transfer-encoding"), None);
    assert_eq!(request.text(), "hello");
    assert!(request.trailers.is_empty(), "{:?}", request.trailers);
    // The server has got it all, so its connection can be reused.
    assert_eq!(client.get("/").text(), "ok");
    assert_eq!(origin.connections(), 1);
}

#[test]
fn a_client_that_leaves_its_stream_open_after_its_whole_body_costs_no_server_connection() {
    let origin = Origin::named("ok");
    let (_proxy, mut client) = client_before(&origin);
    let request = client.request("POST", "/").header("content-length", "5");
    let mut asked = client.begin(request);
    asked.send("hello");
    assert_eq!(asked.answer().text(), "ok");
    assert_eq!(origin.request().text(), "hello");
    assert_eq!(client.get("/").text(), "ok");
    assert_eq!(origin.connections(), 1);
}

#[test]
fn an_answer_to_head_has_a_length_and_no_body() {
    let origin = Origin::named("abc");
    let (_proxy, mut client) = client_before(&origin);
    let request = client.request("HEAD", "/");
    let answer = client.ask(request).answer();
    assert_eq!(answer.field("content-length"), Some("3"));
    assert_eq!(answer.body, b"");
    assert_eq!(client.get("/").text(), "abc");
}

#[test]
fn statuses_without_a_body_end_their_stream() {
    for status in ["204 No Content", "304 Not Modified"] {
        let origin = Origin::answering(format!("HTTP/1.1 {status}\r\netag: \"a\"\r\n\r\n"));
        let (_proxy, mut client) = client_before(&origin);
        for _ in 0..2 {
            let answer = client.get("/");
            assert_eq!(answer.status.to_string(), status[..3]);
            assert_eq!(
                (answer.field("etag"), answer.body.len()),
                (Some("\"a\""), 0)
            );
        }
    }
}

// Interim and early answers.

#[test]
fn an_http2_client_gets_100_when_the_server_sends_it() {
    let origin = Origin::named("a");
    let (_proxy, mut client) = client_before(&origin);
    let request = client
        .request("POST", "/echo")
        .header("expect", "100-continue");
    let mut asked = client.begin(request);
    assert_eq!(asked.interim().status(), 100);
    asked.send_last("hello");
    assert_eq!(asked.answer().text(), "hello");
    assert_eq!(origin.request().field("expect"), Some("100-continue"));
}

#[test]
fn interim_responses_are_passed_on_at_once_to_an_http2_client() {
    let gate = Gate::default();
    let heard = gate.clone();
    let origin = Origin::scripted(move |visit| {
        visit.request();
        visit.send("HTTP/1.1 102 Processing\r\n\r\n");
        visit.send(
            "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nconnection: x-hop\r\n\
             x-hop: of the connection\r\ncontent-length: 5\r\n\r\n",
        );
        heard.pass();
        visit.send(OK);
    });
    let setup = Setup::of(&[&origin]).frontend("forwarding.via = true");
    let proxy = setup.start();
    let mut client = Http2::connect(proxy.address());
    let mut asked = client.ask(client.request("GET", "/"));
    assert_eq!(asked.interim().status(), 102);
    let hints = asked.interim();
    assert_eq!(hints.status(), 103);
    assert_eq!(hints.headers()["link"], "</a.css>; rel=preload");
    assert_eq!(hints.headers()["via"], "1.1 evenkeel");
    assert_eq!(hints.headers().len(), 2, "{hints:?}");
    gate.open();
    let answer = asked.answer();
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    assert_eq!(proxy.line().verdict(), (200, "-"));
}

#[test]
fn interim_responses_of_an_http2_server_are_passed_on_too() {
    // `:status: 103` and `link: </a.css>`, as HPACK writes them.
    const HINTS: &[u8] = b"\x08\x03103\x00\x04link\x08</a.css>";
    let gate = Gate::default();
    let heard = gate.clone();
    let origin = Origin::scripted(move |visit| {
        let mut server = Frames::begin(visit, &[]).expect("a client");
        let stream = server.request().expect("a request");
        server.send(HEADERS, END_HEADERS, stream, HINTS);
        heard.pass();
        server.answer(stream, b"ok");
        server.next();
    });
    let proxy = Setup::of(&[&origin]).backend("protocol = \"h2\"").start();
    let mut client = Http2::connect(proxy.address());
    let mut asked = client.ask(client.request("GET", "/"));
    let hints = asked.interim();
    assert_eq!((hints.status().as_u16(), hints.headers().len()), (103, 1));
    assert_eq!(hints.headers()["link"], "</a.css>");
    gate.open();
    assert_eq!(asked.answer().text(), "ok");
}

#[test]
fn endless_interim_responses_are_passed_on_up_to_a_bound() {
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n".repeat(1000);
    let origin = Origin::answering([hints.as_bytes(), OK].concat());
    let (_proxy, mut client) = client_before(&origin);
    let mut asked = client.ask(client.request("GET", "/"));
    for _ in 0..16 {
        assert_eq!(asked.interim().status(), 103);
    }
    assert!(asked.is_answered_at_once());
    assert_eq!(asked.answer().text(), "ok");
}

#[test]
fn a_final_answer_to_an_expectation_is_not_preceded_by_100() {
    let origin = Origin::scripted(|visit| {
        visit.head();
        visit.send("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno");
        visit.wait_for_end();
    });
    let (_proxy, mut client) = client_before(&origin);
    let request = client
        .request("POST", "/echo")
        .header("expect", "100-continue");
    let mut asked = client.begin(request);
    assert!(asked.is_answered_at_once());
    let answer = asked.answer();
    assert_eq!((answer.status, answer.text().as_str()), (403, "no"));
    origin.wait_for_end_of(0);
    assert!(
        origin.received(0).ends_with("\r\n\r\n"),
        "no body was sent on"
    );
}

#[test]
fn an_answer_may_come_while_the_request_is_still_sent() {
    let origin = Origin::scripted(|visit| {
        let head = visit.head().expect("a request");
        if head.method() == "POST" {
            visit.send("HTTP/1.1 413 Content Too Large\r\nconnection: close\r\ncontent-length: 3\r\n\r\nno!");
            return visit.wait_for_end();
        }
        visit.send(OK);
        while visit.request().is_some() {
            visit.send(OK);
        }
    });
    let (proxy, mut client) = client_before(&origin);
    let request = client.request("POST", "/");
    let mut asked = client.begin(request);
    asked.send("hello");
    let answer = asked.answer();
    assert_eq!((answer.status, answer.text().as_str()), (413, "no!"));
    assert_eq!(client.get("/").text(), "ok");
    let lines = proxy.wait_for_lines(2);
    assert_eq!(lines[0].verdict(), (413, "-"));
    // More than its window: it is read, and the stream is not reset, by which many clients would
    // have lost their answer.
    asked.send(vec![0; MUCH]);
    asked.send_last("the end");
    assert_eq!(client.get("/").text(), "ok");
}

/// RFC 9113 section 8.1: it may stop sending, and nothing is wrong.
#[test]
fn a_client_that_keeps_sending_after_its_answer_gets_a_reset() {
    let origin = Origin::scripted(|visit| {
        visit.head();
        visit.send("HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n");
        visit.wait_for_end();
    });
    let setup = Setup::of(&[&origin]).frontend("timeout.body = \"300ms\"");
    let proxy = setup.start();
    let mut client = Http2::connect(proxy.address());
    let request = client.request("POST", "/");
    let mut asked = client.begin(request);
    assert_eq!(asked.answer().status, 413);
    assert_eq!(asked.stopped_with(), Reason::NO_ERROR);
}

#[test]
fn a_large_unwanted_upload_does_not_delay_the_next_request() {
    let origin = Origin::scripted(|visit| {
        let head = visit.head().expect("a request");
        if head.method() == "POST" {
            visit.send(
                "HTTP/1.1 413 Content Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            );
            return visit.wait_for_end();
        }
        visit.send(OK);
        visit.wait_for_end();
    });
    let (_proxy, mut client) = client_before(&origin);
    // More than the connection's window in all: the window of discarded bytes is granted anew.
    for _ in 0..20 {
        let request = client.request("POST", "/");
        let mut asked = client.begin(request);
        // The stream is reset, sooner or later.
        let _ = asked.try_send(Bytes::from(vec![0; 300_000]), true);
        assert_eq!(asked.answer().status, 413);
    }
    assert_eq!(client.get("/").text(), "ok");
}

/// Windows that a few uploads fill.
const NARROW_WINDOWS: &str = "http2.stream_window = \"64KiB\"\nhttp2.connection_window = \"64KiB\"";

#[test]
fn large_uploads_on_many_streams_pass_through_servers_that_are_slow() {
    const LENGTH: usize = 1 << 20;
    // So little that the copy is not dropped for its size.
    const PIECE: usize = 8 << 10;
    let slow = Origin::scripted(|visit| {
        visit.narrow();
        visit.head();
        let mut body = Vec::new();
        while body.len() < LENGTH {
            thread::park_timeout(Duration::from_millis(1));
            body.extend(visit.bytes(PIECE).expect("a piece"));
        }
        assert_eq!(body, patterned(LENGTH));
        visit.send(OK);
        visit.wait_for_end();
    });
    for backend in ["", "retry = { on = [\"503\"] }"] {
        let setup = Setup::of(&[&slow]).frontend(NARROW_WINDOWS);
        let proxy = setup.backend(backend).start();
        let body = Bytes::from(patterned(LENGTH));
        let mut client = Http2::connect(proxy.address());
        let mut uploads: Vec<_> = (0..20)
            .map(|_| {
                let request = client.request("PUT", "/");
                let mut upload = client.begin(request.header("content-length", LENGTH));
                // It comes together with the head, and is copied.
                upload.send(body.slice(..PIECE));
                upload
            })
            .collect();
        for from in (PIECE..LENGTH).step_by(PIECE) {
            for upload in &mut uploads {
                upload.send(body.slice(from..from + PIECE));
            }
        }
        for upload in &mut uploads {
            upload.send_last("");
            assert_eq!(upload.answer().status, 200);
        }
    }
}

#[test]
fn bodies_that_are_kept_for_another_try_leave_room_for_those_of_other_streams() {
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let setup = Setup::of(&[&origin]).frontend(NARROW_WINDOWS);
    let setup = setup.backend("retry = { on = [\"503\"] }");
    let proxy = setup.start();
    let mut client = Http2::connect(proxy.address());
    let mut uploads: Vec<_> = (0..20)
        .map(|_| {
            let request = client.request("PUT", "/");
            let mut upload = client.begin(request);
            upload.send_last(patterned(10 << 10));
            upload
        })
        .collect();
    // None is answered before all of them are there.
    origin.wait_for_requests(20);
    gate.open();
    for upload in &mut uploads {
        assert_eq!(upload.answer().status, 200);
    }
}

// Streams that end early, and those beside them.

/// A server that answers `/` and delays requests for `/slow`.
fn slow_origin(gate: &Gate) -> Origin {
    let gate = gate.clone();
    Origin::scripted(move |visit| {
        while let Some(request) = visit.request() {
            if request.target() == "/slow" {
                gate.pass();
            }
            if !visit.send(OK) {
                return;
            }
        }
    })
}

#[test]
fn a_client_that_resets_a_stream_has_aborted_it_and_others_continue() {
    let gate = Gate::default();
    let origin = slow_origin(&gate);
    let setup = Setup::servers([format!(
        "{{ address = \"{}\", max_connections = 1 }}",
        origin.address()
    )]);
    let proxy = setup.start();
    let mut client = Http2::connect(proxy.address());
    let slow = client.request("GET", "/slow");
    let asked = client.ask(slow);
    origin.wait_for_requests(1);
    asked.reset(Reason::CANCEL);
    // The slot is free again.
    assert_eq!(client.get("/").text(), "ok");
    let lines = proxy.wait_for_lines(2);
    assert_eq!(lines[0].verdict(), (499, "client.left"));
    assert_eq!(lines[0].text("target"), "/slow");
    assert_eq!(lines[1].verdict(), (200, "-"));
    gate.open();
    origin.wait_for_end_of(0);
}

#[test]
fn a_client_that_closes_ends_its_exchanges() {
    let gate = Gate::default();
    let origin = slow_origin(&gate);
    let proxy = before(&origin);
    let mut client = Framed::connect(proxy.address());
    let slow = frames::request("GET", "/slow");
    for stream in [1, 3, 5] {
        client.send(frames::frame(HEADERS, 5, stream, &slow));
    }
    origin.wait_for_requests(3);
    drop(client);
    let lines = proxy.wait_for_lines(3);
    assert!(
        lines
            .iter()
            .all(|line| line.verdict() == (499, "client.left"))
    );
    gate.open();
    proxy.wait_for_metric("evenkeel_frontend_open_connections", &[], 0.0);
}

#[test]
fn a_client_that_makes_no_room_for_a_short_answer_occupies_no_server() {
    let origin = Origin::named("a");
    let setup = Setup::servers([format!(
        "{{ address = \"{}\", max_connections = 1 }}",
        origin.address()
    )]);
    // One worker: a connection of another one could not be used again.
    let setup = setup.workers(1).backend("timeout.queue = \"60s\"");
    let proxy = setup.start();
    // Its windows are shut.
    let mut shut = Framed::greeting(proxy.address(), &[(4, 0)]);
    for stream in [1, 3, 5] {
        shut.send(frames::ask(stream));
        assert_eq!(shut.status(stream), 200);
    }
    assert_eq!(Http2::connect(proxy.address()).get("/").text(), "a");
    assert_eq!(origin.connections(), 1, "it is used again");
    let over = proxy.wait_for_lines(1).len();
    assert_eq!(over, 1, "what is not delivered is not over");
    for stream in [1, 3, 5] {
        shut.send(frames::grant(stream, 10));
        shut.frame_that(|frame| frame.kind == DATA && frame.stream == stream);
    }
    let lines = proxy.wait_for_lines(4);
    assert!(lines.iter().all(|line| line.verdict() == (200, "-")));
}

/// A server with a long answer to `/much`.
fn talkative() -> Origin {
    Origin::scripted(|visit| {
        visit.narrow();
        while let Some(request) = visit.request() {
            let length = if request.target() == "/much" { MUCH } else { 2 };
            visit.send(format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n"
            ));
            if !visit.send(patterned(length)) {
                return;
            }
        }
    })
}

/// A client with room on its connection for many streams that it does not read.
#[track_caller]
fn roomy(proxy: &Proxy) -> Http2 {
    let mut builder = Builder::new();
    builder.initial_connection_window_size(16 << 20);
    Http2::connect_with(proxy.address(), &builder)
}

#[test]
fn a_stream_that_is_not_read_does_not_stall_the_others() {
    let origin = talkative();
    let proxy = before(&origin);
    let mut client = roomy(&proxy);
    let unread: Vec<_> = (0..8)
        .map(|_| {
            let request = client.request("GET", "/much");
            client.ask(request).head()
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(client.get("/").status, 200);
    }
    drop(unread);
}

#[test]
fn a_stream_that_is_not_read_is_reset_in_the_end_and_no_other() {
    let origin = talkative();
    let setup = Setup::of(&[&origin]).frontend("timeout.body = \"300ms\"");
    let proxy = setup.start();
    let mut client = roomy(&proxy);
    let much = client.request("GET", "/much");
    let unread = client.ask(much).head();
    let line = proxy.line();
    assert_eq!(line.verdict(), (200, "client.stalled"));
    assert!(line.number("bytes_out") < MUCH as u64);
    assert_eq!(client.get("/").status, 200);
    assert_eq!(unread.cut_with(), Reason::CANCEL);
}

#[test]
fn a_reader_that_is_slow_and_steady_gets_it_all() {
    const SLOW_PHASE: Duration = Duration::from_millis(3_500);
    let origin = talkative();
    let setup = Setup::of(&[&origin]).frontend("timeout.body = \"1500ms\"");
    let proxy = setup.start_paused();
    let mut client = Http2::connect(proxy.address());
    let much = client.request("GET", "/much");
    let mut coming = client.ask(much).head();
    let (mut read, mut passed) = (0, Duration::ZERO);
    while read < MUCH {
        read += coming.piece().expect("more").expect("no error").len();
        if passed < SLOW_PHASE {
            // Each piece well in time, and all of them together far beyond it.
            proxy.advance(Duration::from_millis(40));
            passed += Duration::from_millis(40);
        }
    }
    assert!(passed >= SLOW_PHASE, "it took long");
    assert_eq!(read, MUCH);
    drop(coming);
    assert_eq!(proxy.line().verdict(), (200, "-"));
}

#[test]
fn a_cut_answer_does_not_look_complete() {
    let heads = [
        ("content-length: 100\r\n\r\nhalf", "server.body.incomplete"),
        (
            "transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
            "server.body.incomplete",
        ),
        (
            "transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nxyz\r\n",
            "server.body.malformed",
        ),
    ];
    for (rest, reason) in heads {
        let origin = Origin::answering_once(format!("HTTP/1.1 200 OK\r\n{rest}"));
        let (proxy, mut client) = client_before(&origin);
        let request = client.request("GET", "/");
        let coming = client.ask(request).head();
        assert_eq!(coming.cut_with(), Reason::INTERNAL_ERROR);
        assert_eq!(proxy.line().verdict(), (200, reason));
    }
}

#[test]
fn a_malformed_answer_is_a_502_on_its_stream_alone() {
    let origin = Origin::scripted(|visit| {
        while let Some(request) = visit.request() {
            match request.target() {
                "/nonsense" => visit.send("nonsense\r\n\r\n"),
                "/empty" => return,
                _ => visit.send(OK),
            };
        }
    });
    let (proxy, mut client) = client_before(&origin);
    for (target, reason) in [
        ("/nonsense", "server.response.malformed"),
        ("/empty", "server.response.empty"),
    ] {
        let request = client.request("POST", target);
        let answer = client.ask(request).answer();
        assert_eq!((answer.status, answer.reason()), (502, reason.to_owned()));
        assert_eq!(client.get("/").text(), "ok");
    }
    assert_eq!(proxy.wait_for_lines(4).len(), 4);
}

#[test]
fn many_small_messages_that_wait_for_their_server_are_no_attack() {
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let server = format!(
        "{{ address = \"{}\", max_connections = 1 }}",
        origin.address()
    );
    let setup = Setup::servers([server]).backend("timeout.queue = \"20s\"");
    let proxy = setup.start();
    let mut client = Framed::connect(proxy.address());
    // The only slot is taken: the second body is not read.
    client.send(frames::ask(1));
    origin.wait_for_requests(1);
    let messages = 6_000;
    client.send(frames::begin(3));
    client.send(frames::frame(DATA, 0, 3, "ten bytes!").repeat(messages));
    client.send(frames::frame(DATA, END_STREAM, 3, ""));
    client.is_alive();
    gate.open();
    assert_eq!(client.status(3), 200);
    assert_eq!(origin.requests()[1].body.len(), 10 * messages);
}

// Deadlines.

#[test]
fn a_server_that_does_not_answer_in_time_is_a_504_on_its_stream_alone() {
    let gate = Gate::default();
    let origin = slow_origin(&gate);
    let setup = Setup::of(&[&origin]).backend("timeout.response = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = Http2::connect(proxy.address());
    let slow = client.request("GET", "/slow");
    let mut slow = client.ask(slow);
    origin.wait_for_requests(1);
    assert_eq!(client.get("/").text(), "ok");
    proxy.advance(Duration::from_millis(400));
    let answer = slow.answer();
    assert_eq!(answer.status, 504);
    assert_eq!(answer.reason(), "server.response.timeout");
    let length = answer.body.len().to_string();
    assert_eq!(answer.field("content-length"), Some(length.as_str()));
    assert_eq!(client.get("/").text(), "ok");
    let lines = proxy.wait_for_lines(3);
    assert_eq!(lines[1].verdict(), (504, "server.response.timeout"));
    gate.open();
}

#[test]
fn a_request_body_that_stops_is_a_408_on_its_stream_alone() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).frontend("timeout.body = \"300ms\"");
    let proxy = setup.start();
    let mut client = Http2::connect(proxy.address());
    let request = client.request("POST", "/echo");
    let mut asked = client.begin(request);
    asked.send("hel");
    let answer = asked.answer();
    assert_eq!(answer.status, 408);
    assert_eq!(answer.reason(), "request.body.timeout");
    assert_eq!(asked.stopped_with(), Reason::NO_ERROR);
    assert_eq!(client.get("/").text(), "a");
    assert_eq!(
        proxy.wait_for_lines(2)[0].verdict(),
        (408, "request.body.timeout")
    );
}

#[test]
fn a_server_that_stops_in_mid_body_is_cut() {
    let gate = Gate::default();
    let origin = Origin::scripted({
        let gate = gate.clone();
        move |visit| {
            visit.request();
            visit.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf");
            gate.pass();
        }
    });
    let setup = Setup::of(&[&origin]).backend("timeout.body = \"300ms\"");
    let proxy = setup.start();
    let mut client = Http2::connect(proxy.address());
    let request = client.request("GET", "/");
    let code = client.ask(request).head().cut_with();
    assert!(
        code == Reason::CANCEL || code == Reason::INTERNAL_ERROR,
        "{code:?}"
    );
    assert_eq!(proxy.line().verdict(), (200, "server.body.timeout"));
    gate.open();
}

#[test]
fn an_exchange_has_an_end() {
    let gate = Gate::default();
    let origin = slow_origin(&gate);
    let setup = Setup::of(&[&origin]).frontend("timeout.exchange = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = Http2::connect(proxy.address());
    let slow = client.request("GET", "/slow");
    let mut slow = client.ask(slow);
    origin.wait_for_requests(1);
    proxy.advance(Duration::from_millis(400));
    let answer = slow.answer();
    assert_eq!(
        (answer.status, answer.reason().as_str()),
        (504, "exchange.timeout")
    );
    assert_eq!(client.get("/").text(), "ok");
    gate.open();
}

// How many at a time.

#[test]
fn one_stream_too_many_is_refused_and_can_be_tried_again() {
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let setup = Setup::of(&[&origin]).frontend("http2.max_streams = 2");
    let proxy = setup.start();
    let mut client = Framed::connect(proxy.address());
    for stream in [1, 3, 5] {
        client.send(frames::ask(stream));
    }
    assert_eq!(client.reset_of(5), REFUSED_STREAM);
    origin.wait_for_requests(2);
    gate.open();
    // In whatever order.
    for _ in 0..2 {
        client.frame_that(|frame| frame.kind == DATA && frame.flags & END_STREAM != 0);
    }
    client.send(frames::ask(7));
    assert_eq!(client.status(7), 200);
    assert_eq!(origin.requests().len(), 3);
}

#[test]
fn a_thousand_requests_ten_at_a_time() {
    let origin = Origin::named("a");
    let (proxy, mut client) = client_before(&origin);
    let mut open = std::collections::VecDeque::new();
    for number in 0..1000 {
        let request = client.request("POST", "/echo");
        let mut asked = client.begin(request);
        asked.send_last(number.to_string());
        open.push_back((number, asked));
        if open.len() == 10 {
            let (number, mut asked) = open.pop_front().expect("ten are open");
            assert_eq!(asked.answer().text(), number.to_string());
        }
    }
    for (number, mut asked) in open {
        assert_eq!(asked.answer().text(), number.to_string());
    }
    let lines = proxy.wait_for_lines(1000);
    assert!(lines.iter().all(|line| line.verdict() == (200, "-")));
    let at_once = proxy.metric("evenkeel_frontend_connections_total", &[]);
    assert_eq!(at_once, 1.0);
}

#[test]
fn each_frontend_has_its_own_setting_for_http2() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).rest(
        "[frontend.old]\nlisten = \"127.0.0.1:0\"\nbackend = \"app\"\nhttp2.enabled = false\n\
         [frontend.other]\nlisten = \"127.0.0.1:0\"\nbackend = \"app\"",
    );
    let proxy = setup.start();
    for frontend in ["web", "other"] {
        let mut client = Http2::connect(proxy.addresses(frontend)[0]);
        assert_eq!(client.get("/").text(), "a", "{frontend}");
    }
    let mut client = Framed::silent(proxy.addresses("old")[0]);
    client.send(PREFACE);
    assert_eq!(client.rest(), []);
}

// The end of a connection.

#[test]
fn a_drained_connection_refuses_new_streams_and_finishes_open_ones() {
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let mut proxy = before(&origin);
    let mut client = Framed::connect(proxy.address());
    client.send(frames::ask(1));
    origin.wait_for_requests(1);
    proxy.drain();
    let goaway = client.frame_that(|frame| frame.kind == GOAWAY);
    assert_eq!(goaway.code(), NO_ERROR);
    // As RFC 9113 section 6.8 requires: first without a number, for requests on their way.
    let ping = client.frame_that(|frame| frame.kind == frames::PING);
    client.send(frames::frame(frames::PING, frames::ACK, 0, ping.payload));
    let goaway = client.frame_that(|frame| frame.kind == GOAWAY);
    assert_eq!(goaway.payload[..4], [0, 0, 0, 1]);
    // Nothing new.
    client.send(frames::ask(3));
    gate.open();
    assert_eq!(client.status(1), 200);
    let rest = client.rest();
    assert!(rest.iter().all(|frame| frame.stream != 3), "{rest:?}");
    proxy.wait_for_end();
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn a_client_that_ignores_the_drain_does_not_delay_it() {
    // It never acknowledges, and sends more requests.
    let gate = Gate::default();
    let origin = slow_origin(&gate);
    let mut proxy = before(&origin);
    let mut client = Framed::connect(proxy.address());
    let slow = frames::request("GET", "/slow");
    client.send(frames::frame(HEADERS, 5, 1, slow));
    origin.wait_for_requests(1);
    proxy.drain();
    client.frame_that(|frame| frame.kind == GOAWAY);
    let mut stream = 3;
    let began = Instant::now();
    // It is still served for a while, and not for ever.
    let refused = loop {
        client.send(frames::ask(stream));
        let id = stream;
        let frame = client
            .frame_that(|frame| frame.stream == id && [HEADERS, RST_STREAM].contains(&frame.kind));
        if frame.kind == RST_STREAM {
            break frame.code();
        }
        assert!(began.elapsed() < Duration::from_secs(60), "it goes on");
        while_for(Duration::from_millis(50), "it asks on", || true);
        stream += 2;
    };
    assert_eq!(refused, REFUSED_STREAM);
    gate.open();
    assert_eq!(client.status(1), 200);
    proxy.wait_for_end();
}

#[test]
fn the_clients_of_a_removed_frontend_get_a_goaway() {
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let spare = "[frontend.spare]\nlisten = \"127.0.0.1:0\"\nbackend = \"app\"";
    let setup = Setup::of(&[&origin]);
    let proxy = setup.clone().rest(spare).start();
    let mut idle = Http2::connect(proxy.addresses("spare")[0]);
    let mut busy = Http2::connect(proxy.addresses("spare")[0]);
    let mut stays = Http2::connect(proxy.address());
    let request = busy.request("GET", "/");
    let mut asked = busy.ask(request);
    origin.wait_for_requests(1);
    proxy.apply(&setup);
    assert!(idle.ended().is_ok(), "GOAWAY with NO_ERROR, then the end");
    gate.open();
    assert_eq!(asked.answer().text(), "ok");
    assert!(busy.ended().is_ok());
    assert_eq!(stays.get("/").text(), "ok");
}

#[test]
fn an_idle_connection_is_closed_with_a_goaway() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).frontend("timeout.keep_alive = \"300ms\"");
    let proxy = setup.start();
    let mut client = Http2::connect(proxy.address());
    assert_eq!(client.get("/").text(), "a");
    assert!(client.ended().is_ok());
    assert_eq!(proxy.end().len(), 1, "no other line");
}

#[test]
fn an_idle_connection_is_closed_at_the_end_of_its_time_and_not_much_later() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).frontend("timeout.keep_alive = \"10s\"");
    let proxy = setup.start_paused();
    let mut client = Http2::connect(proxy.address());
    for _ in 0..3 {
        assert_eq!(client.get("/").text(), "a");
        proxy.advance(Duration::from_secs(9));
    }
    assert_eq!(client.get("/").text(), "a");
    // The clock is paused from here on.
    proxy.advance(Duration::from_secs(11));
    assert!(client.ended().is_ok());
}

#[test]
fn a_client_without_requests_is_closed_even_if_it_does_not_read() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).frontend("timeout.head = \"300ms\"");
    let proxy = setup.start();
    let mut client = Framed::connect(proxy.address());
    // It does not answer the PING that comes with the GOAWAY.
    let frames = client.rest();
    let goaway = frames.iter().rfind(|frame| frame.kind == GOAWAY);
    assert_eq!(goaway.expect("GOAWAY").code(), NO_ERROR);
    assert_eq!(proxy.end().len(), 0, "no exchange began");
}

#[test]
fn a_client_that_is_closed_while_it_sends_can_read_the_reason() {
    let origin = Origin::named("a");
    let proxy = before(&origin);
    let mut client = Framed::connect(proxy.address());
    // A violation, and much after it that is not read.
    let mut bytes = frames::frame(frames::PING, 0, 1, "is it up");
    bytes.extend(vec![0; 500_000]);
    client.send(bytes);
    assert_eq!(client.sent_away(), frames::PROTOCOL_ERROR);
    // A reset would have taken the code from a client that had not read it yet.
    while_for(Duration::from_millis(100), "it may still send", || {
        client.try_send([0; 100]).is_ok()
    });
    assert_eq!(proxy.line().text("reason"), "client.protocol");
}

#[test]
fn half_a_preface_is_a_late_head() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).frontend("timeout.head = \"300ms\"");
    let proxy = setup.start();
    let mut client = Framed::silent(proxy.address());
    client.send(&PREFACE[..20]);
    assert_eq!(client.rest(), []);
    assert_eq!(proxy.line().text("reason"), "request.head.timeout");
}

#[test]
fn a_head_without_an_end_ends_the_connection() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).frontend("timeout.head = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = Framed::connect(proxy.address());
    client.send(frames::frame(HEADERS, 0, 1, frames::get()));
    proxy.advance(Duration::from_millis(400));
    assert_eq!(client.sent_away(), frames::ENHANCE_YOUR_CALM);
    assert_eq!(proxy.line().text("reason"), "request.head.timeout");
    assert!(origin.has_seen_nothing());
}

#[test]
fn a_head_that_trickles_ends_the_connection_also_beside_others() {
    // The frame announces that the head ends with it, and never ends itself.
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let setup = Setup::of(&[&origin]).frontend("timeout.head = \"300ms\"");
    let proxy = setup.start_paused();
    let mut client = Framed::connect(proxy.address());
    let head = frames::ask(3);
    client.send([&frames::ask(1)[..], &head[..head.len() - 2]].concat());
    origin.wait_for_requests(1);
    proxy.advance(Duration::from_millis(400));
    assert_eq!(client.sent_away(), frames::ENHANCE_YOUR_CALM);
    let lines = proxy.wait_for_lines(2);
    assert!(
        lines
            .iter()
            .all(|line| line.text("reason") == "request.head.timeout"),
        "{lines:?}"
    );
    gate.open();
}

#[test]
fn a_preface_may_come_byte_by_byte() {
    let origin = Origin::named("a");
    let proxy = before(&origin);
    let mut client = Framed::silent(proxy.address());
    let mut bytes = PREFACE.to_vec();
    bytes.extend(frames::settings(&[(1, 0)]));
    bytes.extend(frames::ask(1));
    for byte in bytes {
        client.send([byte]);
    }
    assert_eq!(client.status(1), 200);
}

#[test]
fn a_preface_may_come_in_pieces_that_are_only_line_ends() {
    let origin = Origin::named("a");
    let proxy = before(&origin);
    let mut client = Framed::silent(proxy.address());
    for piece in ["PRI * HTTP/2.0", "\r\n", "\r\n", "SM\r", "\n\r\n"] {
        client.send(piece);
        while_for(Duration::from_millis(30), "it is read by itself", || true);
    }
    client
        .send(frames::settings(&[(1, 0)]))
        .send(frames::ask(1));
    assert_eq!(client.status(1), 200);
}

#[test]
fn what_begins_like_a_preface_may_still_be_http_1() {
    let origin = Origin::named("a");
    let proxy = before(&origin);
    for request in [
        "PRI / HTTP/1.1\r\n",
        "P / HTTP/1.1\r\n",
        "PUT / HTTP/1.1\r\n",
    ] {
        let mut client = proxy.client();
        for byte in request.bytes() {
            client.send([byte]);
        }
        client.send("host: test\r\n\r\n");
        assert_eq!(client.response().text(), "a", "{request}");
    }
}

// Lengths, targets, values.

/// A POST of `hello` with these lengths, on stream 1.
fn post_with(lengths: &[&str], body: Option<&str>) -> Vec<u8> {
    let mut head = frames::request("POST", "/");
    for length in lengths {
        head.extend(frames::field("content-length", length));
    }
    let ends = if body.is_some() { 0 } else { END_STREAM };
    let mut bytes = frames::frame(HEADERS, END_HEADERS | ends, 1, head);
    if let Some(body) = body {
        bytes.extend(frames::frame(DATA, END_STREAM, 1, body));
    }
    bytes
}

#[test]
fn a_length_went_out_to_a_server_of_http_1_as_it_came() {
    let hello = Some("hello");
    for (lengths, body, passed_on) in [
        (&["5"][..], hello, "5"),
        (&["05"], hello, "5"),
        (&["5", "5"], hello, "5"),
        (&["5", "05"], hello, "5"),
        (&["0"], None, "0"),
        (&["00", "0"], None, "0"),
        (&[], None, "0"),
    ] {
        let origin = Origin::answering(OK);
        let proxy = before(&origin);
        let mut client = Framed::connect(proxy.address());
        client.send(post_with(lengths, body));
        assert_eq!(client.status(1), 200, "{lengths:?}");
        assert_eq!(
            origin.request().values("content-length"),
            [passed_on],
            "{lengths:?}"
        );
    }
    for lengths in [&[""][..], &["", "0"], &["0", ""]] {
        let origin = Origin::answering(OK);
        let proxy = before(&origin);
        let mut client = Framed::connect(proxy.address());
        client.send(post_with(lengths, None));
        assert_eq!(client.status(1), 400, "{lengths:?}");
        assert_eq!(proxy.line().verdict(), (400, "request.head.malformed"));
        assert!(origin.has_seen_nothing());
    }
    for lengths in [
        &["5", "6"][..],
        &["+5"],
        &["-5"],
        &["0x5"],
        &["5, 5"],
        &[" 5"],
    ] {
        let origin = Origin::answering(OK);
        let proxy = before(&origin);
        let mut client = Framed::connect(proxy.address());
        client.send(post_with(lengths, hello));
        assert_eq!(client.reset_of(1), frames::PROTOCOL_ERROR, "{lengths:?}");
        assert_eq!(proxy.line().text("reason"), "request.head.malformed");
        assert!(origin.has_seen_nothing());
    }
}

#[test]
fn a_post_without_a_body_has_a_length_of_zero_for_a_server_of_http_1() {
    let origin = Origin::answering(OK);
    let (_proxy, mut client) = client_before(&origin);
    for (method, length) in [
        ("POST", Some("0")),
        ("PUT", Some("0")),
        ("PATCH", Some("0")),
        ("GET", None),
        ("DELETE", None),
    ] {
        let request = client.request(method, "/");
        assert_eq!(client.ask(request).answer().status, 200);
        let requests = origin.requests();
        let request = requests.last().expect("one");
        assert_eq!(
            (request.method(), request.field("content-length")),
            (method, length)
        );
    }
}

#[test]
fn an_invalid_path_is_not_passed_on() {
    for path in ["*", "#x", "?q", "?"] {
        refused(&but(":path", path), 400, "request.target.form");
    }
    let origin = Origin::answering(OK);
    let proxy = before(&origin);
    let mut client = Framed::connect(proxy.address());
    let head = frames::request("OPTIONS", "*");
    client.send(frames::frame(HEADERS, END_HEADERS | END_STREAM, 1, head));
    assert_eq!(client.status(1), 200);
    assert_eq!(origin.request().start, "OPTIONS * HTTP/1.1");
}

#[test]
fn space_around_a_value_is_removed_as_in_http_1() {
    let origin = Origin::answering(OK);
    let proxy = before(&origin);
    let mut client = Framed::connect(proxy.address());
    let mut head = frames::get();
    for (name, value) in [
        ("x-a", " a b"),
        ("x-b", "c\t "),
        ("x-c", "  "),
        ("x-request-id", " id"),
    ] {
        head.extend(frames::field(name, value));
    }
    client.send(frames::frame(HEADERS, END_HEADERS | END_STREAM, 1, head));
    assert_eq!(client.status(1), 200);
    let received = origin.received(0);
    for line in [
        "x-a: a b\r\n",
        "x-b: c\r\n",
        "x-c: \r\n",
        "x-request-id: id\r\n",
    ] {
        assert!(received.contains(line), "{line:?} in {received}");
    }
}

#[test]
fn a_browser_with_many_cookies_was_refused() {
    let origin = Origin::answering(OK);
    let (_proxy, mut client) = client_before(&origin);
    let mut request = client.request("GET", "/");
    for number in 0..150 {
        request = request.header("cookie", format!("c{number}=1"));
    }
    assert_eq!(client.ask(request).answer().status, 200);
    let cookie = origin.request().field("cookie").expect("one").to_owned();
    assert_eq!(cookie.split("; ").count(), 150);
}

// Refusals.

/// Checks that a head is refused with this status and reason, and that it is logged.
#[track_caller]
fn refused(head: &[(&str, &str)], status: u16, reason: &str) {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin])
        .frontend("limits.fields = 10\nlimits.head = \"8KiB\"\nlimits.target = \"1KiB\"")
        .route("path = \"/admin/*\"\nbackend = \"app\"");
    let proxy = setup.start();
    let mut client = Framed::connect(proxy.address());
    let block = frames::block(head.iter().copied());
    client.send(frames::head(END_STREAM, 1, &block));
    assert_eq!(client.status(1), status, "{reason}");
    assert_eq!(proxy.line().verdict(), (status.into(), reason));
    proxy.wait_for_metric("evenkeel_replies_total", &[("reason", reason)], 1.0);
    // It is that stream's fault and no other's.
    client.send(frames::ask(3));
    assert_eq!(client.status(3), 200);
    assert_eq!(origin.requests().len(), 1);
}

/// The head of `GET /`, and these fields.
fn with<'a>(fields: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut head = vec![
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "test"),
    ];
    head.extend(fields);
    head
}

/// The same, with another value for a pseudo-field.
fn but<'a>(name: &str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut head = with(&[]);
    for field in &mut head {
        if field.0 == name {
            field.1 = value;
        }
    }
    head
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let fields = vec![("x", "y"); 11];
    refused(&with(&fields), 431, "request.head.too_large");
    let long = "y".repeat(8200);
    refused(&with(&[("x", &long)]), 431, "request.head.too_large");
    // Longer than the part that is kept of it.
    let long = "y".repeat(17_000);
    refused(&with(&[("x", &long)]), 431, "request.head.too_large");
}

#[test]
fn a_target_that_is_too_long_is_refused() {
    let long = format!("/{}", "a".repeat(1024));
    refused(&but(":path", &long), 414, "request.target.too_long");
}

#[test]
fn a_method_that_is_not_passed_on_is_refused() {
    refused(
        &[(":method", "CONNECT"), (":authority", "test:80")],
        405,
        "request.method.refused",
    );
    refused(&but(":method", "TRACE"), 405, "request.method.refused");
}

#[test]
fn a_request_without_a_host_or_with_two_is_refused() {
    let head = with(&[]);
    refused(&head[..3], 400, "request.host.missing");
    refused(&with(&[("host", "other")]), 400, "request.host.conflict");
    refused(
        &with(&[("host", "test"), ("host", "test")]),
        400,
        "request.host.duplicate",
    );
    refused(&but(":authority", "a:b"), 400, "request.host.malformed");
}

#[test]
fn a_path_that_may_be_another_is_refused() {
    refused(
        &but(":path", "/x/../admin/a"),
        400,
        "request.path.ambiguous",
    );
}

#[test]
fn an_expectation_that_cannot_be_met_is_refused() {
    refused(&with(&[("expect", "tea")]), 417, "request.expectation");
}

#[test]
fn a_malformed_head_is_reset_counted_and_logged() {
    let origin = Origin::named("a");
    let proxy = before(&origin);
    let mut client = Framed::connect(proxy.address());
    let block = frames::block(with(&[("connection", "close")]));
    client.send(frames::frame(HEADERS, 5, 1, block));
    assert_eq!(client.reset_of(1), frames::PROTOCOL_ERROR);
    assert_eq!(proxy.line().text("reason"), "request.head.malformed");
    let of_reason = [("reason", "request.head.malformed")];
    proxy.wait_for_metric("evenkeel_replies_total", &of_reason, 1.0);
    client.send(frames::ask(3));
    assert_eq!(client.status(3), 200);
}

#[test]
fn a_body_that_differs_from_its_length_is_reset_and_aborted_at_the_server() {
    let origin = Origin::named("a");
    let proxy = before(&origin);
    let mut client = Framed::connect(proxy.address());
    let mut head = frames::request("POST", "/echo");
    head.extend(frames::field("content-length", "5"));
    client.send(frames::frame(HEADERS, END_HEADERS, 1, head));
    client.send(frames::frame(frames::DATA, 0, 1, "hel"));
    until("the server has the first piece", || {
        (origin.connections() == 1 && origin.received(0).ends_with("hel")).then_some(())
    });
    client.send(frames::frame(frames::DATA, 1, 1, ""));
    assert_eq!(client.reset_of(1), frames::PROTOCOL_ERROR);
    origin.wait_for_end_of(0);
    assert_eq!(origin.requests().len(), 0);
    assert_eq!(proxy.line().text("reason"), "request.body.malformed");
}

#[test]
fn requests_in_one_piece_with_a_fault_of_the_connection_are_logged_and_reach_no_server() {
    const REQUESTS: u32 = 50;
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).workers(1).start();
    let mut client = Framed::connect(proxy.address());
    let requests = (0..REQUESTS).flat_map(|number| frames::ask(2 * number + 1));
    // SETTINGS on a stream (RFC 9113 section 6.5).
    let fault = frames::frame(frames::SETTINGS, 0, 1, "");
    client.send(requests.chain(fault).collect::<Vec<_>>());
    assert_eq!(client.sent_away(), frames::PROTOCOL_ERROR);
    let lines = proxy.end();
    assert!(origin.has_seen_nothing());
    // The connection has a line, too.
    assert_eq!(lines.len(), REQUESTS as usize + 1);
    for line in lines {
        assert_eq!(line.verdict(), (499, "client.protocol"));
    }
}
