//! Which route a request takes, end to end.

use crate::rig::{Folder, Origin, Setup, until};

/// Asks a proxy with these routes, each to the backend `other`; returns which backend answered,
/// `other` or `app`, or the reason of the refusal.
#[track_caller]
fn asked(routes: &[&str], requests: &[(&str, &str)]) {
    let (app, other) = (Origin::named("app"), Origin::named("other"));
    let mut setup = Setup::of(&[&app]).also("other", &other);
    for route in routes {
        setup = setup.route(&format!("{route}\nbackend = \"other\""));
    }
    let proxy = setup.start();
    let mut client = proxy.client();
    for (request, expected) in requests {
        let response = client.ask(format!("{}\r\n\r\n", request.replace('|', "\r\n")));
        let found = match response.status() {
            200 => response.text(),
            _ => response.reason(),
        };
        assert_eq!(found, *expected, "{request}");
    }
}

/// The same for targets of a GET.
#[track_caller]
fn targets(route: &str, targets: &[(&str, &str)]) {
    let requests: Vec<(String, &str)> = targets
        .iter()
        .map(|(target, expected)| (format!("GET {target} HTTP/1.1|host: test"), *expected))
        .collect();
    let requests: Vec<(&str, &str)> = requests.iter().map(|(a, b)| (a.as_str(), *b)).collect();
    asked(&[route], &requests);
}

#[test]
fn a_host_is_matched_without_case_and_port() {
    asked(
        &["host = \"api.example.com\""],
        &[
            ("GET / HTTP/1.1|host: api.example.com", "other"),
            ("GET / HTTP/1.1|host: API.Example.COM:8080", "other"),
            ("GET / HTTP/1.1|host: api.example.com.", "other"),
            (
                "GET http://api.example.com/ HTTP/1.1|host: api.example.com",
                "other",
            ),
            ("GET / HTTP/1.1|host: x.api.example.com", "app"),
            ("GET / HTTP/1.1|host: example.com", "app"),
            ("GET / HTTP/1.0|connection: keep-alive", "app"),
        ],
    );
}

#[test]
fn a_wildcard_is_any_labels_but_at_least_one() {
    asked(
        &["host = \"*.example.com\""],
        &[
            ("GET / HTTP/1.1|host: a.example.com", "other"),
            ("GET / HTTP/1.1|host: a.b.example.com", "other"),
            ("GET / HTTP/1.1|host: example.com", "app"),
            ("GET / HTTP/1.1|host: aexample.com", "app"),
            ("GET / HTTP/1.1|host: a.example.com.evil", "app"),
        ],
    );
}

#[test]
fn an_exact_path_is_that_path() {
    let cases = [
        ("/a", "other"),
        ("/a?b", "other"),
        ("/a/", "app"),
        ("/ab", "app"),
        ("/A", "app"),
        ("/", "app"),
    ];
    targets("path = \"/a\"", &cases);
}

#[test]
fn a_prefix_is_by_whole_segments() {
    let cases = [
        ("/v1", "other"),
        ("/v1/", "other"),
        ("/v1/a/b?c", "other"),
        ("/v10", "app"),
        ("/v", "app"),
        ("/x/v1/", "app"),
    ];
    targets("path = \"/v1/*\"", &cases);
}

#[test]
fn every_path_is_a_path_for_a_star() {
    targets("path = \"*\"", &[("/", "other"), ("/a/b", "other")]);
}

#[test]
fn a_method_is_one_of_those_named() {
    asked(
        &["method = [\"PUT\", \"DELETE\"]"],
        &[
            ("PUT / HTTP/1.1|host: a|content-length: 0", "other"),
            ("DELETE / HTTP/1.1|host: a", "other"),
            ("GET / HTTP/1.1|host: a", "app"),
        ],
    );
}

#[test]
fn a_route_is_not_chosen_by_a_field_that_the_server_does_not_see() {
    let requests = [
        ("GET / HTTP/1.1|host: a|x-role: admin", "other"),
        (
            "GET / HTTP/1.1|host: a|x-role: admin|connection: keep-alive",
            "other",
        ),
        (
            "GET / HTTP/1.1|host: a|x-role: admin|connection: close, X-Role",
            "app",
        ),
    ];
    asked(&["header = { x-role = \"admin\" }"], &requests[..2]);
    asked(&["header = { x-role = \"admin\" }"], &requests[2..]);
    asked(&["when = 'req.hdr(x-role) == \"admin\"'"], &requests[2..]);
}

#[test]
fn fields_are_compared_by_value_start_or_presence() {
    asked(
        &["header = { x-a = \"blue\", x-b = \"v*\", x-c = \"*\" }"],
        &[
            ("GET / HTTP/1.1|host: a|X-A: blue|x-b: v2|x-c: z", "other"),
            (
                "GET / HTTP/1.1|host: a|X-A: red|X-A: blue|x-b: v|x-c:",
                "other",
            ),
            ("GET / HTTP/1.1|host: a|x-a: Blue|x-b: v2|x-c: z", "app"),
            ("GET / HTTP/1.1|host: a|x-a: blue|x-b: w|x-c: z", "app"),
            ("GET / HTTP/1.1|host: a|x-a: blue|x-b: v", "app"),
        ],
    );
}

#[test]
fn parameters_are_compared_decoded() {
    let cases = [
        ("/?debug=a%20b", "other"),
        ("/?x=y&debug=a+b", "other"),
        ("/?debug=c&debug=a%20b", "other"),
        ("/?debug=a", "app"),
        ("/?Debug=a+b", "app"),
        ("/", "app"),
    ];
    targets("query = { debug = \"a b\" }", &cases);
}

#[test]
fn all_kinds_of_condition_must_hold() {
    asked(
        &["host = \"a\"\npath = \"/x/*\"\nmethod = \"GET\""],
        &[
            ("GET /x/y HTTP/1.1|host: a", "other"),
            ("GET /x/y HTTP/1.1|host: b", "app"),
            ("GET /y HTTP/1.1|host: a", "app"),
            ("DELETE /x/y HTTP/1.1|host: a", "app"),
        ],
    );
}

#[test]
fn the_first_route_in_the_file_wins() {
    let (one, two, app) = (
        Origin::named("one"),
        Origin::named("two"),
        Origin::named("app"),
    );
    let setup = Setup::of(&[&app])
        .also("one", &one)
        .also("two", &two)
        .route("path = \"/a/*\"\nbackend = \"one\"")
        .route("name = \"exact\"\npath = \"/a/b\"\nhost = \"test\"\nbackend = \"two\"");
    let proxy = setup.start();
    assert_eq!(proxy.get("/a/b").text(), "one");
    assert_eq!(proxy.line().text("backend"), "one");
}

#[test]
fn the_log_names_the_route() {
    let (app, other) = (Origin::named("app"), Origin::named("other"));
    let setup = Setup::of(&[&app])
        .also("other", &other)
        .route("name = \"named\"\npath = \"/named\"\nbackend = \"other\"");
    let proxy = setup.start();
    let mut client = proxy.client();
    client.get("/named");
    client.get("/");
    let lines = proxy.wait_for_lines(2);
    assert_eq!(
        (lines[0].text("route"), lines[0].text("backend")),
        ("named", "other")
    );
    assert_eq!(
        (lines[1].text("route"), lines[1].text("backend")),
        ("-", "app")
    );
}

#[test]
fn without_a_route_and_a_backend_the_answer_is_404() {
    let origin = Origin::named("a");
    let setup = Setup::of(&[&origin])
        .without_default()
        .route("path = \"/a\"\nbackend = \"app\"");
    let proxy = setup.start();
    let response = proxy.get("/b");
    assert_eq!(
        (response.status(), response.reason().as_str()),
        (404, "route.none")
    );
    assert_eq!(proxy.line().verdict(), (404, "route.none"));
    assert_eq!(origin.connections(), 0);
    assert_eq!(proxy.get("/a").text(), "a");
}

#[test]
fn a_path_that_would_be_another_rule_to_the_server_is_refused() {
    let cases = [
        ("/public/../admin/x", "request.path.ambiguous"),
        ("/public/%2e%2e/admin/x", "request.path.ambiguous"),
        ("/admin/../public", "request.path.ambiguous"),
        ("/%61dmin/x", "request.path.ambiguous"),
        ("/./admin/x", "request.path.ambiguous"),
        ("/admin/x/../y", "other"),
        ("/admin/%78", "other"),
        ("/public/./x", "app"),
        ("/public%2Fx", "app"),
        ("//public/x", "app"),
        ("/admin%2Fx", "request.path.ambiguous"),
        ("//admin/x", "request.path.ambiguous"),
        ("/admin;v=1/x", "request.path.ambiguous"),
        ("/public\\..\\admin", "request.path.ambiguous"),
        ("/public/..;/admin", "request.path.ambiguous"),
        ("/ADMIN/x", "app"),
    ];
    targets("path = \"/admin/*\"", &cases);
}

#[test]
fn an_ambiguous_path_is_never_seen_by_a_server() {
    let (app, other) = (Origin::named("app"), Origin::named("other"));
    let setup = Setup::of(&[&app])
        .also("other", &other)
        .route("path = \"/admin/*\"\nbackend = \"other\"");
    let proxy = setup.start();
    assert_eq!(proxy.get("/public/../admin").status(), 400);
    assert_eq!(proxy.line().verdict(), (400, "request.path.ambiguous"));
    assert_eq!(app.connections() + other.connections(), 0);
}

#[test]
fn the_target_is_forwarded_as_received_whatever_it_was_matched_as() {
    let (app, other) = (Origin::named("app"), Origin::named("other"));
    let setup = Setup::of(&[&app])
        .also("other", &other)
        .route("path = \"/a/*\"\nbackend = \"other\"");
    assert_eq!(setup.start().get("/a/%7Ex/./%2f").text(), "other");
    assert_eq!(other.request().target(), "/a/%7Ex/./%2f");
}

#[test]
fn a_condition_sees_the_client_its_cookies_and_the_path() {
    asked(
        &[
            r#"when = 'src in ["127.0.0.0/8"] and req.cook(beta) == "1"'"#,
            r#"when = 'path matches "^/item/[0-9]+$" or req.hdr(x-age) > 10'"#,
        ],
        &[
            ("GET / HTTP/1.1|host: a|cookie: a=b; beta=1", "other"),
            ("GET / HTTP/1.1|host: a|cookie: a=b; beta=2", "app"),
            ("GET /item/12 HTTP/1.1|host: a", "other"),
            ("GET /item/12/x HTTP/1.1|host: a", "app"),
            ("GET / HTTP/1.1|host: a|x-age: 9, 11", "other"),
            ("GET / HTTP/1.1|host: a|x-age: 9", "app"),
        ],
    );
    asked(
        &[r#"when = 'src not in ["127.0.0.0/8"] or ssl_fc'"#],
        &[("GET / HTTP/1.1|host: a", "app")],
    );
}

#[test]
fn a_condition_on_the_path_is_not_passed_by_with_another_spelling() {
    targets(
        r#"when = 'path starts_with "/admin/"'"#,
        &[
            ("/admin/x", "other"),
            ("/%61dmin/x", "request.path.ambiguous"),
            ("//admin/x", "request.path.ambiguous"),
            ("/admin%2fx", "request.path.ambiguous"),
            ("/x/..%2fadmin/x", "request.path.ambiguous"),
            ("/a//x", "app"),
        ],
    );
}

#[test]
fn a_list_in_a_file_takes_effect_when_the_file_changes() {
    let (app, other) = (Origin::named("app"), Origin::named("other"));
    let folder = Folder::new();
    let list = folder.write("allowed.txt", "# only these\n192.0.2.0/24\n");
    let when = format!("when = 'src in @file(\"{}\")'", list.display());
    let setup = Setup::of(&[&app])
        .also("other", &other)
        .watched()
        .route(&format!("{when}\nbackend = \"other\""));
    let proxy = setup.start();
    assert_eq!(proxy.get("/").text(), "app");
    folder.replace("allowed.txt", "192.0.2.0/24\n127.0.0.1\n");
    until("the list takes effect", || {
        (proxy.get("/").text() == "other").then_some(())
    });
    folder.replace("allowed.txt", "no address\n");
    let message = proxy.reload();
    assert_eq!(message.status(), 422);
    assert!(
        message.text().contains("allowed.txt:1: "),
        "{}",
        message.text()
    );
    assert_eq!(proxy.get("/").text(), "other");
}

#[test]
fn a_stranger_does_not_choose_a_route_by_fields_that_are_ours_to_write() {
    let requests = [
        ("GET / HTTP/1.1|host: a|x-forwarded-proto: https", "other"),
        ("GET / HTTP/1.1|host: a|forwarded: proto=https", "other"),
        ("GET / HTTP/1.1|host: a|x-real-ip: 10.0.0.1", "other"),
        ("GET / HTTP/1.1|host: a", "app"),
    ];
    let routes = [
        "header = { x-forwarded-proto = \"https\" }",
        "when = 'req.hdr(forwarded) == \"proto=https\"'",
        "header = { x-real-ip = \"*\" }",
    ];
    let (app, other) = (Origin::named("app"), Origin::named("other"));
    for (trusted, is_believed) in [("[\"127.0.0.1\"]", true), ("[]", false)] {
        let mut setup = Setup::of(&[&app])
            .also("other", &other)
            .frontend(&format!("trusted_proxies = {trusted}"));
        for route in routes {
            setup = setup.route(&format!("{route}\nbackend = \"other\""));
        }
        let proxy = setup.start();
        for (request, believed) in requests {
            let answer = proxy.ask(format!("{}\r\n\r\n", request.replace('|', "\r\n")));
            let expected = if is_believed { believed } else { "app" };
            assert_eq!(answer.text(), expected, "{request}, {trusted}");
        }
    }
}

#[test]
fn a_path_regex_chooses_a_route_and_refuses_paths_that_servers_read_in_two_ways() {
    let (app, item) = (Origin::named("app"), Origin::named("item"));
    let proxy = Setup::of(&[&app])
        .also("item", &item)
        .route("path_regex = ['^/item/[0-9]+$', '\\.php$']\nbackend = \"item\"")
        .start();
    for (path, expected) in [
        ("/item/12", "item"),
        ("/x.php", "item"),
        ("/item/", "app"),
        ("/item/12/x", "app"),
    ] {
        let answer = proxy.ask(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
        assert_eq!(answer.text(), expected, "{path}");
    }
    // Some servers read `/item/12` and `/x.php`, others do not.
    for path in ["/item/1%32", "/x.php;a=b"] {
        let answer = proxy.ask(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
        assert_eq!(answer.status(), 400, "{path}");
    }
}
