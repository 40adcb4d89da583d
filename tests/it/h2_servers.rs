//! HTTP/2 towards servers: many exchanges on few connections, and none of them lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, Version};

use crate::rig::{
    Client, Frames, Gate, Good, Origin, Program, Proxy, Reply, Setup, kind, setting, until,
};

const GET: &str = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";

/// RFC 9113 §7.
const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;

fn setup(address: std::net::SocketAddr) -> Setup {
    // One worker: every client can use its connections.
    Setup::at([address]).workers(1).backend("protocol = 'h2'")
}

fn before(origin: &Origin) -> Proxy {
    setup(origin.address()).start()
}

fn before_good(origin: &Good) -> Proxy {
    setup(origin.address()).start()
}

fn post(body: &str) -> String {
    let length = body.len();
    format!("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n{body}")
}

// Requests and answers.

#[test]
fn a_request_is_translated_to_http2() {
    let origin = Good::answering(|_| Reply::of("ok"));
    let proxy = before_good(&origin);
    let response = proxy.ask(
        "PUT /a%20b?c=d HTTP/1.1\r\nhost: app.example:81\r\nconnection: te, x-hop, keep-alive\r\n\
         te: trailers, gzip\r\nx-hop: 1\r\nkeep-alive: 5\r\nx-kept: 2\r\ncookie: a=1; b=2\r\n\
         content-length: 2\r\n\r\nhi",
    );
    assert_eq!((response.status(), response.text().as_str()), (200, "ok"));
    assert_eq!(response.start, "HTTP/1.1 200 OK");
    let request = origin.request();
    assert_eq!(request.version(), Version::HTTP_2);
    assert_eq!(request.method(), "PUT");
    assert_eq!(request.uri(), "http://app.example:81/a%20b?c=d");
    assert_eq!(request.headers()["te"], "trailers");
    assert_eq!(request.headers()["x-kept"], "2");
    assert_eq!(request.headers()["cookie"], "a=1; b=2");
    assert_eq!(request.headers()["content-length"], "2");
    for gone in [
        "host",
        "connection",
        "x-hop",
        "keep-alive",
        "transfer-encoding",
    ] {
        assert!(!request.headers().contains_key(gone), "{gone}");
    }
    assert_eq!(request.body(), b"hi");
}

#[test]
fn a_query_without_a_path_is_sent_with_one() {
    let origin = Good::answering(|_| Reply::of("ok"));
    let proxy = before_good(&origin);
    proxy.ask("GET http://test?q=1 HTTP/1.1\r\nhost: test\r\n\r\n");
    assert_eq!(origin.request().uri(), "http://test/?q=1");
}

#[test]
fn an_answers_values_lose_the_space_around_them_and_its_length_its_zeros() {
    let origin = Good::answering(|_| {
        let value = HeaderValue::from_static;
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", value(" 7\t"));
        let mut reply = Reply::of("ok");
        let headers = reply.response.headers_mut();
        headers.insert("x-a", value("\t a b "));
        headers.insert("content-length", value("02"));
        Reply {
            trailers: Some(trailers),
            ..reply
        }
    });
    let proxy = before_good(&origin);
    let response = proxy.get("/");
    assert_eq!(response.field("content-length"), Some("2"));
    assert!(response.head.contains("x-a: a b\r\n"), "{}", response.head);
    let answer = crate::rig::Http2::connect(proxy.address()).get("/");
    assert_eq!(answer.headers["x-a"], "a b");
    assert_eq!(answer.trailers.expect("trailers")["x-sum"], "7");
}

#[test]
fn an_answer_has_one_length_or_is_refused() {
    for (method, lengths, status) in [
        ("GET", &["2", "2"][..], 200),
        ("HEAD", &["2", "2"], 200),
        ("GET", &[""], 502),
        ("GET", &["2", "3"], 502),
        ("GET", &["2, 3"], 502),
        // h2 accepts no list at all.
        ("GET", &["2, 2"], 502),
        ("GET", &["+2"], 502),
        ("GET", &["0x2"], 502),
        ("HEAD", &[""], 502),
        ("HEAD", &["2", "3"], 502),
    ] {
        let origin = Good::answering(move |_| {
            let mut reply = Reply::of(if method == "GET" { "ok" } else { "" });
            let headers = reply.response.headers_mut();
            headers.remove("content-length");
            for length in lengths {
                headers.append("content-length", HeaderValue::from_static(length));
            }
            reply
        });
        let proxy = before_good(&origin);
        let mut client = proxy.client();
        client.send(format!("{method} / HTTP/1.1\r\nhost: test\r\n\r\n"));
        let head = client.head();
        assert_eq!(head.status(), status, "{method} {lengths:?}");
        if status == 200 {
            assert_eq!(head.field("content-length"), Some("2"), "{lengths:?}");
        } else {
            let line = proxy.line();
            assert_eq!(
                line.text("reason"),
                "server.response.malformed",
                "{lengths:?}"
            );
        }
    }
}

#[test]
fn a_body_of_unknown_length_arrives_complete_with_its_trailers() {
    let origin = Good::answering(|_| Reply::of("ok"));
    let proxy = before_good(&origin);
    // Of a GET too.
    let response = proxy.ask(
        "GET / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
         3\r\nabc\r\n2\r\nde\r\n0\r\nx-sum: 5\r\n\r\n",
    );
    assert_eq!(response.status(), 200);
    let request = origin.request();
    assert_eq!(request.body(), b"abcde");
    assert!(!request.headers().contains_key("content-length"));
    assert_eq!(origin.trailers()[0]["x-sum"], "5");
}

#[test]
fn an_answer_arrives_complete_with_its_trailers() {
    let origin = Good::answering(|_| {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("7"));
        let mut reply = Reply::of(vec![b'x'; 300_000]);
        let headers = reply.response.headers_mut();
        headers.insert("trailer", HeaderValue::from_static("x-sum"));
        Reply {
            trailers: Some(trailers),
            ..reply
        }
    });
    let proxy = before_good(&origin);
    let response = proxy
        .client()
        .ask("GET / HTTP/1.1\r\nhost: test\r\nconnection: te\r\nte: trailers\r\n\r\n");
    assert_eq!(response.body.len(), 300_000);
    assert_eq!(response.trailers, [("x-sum".to_owned(), "7".to_owned())]);
}

#[test]
fn answers_without_a_body_have_none() {
    let origin = Good::answering(|request| {
        let mut reply = Reply::of("");
        match request.uri().path() {
            "/204" => *reply.response.status_mut() = StatusCode::NO_CONTENT,
            "/304" => *reply.response.status_mut() = StatusCode::NOT_MODIFIED,
            _ => {}
        }
        if request.method() == "HEAD" {
            let headers = reply.response.headers_mut();
            headers.insert("content-length", HeaderValue::from_static("1234"));
        }
        reply
    });
    let proxy = before_good(&origin);
    let mut client = proxy.client();
    client.send("HEAD / HTTP/1.1\r\nhost: test\r\n\r\n");
    let head = client.response_to_head();
    assert_eq!(head.field("content-length"), Some("1234"));
    assert_eq!(client.get("/204").status(), 204);
    assert_eq!(client.get("/304").status(), 304);
    let empty = client.get("/");
    assert_eq!((empty.status(), empty.text().as_str()), (200, ""));
    assert_eq!(origin.connections(), 1);
}

#[test]
fn a_body_with_an_expectation_waits_for_100() {
    let origin = Good::answering(|request| Reply::of(request.body().clone()));
    let proxy = before_good(&origin);
    let mut client = proxy.client();
    client
        .send("POST / HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n");
    assert_eq!(client.response().status(), 100);
    let response = client.ask("hi");
    assert_eq!((response.status(), response.text().as_str()), (200, "hi"));
}

#[test]
fn a_server_that_does_not_want_the_body_is_not_sent_it() {
    let origin = Origin::scripted(|visit| {
        let mut frames = Frames::begin(visit, &[]).expect("a client");
        let stream = frames.request().expect("a request");
        frames.answer(stream, b"no thanks");
        let next = frames.next();
        // Cancelled, and not a byte of it.
        let next = next.expect("a reset");
        assert_eq!((next.kind, next.stream), (kind::RESET, stream));
        frames.next();
    });
    let proxy = before(&origin);
    let mut client = proxy.client();
    client
        .send("POST / HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n");
    let response = client.response();
    assert_eq!(
        (response.status(), response.text().as_str()),
        (200, "no thanks")
    );
    drop(client);
    assert_eq!(proxy.end()[0].verdict(), (200, "-"));
}

#[test]
fn a_server_may_answer_before_it_has_seen_the_whole_request() {
    let origin = Origin::scripted(|visit| {
        let Some(mut frames) = Frames::begin(visit, &[]) else {
            return;
        };
        while let Some(stream) = frames.request() {
            frames.answer(stream, b"enough");
            frames.reset(stream, NO_ERROR);
        }
    });
    let proxy = before(&origin);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 1000000\r\n\r\nabc");
    let response = client.response();
    assert_eq!(
        (response.status(), response.text().as_str()),
        (200, "enough")
    );
    // The connection continues.
    assert_eq!(proxy.get("/").text(), "enough");
    assert_eq!(origin.connections(), 1);
}

#[test]
fn an_upload_continues_while_the_answer_is_not_read() {
    const WHOLE: usize = 1 << 20;
    let origin = Origin::scripted(|visit| {
        let Some(mut frames) = Frames::begin(visit, &[]) else {
            return;
        };
        let stream = frames.request().expect("a request");
        frames.head(stream);
        // As much of an answer as the window takes, and it is not read.
        for _ in 0..16 {
            frames.data(stream, &[b'x'; 16 << 10]);
        }
        let mut read = 0;
        while read < WHOLE {
            let piece = frames.wait_for(kind::DATA).expect("more of the request");
            read += piece.payload.len();
            let more = u32::try_from(piece.payload.len())
                .expect("a frame")
                .to_be_bytes();
            frames.send(kind::WINDOW_UPDATE, 0, 0, &more);
            frames.send(kind::WINDOW_UPDATE, 0, stream, &more);
        }
        frames.send(kind::DATA, 1, stream, b"done");
        frames.next();
    });
    let proxy = before(&origin);
    let mut client = Client::connect_narrow(proxy.address());
    client.send(format!(
        "POST / HTTP/1.1\r\nhost: test\r\ncontent-length: {WHOLE}\r\n\r\n"
    ));
    client.send(vec![b'y'; WHOLE]);
    let response = client.response();
    assert!(response.text().ends_with("done"));
}

// Connections.

#[test]
fn many_exchanges_share_one_connection() {
    let gate = Gate::default();
    let origin = Good::answering({
        let gate = gate.clone();
        move |_| {
            gate.pass();
            Reply::of("ok")
        }
    });
    let proxy = before_good(&origin);
    let mut clients: Vec<Client> = (0..30).map(|_| proxy.client()).collect();
    for client in &mut clients {
        client.send(GET);
    }
    gate.open();
    for client in &mut clients {
        assert_eq!(client.response().text(), "ok");
    }
    assert_eq!(origin.connections(), 1);
    proxy.wait_for_metric("evenkeel_server_connections_opened_total", &[], 1.0);
    proxy.wait_for_metric("evenkeel_server_connections_reused_total", &[], 29.0);
}

/// A server that answers no request before all of `clients` are there, `each` on a connection.
fn holding(each: usize, clients: usize, settings: &'static [(u16, u32)]) -> Origin {
    let held = AtomicUsize::new(0);
    Origin::scripted(move |visit| {
        let Some(mut frames) = Frames::begin(visit, settings) else {
            return;
        };
        let mut streams = Vec::new();
        while streams.len() < each {
            let Some(stream) = frames.request() else {
                return;
            };
            streams.push(stream);
            held.fetch_add(1, Ordering::SeqCst);
        }
        until("all clients", || {
            (held.load(Ordering::SeqCst) == clients).then_some(())
        });
        for stream in streams {
            frames.answer(stream, b"ok");
        }
        frames.next();
    })
}

fn ask_at_once(proxy: &Proxy, clients: usize) {
    let mut clients: Vec<Client> = (0..clients).map(|_| proxy.client()).collect();
    for client in &mut clients {
        client.send(GET);
    }
    for client in &mut clients {
        assert_eq!(client.response().text(), "ok");
    }
}

#[test]
fn a_server_that_allows_few_streams_gets_no_more_connections_than_needed() {
    let origin = holding(10, 200, &[(setting::MAX_STREAMS, 10)]);
    let proxy = before(&origin);
    ask_at_once(&proxy, 200);
    assert_eq!(origin.connections(), 20);
}

#[test]
fn our_own_bound_holds_too() {
    let origin = holding(5, 15, &[]);
    let proxy = setup(origin.address())
        .backend("http2 = { max_streams = 5 }")
        .start();
    ask_at_once(&proxy, 15);
    assert_eq!(origin.connections(), 3);
}

#[test]
fn a_server_of_another_protocol_fails_all_exchanges_at_once() {
    let origin = Origin::scripted(|visit| {
        visit.bytes(24);
        visit.send("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        visit.wait_for_end();
    });
    let proxy = before(&origin);
    let mut clients: Vec<Client> = (0..20).map(|_| proxy.client()).collect();
    for client in &mut clients {
        client.send(GET);
    }
    for client in &mut clients {
        assert_eq!(client.response().status(), 502);
    }
    assert!(origin.connections() <= 20);
    for line in proxy.end() {
        assert_eq!(line.verdict(), (502, "server.response.malformed"));
    }
}

#[test]
fn a_server_without_http2_is_reported_in_these_words() {
    let origin = Origin::scripted(|visit| {
        visit.bytes(24);
        visit.send("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        visit.wait_for_end();
    });
    let text =
        "the server does not speak HTTP/2: the connection was ended: frame with invalid size";
    let program = Program::start(&setup(origin.address()));
    for _ in 0..3 {
        assert_eq!(program.client().get("/").status(), 502);
    }
    let event = program.wait_for("server.http2_failed");
    assert!(event.to_string().contains(text), "{event}");
    assert_eq!(program.events_of("server.http2_failed").len(), 1);

    let proxy = setup(origin.address())
        .backend("health = { path = '/', interval = '10ms', timeout = '20s' }")
        .start();
    proxy.wait_for_state(origin.address(), "down");
    assert_eq!(proxy.server(origin.address())["reason"], text);
}

#[test]
fn a_connection_that_is_idle_too_long_is_closed() {
    let origin = Good::answering(|_| Reply::of("ok"));
    let proxy = setup(origin.address())
        .backend("pool = { idle_timeout = '10ms' }")
        .start();
    proxy.get("/");
    origin.wait_for_open(0);
    assert_eq!(proxy.get("/").text(), "ok");
    assert_eq!(origin.connections(), 2);
}

#[test]
fn a_connection_carries_only_as_many_requests_as_it_may() {
    let origin = Good::answering(|_| Reply::of("ok"));
    let proxy = setup(origin.address())
        .backend("pool = { max_requests = 3 }")
        .start();
    let mut client = proxy.client();
    for _ in 0..9 {
        assert_eq!(client.get("/").text(), "ok");
    }
    assert_eq!(origin.connections(), 3);
    origin.wait_for_open(1);
}

#[test]
fn a_reload_keeps_the_connection() {
    let origin = Good::answering(|_| Reply::of("ok"));
    let setup = setup(origin.address());
    let proxy = setup.start();
    proxy.get("/");
    proxy.apply(&setup.clone().backend("attempts = 2"));
    assert_eq!(proxy.get("/").text(), "ok");
    assert_eq!(origin.connections(), 1);
    proxy.apply(&setup.backend("http2 = { max_streams = 7 }"));
    assert_eq!(proxy.get("/").text(), "ok");
    assert_eq!(origin.connections(), 2);
    origin.wait_for_open(1);
}

// Nothing is lost.

#[test]
fn a_refused_request_is_sent_again_completely() {
    let is_again = Gate::default();
    let origin = Origin::scripted({
        let is_again = is_again.clone();
        move |visit| {
            let Some(mut frames) = Frames::begin(visit, &[]) else {
                return;
            };
            let first = frames.request().expect("a request");
            frames.reset(first, REFUSED_STREAM);
            let second = frames.request().expect("the same again");
            is_again.open();
            let body = frames.wait_for(kind::DATA).expect("its body");
            assert_eq!(body.stream, second);
            frames.answer(second, &body.payload);
            frames.next();
        }
    });
    let proxy = before(&origin);
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\n\r\n");
    // Nothing of the body was read when it was refused.
    is_again.pass();
    let response = client.ask("hello");
    assert_eq!(
        (response.status(), response.text().as_str()),
        (200, "hello")
    );
}

#[test]
fn a_short_part_of_a_body_is_kept_for_a_late_refusal() {
    let asked = Arc::new(AtomicUsize::new(0));
    let origin = refusing_after(1, &asked);
    let proxy = before(&origin);
    let response = proxy.client().ask(post("hello"));
    assert_eq!((response.status(), response.text().as_str()), (200, "ok"));
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[test]
fn a_long_body_that_was_taken_is_not_sent_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let origin = refusing_after(17 << 10, &asked);
    let proxy = before(&origin);
    let response = proxy.client().ask(post(&"x".repeat(20 << 10)));
    assert_eq!(response.status(), 503);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(proxy.end()[0].verdict(), (503, "server.stream.refused"));
}

/// Refuses the first request when so many bytes of it have come, and takes the others.
fn refusing_after(bytes: usize, asked: &Arc<AtomicUsize>) -> Origin {
    let asked = Arc::clone(asked);
    Origin::scripted(move |visit| {
        let Some(mut frames) = Frames::begin(visit, &[]) else {
            return;
        };
        while let Some(stream) = frames.request() {
            let mut read = 0;
            while read < bytes {
                let Some(piece) = frames.wait_for(kind::DATA) else {
                    return;
                };
                read += piece.payload.len();
            }
            if asked.fetch_add(1, Ordering::SeqCst) == 0 {
                frames.reset(stream, REFUSED_STREAM);
            } else {
                frames.answer(stream, b"ok");
            }
        }
    })
}

#[test]
fn a_server_that_refuses_everything_is_left_for_another() {
    let refusing = Origin::scripted(|visit| {
        let Some(mut frames) = Frames::begin(visit, &[]) else {
            return;
        };
        while let Some(stream) = frames.request() {
            frames.reset(stream, REFUSED_STREAM);
        }
    });
    let good = Good::answering(|_| Reply::of("ok"));
    let proxy = Setup::at([refusing.address(), good.address()])
        .workers(1)
        .backend("protocol = 'h2'")
        .start();
    for _ in 0..4 {
        assert_eq!(proxy.get("/").text(), "ok");
    }
}

#[test]
fn a_lone_server_that_refuses_everything_is_not_tried_for_ever() {
    let asked = Arc::new(AtomicUsize::new(0));
    let origin = Origin::scripted({
        let asked = Arc::clone(&asked);
        move |visit| {
            let Some(mut frames) = Frames::begin(visit, &[]) else {
                return;
            };
            while let Some(stream) = frames.request() {
                asked.fetch_add(1, Ordering::SeqCst);
                frames.reset(stream, REFUSED_STREAM);
            }
        }
    });
    let proxy = before(&origin);
    assert_eq!(proxy.get("/").status(), 503);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert_eq!(proxy.end()[0].verdict(), (503, "server.stream.refused"));
}

#[test]
fn requests_that_a_goaway_leaves_out_are_sent_again() {
    // Serves three streams of each connection, and does not process later ones.
    let origin = Origin::scripted(|visit| {
        let Some(mut frames) = Frames::begin(visit, &[]) else {
            return;
        };
        let streams: Vec<u32> = (0..3).map_while(|_| frames.request()).collect();
        let Some(&last) = streams.last() else {
            return;
        };
        frames.goaway(last);
        for stream in streams {
            frames.answer(stream, b"ok");
        }
        while frames.next().is_some() {}
    });
    let proxy = before(&origin);
    let mut clients: Vec<Client> = (0..12).map(|_| proxy.client()).collect();
    for client in &mut clients {
        client.send(post("hello"));
    }
    for client in &mut clients {
        let response = client.response();
        assert_eq!((response.status(), response.text().as_str()), (200, "ok"));
    }
}

#[test]
fn a_connection_ends_with_its_streams_after_a_goaway() {
    let gate = Gate::default();
    let origin = Origin::scripted({
        let gate = gate.clone();
        move |visit| {
            let number = visit.number();
            let Some(mut frames) = Frames::begin(visit, &[]) else {
                return;
            };
            let stream = frames.request().expect("a request");
            if number == 0 {
                frames.head(stream);
                frames.goaway(stream);
                gate.pass();
                frames.send(kind::DATA, 1, stream, b"first");
            } else {
                frames.answer(stream, b"second");
            }
            while frames
                .next()
                .is_some_and(|frame| frame.kind != kind::GOAWAY)
            {}
        }
    });
    let proxy = before(&origin);
    let mut slow = proxy.client();
    slow.send(GET);
    assert_eq!(slow.head().status(), 200);
    // New exchanges go elsewhere.
    assert_eq!(proxy.get("/").text(), "second");
    assert_eq!(origin.connections(), 2);
    gate.open();
    let (rest, _) = (slow.bytes(5 + 5), ());
    assert!(String::from_utf8_lossy(&rest).contains("first"));
    origin.wait_for_end_of(0);
}

#[test]
fn a_connection_that_the_server_has_closed_costs_no_request() {
    let origin = Good::answering(|request| Reply::of(request.body().clone()));
    let proxy = before_good(&origin);
    let mut client = proxy.client();
    for _ in 0..5 {
        assert_eq!(client.ask(post("hi")).text(), "hi");
    }
    let closing = Origin::scripted(|visit| {
        let Some(mut frames) = Frames::begin(visit, &[]) else {
            return;
        };
        let stream = frames.request().expect("a request");
        frames.answer(stream, b"once");
        // Closed without a GOAWAY when the next request comes.
        frames.request();
    });
    let proxy = before(&closing);
    let mut client = proxy.client();
    for _ in 0..5 {
        assert_eq!(client.get("/").text(), "once");
    }
}

#[test]
fn a_request_that_may_have_been_seen_is_not_sent_again() {
    let origin = Origin::scripted(|visit| {
        let Some(mut frames) = Frames::begin(visit, &[]) else {
            return;
        };
        frames.request();
    });
    let proxy = before(&origin);
    assert_eq!(proxy.client().ask(post("hi")).status(), 502);
    assert_eq!(origin.connections(), 1);
    assert_eq!(proxy.end()[0].verdict(), (502, "server.response.empty"));
}

// One exchange does not affect another.

#[test]
fn a_stream_that_the_server_resets_harms_no_other() {
    let origin = Origin::scripted(|visit| {
        let Some(mut frames) = Frames::begin(visit, &[]) else {
            return;
        };
        let streams: Vec<u32> = (0..3).map_while(|_| frames.request()).collect();
        frames.reset(streams[1], INTERNAL_ERROR);
        frames.answer(streams[0], b"ok");
        frames.answer(streams[2], b"ok");
        frames.next();
    });
    let proxy = before(&origin);
    let mut clients: Vec<Client> = (0..3).map(|_| proxy.client()).collect();
    for client in &mut clients {
        client.send(GET);
    }
    let mut statuses: Vec<u16> = clients.iter_mut().map(|c| c.response().status()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 502]);
    assert_eq!(origin.connections(), 1);
}

#[test]
fn a_client_that_closes_cancels_its_stream_and_no_other() {
    let are_here = Gate::default();
    let origin = Origin::scripted({
        let are_here = are_here.clone();
        move |visit| {
            let Some(mut frames) = Frames::begin(visit, &[]) else {
                return;
            };
            let first = frames.request().expect("a request");
            let second = frames.request().expect("a request");
            are_here.open();
            let reset = frames.wait_for(kind::RESET).expect("a reset");
            assert_eq!(reset.payload, CANCEL.to_be_bytes());
            let other = if reset.stream == first { second } else { first };
            frames.answer(other, b"ok");
            frames.next();
        }
    });
    let proxy = before(&origin);
    let mut stays = proxy.client();
    stays.send(GET);
    let mut leaves = proxy.client();
    leaves.send(GET);
    are_here.pass();
    leaves.reset();
    assert_eq!(stays.response().text(), "ok");
    assert_eq!(origin.connections(), 1);
}

#[test]
fn a_client_that_does_not_read_stalls_no_other() {
    let origin = Good::answering(|request| match request.uri().path() {
        "/large" => Reply::of(vec![b'x'; 64 << 20]),
        _ => Reply::of(vec![b'y'; 500_000]),
    });
    let proxy = before_good(&origin);
    // More than the windows of a connection without room for all streams.
    let stalled: Vec<Client> = (0..20)
        .map(|_| {
            let mut client = Client::connect_narrow(proxy.address());
            client.send("GET /large HTTP/1.1\r\nhost: test\r\n\r\n");
            assert_eq!(client.head().status(), 200);
            client
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(proxy.get("/").body.len(), 500_000);
    }
    assert_eq!(origin.connections(), 1);
    drop(stalled);
}

#[test]
fn a_late_answer_fails_one_exchange_if_the_server_is_alive() {
    let origin = Origin::scripted(|visit| {
        let Some(mut frames) = Frames::begin(visit, &[]) else {
            return;
        };
        frames.request();
        // The PING is answered.
        let ping = frames.wait_for(kind::PING).expect("a ping");
        frames.pong(&ping);
        while let Some(stream) = frames.request() {
            frames.answer(stream, b"ok");
        }
    });
    let proxy = setup(origin.address())
        .backend("timeout = { response = '200ms' }")
        .start();
    assert_eq!(proxy.get("/").status(), 504);
    until("the pong", || {
        (proxy.get("/").status() == 200).then_some(())
    });
    assert!(origin.connections() <= 2);
}

#[test]
fn an_unresponsive_connection_is_abandoned() {
    let origin = Origin::scripted(|visit| {
        let number = visit.number();
        let Some(mut frames) = Frames::begin(visit, &[]) else {
            return;
        };
        while let Some(stream) = frames.request() {
            if number > 0 {
                frames.answer(stream, b"ok");
            }
        }
    });
    let proxy = setup(origin.address())
        .backend("timeout = { response = '200ms' }\nhttp2 = { ping_timeout = '10ms' }")
        .start_paused();
    let mut client = proxy.client();
    client.send(GET).hears_in_time(&proxy);
    assert_eq!(client.response().status(), 504);
    // At once, while the PING is not answered yet.
    assert_eq!(client.get("/").text(), "ok");
    // And it is closed in the end.
    until("one is closed", || {
        proxy.advance(Duration::from_millis(50));
        (origin.open() == 1).then_some(())
    });
    origin.wait_for_end_of(0);
    assert_eq!(origin.connections(), 2);
}

#[test]
fn pings_find_a_dead_connection() {
    let origin = Origin::scripted(|visit| {
        let Some(mut frames) = Frames::begin(visit, &[]) else {
            return;
        };
        let stream = frames.request().expect("a request");
        frames.answer(stream, b"ok");
        // Reads, and sends nothing any more.
        while frames.next().is_some() {}
    });
    let proxy = setup(origin.address())
        .backend("http2 = { ping_interval = '10ms', ping_timeout = '10ms' }")
        .start_paused();
    assert_eq!(proxy.get("/").text(), "ok");
    until("it is closed", || {
        proxy.advance(Duration::from_millis(50));
        (origin.open() == 0).then_some(())
    });
}

#[test]
fn checks_use_http2_without_tls() {
    let origin = Good::answering(|_| Reply::of("ok"));
    let proxy = setup(origin.address())
        .backend("health = { path = '/healthz', body = 'ok', interval = '10ms', timeout = '20s' }")
        .start();
    proxy.wait_for_state(origin.address(), "up");
    assert_eq!(proxy.get("/").text(), "ok");
    let address = origin.address();
    drop(origin);
    proxy.wait_for_state(address, "down");
}

#[test]
fn a_request_without_a_host_is_sent_to_the_address() {
    let origin = Good::answering(|_| Reply::of("ok"));
    let proxy = before_good(&origin);
    let old = proxy.ask("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(old.status(), 200);
    let request = origin.request();
    let authority = request.uri().authority().map(ToString::to_string);
    assert_eq!(authority, Some(origin.address().to_string()));
}
