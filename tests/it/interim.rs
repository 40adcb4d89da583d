//! Interim answers (1xx): a server may send some, but not without end.

use crate::rig::{Frames, OK, Origin, Setup, kind};

const GET: &str = "GET / HTTP/1.1\r\nhost: test\r\n\r\n";

/// The most bytes that a server may send before its answer.
const MOST_INTERIM: usize = 64 << 10;

/// An interim answer.
const HINT: &str = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";

#[test]
fn interim_answers_without_end_are_a_502() {
    let origin = Origin::scripted(|visit| {
        visit.request();
        while visit.send(HINT.repeat(100)) {}
    });
    let proxy = Setup::of(&[&origin]).start();
    let (_, response) = proxy.client().send(GET).responses();
    assert_eq!(response.status(), 502);
    assert_eq!(response.reason(), "server.response.interim");
    assert_eq!(proxy.line().verdict(), (502, "server.response.interim"));
    origin.wait_for_end_of(0);
}

#[test]
fn interim_answers_count_with_all_their_bytes() {
    // The reason phrase and the space around a value are read and not passed on.
    for padded in [
        format!("HTTP/1.1 103 {}\r\n\r\n", "r".repeat(30_000)),
        format!("HTTP/1.1 103 X\r\nlink:{}</x>\r\n\r\n", " ".repeat(30_000)),
    ] {
        let origin = Origin::answering([padded.repeat(3).as_bytes(), OK].concat());
        let proxy = Setup::of(&[&origin]).start();
        let (_, response) = proxy.client().send(GET).responses();
        assert_eq!(response.reason(), "server.response.interim");
    }
}

#[test]
fn as_many_interim_answers_as_may_be_are_taken() {
    let hints = HINT.repeat(MOST_INTERIM / HINT.len());
    let origin = Origin::answering([hints.as_bytes(), OK].concat());
    let proxy = Setup::of(&[&origin]).workers(1).start();
    let mut client = proxy.client();
    for _ in 0..2 {
        // By HTTP/1 the bound is on the bytes that are read before the head is complete, and starts
        // anew for each.
        assert_eq!(client.send(GET).responses().1.text(), "ok");
    }
    assert_eq!(origin.connections(), 1);
}

/// Interim answers by HTTP/2, `times` as many as it has room for in a write.
fn hints(stream: u32) -> Vec<u8> {
    // `:status: 103`, a literal.
    let block = b"\x08\x03103";
    let mut frame = vec![0, 0, block.len() as u8, kind::HEADERS, 4];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(block);
    frame.repeat(100)
}

#[test]
fn interim_answers_without_end_by_http2_are_a_502_and_the_connection_is_left() {
    let origin = Origin::scripted(|visit| {
        let stream = Frames::begin(visit, &[]).and_then(|mut frames| frames.request());
        let Some(stream) = stream else {
            return;
        };
        while visit.send(hints(stream)) {}
    });
    let proxy = Setup::of(&[&origin]).backend("protocol = \"h2\"").start();
    let (_, response) = proxy.client().send(GET).responses();
    assert_eq!(response.status(), 502);
    assert_eq!(response.reason(), "server.response.interim");
    assert_eq!(proxy.line().verdict(), (502, "server.response.interim"));
    origin.wait_for_end_of(0);
}

#[test]
fn a_browser_of_http_1_1_did_not_get_early_hints() {
    let head = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x-hop\r\nX-Hop: 1\r\n\
                Content-Length: 0\r\n\r\n";
    let (hear, heard) = std::sync::mpsc::channel();
    let heard = std::sync::Mutex::new(heard);
    let origin = Origin::scripted(move |visit| {
        visit.request();
        visit.send(head);
        // The answer comes when the client has the hints.
        let _ = heard.lock().expect("one visit").recv();
        visit.send(OK);
    });
    let proxy = Setup::of(&[&origin]).start();
    let mut client = proxy.client();
    let hints = client.ask(GET);
    hear.send(()).expect("the origin waits");
    assert_eq!(hints.status(), 103);
    assert_eq!(hints.field("link"), Some("</a>"));
    for hop in ["connection", "x-hop", "content-length", "date"] {
        assert_eq!(hints.field(hop), None, "{hop}");
    }
    assert_eq!(client.response().text(), "ok");
    assert_eq!(proxy.line().number("bytes_out"), 2);
}

#[test]
fn what_a_server_says_before_its_answer_is_passed_on_up_to_a_number_and_not_to_http_1_0() {
    for (version, passed) in [("1.1", 16), ("1.0", 0)] {
        let origin = Origin::answering([HINT.repeat(20).as_bytes(), OK].concat());
        let proxy = Setup::of(&[&origin]).start();
        let request = format!("GET / HTTP/{version}\r\nhost: test\r\n\r\n");
        let (interims, response) = proxy.client().send(request).responses();
        assert_eq!(interims.len(), passed, "HTTP/{version}");
        assert!(interims.iter().all(|interim| interim.status() == 103));
        assert_eq!(response.text(), "ok");
    }
}

#[test]
fn names_of_interim_answers_are_written_as_those_of_the_final_one() {
    let cases = [
        ("lower", "x-custom"),
        ("title", "X-Custom"),
        ("preserve", "X-CuStom"),
    ];
    for (case, name) in cases {
        let hint = "HTTP/1.1 103 Early Hints\r\nX-CuStom: 1\r\n\r\n";
        let origin = Origin::answering([hint.as_bytes(), OK].concat());
        let case = format!("header_case = \"{case}\"");
        let proxy = Setup::of(&[&origin]).frontend(&case).backend(&case).start();
        let (interims, _) = proxy.client().send(GET).responses();
        let head = &interims[0].head;
        assert!(head.contains(&format!("\r\n{name}: 1\r\n")), "{head}");
    }
}
