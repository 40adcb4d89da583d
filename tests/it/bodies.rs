//! The most bytes that the body of a request may have.

use crate::rig::{Http2, OK, Origin, Proxy, Setup};

fn bounded(origin: &Origin) -> Proxy {
    let rules = "rule = [{ max_body = '10B' }, { when = 'path == \"/small\"', max_body = '2B' }, { when = 'path == \"/large\"', max_body = '1KiB' }]";
    Setup::of(&[origin]).frontend(rules).start()
}

fn sized(target: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {target} HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn chunked(target: &str, chunks: &[&str]) -> String {
    let chunks = chunks.iter();
    let chunks: String = chunks
        .map(|chunk| format!("{:x}\r\n{chunk}\r\n", chunk.len()))
        .collect();
    format!(
        "POST {target} HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
    )
}

#[test]
fn a_body_at_the_limit_passes_and_one_byte_more_does_not() {
    let origin = Origin::answering(OK);
    let proxy = bounded(&origin);
    assert_eq!(proxy.ask(sized("/", "0123456789")).status(), 200);
    assert_eq!(proxy.ask(chunked("/", &["01234", "56789"])).status(), 200);
    let refused = proxy.ask(sized("/", "0123456789a"));
    assert_eq!(
        (refused.status(), refused.reason().as_str()),
        (413, "request.body.too_large")
    );
    // Without a length, when it has come too far.
    let refused = proxy.ask(chunked("/", &["01234", "56789", "a"]));
    assert_eq!(
        (refused.status(), refused.reason().as_str()),
        (413, "request.body.too_large")
    );
    let whole = origin.requests();
    assert_eq!(
        whole.len(),
        2,
        "no server gets a whole request that is too long"
    );
}

#[test]
fn of_several_rules_the_least_holds() {
    let origin = Origin::answering(OK);
    let proxy = bounded(&origin);
    assert_eq!(proxy.ask(sized("/small", "ab")).status(), 200);
    assert_eq!(proxy.ask(sized("/small", "abc")).status(), 413);
    assert_eq!(proxy.ask(chunked("/small", &["abc"])).status(), 413);
    assert_eq!(proxy.ask(sized("/large", "0123456789a")).status(), 413);
}

#[test]
fn a_client_of_http2_that_says_no_length_is_counted_too() {
    let origin = Origin::answering(OK);
    let proxy = bounded(&origin);
    let mut client = Http2::connect(proxy.address());
    let request = client.request("POST", "/");
    let mut asked = client.begin(request);
    asked.send("0123456789");
    asked.send_last("a");
    assert_eq!(asked.answer().status, 413);
    assert_eq!(client.post("/", "0123456789").status, 200);
}

#[test]
fn a_client_that_asks_first_is_refused_before_it_sends() {
    let origin = Origin::answering(OK);
    let proxy = bounded(&origin);
    let mut client = proxy.client();
    client.send(
        "POST / HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 11\r\n\r\n",
    );
    assert_eq!(client.response().status(), 413);
    assert!(origin.has_seen_nothing());
}
