//! Refusals, each with its status and its reason, in the answer, the log and the metrics, and
//! without a byte of the request at the server.

use std::time::Duration;

use crate::rig::{Client, Ending, Gate, Http2, Message, OK, Origin, Program, Proxy, Setup, until};

/// A proxy for a good server.
fn guard() -> (Origin, Proxy) {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).start();
    (origin, proxy)
}

/// Checks that a request of these bytes is refused with this status and reason everywhere, and
/// reaches no server.
#[track_caller]
fn refused(bytes: impl AsRef<[u8]>, status: u16, reason: &str) {
    refused_by(guard(), bytes, status, reason);
}

#[track_caller]
fn refused_by(
    (origin, proxy): (Origin, Proxy),
    bytes: impl AsRef<[u8]>,
    status: u16,
    reason: &str,
) {
    let case = String::from_utf8_lossy(bytes.as_ref()).into_owned();
    let case: String = case.chars().take(200).collect();
    let mut client = proxy.client();
    client.send(bytes);
    let response = client.response();
    assert_eq!(response.status(), status, "{case}");
    let (_, ending) = client.half_close().rest();
    assert_eq!(ending, Ending::Closed, "{case}");
    let line = proxy.line();
    assert_eq!(line.verdict(), (status.into(), reason), "{case}");
    assert_eq!(line.number("attempts"), 0, "{case}");
    let of_reason = [("frontend", "web"), ("reason", reason)];
    proxy.wait_for_metric("evenkeel_replies_total", &of_reason, 1.0);
    let status = status.to_string();
    let of_status = [("frontend", "web"), ("status", status.as_str())];
    proxy.wait_for_metric("evenkeel_frontend_requests_total", &of_status, 1.0);
    assert!(origin.has_seen_nothing(), "{case}");
    assert_eq!(proxy.end().len(), 1, "one line, not more: {case}");
}

/// A GET with these lines after the request line.
fn get(lines: &str) -> String {
    format!("GET / HTTP/1.1\r\n{lines}\r\n")
}

/// A POST with `Host`, these lines, and the bytes after the head.
fn post(lines: &str, after: &str) -> String {
    format!("POST / HTTP/1.1\r\nhost: test\r\n{lines}\r\n{after}")
}

// Heads.

#[test]
fn an_invalid_head_is_refused() {
    let heads = [
        "nonsense\r\n\r\n",
        "GET\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/1.1 \r\nhost: test\r\n\r\n",
        "GET / HTTP/3.7\r\nhost: test\r\n\r\n",
        "GET / http/1.1\r\nhost: test\r\n\r\n",
        "GET /a b HTTP/1.1\r\nhost: test\r\n\r\n",
        "GET /\x00 HTTP/1.1\r\nhost: test\r\n\r\n",
        "GET /\x7f HTTP/1.1\r\nhost: test\r\n\r\n",
        "G@T / HTTP/1.1\r\nhost: test\r\n\r\n",
        " GET / HTTP/1.1\r\nhost: test\r\n\r\n",
    ];
    for head in heads {
        refused(head, 400, "request.head.malformed");
    }
}

#[test]
fn an_invalid_field_is_refused() {
    let lines = [
        "host: test\r\nno colon\r\n",
        "host : test\r\n",
        "host: test\r\n folded: yes\r\n",
        "host: test\r\nx: a\r\n b\r\n",
        "host: test\r\n: nameless\r\n",
        "host: test\r\nx y: 1\r\n",
        "host: test\r\nx(y): 1\r\n",
        " host: test\r\n",
    ];
    for lines in lines {
        refused(get(lines), 400, "request.head.malformed");
    }
}

#[test]
fn control_bytes_in_a_field_are_refused() {
    for byte in ["\x00", "\x01", "\x0b", "\x0c", "\r", "\x1b", "\x7f"] {
        let lines = format!("host: test\r\nx: a{byte}b\r\n");
        refused(get(&lines), 400, "request.head.malformed");
    }
}

#[test]
fn a_head_as_large_as_the_limit_passes_and_one_byte_more_does_not() {
    let limit = 8 << 10;
    let guard = || {
        let origin = Origin::answering(OK);
        let setup = Setup::of(&[&origin]).frontend("limits = { head = \"8KiB\" }");
        let proxy = setup.start();
        (origin, proxy)
    };
    let sized = |size: usize| {
        let bare = get("host: test\r\nx: \r\n").len();
        get(&format!("host: test\r\nx: {}\r\n", "x".repeat(size - bare)))
    };
    let (_origin, proxy) = guard();
    assert_eq!(proxy.ask(sized(limit)).status(), 200);
    refused_by(guard(), sized(limit + 1), 431, "request.head.too_large");
}

#[test]
fn a_head_without_end_is_refused_before_it_fills_the_memory() {
    let (origin, proxy) = guard();
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nhost: test\r\n");
    let line = format!("x: {}\r\n", "x".repeat(1000));
    // 64 KiB are the limit; bytes beyond it are read and discarded.
    for _ in 0..150 {
        client.send(&line);
    }
    assert_eq!(client.response().status(), 431);
    client.half_close().is_closed();
    assert_eq!(proxy.line().verdict(), (431, "request.head.too_large"));
    assert!(origin.has_seen_nothing());
}

#[test]
fn as_many_fields_as_the_limit_pass_and_one_more_does_not() {
    for (setting, limit) in [("", 100), ("limits = { fields = 12 }", 12)] {
        let origin = Origin::answering(OK);
        let proxy = Setup::of(&[&origin]).frontend(setting).start();
        let with = |count: usize| get(&format!("host: test\r\n{}", "x: y\r\n".repeat(count - 1)));
        assert_eq!(proxy.ask(with(limit)).status(), 200, "{limit}");
        let origin = Origin::answering(OK);
        let proxy = Setup::of(&[&origin]).frontend(setting).start();
        let one_more = with(limit + 1);
        refused_by((origin, proxy), one_more, 431, "request.head.too_large");
    }
}

#[test]
fn a_target_as_long_as_the_limit_passes_and_one_byte_more_does_not() {
    for (setting, limit) in [("", 16 << 10), ("limits = { target = \"100B\" }", 100)] {
        let guard = || {
            let origin = Origin::answering(OK);
            let proxy = Setup::of(&[&origin]).frontend(setting).start();
            (origin, proxy)
        };
        let sized = |size: usize| {
            let target = "/x".repeat(size / 2);
            format!("GET {target} HTTP/1.1\r\nhost: test\r\n\r\n")
        };
        let (_origin, proxy) = guard();
        assert_eq!(proxy.ask(sized(limit)).status(), 200, "{limit}");
        let one_more = sized(limit).replacen("GET /x", "GET /xx", 1);
        refused_by(guard(), one_more, 414, "request.target.too_long");
    }
}

#[test]
fn a_target_longer_than_any_limit_is_refused_as_such() {
    let target = "/".repeat(70_000);
    let request = format!("GET {target} HTTP/1.1\r\nhost: test\r\n\r\n");
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).frontend("limits = { head = \"1MiB\" }");
    let proxy = setup.start();
    refused_by((origin, proxy), request, 414, "request.target.too_long");
}

#[test]
fn a_method_as_long_as_the_bound_passes_and_one_byte_more_does_not() {
    let with = |length: usize| format!("{} / HTTP/1.1\r\nhost: test\r\n\r\n", "X".repeat(length));
    let (_origin, proxy) = guard();
    assert_eq!(proxy.ask(with(32)).status(), 200);
    for length in [33, 60_000] {
        refused(with(length), 501, "request.method.too_long");
    }
    let (_origin, proxy) = guard();
    proxy.ask(with(60_000));
    assert_eq!(
        proxy.line().text("method"),
        "X".repeat(32),
        "of a line that is not as long"
    );
}

#[test]
fn a_few_empty_lines_may_come_before_a_request_and_not_many() {
    let (_origin, proxy) = guard();
    let mut client = proxy.client();
    for _ in 0..3 {
        client.send("\r\n".repeat(8));
        assert_eq!(client.get("/").text(), "a");
    }
    for lines in ["\r\n", "\n"] {
        let (origin, proxy) = guard();
        let mut client = proxy.client();
        // It may be closed while they still come.
        let request = lines.repeat(2_000) + "GET / HTTP/1.1\r\nhost: test\r\n\r\n";
        let _ = client.try_send(request);
        client.rest();
        assert_eq!(proxy.line().text("reason"), "request.head.malformed");
        assert!(origin.has_seen_nothing());
    }
}

#[test]
fn as_many_empty_lines_as_may_be_are_skipped_before_each_request() {
    // RFC 9112 §2.2 wants one to be skipped; 64 bytes of them are.
    let most = "\r\n".repeat(32);
    let (_origin, proxy) = guard();
    let mut client = proxy.client();
    for _ in 0..3 {
        assert_eq!(
            client.ask(format!("{most}{}", get("host: a\r\n"))).text(),
            "a"
        );
    }
    let (origin, proxy) = guard();
    let mut client = proxy.client();
    client.send(format!("\n{most}{}", get("host: a\r\n")));
    let (answer, _) = client.rest();
    assert_eq!(String::from_utf8_lossy(&answer), "");
    assert_eq!(proxy.line().text("reason"), "request.head.malformed");
    assert!(origin.has_seen_nothing());
}

#[test]
fn a_carriage_return_alone_is_refused_in_however_many_pieces_it_comes() {
    let (_origin, proxy) = guard();
    for pieces in [
        &["\r", "GET / HTTP/1.1\r\nhost: test\r\n\r\n"][..],
        &["\rGET / HTTP/1.1\r\nhost: test\r\n\r\n"],
    ] {
        let mut client = proxy.client();
        assert_eq!(client.get("/").text(), "a");
        for piece in pieces {
            client.is_quiet_for(Duration::from_millis(20));
            client.send(piece);
        }
        assert_eq!(client.response().status(), 400);
    }
}

#[test]
fn an_empty_line_that_comes_in_two_pieces_is_skipped() {
    let (_origin, proxy) = guard();
    let mut client = proxy.client();
    for _ in 0..3 {
        for piece in ["\r", "\n"] {
            client.send(piece);
            client.is_quiet_for(Duration::from_millis(20));
        }
        assert_eq!(client.get("/").text(), "a");
    }
}

#[test]
fn a_part_of_a_head_that_is_malformed_is_logged_as_that_when_its_client_leaves() {
    for (part, reason) in [
        ("GET / HTTP/1.1\r\nx: \0", "request.head.malformed"),
        ("GET / HTTP/1.1\r\nx: y", "client.left"),
    ] {
        let (_origin, proxy) = guard();
        proxy.client().send(part).half_close();
        assert_eq!(proxy.line().text("reason"), reason, "{part:?}");
    }
}

#[test]
fn empty_lines_one_by_one_are_not_skipped_for_ever_while_a_connection_waits() {
    // Right after an answer, and after so long that it waits as a bare socket.
    for waited in [Duration::ZERO, Duration::from_secs(2)] {
        let origin = Origin::named("a");
        let proxy = Setup::of(&[&origin]).start_paused();
        let mut client = proxy.client();
        assert_eq!(client.get("/").text(), "a");
        proxy.advance(waited);
        let is_closed = (0..100_000).any(|_| client.try_send("\r\n").is_err());
        assert!(is_closed, "after {waited:?}");
    }
}

// Host and target.

#[test]
fn a_host_that_is_missing_or_there_twice_is_refused() {
    refused(get(""), 400, "request.host.missing");
    refused(get("host: a\r\nhost: a\r\n"), 400, "request.host.duplicate");
    refused(
        get("host: a\r\nx: y\r\nHost: b\r\n"),
        400,
        "request.host.duplicate",
    );
    let old = "GET / HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n";
    refused(old, 400, "request.host.duplicate");
}

#[test]
fn a_host_that_is_none_is_refused() {
    let hosts = [
        "", "a b", "a/b", "a?b", "user@a", "a:b", "a:99999", "a:80:80", "[::1", "::1", "a#b",
        "a\\b", "%zz",
    ];
    for host in hosts {
        refused(
            get(&format!("host: {host}\r\n")),
            400,
            "request.host.malformed",
        );
    }
}

#[test]
fn a_target_that_names_another_host_is_refused() {
    for target in ["http://b/", "http://a:81/", "https://a:80/", "http://a.b/"] {
        let request = format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n");
        refused(request, 400, "request.host.conflict");
    }
}

#[test]
fn a_target_in_a_form_that_does_not_fit_is_refused() {
    let starts = [
        "GET *",
        "GET a:80",
        "GET a",
        "OPTIONS a",
        "GET ftp://a/",
        "GET ws://a/",
        "GET http://a#x",
        "OPTIONS http://a#x",
        "GET http://a#?b",
    ];
    for start in starts {
        let request = format!("{start} HTTP/1.1\r\nhost: a\r\n\r\n");
        refused(request, 400, "request.target.form");
    }
}

#[test]
fn connect_and_trace_are_refused() {
    for start in ["CONNECT a:443", "CONNECT /", "TRACE /"] {
        let request = format!("{start} HTTP/1.1\r\nhost: a\r\n\r\n");
        refused(request, 405, "request.method.refused");
    }
    let (_origin, proxy) = guard();
    let response = proxy.ask("TRACE / HTTP/1.1\r\nhost: a\r\n\r\n");
    let allowed = response.field("allow").expect("RFC 9110 §15.5.6");
    assert!(!allowed.contains("TRACE"), "{allowed}");
}

#[test]
fn an_unknown_expectation_is_refused() {
    let request = post("expect: a-pony\r\ncontent-length: 0\r\n", "");
    refused(request, 417, "request.expectation");
}

#[test]
fn an_upgrade_with_a_body_is_refused() {
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\n";
    let sized = post(&format!("{upgrade}content-length: 2\r\n"), "hi");
    refused(sized, 400, "request.upgrade.body");
    let chunked = format!("{upgrade}transfer-encoding: chunked\r\n");
    refused(post(&chunked, "0\r\n\r\n"), 400, "request.upgrade.body");
}

// Framing.

/// The request that a smuggler wants the server to see.
const SECOND: &str = "GET /smuggled HTTP/1.1\r\nhost: test\r\n\r\n";

#[test]
fn a_coding_other_than_chunked_is_refused_and_nothing_after_it_is_read() {
    let after = format!("0\r\n\r\n{SECOND}");
    let known_to_the_parser = ["gzip, chunked", "chunked, chunked", "identity, chunked"];
    for coding in known_to_the_parser {
        let request = post(&format!("transfer-encoding: {coding}\r\n"), &after);
        refused(request, 501, "request.transfer_coding");
    }
    for first in ["gzip", "chunked"] {
        let twice = format!("transfer-encoding: {first}\r\ntransfer-encoding: chunked\r\n");
        refused(post(&twice, &after), 501, "request.transfer_coding");
    }
    let codings = [
        "gzip",
        "identity",
        "xchunked",
        "chunked, gzip",
        "chunked\x0b",
        "\x0bchunked",
        "",
        "\"chunked\"",
        "chunked;q=1",
    ];
    for coding in codings {
        let request = post(&format!("transfer-encoding: {coding}\r\n"), &after);
        refused_in_any_way(request);
    }
}

/// The status is 400 or 501, by which check comes first.
#[track_caller]
fn refused_in_any_way(request: String) {
    let (origin, proxy) = guard();
    let mut client = proxy.client();
    let status = client.ask(&request).status();
    assert!([400, 501].contains(&status), "{request}");
    client.half_close().is_closed();
    assert!(origin.has_seen_nothing(), "{request}");
    assert_eq!(proxy.end().len(), 1, "{request}");
}

#[test]
fn a_coding_on_http_1_0_is_refused() {
    let after = format!("0\r\n\r\n{SECOND}");
    let request =
        format!("POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{after}");
    refused_in_any_way(request);
}

#[test]
fn lengths_that_differ_or_are_none_are_refused() {
    let fields = [
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 5, 6\r\n",
        "content-length: 5, 5\r\n",
        "content-length: +5\r\n",
        "content-length: -5\r\n",
        "content-length: 0x5\r\n",
        "content-length: 5 5\r\n",
        "content-length: five\r\n",
        "content-length: \r\n",
        "content-length: 5.0\r\n",
        "content-length: 99999999999999999999999\r\n",
        "content-length: 18446744073709551616\r\n",
        "content-length: 18446744073709551615\r\n",
        "content-length: 18446744073709551614\r\n",
        "content-length: 18446744073709551613\r\n",
        "content-length: 9223372036854775808\r\n",
    ];
    for fields in fields {
        let request = post(fields, &format!("hello{SECOND}"));
        refused(request, 400, "request.head.malformed");
    }
}

#[test]
fn a_pipelined_request_that_was_refused_got_no_body_and_no_line_in_the_log() {
    let cases = [
        (
            "content-length: 18446744073709551615\r\n",
            400,
            "request.head.malformed",
        ),
        ("no colon\r\n", 400, "request.head.malformed"),
        (
            &format!("x: {}\r\n", "y".repeat(70_000)),
            431,
            "request.head.too_large",
        ),
    ];
    for (fields, status, reason) in cases {
        let origin = Origin::named("a");
        let proxy = Setup::of(&[&origin]).start();
        let mut client = proxy.client();
        let second = format!("POST /second HTTP/1.1\r\nhost: test\r\n{fields}\r\nhello");
        client.send(format!("GET / HTTP/1.1\r\nhost: test\r\n\r\n{second}"));
        assert_eq!(client.response().text(), "a");
        let refusal = client.response();
        assert_eq!(refusal.status(), status);
        assert_eq!(refusal.reason(), reason);
        let lines = proxy.wait_for_lines(2);
        assert_eq!(lines[1].verdict(), (u64::from(status), reason));
        assert_eq!(lines[1].text("method"), "POST");
        assert_eq!(lines[1].text("target"), "/second");
        assert_eq!(origin.requests().len(), 1);
    }
}

#[test]
fn a_pipelined_request_was_refused_for_a_character_that_others_may_have_in_a_target() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).start();
    let mut client = proxy.client();
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nhost: test\r\n\r\n");
    client.send(get("/a") + &get("/?q=<\"é\">"));
    for _ in 0..2 {
        assert_eq!(client.response().status(), 200);
    }
    assert_eq!(origin.requests()[1].target(), "/?q=%3C%22%C3%A9%22%3E");
}

#[test]
fn a_length_that_servers_can_count_passes_and_one_byte_more_does_not() {
    let longest = i64::MAX.to_string();
    let (origin, proxy) = guard();
    let mut client = proxy.client();
    client.send(post(
        &format!("content-length: {longest}\r\n"),
        "the beginning",
    ));
    until("its head has come", || {
        (origin.connections() > 0)
            .then(|| origin.received(0))
            .filter(|head| head.contains(&format!("content-length: {longest}\r\n")))
    });
    let mut client = Http2::connect(proxy.address());
    let ask = |client: &mut Http2, length: &str| {
        let request = client
            .request("POST", "/h2")
            .header("content-length", length);
        client.begin(request)
    };
    let _asked = ask(&mut client, &longest);
    until("its head has come, too", || {
        (0..origin.connections()).find(|&number| origin.received(number).starts_with("POST /h2 "))
    });
    let answer = ask(&mut client, "9223372036854775808").answer();
    assert_eq!(answer.status, 400);
    assert_eq!(answer.reason(), "request.head.malformed");
    let one_more = "HTTP/1.1 200 OK\r\ncontent-length: 9223372036854775808\r\n\r\nhello";
    for answer in [
        one_more,
        &one_more.replace("9223372036854775808", "18446744073709551615"),
    ] {
        let origin = Origin::answering(answer);
        let response = Setup::of(&[&origin]).start().get("/");
        assert_eq!(response.status(), 502, "{answer}");
        assert_eq!(response.reason(), "server.response.malformed", "{answer}");
    }
}

#[test]
fn a_coding_beside_a_length_is_processed_alone_and_the_connection_closes() {
    let fields = [
        "content-length: 3\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 3\r\n",
        "Content-Length: 0\r\nTransfer-Encoding: CHUNKED\r\n",
    ];
    for fields in fields {
        let (origin, proxy) = guard();
        let mut client = proxy.client();
        let request = post(fields, &format!("5\r\nhello\r\n0\r\n\r\n{SECOND}"));
        let response = client.ask(request.replacen("POST /", "POST /echo", 1));
        assert_eq!(response.text(), "hello", "{fields}");
        assert_eq!(response.field("connection"), Some("close"), "{fields}");
        client.half_close().is_closed();
        let request = origin.request();
        assert_eq!(request.field("content-length"), None, "{fields}");
        assert_eq!(request.field("transfer-encoding"), Some("chunked"));
    }
}

#[test]
fn bare_line_feeds_are_read_and_never_written() {
    let (origin, proxy) = guard();
    let request = "POST /echo HTTP/1.1\nhost: test\ncontent-length: 5\nx: y\n\nhello";
    assert_eq!(proxy.ask(request).text(), "hello");
    let received = origin.received(0);
    let bare = received.replace("\r\n", "");
    assert!(!bare.contains('\n'), "{received:?}");
    assert_eq!(origin.request().field("x"), Some("y"));
}

// Malformed bodies.

/// Checks that a chunked body which ends in `nonsense` is refused, and that the server can see
/// that.
#[track_caller]
fn aborted(nonsense: &str) {
    let origin = Origin::silent();
    let proxy = Setup::of(&[&origin]).start();
    let mut client = proxy.client();
    let first = post("transfer-encoding: chunked\r\n", "5\r\nhello\r\n");
    client.send(first + nonsense);
    let response = client.response();
    assert_eq!(response.status(), 400, "{nonsense:?}");
    assert_eq!(response.reason(), "request.body.malformed", "{nonsense:?}");
    client.half_close().is_closed();
    assert_eq!(proxy.line().verdict(), (400, "request.body.malformed"));
    origin.wait_for_end_of(0);
    let received = origin.received(0);
    assert!(!received.ends_with("\r\n0\r\n\r\n"), "{received:?}");
    assert!(origin.requests().is_empty(), "{received:?}");
}

#[test]
fn a_server_sees_a_request_with_malformed_chunks_aborted() {
    let cases = [
        "xyz\r\n",
        "-1\r\nx\r\n",
        "\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "fffffffffffffffff\r\n",
        "5 5\r\nhello\r\n",
        "0x5\r\nhello\r\n",
    ];
    for nonsense in cases {
        aborted(nonsense);
    }
}

#[test]
fn chunk_extensions_without_end_are_refused() {
    aborted(&format!("5;{}", "x".repeat(20_000)));
}

#[test]
fn trailers_without_end_are_refused() {
    aborted(&format!("0\r\n{}", "x: y\r\n".repeat(20_000)));
}

#[test]
fn a_server_sees_a_request_aborted_whose_client_left() {
    let origin = Origin::silent();
    let proxy = Setup::of(&[&origin]).start();
    let mut client = proxy.client();
    client
        .send(post("content-length: 10\r\n", "hello"))
        .half_close();
    origin.wait_for_end_of(0);
    assert!(origin.received(0).ends_with("hello"));
    assert_eq!(proxy.line().verdict(), (499, "client.left"));
}

// The answer arrives.

#[test]
fn a_refusal_is_read_by_a_client_that_is_still_sending() {
    let (origin, proxy) = guard();
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\ncontent-length: 250000\r\n\r\n");
    proxy.wait_for_lines(1);
    // The answer has come; a client that does not read it yet sends on, and must not get a reset.
    for _ in 0..100 {
        client.send([b'x'; 2_000]);
    }
    let response = client.response();
    assert_eq!(response.reason(), "request.host.missing");
    assert_eq!(response.field("connection"), Some("close"));
    client.half_close().is_closed();
    assert!(origin.has_seen_nothing());
}

#[test]
fn a_refused_client_that_never_stops_sending_is_let_go_of() {
    let (_origin, proxy) = guard();
    let mut client = proxy.client();
    client.send("POST / HTTP/1.1\r\ncontent-length: 1000000000\r\n\r\n");
    let piece = [b'x'; 64 << 10];
    let is_cut = (0..2_000).any(|_| client.try_send(piece).is_err());
    assert!(is_cut, "128 MB were taken in");
}

#[test]
fn a_refusal_shows_nothing_of_the_servers() {
    let origin = Origin::answering_once("nonsense\r\n\r\n");
    let proxy = Setup::of(&[&origin]).start();
    let response = proxy.get("/");
    assert_eq!(response.reason(), "server.response.malformed");
    let all = format!("{}{}", response.head, response.text());
    for secret in [
        &origin.address().to_string(),
        "127.0.0.1",
        "evenkeel",
        "app",
    ] {
        assert!(!all.contains(secret), "{secret}: {all}");
    }
    let id = proxy.line().text("request_id").to_owned();
    assert!(all.contains(&id), "{all}");
}

#[test]
fn a_connection_survives_the_refusal_of_a_whole_request() {
    let (_origin, proxy) = guard();
    let mut client = proxy.client();
    assert_eq!(client.ask(get("")).status(), 400);
    assert_eq!(client.get("/").text(), "a");
}

#[test]
fn each_refusal_on_a_connection_has_its_own_line() {
    let (_origin, proxy) = guard();
    let mut client = proxy.client();
    client.ask(get(""));
    client.ask("TRACE / HTTP/1.1\r\nhost: a\r\n\r\n");
    client.ask("nonsense\r\n\r\n");
    let lines = proxy.wait_for_lines(3);
    let reasons: Vec<&str> = lines.iter().map(|line| line.text("reason")).collect();
    let expected = [
        "request.host.missing",
        "request.method.refused",
        "request.head.malformed",
    ];
    assert_eq!(reasons, expected);
}

#[test]
fn a_preface_of_http_2_is_refused_where_it_is_not_spoken() {
    // The client would not understand an answer in HTTP/1.
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin]).frontend("http2 = { enabled = false }");
    let proxy = setup.start();
    let mut client = proxy.client();
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    let (answer, _) = client.rest();
    assert!(answer.is_empty());
    assert_eq!(proxy.line().verdict(), (400, "request.head.malformed"));
    assert!(origin.has_seen_nothing());
}

#[test]
fn a_connection_without_a_request_is_no_exchange() {
    let (_origin, proxy) = guard();
    proxy.client().half_close().is_closed();
    Client::connect(proxy.address()).reset();
    proxy.wait_for_metric("evenkeel_frontend_open_connections", &[], 0.0);
    assert_eq!(proxy.end().len(), 0);
}

#[test]
fn a_request_that_breaks_off_in_its_head_has_one_line() {
    let (origin, proxy) = guard();
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nhost: te").half_close();
    client.rest();
    assert_eq!(proxy.line().verdict(), (499, "client.left"));
    assert!(origin.has_seen_nothing());
}

#[test]
fn nothing_is_sent_to_the_server_before_the_head_is_whole() {
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let proxy = Setup::of(&[&origin]).start();
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nhost: test\r\n");
    gate.open();
    client.is_quiet_for(std::time::Duration::from_millis(100));
    assert_eq!(origin.connections(), 0);
    assert_eq!(client.ask("\r\n").text(), "ok");
}

// What cannot be parsed.

/// The last request that `origin` has seen.
fn last(origin: &Origin) -> Message {
    origin.requests().pop().expect("a request")
}

#[test]
fn a_head_that_cannot_be_parsed_is_answered_and_logged_like_any_request() {
    let origin = Origin::named("a");
    let fields = "x-a: b\r\n".repeat(200);
    let cases = [
        (
            "GET /x?y HTTP/1.1\r\nhost: a\r\nno colon\r\n\r\n".to_owned(),
            400,
            "HTTP/1.1",
        ),
        (
            "GET /x?y HTTP/1.0\r\ncontent-length: +5\r\n\r\n".to_owned(),
            400,
            "HTTP/1.0",
        ),
        (
            "\r\nGET /x?y HTTP/9.9\r\nhost: a\r\n\r\n".to_owned(),
            400,
            "-",
        ),
        (
            format!("GET /x?y HTTP/1.1\r\n{fields}\r\n"),
            431,
            "HTTP/1.1",
        ),
        (
            format!("GET /x?y HTTP/1.1\r\nx: {}", "x".repeat(70_000)),
            431,
            "HTTP/1.1",
        ),
    ];
    for (bytes, status, version) in cases {
        let proxy = Setup::of(&[&origin]).start();
        let mut client = proxy.client();
        // The second request, too: nothing of the first one is left.
        assert_eq!(client.get("/first").status(), 200);
        let response = client.ask(&bytes);
        let what = bytes.get(..30).unwrap_or(&bytes);
        assert_eq!(response.status(), status, "{what}");
        let lines = proxy.wait_for_lines(2);
        let line = lines.iter().find(|line| line.text("target") != "/first");
        let line = line.expect("its target");
        assert_eq!(line.verdict().0, u64::from(status), "{what}");
        assert_eq!(line.verdict().1, response.reason(), "{what}");
        assert_eq!(line.text("method"), "GET", "{what}");
        assert_eq!(line.text("target"), "/x?y", "{what}");
        assert_eq!(line.text("version"), version, "{what}");
        let id = line.text("request_id");
        assert!(
            response.text().contains(&format!("request: {id}\n")),
            "{what}"
        );
    }
}

#[test]
fn a_target_that_is_too_long_for_the_parser_has_its_length_in_the_log() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin])
        .frontend("limits = { head = \"1MiB\" }")
        .start();
    let target = format!("/{}", "x".repeat(70_000));
    let response = proxy.ask(format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n"));
    assert_eq!(response.status(), 414);
    assert_eq!(response.reason(), "request.target.too_long");
    let line = proxy.line();
    assert_eq!(line.verdict(), (414, "request.target.too_long"));
    assert_eq!(line.number("target_bytes"), 70_001);
    assert!(line.text("target").starts_with("/xxx"), "{line:?}");
    assert!(line.text("target").len() < 2_100, "{line:?}");
}

#[test]
fn a_head_request_that_cannot_be_parsed_is_answered_without_a_body() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).start();
    let mut client = proxy.client();
    client.send("HEAD / HTTP/1.1\r\nhost: a\r\nno colon\r\n\r\n");
    let (bytes, _) = client.rest();
    let text = String::from_utf8_lossy(&bytes);
    assert!(
        text.starts_with("HTTP/1.1 400 ") && text.ends_with("\r\n\r\n"),
        "{text}"
    );
}

#[test]
fn a_head_that_did_not_come_as_a_whole_is_logged_as_far_as_it_came() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin])
        .frontend("timeout = { head = \"100ms\" }")
        .start();
    let mut client = proxy.client();
    client.send("POST /upl");
    assert_eq!(client.response().status(), 408);
    let line = proxy.line();
    assert_eq!(line.verdict(), (408, "request.head.timeout"));
    assert_eq!((line.text("method"), line.text("target")), ("POST", "/upl"));
    let mut client = proxy.client();
    client.send("GET /gone HTTP/1.1\r\nho").half_close();
    client.rest();
    let line = &proxy.wait_for_lines(2)[1];
    assert_eq!(line.verdict().1, "client.left");
    assert_eq!((line.text("method"), line.text("target")), ("GET", "/gone"));
}

#[test]
fn half_a_head_that_came_together_with_its_end_is_in_the_log() {
    let origin = Origin::named("a");
    let program = Program::start(&Setup::of(&[&origin]));
    let mut client = program.client();
    assert_eq!(client.get("/").text(), "a");
    program.halt();
    client.send("GET /gone HTTP/1.1\r\nho").half_close();
    program.go_on();
    client.rest();
    until("its line", || {
        let log = program.log();
        (log.contains("\"/gone\"") && log.contains("\"client.left\"")).then_some(())
    });
}

#[test]
fn characters_that_clients_do_not_escape_reach_the_server() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).start();
    let cases = [
        (
            r#"/updater.php/get/{"v":"2.2"}"#,
            "/updater.php/get/{%22v%22:%222.2%22}",
        ),
        (
            r#"/search?source={"query":{"a":[1]}}"#,
            "/search?source={%22query%22:{%22a%22:[1]}}",
        ),
        (
            "/odata/Products?$filter=Price>10",
            "/odata/Products?$filter=Price%3E10",
        ),
        ("/a<b>`\"?a<b>`\"", "/a%3Cb%3E%60%22?a%3Cb%3E%60%22"),
        ("/caf\u{e9}?\u{fc}", "/caf%C3%A9?%C3%BC"),
        ("/{a}|b\\c^?{a}|b\\c^", "/{a}|b\\c^?{a}|b\\c^"),
    ];
    let mut client = proxy.client();
    for (sent, forwarded) in cases {
        assert_eq!(client.get(sent).status(), 200, "{sent}");
        assert_eq!(last(&origin).target(), forwarded);
    }
    // However it is split, and on a connection that was parked.
    for cut in [5, 8, 12, 20] {
        let request = "GET /a?q=\"<b>\" HTTP/1.1\r\nhost: a\r\nx: \"<\"\r\n\r\n";
        client.send(&request[..cut]);
        client.send(&request[cut..]);
        assert_eq!(client.response().status(), 200, "{cut}");
        let request = last(&origin);
        assert_eq!(request.target(), "/a?q=%22%3Cb%3E%22");
        assert_eq!(request.field("x"), Some("\"<\""), "fields are not targets");
    }
    // Bytes beyond the parser's buffer are read next.
    let long = format!("/?{}", "\"".repeat(5_000));
    assert_eq!(client.get(&long).status(), 200);
    assert_eq!(last(&origin).target(), format!("/?{}", "%22".repeat(5_000)));
    assert_eq!(client.get("/after").status(), 200);
}

#[test]
fn a_body_and_a_tunnel_are_not_taken_for_a_target() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).start();
    let mut client = proxy.client();
    let body = "GET /\"<> HTTP/1.1\r\n\r\n";
    for _ in 0..3 {
        client.send(format!(
            "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n",
            body.len()
        ));
        client.send(body);
        assert_eq!(client.response().text(), body);
    }
}

#[test]
fn http_2_forwards_the_same_target_as_http_1() {
    let origin = Origin::named("a");
    let proxy = Setup::of(&[&origin]).start();
    let mut client = Http2::connect(proxy.address());
    assert_eq!(client.get("/a\"b?c`d{|}").status, 200);
    assert_eq!(last(&origin).target(), "/a%22b?c%60d{|}");
    assert_eq!(proxy.line().text("target"), "/a%22b?c%60d{|}");
}

#[test]
fn a_request_without_a_host_passes_where_none_is_required() {
    let origin = Origin::answering(OK);
    let proxy = Setup::of(&[&origin])
        .frontend("requires_host = false")
        .start();
    let answer = proxy.ask("GET /a HTTP/1.1\r\nX-A: 1\r\n\r\n");
    assert_eq!((answer.status(), answer.text()), (200, "ok".to_owned()));
    let seen = origin.request();
    assert_eq!(seen.target(), "/a");
    assert_eq!(seen.values("host"), [origin.address().to_string()]);
    let twice = proxy.ask("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    assert_eq!(twice.status(), 400);
}
