//! Which fields of a request reach servers, in every spelling, in heads and trailers, by HTTP/1 and
//! HTTP/2.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::rig::{Good, Http2, Message, OK, Origin, Reply, Setup};

/// Fields that a WSGI, CGI, Rack or PHP server takes for ones that only the proxy may set.
const DISGUISED: [&str; 13] = [
    "x_forwarded_for",
    "x-forwarded_for",
    "x.forwarded.for",
    "x_forwarded_proto",
    "x_forwarded_host",
    "x_request_id",
    "x_client_subject",
    "content_length",
    "transfer_encoding",
    "keep_alive",
    "sec_websocket_key",
    "x_real_ip",
    "true_client_ip",
];

const SUBJECT: &str = "forwarding = { client_certificate = { subject = \"x-client-subject\" } }";

/// The request with `fields` as the server sees it, by both versions of HTTP.
#[track_caller]
fn seen(setup: impl Fn(Setup) -> Setup, fields: &[(&str, &str)]) -> [Message; 2] {
    let origin = Origin::answering(OK);
    let proxy = setup(Setup::of(&[&origin])).start();
    let lines: String = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let response = proxy.ask(format!("GET / HTTP/1.1\r\nhost: test\r\n{lines}\r\n"));
    assert_eq!(response.status(), 200, "{}", response.text());
    let by_h1 = origin.request();
    let mut client = Http2::connect(proxy.address());
    let mut request = client.request("GET", "/h2");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    assert_eq!(client.ask(request).answer().status, 200);
    [by_h1, origin.request_of("/h2")]
}

/// The names of the fields of `request` that a WSGI server knows as `name`.
fn known_as<'a>(request: &'a Message, name: &str) -> Vec<&'a str> {
    let known = |name: &str| {
        name.to_ascii_uppercase()
            .replace(|c: char| !c.is_ascii_alphanumeric(), "_")
    };
    let fields = request.fields.iter().map(|(field, _)| field.as_str());
    fields.filter(|field| known(field) == known(name)).collect()
}

#[test]
fn an_application_believed_x_forwarded_for_of_a_stranger_that_was_written_with_underscores() {
    for name in DISGUISED {
        for request in seen(
            |setup| setup.frontend(SUBJECT),
            &[(name, "6"), ("x_own", "7")],
        ) {
            assert_eq!(request.values(name), [""; 0], "{}", request.head);
            assert!(known_as(&request, name).len() <= 1, "{}", request.head);
            assert_eq!(request.values("x_own"), ["7"], "what is no disguise passes");
            assert_eq!(request.field("x-forwarded-for"), Some("127.0.0.1"));
        }
    }
}

#[test]
fn a_field_that_is_configured_with_an_underscore_has_no_other_spelling_either() {
    let certificate = "request_id = 'x_id'\n\
                       forwarding = { client_certificate = { subject = 'x_subject' } }";
    let fields = [
        ("x-subject", "CN=admin"),
        ("x-id", "1"),
        ("x.id", "2"),
        ("x_subject", "CN=root"),
    ];
    for request in seen(|setup| setup.frontend(certificate), &fields) {
        assert_eq!(known_as(&request, "x-subject"), [""; 0], "{}", request.head);
        assert_eq!(known_as(&request, "x-id"), ["x_id"], "{}", request.head);
    }
}

#[test]
fn other_names_with_underscores_pass_are_left_out_or_refused_as_configured() {
    let odd = [("x_own", "1"), ("x.y", "2"), ("x-plain", "3")];
    for request in seen(|setup| setup, &odd) {
        assert_eq!(request.field("x_own"), Some("1"));
        assert_eq!(request.field("x.y"), Some("2"));
    }
    let dropping = "field_names = \"drop\"";
    for request in seen(|setup| setup.frontend(dropping), &odd) {
        assert_eq!(request.field("x_own"), None);
        assert_eq!(request.field("x.y"), None);
        assert_eq!(request.field("x-plain"), Some("3"));
    }
    let origin = Origin::answering(OK);
    let proxy = Setup::of(&[&origin])
        .frontend("field_names = \"reject\"")
        .start();
    for name in ["x_own", "x.y", "x_forwarded_for"] {
        let response = proxy.ask(format!("GET / HTTP/1.1\r\nhost: test\r\n{name}: 1\r\n\r\n"));
        assert_eq!(response.status(), 400, "{name}");
        assert_eq!(response.reason(), "request.field.name", "{name}");
        let mut client = Http2::connect(proxy.address());
        let request = client.request("GET", "/").header(name, "1");
        let answer = client.ask(request).answer();
        assert_eq!(
            (answer.status, answer.reason().as_str()),
            (400, "request.field.name")
        );
    }
    assert!(origin.has_seen_nothing());
    assert_eq!(
        proxy
            .ask("GET / HTTP/1.1\r\nhost: test\r\nx-plain: 1\r\n\r\n")
            .status(),
        200
    );
}

#[test]
fn a_route_does_not_see_what_a_client_may_not_say() {
    let (origin, inside) = (Origin::named("a"), Origin::named("inside"));
    let setup = Setup::of(&[&origin]).also("inside", &inside);
    let proxy = setup
        .route("header = { x-real-ip = \"*\" }\nbackend = \"inside\"")
        .start();
    let ask = |name: &str| {
        proxy.ask(format!(
            "GET / HTTP/1.1\r\nhost: test\r\n{name}: 10.0.0.1\r\n\r\n"
        ))
    };
    assert_eq!(ask("x-real-ip").text(), "a");
    assert_eq!(ask("x_real_ip").text(), "a");
}

#[test]
fn fields_for_trusted_proxies_alone_are_removed_for_all_others() {
    let claims = [
        ("x-real-ip", "10.0.0.1"),
        ("true-client-ip", "10.0.0.1"),
        ("x-forwarded-port", "22"),
        ("x-forwarded-prefix", "/admin"),
        ("x-forwarded-server", "other"),
        ("x-original-url", "/admin"),
        ("forwarded", "for=10.0.0.1"),
    ];
    for request in seen(|setup| setup, &claims) {
        for (name, _) in claims {
            assert_eq!(request.field(name), None, "{name}");
        }
    }
    let trusting = "trusted_proxies = [\"127.0.0.1\"]";
    for request in seen(|setup| setup.frontend(trusting), &claims) {
        for (name, value) in claims {
            assert_eq!(request.field(name), Some(value), "{name}");
        }
    }
    // The fields can be configured.
    let own = "forwarding = { trusted_only = [\"x-own\", \"x_other\"] }";
    let fields = [
        ("x-own", "1"),
        ("x_other", "2"),
        ("x-other", "2"),
        ("x-real-ip", "10.0.0.1"),
    ];
    for request in seen(|setup| setup.frontend(own), &fields) {
        assert_eq!(request.field("x-own"), None);
        assert_eq!(known_as(&request, "x-other"), [""; 0], "{}", request.head);
        assert_eq!(request.field("x-real-ip"), Some("10.0.0.1"));
    }
}

/// Rules of a frontend that name the client.
const TELLING: &str = "rule = [{ set_header = { x-user = 'anon' } }, { del_header = 'x-admin' }]";

#[test]
fn an_application_believed_another_spelling_of_a_field_that_a_rule_sets_or_removes() {
    let fields = [
        ("X-User", "admin"),
        ("X_User", "admin"),
        ("X.User", "admin"),
        ("X-Admin", "1"),
        ("X_Admin", "1"),
        ("X_Own", "1"),
    ];
    let by_backend = |setup: Setup| setup.backend(TELLING);
    let by_route = |setup: Setup| setup.route(&format!("backend = 'app'\n{TELLING}"));
    let requests = [
        seen(|setup| setup.frontend(TELLING), &fields),
        seen(by_route, &fields),
        seen(by_backend, &fields),
    ];
    for request in requests.iter().flatten() {
        assert_eq!(known_as(request, "x-user"), ["x-user"], "{}", request.head);
        assert_eq!(request.values("x-user"), ["anon"]);
        assert_eq!(known_as(request, "x-admin"), [""; 0], "{}", request.head);
        assert_eq!(request.field("x_own"), Some("1"));
    }
}

#[test]
fn trailers_do_not_say_what_a_rule_sets_or_removes_in_the_head() {
    let names = ["x-user", "x_user", "x-admin", "x.admin", "x-sum"];
    for trailers in trailers_seen(TELLING, &names) {
        let names: Vec<&str> = trailers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["x-sum"]);
    }
}

/// The trailers `names` as an HTTP/2 server sees them, from a client of HTTP/1 and from one of
/// HTTP/2.
fn trailers_seen(frontend: &str, names: &[&str]) -> Vec<HeaderMap> {
    let origin = Good::answering(|_| Reply::of("ok"));
    let setup = Setup::at([origin.address()]).backend("protocol = 'h2'");
    let proxy = setup.frontend(frontend).start();
    let trailers: String = names.iter().map(|name| format!("{name}: 6\r\n")).collect();
    let response = proxy.ask(format!(
        "POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n{trailers}\r\n"
    ));
    assert_eq!(response.status(), 200);
    let mut client = Http2::connect(proxy.address());
    let request = client.request("POST", "/");
    let mut asked = client.begin(request);
    asked.send("hi");
    let named = |name: &&str| {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        (name, HeaderValue::from_static("6"))
    };
    asked.send_trailers(names.iter().map(named).collect());
    assert_eq!(asked.answer().status, 200);
    origin.trailers()
}

#[test]
fn trailers_say_no_more_than_a_head_may() {
    let mut names = DISGUISED.to_vec();
    names.extend([
        "x-forwarded-for",
        "x-request-id",
        "x-client-subject",
        "x-real-ip",
        "x-sum",
        "x_sum",
    ]);
    let seen = trailers_seen(SUBJECT, &names);
    assert_eq!(seen.len(), 2);
    for trailers in seen {
        let mut names: Vec<&str> = trailers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["x-sum", "x_sum"]);
    }
    for trailers in trailers_seen("field_names = \"drop\"", &["x-sum", "x_sum"]) {
        let names: Vec<&str> = trailers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["x-sum"]);
    }
}

/// Fields that a recipient would read as a part of the head.
const OF_HEADS: [&str; 8] = [
    "content-encoding",
    "content_encoding",
    "content-type",
    "authorization",
    "cookie",
    "set-cookie",
    "cache-control",
    "if-match",
];

#[test]
fn a_server_that_merges_trailers_did_not_read_its_request_by_them() {
    let names = [&OF_HEADS[..], &["x-sum", "content-digest"]].concat();
    let kept = |name: &str| matches!(name, "x-sum" | "content-digest");
    let by_http2 = trailers_seen("", &names);
    assert_eq!(by_http2.len(), 2);
    for trailers in by_http2 {
        assert_eq!(trailers.len(), 2);
        assert!(trailers.keys().all(|name| kept(name.as_str())));
    }
    let origin = Origin::answering(OK);
    let proxy = Setup::of(&[&origin]).start();
    let lines: String = names.iter().map(|name| format!("{name}: 6\r\n")).collect();
    proxy.ask(format!(
        "POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n{lines}\r\n"
    ));
    let trailers = origin.request().trailers;
    assert_eq!(trailers.len(), 2, "{trailers:?}");
    assert!(trailers.iter().all(|(name, _)| kept(name)));
}

#[test]
fn a_client_that_merges_trailers_did_not_read_its_answer_by_them() {
    let names = [&OF_HEADS[..], &["x-sum"]].concat();
    let lines: String = names.iter().map(|name| format!("{name}: 6\r\n")).collect();
    let by_http1 = Origin::answering(format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n{lines}\r\n"
    ));
    let by_http2 = Good::answering(move |_| {
        let named = |name: &&str| {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            (name, HeaderValue::from_static("6"))
        };
        Reply {
            trailers: Some(names.iter().map(named).collect()),
            ..Reply::of("hi")
        }
    });
    for setup in [
        Setup::of(&[&by_http1]),
        Setup::at([by_http2.address()]).backend("protocol = 'h2'"),
    ] {
        let proxy = setup.start();
        let answer =
            proxy.ask("GET / HTTP/1.1\r\nhost: test\r\nte: trailers\r\nconnection: te\r\n\r\n");
        assert_eq!(answer.trailers, [("x-sum".to_owned(), "6".to_owned())]);
        let mut client = Http2::connect(proxy.address());
        let request = client.request("GET", "/").header("te", "trailers");
        let trailers = client.ask(request).answer().trailers.expect("trailers");
        let names: Vec<&str> = trailers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["x-sum"]);
    }
}

#[test]
fn a_server_sees_a_request_aborted_whose_trailers_are_refused() {
    let origin = Origin::silent();
    let setup = Setup::of(&[&origin]).frontend("field_names = \"reject\"");
    let proxy = setup.start();
    let response = proxy.ask(
        "POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx_sum: 1\r\n\r\n",
    );
    assert_eq!(
        (response.status(), response.reason().as_str()),
        (400, "request.field.name")
    );
    origin.wait_for_end_of(0);
    assert!(origin.requests().is_empty());
}
