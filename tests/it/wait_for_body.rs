//! `wait_for_body`: rules look at the body of a request, which is sent on unchanged.

use std::time::Duration;

use crate::rig::{Http2, OK, Origin, RefusingAddress, Setup};

const RULES: &str = "rule = [\
    { wait_for_body = { time = '1h', size = '16KiB' } },\
    { when = 'req.body_param(user) == \"mallory\"', deny = 403 },\
    { set_header = { x-len = '%[req.body_len]', x-size = '%[req.body_size]', \
      x-sum = '%[req.body,sha1,hex]', x-user = '%[req.body_param(user)]' } }]";

fn post(body: &str) -> String {
    let length = body.len();
    format!("POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{body}")
}

#[test]
fn rules_see_a_body_that_comes_in_pieces_and_the_server_gets_it_unchanged() {
    let origin = Origin::answering(OK);
    let proxy = Setup::of(&[&origin]).frontend(RULES).start();
    let mut client = proxy.client();
    for piece in post("user=joe&x=1").as_bytes().chunks(7) {
        client.send(piece);
    }
    assert_eq!(client.response().status(), 200);
    let chunks = "POST /b HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n\
                  4\r\nuser\r\n6\r\n=ann&a\r\n0\r\n\r\n";
    for piece in chunks.as_bytes().chunks(9) {
        client.send(piece);
    }
    assert_eq!(client.response().status(), 200);
    let seen: Vec<_> = origin.requests();
    assert_eq!(seen[0].body, b"user=joe&x=1");
    assert_eq!(seen[0].field("x-user"), Some("joe"));
    assert_eq!(
        (seen[0].field("x-len"), seen[0].field("x-size")),
        (Some("12"), Some("12"))
    );
    assert_eq!(seen[0].field("content-length"), Some("12"));
    assert_eq!(seen[1].body, b"user=ann&a");
    assert_eq!(seen[1].field("x-user"), Some("ann"));
    assert_eq!(seen[1].field("transfer-encoding"), Some("chunked"));
}

#[test]
fn a_request_that_is_refused_for_its_body_leaves_the_connection_open() {
    let origin = Origin::answering(OK);
    let proxy = Setup::of(&[&origin]).frontend(RULES).start();
    let mut client = proxy.client();
    assert_eq!(client.ask(post("user=mallory")).status(), 403);
    assert_eq!(client.ask(post("user=joe")).status(), 200);
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn a_body_that_does_not_come_in_time_is_answered_408() {
    let origin = Origin::answering(OK);
    let rules = "rule = [{ wait_for_body = { time = '1s' } }]";
    let proxy = Setup::of(&[&origin]).frontend(rules).start_paused();
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf");
    client.hears_in_time(&proxy);
    assert_eq!(client.response().status(), 408);
    proxy.advance(Duration::from_secs(1));
    assert_eq!(proxy.line().text("reason"), "request.body.timeout");
    assert!(origin.requests().is_empty());
}

#[test]
fn no_more_than_its_size_is_kept_and_the_rest_streams() {
    let origin = Origin::answering(OK);
    let proxy = Setup::of(&[&origin]).frontend(RULES).start();
    let body = "x".repeat(1 << 20);
    assert_eq!(proxy.ask(post(&body)).status(), 200);
    let seen = origin.request();
    assert!(seen.body == body.as_bytes());
    assert_eq!(seen.field("x-size"), Some("1048576"));
    let length: usize = seen
        .field("x-len")
        .expect("it was read")
        .parse()
        .expect("a number");
    // One more piece may have come with the last.
    assert!((16 << 10..=80 << 10).contains(&length), "{length}");
}

#[test]
fn with_at_least_the_rest_is_not_waited_for() {
    let origin = Origin::answering(OK);
    let rules = "rule = [{ wait_for_body = { time = '1h', at_least = '4B' } },\
                 { when = 'req.body starts_with \"BAD!\"', deny = 403 }]";
    let proxy = Setup::of(&[&origin]).frontend(rules).start();
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99\r\n\r\nBAD!");
    assert_eq!(client.response().status(), 403);
}

#[test]
fn a_client_that_waits_for_100_gets_it_and_the_server_is_not_asked() {
    let origin = Origin::answering(OK);
    let proxy = Setup::of(&[&origin]).frontend(RULES).start();
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 8\r\n\r\n");
    assert_eq!(client.head().status(), 100);
    client.send("user=joe");
    assert_eq!(client.response().status(), 200);
    let seen = origin.request();
    assert_eq!(
        (seen.field("expect"), &seen.body[..]),
        (None, &b"user=joe"[..])
    );
}

#[test]
fn the_body_goes_to_the_next_server_when_one_cannot_be_reached() {
    let origin = Origin::answering(OK);
    let refusing = RefusingAddress::new();
    let setup = Setup::at([refusing.address(), origin.address()]);
    let proxy = setup.frontend(RULES).backend("retry.attempts = 3").start();
    for _ in 0..4 {
        assert_eq!(proxy.ask(post("user=joe")).status(), 200);
    }
    assert!(
        origin
            .requests()
            .iter()
            .all(|seen| seen.body == b"user=joe")
    );
}

#[test]
fn the_body_of_an_http2_request_is_read_too() {
    let origin = Origin::answering(OK);
    let proxy = Setup::of(&[&origin]).frontend(RULES).start();
    let mut client = Http2::connect(proxy.address());
    assert_eq!(client.post("/", "user=mallory").status, 403);
    // More than a window of bytes.
    let body = format!("user=joe&x={}", "y".repeat(1 << 20));
    assert_eq!(client.post("/", body.clone()).status, 200);
    let seen = origin.request();
    assert!(seen.body == body.as_bytes());
    assert_eq!(seen.field("x-user"), Some("joe"));
}
