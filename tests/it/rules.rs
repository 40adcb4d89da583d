//! The effect of rules on requests and answers, end to end.

use std::time::Duration;

use crate::rig::{Answer, Client, Folder, Http2, Message, OK, Origin, Proxy, Setup, until};

/// A proxy for `origin` whose frontend has these rules.
fn ruled(origin: &Origin, rules: &str) -> Setup {
    Setup::of(&[origin]).frontend(&format!("rule = [{rules}]"))
}

/// The request as the server sees it, with these lines after the request line and `Host`.
#[track_caller]
fn seen(setup: &Setup, origin: &Origin, target: &str, lines: &str) -> Message {
    let proxy = setup.start();
    let response = proxy.ask(format!(
        "GET {target} HTTP/1.1\r\nHost: test\r\n{lines}\r\n"
    ));
    assert_eq!(response.status(), 200, "{}", response.text());
    origin.request()
}

#[test]
fn rules_run_frontend_then_route_then_backend() {
    let origin = Origin::answering(OK);
    let setup = ruled(
        &origin,
        "{ add_header = { x-by = 'frontend of %[path]' } }, { set_path = '/b%[path]' }",
    )
    .route(
        "path = '/b/*'\nbackend = 'app'\nrule = [{ add_header = { x-by = 'route of %[path]' } }]",
    )
    .backend("rule = [{ add_header = { x-by = '%[be_name] of %[path]' } }]");
    let request = seen(&setup, &origin, "/a?q", "");
    assert_eq!(request.target(), "/b/a?q");
    assert_eq!(
        request.values("x-by"),
        ["frontend of /a", "route of /b/a", "app of /b/a"]
    );
}

#[test]
fn rules_of_answers_run_backend_then_route_then_frontend() {
    let origin = Origin::answering("HTTP/1.1 200 OK\r\nserver: x\r\ncontent-length: 2\r\n\r\nok");
    let by =
        |name: &str| format!("{{ on = 'response', add_header = {{ x-by = '{name} %[status]' }} }}");
    let setup = ruled(
        &origin,
        &format!(
            "{}, {{ on = 'after', add_header = {{ x-after = '%[srv_name]' }} }}",
            by("frontend")
        ),
    )
    .route(&format!("backend = 'app'\nrule = [{}]", by("route")))
    .backend(&format!(
        "rule = [{}, {{ on = 'response', del_header = 'server' }}]",
        by("backend")
    ));
    let answer = setup.start().get("/");
    assert_eq!(
        answer.values("x-by"),
        ["backend 200", "route 200", "frontend 200"]
    );
    assert_eq!(answer.field("server"), None);
    assert_eq!(
        answer.field("x-after"),
        Some(origin.address().to_string()).as_deref()
    );
    assert_eq!(answer.text(), "ok");
}

#[test]
fn rules_of_all_kinds_read_the_id_of_the_server_and_the_log() {
    let origin = Origin::answering(OK);
    let setup = ruled(
        &origin,
        "{ set_header = { x-frontend = '%[unique-id]' } },
         { on = 'after', set_header = { x-request-id = '%[unique-id]' } }",
    )
    .route("when = 'unique-id == \"of-the-client\"'\nbackend = 'app'\nname = 'theirs'")
    .route("path = '/refused'\nbackend = 'app'\nrule = [{ when = 'unique-id', deny = 403 }]")
    .backend("rule = [{ set_header = { x-backend = '%[unique-id]' } }]");
    let proxy = setup.workers(1).start();
    let ids = |request: &Message| {
        ["x-frontend", "x-backend", "x-request-id"]
            .map(|name| request.field(name).map(str::to_owned))
    };

    let answer = proxy.ask("GET / HTTP/1.1\r\nhost: test\r\nx-request-id: of-the-client\r\n\r\n");
    let all = |id: &str| [(); 3].map(|()| Some(id.to_owned()));
    assert_eq!(answer.field("x-request-id"), Some("of-the-client"));
    assert_eq!(ids(&origin.request()), all("of-the-client"));

    // New ids, in an answer of the server and in one of our own.
    let named = |target: &str| {
        let answer = proxy.ask(format!("GET {target} HTTP/1.1\r\nhost: test\r\n\r\n"));
        let id = answer.field("x-request-id").expect("the rule sets it");
        id.to_owned()
    };
    let (made, refused) = (named("/"), named("/refused"));
    assert_eq!(ids(&origin.requests()[1]), all(&made));
    let lines = proxy.wait_for_lines(3);
    let logged: Vec<[&str; 2]> = lines
        .iter()
        .map(|line| [line.text("request_id"), line.text("route")])
        .collect();
    let expected = [["of-the-client", "theirs"], [&made, "-"], [&refused, "2"]];
    assert_eq!(logged, expected);
}

#[test]
fn a_refusal_is_answered_logged_and_counted_and_reaches_no_server() {
    let origin = Origin::answering(OK);
    let setup = ruled(
        &origin,
        "{ when = 'path starts_with \"/admin/\"', deny = 429 }",
    );
    let proxy = setup.start();
    let mut client = proxy.client();
    let answer = client.get("/admin/x");
    assert_eq!(
        (answer.status(), answer.reason()),
        (429, "rule.denied".to_owned())
    );
    // The connection continues.
    assert_eq!(client.get("/").status(), 200);
    assert_eq!(origin.requests().len(), 1);
    let lines = proxy.wait_for_lines(2);
    assert_eq!(lines[0].verdict(), (429, "rule.denied"));
    proxy.wait_for_metric("evenkeel_replies_total", &[("reason", "rule.denied")], 1.0);
}

#[test]
fn another_spelling_of_a_path_does_not_get_past_a_refusal() {
    let origin = Origin::answering(OK);
    let setup = ruled(
        &origin,
        "{ when = 'path starts_with \"/admin/\"', deny = 403 }",
    );
    let proxy = setup.start();
    let mut client = proxy.client();
    for target in ["//admin/x", "/admin%2fx", "/%61dmin/x", "/x/..%2fadmin/x"] {
        let answer = client.get(target);
        assert_eq!(answer.reason(), "request.path.ambiguous", "{target}");
    }
    assert!(origin.has_seen_nothing());
}

#[test]
fn an_answer_of_a_rule_is_whole_in_every_version() {
    let origin = Origin::silent();
    let setup = ruled(
        &origin,
        "{ when = 'path == \"/robots.txt\"', return = { content_type = 'text/plain', body = 'for %[src]' } },
         { redirect = { scheme = 'https', status = 308 } },
         { on = 'after', set_header = { strict-transport-security = 'max-age=1' } }",
    );
    let proxy = setup.start();
    let answer = proxy.get("/robots.txt");
    assert_eq!(
        (answer.status(), answer.text()),
        (200, "for 127.0.0.1".to_owned())
    );
    assert_eq!(answer.field("content-type"), Some("text/plain"));
    assert_eq!(answer.field("content-length"), Some("13"));
    assert_eq!(answer.field("strict-transport-security"), Some("max-age=1"));
    let head = proxy
        .client()
        .send("HEAD /robots.txt HTTP/1.1\r\nhost: a\r\n\r\n")
        .response_to_head();
    assert_eq!(
        (head.status(), head.field("content-length")),
        (200, Some("13"))
    );
    let moved = proxy.ask("GET /a?b HTTP/1.1\r\nhost: a.example\r\n\r\n");
    assert_eq!(
        (moved.status(), moved.field("location")),
        (308, Some("https://a.example/a?b"))
    );
    let mut http2 = Http2::connect(proxy.address());
    let answer = http2.get("/robots.txt");
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (200, "for 127.0.0.1")
    );
    assert_eq!(http2.get("/x").status, 308);
    let mut verdicts: Vec<(u64, String)> = proxy
        .wait_for_lines(5)
        .iter()
        .map(|line| (line.verdict().0, line.verdict().1.to_owned()))
        .collect();
    // Two workers may write them in another order.
    verdicts.sort();
    let own = (200, "rule.returned".to_owned());
    let moved = (308, "rule.redirected".to_owned());
    assert_eq!(
        verdicts,
        [own.clone(), own.clone(), own, moved.clone(), moved]
    );
}

#[test]
fn a_server_sees_the_host_that_a_rule_set_and_so_do_routes() {
    let (app, other) = (Origin::named("app"), Origin::named("other"));
    let setup = ruled(
        &app,
        "{ when = 'req.hdr(host) == \"old.test\"', set_header = { host = 'new.test' } }",
    )
    .also("other", &other)
    .route("host = 'new.test'\nbackend = 'other'");
    let proxy = setup.start();
    let h1 = proxy.ask("GET / HTTP/1.1\r\nhost: old.test\r\n\r\n");
    assert_eq!(h1.text(), "other");
    assert_eq!(other.requests()[0].values("host"), ["new.test"]);
    let mut http2 = Http2::connect(proxy.address());
    let request = http::Request::get("http://old.test/");
    assert_eq!(http2.ask(request).answer().text(), "other");
    assert_eq!(other.requests()[1].values("host"), ["new.test"]);
}

#[test]
fn a_client_cannot_take_away_what_a_rule_has_set() {
    let origin = Origin::answering(OK);
    let setup = ruled(&origin, "{ set_header = { x-tenant = 'blue' } }");
    let lines = "x-tenant: forged\r\nconnection: x-tenant\r\n";
    let request = seen(&setup, &origin, "/", lines);
    assert_eq!(request.values("x-tenant"), ["blue"]);
}

#[test]
fn fields_that_connection_names_choose_no_route_and_no_rule() {
    let (app, other) = (Origin::named("app"), Origin::named("other"));
    let setup = ruled(&app, "{ when = 'req.hdr(x-deny)', deny = 403 }")
        .also("other", &other)
        .route("header = { x-role = 'admin' }\nbackend = 'other'");
    let proxy = setup.start();
    let ask = |lines: &str| proxy.ask(format!("GET / HTTP/1.1\r\nhost: a\r\n{lines}\r\n"));
    assert_eq!(ask("x-role: admin\r\n").text(), "other");
    assert_eq!(ask("x-role: admin\r\nconnection: x-role\r\n").text(), "app");
    assert_eq!(ask("x-deny: 1\r\nconnection: x-deny\r\n").text(), "app");
}

#[test]
fn variables_of_a_connection_outlive_a_request_and_those_of_an_exchange_do_not() {
    let origin = Origin::answering(OK);
    let setup = ruled(
        &origin,
        "{ set_header = { x-sess = '%[var(sess.path,none)]', x-txn = '%[var(txn.path,none)]' } },
         { set_var = { 'sess.path' = 'path', 'txn.path' = 'path' } },
         { on = 'response', set_header = { x-path = '%[var(txn.path)]' } }",
    );
    let proxy = setup.start();
    let mut client = proxy.client();
    assert_eq!(client.get("/one").field("x-path"), Some("/one"));
    assert_eq!(client.get("/two").field("x-path"), Some("/two"));
    let second = &origin.requests()[1];
    assert_eq!(second.field("x-sess"), Some("/one"));
    assert_eq!(second.field("x-txn"), Some("none"));
    proxy.client().get("/three");
    assert_eq!(origin.requests()[2].field("x-sess"), Some("none"));
}

/// A proxy for `origin` whose clock stands still, with a rule that waits, and `lines` in its frontend.
fn pausing(origin: &Origin, lines: &str) -> Proxy {
    let rules = "{ add_header = { x-n = '1' } }, { pause = '30s' }, { add_header = { x-n = '2' } }";
    ruled(origin, rules).frontend(lines).start_paused()
}

/// Moves the clock until the server has seen a request, which must be when the pause is over.
#[track_caller]
fn goes_on_in_time(proxy: &Proxy, origin: &Origin) {
    let mut passed = Duration::ZERO;
    while origin.requests().is_empty() {
        proxy.advance(Duration::from_secs(1));
        passed += Duration::from_secs(1);
        assert!(passed < Duration::from_secs(40), "{passed:?}");
    }
    assert!(passed >= Duration::from_secs(30), "{passed:?}");
    assert_eq!(origin.request().values("x-n"), ["1", "2"]);
}

#[test]
fn a_rule_that_waits_continues_when_its_time_is_over() {
    let origin = Origin::answering(OK);
    let proxy = pausing(&origin, "");
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    goes_on_in_time(&proxy, &origin);
    assert_eq!(client.response().status(), 200);
}

#[test]
fn a_rule_that_waits_continues_over_http2_too() {
    let origin = Origin::answering(OK);
    let proxy = pausing(&origin, "");
    let mut client = Http2::connect(proxy.address());
    let request = client.request("GET", "/");
    let mut asked = client.ask(request);
    goes_on_in_time(&proxy, &origin);
    assert_eq!(asked.answer().status, 200);
}

#[test]
fn a_rule_that_waits_does_not_outlive_the_exchange() {
    let origin = Origin::answering(OK);
    let proxy = pausing(&origin, "timeout.exchange = '10s'");
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    client.hears_in_time(&proxy);
    let answer = client.response();
    assert_eq!(
        (answer.status(), answer.reason()),
        (504, "exchange.timeout".to_owned())
    );
    assert!(origin.has_seen_nothing());
}

#[test]
fn an_answer_of_a_server_may_be_refused_and_its_connection_is_not_used_again() {
    let origin =
        Origin::answering("HTTP/1.1 200 OK\r\nx-secret: 1\r\ncontent-length: 5\r\n\r\nhello");
    let setup = ruled(
        &origin,
        "{ on = 'response', when = 'res.hdr(x-secret)', deny = 502 }",
    );
    let proxy = setup.start();
    let mut client = proxy.client();
    for _ in 0..2 {
        let answer = client.get("/");
        assert_eq!(
            (answer.status(), answer.reason()),
            (502, "rule.denied".to_owned())
        );
    }
}

#[test]
fn a_reload_changes_rules_for_the_next_request() {
    let origin = Origin::answering(OK);
    let proxy = ruled(&origin, "{ set_header = { x-n = '1' } }").start();
    let mut client = proxy.client();
    assert_eq!(client.get("/").status(), 200);
    proxy.apply(&ruled(&origin, "{ set_header = { x-n = '2' } }"));
    assert_eq!(client.get("/").status(), 200);
    let seen: Vec<_> = origin
        .requests()
        .iter()
        .map(|one| one.field("x-n").map(str::to_owned))
        .collect();
    assert_eq!(seen, [Some("1".to_owned()), Some("2".to_owned())]);
}

#[test]
fn a_map_in_a_file_takes_effect_when_the_file_changes() {
    let origin = Origin::answering(OK);
    let folder = Folder::new();
    let map = folder.write("paths.map", "# path  value\n/a \t one two \n/a never\n");
    let rule = format!(
        "{{ set_header = {{ x-to = '%[path,map(\"{}\",none)]' }} }}",
        map.display()
    );
    let proxy = ruled(&origin, &rule).watched().start();
    let seen = |target: &str| {
        assert_eq!(proxy.get(target).status(), 200);
        let requests = origin.requests();
        let last = requests.last().expect("a request");
        last.field("x-to").expect("the field").to_owned()
    };
    assert_eq!(seen("/a"), "one two");
    assert_eq!(seen("/b"), "none");
    folder.replace("paths.map", "/b three\n");
    until("the map takes effect", || {
        (seen("/b") == "three").then_some(())
    });
    folder.replace("paths.map", "/b\n");
    let message = proxy.reload();
    assert_eq!(message.status(), 422);
    let said = "paths.map:1: the line has a key and no value";
    assert!(message.text().contains(said), "{}", message.text());
    assert_eq!(seen("/b"), "three");
}

#[test]
fn a_frontend_that_only_redirects_needs_no_backend() {
    let origin = Origin::answering(OK);
    let setup = Setup::of(&[&origin]).rest(
        "[frontend.plain]\nlisten = '127.0.0.1:0'\nrule = [{ redirect = { scheme = 'https' } }]",
    );
    let proxy = setup.start();
    let mut client = Client::connect(proxy.addresses("plain")[0]);
    let moved = client.ask("GET /a HTTP/1.1\r\nhost: a.test\r\n\r\n");
    assert_eq!(
        (moved.status(), moved.field("location")),
        (302, Some("https://a.test/a"))
    );
}

#[test]
fn a_route_may_answer_by_itself() {
    let origin = Origin::named("app");
    let setup = Setup::of(&[&origin])
        .route("path = '/health'\nrule = [{ return = { body = 'fine' } }]")
        .route("path = '/gone/*'\nrule = [{ deny = 410 }]");
    let proxy = setup.start();
    let mut client = proxy.client();
    assert_eq!(client.get("/health").text(), "fine");
    assert_eq!(client.get("/gone/x").status(), 410);
    assert_eq!(client.get("/").text(), "app");
    assert_eq!(proxy.wait_for_lines(3)[0].text("route"), "1");
}

#[test]
fn a_route_splits_requests_by_weight() {
    let (app, other) = (Origin::named("app"), Origin::named("other"));
    let setup = Setup::of(&[&app])
        .also("other", &other)
        .route("path = '/half'\nsplit = { app = 1, other = 1 }")
        .route("path = '/all'\nsplit = { app = 0, other = 7 }");
    let proxy = setup.start();
    let mut client = proxy.client();
    for _ in 0..20 {
        assert_eq!(client.get("/all").text(), "other");
    }
    // Each gets some: the chance that one gets none of 200 is 1 in 10^60.
    let texts: Vec<String> = (0..200).map(|_| client.get("/half").text()).collect();
    assert!(texts.iter().any(|text| text == "app"));
    assert!(texts.iter().any(|text| text == "other"));
}

#[test]
fn a_request_may_name_its_backend() {
    let (app, other) = (Origin::named("app"), Origin::named("other"));
    let setup = Setup::of(&[&app])
        .also("other", &other)
        .route("backend = '%[req.hdr(x-backend),lower]'");
    let proxy = setup.start();
    let ask = |name: &str| {
        let response = proxy.ask(format!(
            "GET / HTTP/1.1\r\nhost: a\r\nx-backend: {name}\r\n\r\n"
        ));
        response.text()
    };
    assert_eq!(ask("OTHER"), "other");
    // None has this name: the frontend's own.
    assert_eq!(ask("none"), "app");
    assert_eq!(ask("app"), "app");
}

#[test]
fn a_request_names_only_a_backend_of_the_list() {
    let (app, other, secret) = (
        Origin::named("app"),
        Origin::named("other"),
        Origin::named("secret"),
    );
    let setup = Setup::of(&[&app])
        .also("other", &other)
        .also("secret", &secret)
        .route("backend = '%[req.hdr(x-backend)]'\namong = ['other']");
    let proxy = setup.start();
    for (named, answers) in [("other", "other"), ("secret", "app"), ("app", "app")] {
        let request = format!("GET / HTTP/1.1\r\nhost: a\r\nx-backend: {named}\r\n\r\n");
        assert_eq!(proxy.ask(request).text(), answers, "{named}");
    }
}

#[test]
fn a_connect_for_a_websocket_is_the_get_that_it_stands_for() {
    let origin = Origin::answering(OK);
    let rules = "{ when = 'method == \"GET\" and path starts_with \"/admin\"', deny = 403 },
                 { when = 'req.hdr(upgrade) == \"websocket\"', deny = 404 }";
    let proxy = ruled(&origin, rules).start();
    let mut client = Http2::connect(proxy.address());
    let connect = |client: &Http2, path: &str| {
        let protocol = h2::ext::Protocol::from_static("websocket");
        client.request("CONNECT", path).extension(protocol)
    };
    let request = connect(&client, "/admin");
    assert_eq!(client.ask(request).head().head.status(), 403);
    let request = connect(&client, "/other");
    assert_eq!(client.ask(request).head().head.status(), 404);
    assert!(origin.has_seen_nothing());
}

#[test]
fn requests_changed_by_rules_keep_the_limits() {
    let origin = Origin::answering(OK);
    let setup = ruled(&origin, "{ set_path = '/%[req.fhdr(x-p)]' }")
        .frontend("limits.target = '100B'")
        .backend("rule = [{ when = 'req.hdr(x-h)', set_header = { host = '%[req.fhdr(x-h)]' } }]");
    let proxy = setup.start();
    let ask = |lines: &str| {
        let response = proxy.ask(format!("GET / HTTP/1.1\r\nhost: a\r\n{lines}\r\n"));
        (response.status(), response.reason())
    };
    let too_long = format!("x-p: {}\r\n", "p".repeat(100));
    assert_eq!(ask(&too_long), (414, "request.target.too_long".to_owned()));
    let malformed = (400, "request.host.malformed".to_owned());
    assert_eq!(ask("x-h: evil/../x\r\n"), malformed);
    assert!(origin.has_seen_nothing());
}

#[test]
fn servers_get_the_host_that_the_client_asked_for() {
    let origin = Origin::answering(OK);
    let setup = ruled(&origin, "{ set_header = { host = 'internal' } }");
    let request = seen(&setup, &origin, "/", "");
    assert_eq!(request.values("host"), ["internal"]);
    assert_eq!(request.values("x-forwarded-host"), ["test"]);
}

#[test]
fn an_answer_to_head_has_its_length_and_no_body_over_http2() {
    let origin = Origin::silent();
    let setup = ruled(
        &origin,
        "{ when = 'path == \"/hi\"', return = { body = 'hi' } },
         { when = 'path == \"/go\"', redirect = { location = '/' } },
         { deny = 403 }",
    )
    .frontend("field_names = 'reject'");
    let proxy = setup.start();
    let mut http2 = Http2::connect(proxy.address());
    for (target, field, status) in [
        ("/hi", "x-a", 200),
        ("/go", "x-a", 302),
        ("/no", "x-a", 403),
        // Evenkeel's own refusal.
        ("/hi", "x_a", 400),
    ] {
        let mut ask = |method: &str| {
            let request = http2.request(method, target).header(field, "1");
            http2.ask(request).answer()
        };
        let (whole, head) = (ask("GET"), ask("HEAD"));
        assert_eq!((whole.status, head.status), (status, status), "{target}");
        assert_eq!(head.body, b"", "{target}");
        let length = |answer: &Answer| answer.headers.get("content-length").cloned();
        assert_eq!(length(&whole), length(&head), "{target}");
        let shown = length(&whole).expect("a length");
        assert_eq!(shown, whole.body.len().to_string(), "{target}");
    }
}

#[test]
fn an_answer_without_content_says_no_length_of_another() {
    let origin = Origin::silent();
    for (status, length) in [(204, None), (304, None), (205, Some("0"))] {
        let proxy = ruled(&origin, &format!("{{ return = {{ status = {status} }} }}")).start();
        let by_h1 = proxy.get("/");
        assert_eq!(
            (by_h1.status(), by_h1.field("content-length")),
            (status, length)
        );
        let by_h2 = Http2::connect(proxy.address()).get("/");
        let seen = by_h2.headers.get("content-length");
        let seen = seen.map(|value| value.to_str().expect("digits"));
        assert_eq!((by_h2.status, seen), (status, length));
    }
}

#[test]
fn a_field_of_an_answer_without_a_value_is_left_out() {
    let origin = Origin::answering(OK);
    let setup = ruled(
        &origin,
        "{ return = { status = 200, headers = { x-a = '%[req.hdr(x-a)]', x-b = '%[req.hdr(x-b)]', x-c = '' }, body = 'ok' } }",
    );
    let answer = setup
        .start()
        .ask("GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n\r\n");
    assert_eq!(answer.values("x-a"), ["1"]);
    assert!(answer.values("x-b").is_empty());
    assert_eq!(answer.values("x-c"), [""]);
}
