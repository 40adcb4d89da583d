//! What actions of rules do to whole exchanges: framing, interim answers, trailers.

use crate::rig::framed::{self, Framed, GOAWAY, RST_STREAM};
use crate::rig::{Authority, Client, Ending, Folder, Http2, OK, Origin, Proxy, Setup, Speech};

/// A proxy for `origin` whose frontend has these rules.
fn ruled(origin: &Origin, rules: &str) -> Proxy {
    let rules = format!("rule = [{rules}]");
    Setup::of(&[origin]).frontend(&rules).workers(1).start()
}

/// A server that answers as to the method that it sees.
fn of_methods() -> Origin {
    Origin::scripted(|visit| {
        while let Some(request) = visit.request() {
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-method: ";
            let body = match request.method() {
                "HEAD" => "",
                _ => "hello",
            };
            visit.send(format!("{head}{}\r\n\r\n{body}", request.method()));
        }
    })
}

#[test]
fn a_get_that_a_rule_makes_head_has_an_answer_without_a_body() {
    let origin = of_methods();
    let proxy = ruled(&origin, "{ set_method = 'HEAD' }");
    let mut client = proxy.client();
    for _ in 0..2 {
        let answer = client.get("/");
        assert_eq!((answer.status(), answer.text().as_str()), (200, ""));
        assert_eq!(answer.field("x-method"), Some("HEAD"));
        assert_eq!(answer.field("content-length"), Some("0"));
    }
    let answer = Http2::connect(proxy.address()).get("/");
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b""[..]));
}

#[test]
fn a_head_that_a_rule_makes_get_has_an_answer_without_a_body() {
    let origin = of_methods();
    let proxy = ruled(
        &origin,
        "{ when = 'method == \"HEAD\"', set_method = 'GET' }",
    );
    let mut client = proxy.client();
    for _ in 0..2 {
        client.send("HEAD / HTTP/1.1\r\nhost: test\r\n\r\n");
        let answer = client.response_to_head();
        assert_eq!(answer.field("x-method"), Some("GET"));
        assert_eq!(answer.field("content-length"), Some("5"));
        // The next request is understood.
        assert_eq!(client.get("/").text(), "hello");
    }
    let mut http2 = Http2::connect(proxy.address());
    let head = http2.request("HEAD", "/");
    let answer = http2.ask(head).answer();
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b""[..]));
}

#[test]
fn a_status_of_a_rule_has_its_own_reason_phrase_and_is_logged() {
    let origin = Origin::answering("HTTP/1.1 200 Fine\r\ncontent-length: 2\r\n\r\nok");
    let proxy = ruled(&origin, "{ on = 'response', set_status = 503 }");
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n");
    let head = client.bytes("HTTP/1.1 503 Service Unavailable\r\n".len());
    assert_eq!(head, b"HTTP/1.1 503 Service Unavailable\r\n");
    assert_eq!(proxy.line().number("status"), 503);
    let answer = Http2::connect(proxy.address()).get("/");
    assert_eq!((answer.status, answer.body.as_slice()), (503, &b"ok"[..]));
}

#[test]
fn a_hint_of_a_rule_comes_before_the_answer() {
    let origin = Origin::answering(OK);
    let rules = "{ early_hint = { link = '</a.css>; rel=preload' } }, { early_hint = { x-path = '%[path]' } }";
    let proxy = ruled(&origin, rules);
    let mut client = proxy.client();
    let (hints, answer) = client
        .send("GET /p HTTP/1.1\r\nhost: test\r\n\r\n")
        .responses();
    assert_eq!(answer.text(), "ok");
    let [hint] = hints.as_slice() else {
        unreachable!("one hint: {hints:?}");
    };
    assert_eq!(hint.status(), 103);
    assert_eq!(hint.field("link"), Some("</a.css>; rel=preload"));
    assert_eq!(hint.field("x-path"), Some("/p"));
    // A client that knows no interim answers gets none.
    let old = proxy.ask("GET / HTTP/1.0\r\nhost: test\r\n\r\n");
    assert_eq!(old.status(), 200);
}

#[test]
fn what_a_rule_removes_by_a_part_of_its_name_does_not_come_in_a_trailer() {
    let origin = Origin::answering(OK);
    let proxy = ruled(&origin, "{ del_header = { starts_with = 'x-internal-' } }");
    let answer = proxy.ask(
        "POST / HTTP/1.1\r\nhost: test\r\nx-internal-a: 1\r\nx_internal_b: 1\r\nx-other: 1\r\n\
         transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-internal-c: 1\r\nX_Internal_D: 1\r\n\
         x-last: 1\r\n\r\n",
    );
    assert_eq!(answer.status(), 200);
    origin.wait_for_requests(1);
    let received = origin.received(0).to_ascii_lowercase();
    assert!(!received.contains("internal"), "{received}");
    assert!(received.contains("x-other: 1"), "{received}");
    assert!(received.contains("x-last: 1"), "{received}");
}

#[test]
fn a_request_that_a_rule_makes_invalid_is_answered_and_logged_and_reaches_no_server() {
    let origin = Origin::answering(OK);
    let proxy = ruled(&origin, "{ set_method = '%[req.hdr(x-method)]' }");
    let mut client = proxy.client();
    let answer = client.ask("GET / HTTP/1.1\r\nhost: test\r\nx-method: A B\r\n\r\n");
    assert_eq!(
        (answer.status(), answer.reason().as_str()),
        (400, "rule.invalid_value")
    );
    assert_eq!(proxy.line().verdict(), (400, "rule.invalid_value"));
    let answer = client.ask("GET / HTTP/1.1\r\nhost: test\r\nx-method: PURGE\r\n\r\n");
    assert_eq!(answer.status(), 200);
    assert_eq!(origin.request().method(), "PURGE");
}

#[test]
fn a_client_waits_for_a_refusal_and_may_leave_before() {
    let origin = Origin::answering(OK);
    let rules = "rule = [{ when = 'path == \"/bot\"', tarpit = { time = '10s', status = 429 } }]";
    let setup = Setup::of(&[&origin]).frontend(rules).workers(1);
    let proxy = setup.start_paused();
    let mut client = proxy.client();
    client.send("GET /bot HTTP/1.1\r\nhost: test\r\n\r\n");
    let mut leaving = proxy.client();
    leaving.send("GET /bot HTTP/1.1\r\nhost: test\r\n\r\n");
    // Others are served meanwhile.
    assert_eq!(proxy.client().get("/").status(), 200);
    drop(leaving);
    let left = proxy.wait_for_lines(2);
    assert_eq!(left[1].text("reason"), "client.left");
    assert_eq!(client.unread_bytes(), 0);
    client.hears_in_time(&proxy);
    let answer = client.response();
    assert_eq!(
        (answer.status(), answer.reason().as_str()),
        (429, "rule.tarpitted")
    );
    assert_eq!(origin.requests().len(), 1);
}

const CLOSE: &str = "{ when = 'path == \"/reject\"', reject = true }, \
    { when = 'path == \"/drop\"', silent_drop = true }";

#[test]
fn a_rule_closes_the_connection_in_place_of_an_answer() {
    let origin = Origin::answering(OK);
    let proxy = ruled(&origin, CLOSE);
    for (path, reason) in [("/reject", "rule.rejected"), ("/drop", "rule.dropped")] {
        let mut client = proxy.client();
        assert_eq!(client.get("/").status(), 200);
        client.send(format!(
            "POST {path} HTTP/1.1\r\nhost: test\r\ncontent-length: 4\r\n\r\nbody"
        ));
        // Over a network the reset of a silent end passes no router.
        assert_eq!(client.rest(), (Vec::new(), Ending::Reset));
        proxy.wait_for_metric("evenkeel_replies_total", &[("reason", reason)], 1.0);
    }
    let lines = proxy.end();
    let verdicts: Vec<_> = lines.iter().map(|line| line.0["reason"].clone()).collect();
    let none = serde_json::Value::Null;
    assert_eq!(
        verdicts,
        [
            none.clone(),
            "rule.rejected".into(),
            none,
            "rule.dropped".into()
        ]
    );
    assert_eq!(lines[1].verdict(), (403, "rule.rejected"));
    assert_eq!(origin.requests().len(), 2);
}

#[test]
fn a_rule_closes_a_connection_with_tls_without_a_closing_message() {
    let origin = Origin::answering(OK);
    let authority = Authority::new("Test CA");
    let folder = Folder::new();
    let pair = folder.write("pair.pem", &authority.pair(&["a.test"]).whole());
    let setup = Setup::of(&[&origin]);
    let setup = setup.frontend(&format!("tls = '{}'\nrule = [{CLOSE}]", pair.display()));
    let proxy = setup.start();
    for path in ["/reject", "/drop"] {
        let speech = Speech::trusting(&authority);
        let mut client = speech.connect(proxy.address(), "a.test");
        let request = format!("GET {path} HTTP/1.1\r\nhost: a.test\r\n\r\n");
        client.send(request).expect("it listens");
        let (bytes, ending) = client.rest();
        assert!(bytes.is_empty() && ending.is_err(), "{path} {ending:?}");
    }
}

#[test]
fn a_rule_closes_a_connection_of_http2_without_a_frame() {
    let origin = Origin::answering(OK);
    let proxy = ruled(&origin, CLOSE);
    for (path, reason) in [("/reject", "rule.rejected"), ("/drop", "rule.dropped")] {
        let mut client = Framed::connect(proxy.address());
        client.send(framed::request_for(1, "/"));
        assert_eq!(client.status(1), 200);
        client.send(framed::request_for(3, path));
        let rest = client.rest();
        let told = [framed::HEADERS, RST_STREAM, GOAWAY];
        let told = rest.iter().find(|frame| told.contains(&frame.kind));
        assert!(told.is_none(), "{path} {told:?}");
        proxy.wait_for_metric("evenkeel_replies_total", &[("reason", reason)], 1.0);
    }
}

#[test]
fn a_monitor_is_answered_before_rules_that_follow_and_not_logged() {
    let origin = Origin::answering(OK);
    let rules = "{ monitor = { path = '/up', fail = 'req.hdr(x-drill)' } }, { when = 'path == \"/quiet\"', set_log_level = 'silent' },
                 { when = 'path == \"/up\"', deny = 403 }";
    let proxy = ruled(&origin, rules);
    let mut client = proxy.client();
    let up = client.get("/up");
    assert_eq!((up.status(), up.text().as_str()), (200, "ok\n"));
    let down = client.ask("GET /up HTTP/1.1\r\nhost: test\r\nx-drill: 1\r\n\r\n");
    assert_eq!(down.status(), 503);
    assert_eq!(client.get("/quiet").status(), 200);
    assert_eq!(client.get("/logged").status(), 200);
    proxy.wait_for_metric("evenkeel_replies_total", &[("reason", "rule.monitor")], 2.0);
    let lines = proxy.end();
    let paths: Vec<&str> = lines.iter().map(|line| line.text("target")).collect();
    assert_eq!(paths, ["/logged"]);
}

/// The recipe `text`, with ports of the system's choice, before `origin`.
fn recipe(text: &str, origin: &Origin) -> Proxy {
    let folder = Folder::new();
    let text = text
        .replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("127.0.0.1:8443", "127.0.0.1:0")
        .replace("127.0.0.1:8001", &origin.address().to_string());
    let log = folder.path("access.log");
    let text = format!(
        "{text}\n[admin]\nlisten = '127.0.0.1:0'\n[log.access]\nto = '{}'\n",
        log.display()
    );
    let path = folder.write("evenkeel.toml", &text);
    Proxy::start(folder, path)
}

#[test]
fn the_recipe_of_a_maintenance_page_works() {
    let origin = Origin::answering(OK);
    let text = include_str!("../../conf/recipes/maintenance-page.toml");
    let proxy = recipe(text, &origin);
    let page = proxy.get("/");
    assert_eq!(page.status(), 503);
    assert_eq!(page.field("retry-after"), Some("600"));
    assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
    assert!(
        page.text().contains("<h1>Back soon</h1>"),
        "{}",
        page.text()
    );
    assert_eq!(proxy.get("/healthz").status(), 200);
    assert!(origin.has_seen_nothing());
    let operators = recipe(&text.replace("10.0.0.0/8", "127.0.0.0/8"), &origin);
    assert_eq!(operators.get("/").text(), "ok");
}

#[test]
fn the_recipe_of_redirects_works() {
    let origin = Origin::answering(OK);
    let proxy = recipe(include_str!("../../conf/recipes/redirects.toml"), &origin);
    let ask = |client: &mut Client, host: &str, target: &str| {
        let answer = client.ask(format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n"));
        let location = answer.field("location").map(str::to_owned);
        (answer.status(), location)
    };
    let to = |status, location: &str| (status, Some(location.to_owned()));
    let plain = proxy.addresses("plain")[0];
    assert_eq!(
        ask(&mut Client::connect(plain), "a.test", "/x?y"),
        to(308, "https://a.test/x?y")
    );
    let mut web = proxy.client();
    for (host, target, location) in [
        ("example.com", "/a?b", "https://www.example.com/a?b"),
        ("www.example.com", "/docs?x", "/docs/"),
        ("www.example.com", "/search.cgi?q=1", "/search?q=1"),
        ("www.example.com", "/old/a/b", "/new/a/b"),
    ] {
        assert_eq!(ask(&mut web, host, target), to(301, location), "{target}");
    }
    assert_eq!(ask(&mut web, "www.example.com", "/docs/"), (200, None));
}
