//! The effect of rules, written as in a configuration.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};

mod answering;
mod changing;

use super::*;
use crate::base::Peer;
use crate::config;
use crate::exchange::RequestId;

/// The pipeline of a frontend with these rules.
fn pipeline(rules: &str) -> Arc<Pipeline> {
    let text = format!(
        "[admin]\nlisten = 'off'\n[frontend.web]\nlisten = ':80'\nbackend = 'app'\n\
         forwarding = {{ x_forwarded = false }}\nrule = [{rules}]\n\
         [backend.app]\nservers = '10.0.0.1:80'\n"
    );
    match config::load_text("test.toml", &text) {
        Ok(loaded) => Pipeline::compile(&loaded.plan.frontends[0].rules).expect("a rule"),
        Err(diagnostics) => unreachable!("{diagnostics}"),
    }
}

struct Exchange {
    id: RequestId,
    session: Variables,
    variables: Variables,
    tracked: Tracked,
    log_as: Cell<LogAs>,
    tables: Arc<Tables>,
    verifier: Arc<Verifier>,
    scratch: RefCell<Scratch>,
}

impl Default for Exchange {
    fn default() -> Self {
        Self {
            id: RequestId::made(1),
            session: Variables::default(),
            variables: Variables::default(),
            tracked: Tracked::default(),
            log_as: Cell::default(),
            tables: Arc::default(),
            verifier: Arc::default(),
            scratch: RefCell::default(),
        }
    }
}

impl Exchange {
    fn scope(&self) -> Scope<'_> {
        Scope {
            id: &self.id,
            connection: ConnectionFacts {
                client: Peer::Ip(([192, 0, 2, 7], 4711).into()),
                local: None,
                tls: None,
                frontend: "web",
                variables: Some(&self.session),
                tables: None,
                state: None,
                proxy_fields: None,
                content: None,
                is_local: |_| false,
            },
            backend: None,
            variables: &self.variables,
            tracked: &self.tracked,
            log_as: &self.log_as,
            tables: &self.tables,
            verifier: &self.verifier,
            scratch: &self.scratch,
        }
    }
}

/// The flow and the request after `rules`.
fn run(rules: &str, request: http::request::Builder) -> (Flow, Request<()>) {
    let mut request = request.body(()).expect("a request");
    let exchange = Exchange::default();
    let flow = pipeline(rules).request(0, &mut request, &exchange.scope());
    (flow, request)
}

/// The request after `rules`; none of them ends it.
#[track_caller]
fn changed(rules: &str, request: http::request::Builder) -> Request<()> {
    let (flow, request) = run(rules, request);
    assert!(matches!(flow, Flow::Continue), "{flow:?}");
    request
}

/// The answer of `rules` to `request`.
#[track_caller]
fn answered(rules: &str, request: http::request::Builder) -> (Reason, http::Response<Bytes>) {
    match run(rules, request).0 {
        Flow::Answer(answer) => (answer.reason, answer.into_response(&RequestId::made(1))),
        flow => unreachable!("{flow:?}"),
    }
}

fn get(target: &str) -> http::request::Builder {
    Request::get(target).header("host", "a.example")
}

fn values<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    let values = headers.get_all(name).iter();
    values.map(|value| value.to_str().expect("text")).collect()
}

#[test]
fn fields_are_set_added_and_removed() {
    let rules = "{ set_header = { x-client = '%[src]:%[src_port]' } },
                 { add_header = { x-list = 'b' } }, { del_header = ['x-gone', 'x-other'] }";
    let request = get("/")
        .header("x-client", "forged")
        .header("x-client", "again")
        .header("x-list", "a")
        .header("x-gone", "1")
        .header("x-gone", "2");
    let request = changed(rules, request);
    assert_eq!(values(request.headers(), "x-client"), ["192.0.2.7:4711"]);
    assert_eq!(values(request.headers(), "x-list"), ["a", "b"]);
    assert!(values(request.headers(), "x-gone").is_empty());
}

#[test]
fn later_rules_see_what_earlier_ones_changed() {
    let rules =
        "{ set_path = '/b' }, { when = 'path == \"/b\"', set_header = { x-seen = '%[path]' } },
                 { when = 'req.hdr(x-seen)', deny = 404 }";
    let (reason, response) = answered(rules, get("/a?q=1"));
    assert_eq!(
        (reason, response.status()),
        (Reason::RuleDenied, StatusCode::NOT_FOUND)
    );
}

#[test]
fn a_condition_decides() {
    let rules = "{ when = 'method == \"POST\"', deny = true }";
    assert!(matches!(run(rules, get("/")).0, Flow::Continue));
    let (_, response) = answered(rules, get("/").method("POST"));
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let text = std::str::from_utf8(response.body()).expect("text");
    assert!(text.contains("reason: rule.denied\n"), "{text}");
}

#[test]
fn a_path_keeps_its_query_and_cannot_bring_one() {
    let path = |rules: &str, target: &str| changed(rules, get(target)).uri().to_string();
    assert_eq!(
        path("{ set_path = '/new%[path]' }", "/a/b?c=d"),
        "/new/a/b?c=d"
    );
    assert_eq!(
        path("{ set_path = '/%[url_param(p)]' }", "/a?p=x"),
        "/x?p=x"
    );
    let request = get("/a").header("x-p", "b?admin=1#c d\u{e9}");
    let rules = "{ set_path = '%[req.fhdr(x-p)]' }";
    let changed = changed(rules, request);
    assert_eq!(changed.uri(), "/b%3Fadmin=1%23c%20d%C3%A9");
}

#[test]
fn a_path_in_absolute_form_is_replaced_within_it() {
    let request = changed("{ set_path = '/b' }", get("http://a.example/a?c"));
    assert_eq!(request.uri(), "http://a.example/b?c");
}

#[test]
fn a_host_that_is_set_is_that_of_the_target_too() {
    let rules = "{ set_header = { host = 'b.example:8080' } }";
    let request = changed(rules, get("http://a.example/a?c"));
    assert_eq!(request.uri(), "http://b.example:8080/a?c");
    assert_eq!(values(request.headers(), "host"), ["b.example:8080"]);
    let request = changed(rules, get("/a"));
    assert_eq!(request.uri(), "/a");
}

#[test]
fn a_redirect_says_where_to() {
    let location = |rules: &str, request: http::request::Builder| {
        let (reason, response) = answered(rules, request);
        assert_eq!(reason, Reason::RuleRedirected);
        assert!(response.body().is_empty());
        let location = response.headers()[header::LOCATION].to_str().expect("text");
        (response.status().as_u16(), location.to_owned())
    };
    let scheme = "{ redirect = { scheme = 'https', status = 308 } }";
    let https = (308, "https://a.example/a?b".to_owned());
    assert_eq!(location(scheme, get("/a?b")), https);
    let h2 = Request::get("http://a.example/a?b");
    assert_eq!(location(scheme, h2), https);
    let prefix = "{ redirect = { prefix = 'https://b.example' } }";
    assert_eq!(
        location(prefix, get("/a?b")),
        (302, "https://b.example/a?b".to_owned())
    );
    let header = "{ redirect = { location = '/l/%[req.fhdr(x-to)]' } }";
    assert_eq!(
        location(header, get("/").header("x-to", "b c\u{e9}")),
        (302, "/l/b%20c%C3%A9".to_owned())
    );
}

#[test]
fn an_answer_is_as_it_is_written() {
    let rules = "{ return = { status = 503, content_type = 'text/html', \
                 headers = { x-a = '%[path]' }, body = '<p>%[path] 100%%' } }";
    let (reason, response) = answered(rules, get("/a"));
    assert_eq!(
        (reason, response.status().as_u16()),
        (Reason::RuleReturned, 503)
    );
    assert_eq!(values(response.headers(), "content-type"), ["text/html"]);
    assert_eq!(values(response.headers(), "x-a"), ["/a"]);
    assert_eq!(response.body(), "<p>/a 100%");
}

#[test]
fn variables_live_as_long_as_their_scope() {
    let rules = "{ when = 'not var(sess.first)', set_var = { 'sess.first' = 'path' } },
                 { set_var = { 'txn.n' = 'int(7)', 'txn.t' = 'path,length' } },
                 { when = 'var(txn.n) == 7 and var(txn.t) > 1', set_header = { x-first = '%[var(sess.first)]' } },
                 { set_var = { 'txn.t' = 'req.hdr(none)' } },
                 { set_header = { x-default = '%[var(txn.t,gone)]' } }";
    let pipeline = pipeline(rules);
    let session = Variables::default();
    for target in ["/first", "/second"] {
        let mut request = get(target).body(()).expect("a request");
        let exchange = Exchange::default();
        let mut scope = exchange.scope();
        scope.connection.variables = Some(&session);
        let flow = pipeline.request(0, &mut request, &scope);
        assert!(matches!(flow, Flow::Continue));
        assert_eq!(values(request.headers(), "x-first"), ["/first"]);
        assert_eq!(values(request.headers(), "x-default"), ["gone"]);
    }
}

#[test]
fn a_rule_that_waits_is_not_run_again() {
    let rules = "{ set_header = { x-n = '1' } }, { pause = '1s' }, { add_header = { x-n = '2' } }";
    let pipeline = pipeline(rules);
    let mut request = get("/").body(()).expect("a request");
    let exchange = Exchange::default();
    let flow = pipeline.request(0, &mut request, &exchange.scope());
    let Flow::Wait(next, time) = flow else {
        unreachable!("{flow:?}");
    };
    assert_eq!((next, time), (2, Duration::from_secs(1)));
    let flow = pipeline.request(next, &mut request, &exchange.scope());
    assert!(matches!(flow, Flow::Continue));
    assert_eq!(values(request.headers(), "x-n"), ["1", "2"]);
}

#[test]
fn no_other_spelling_gets_past_the_refusal_of_a_path() {
    let rules = "{ when = 'path starts_with \"/admin/\"', deny = 403 }";
    for target in [
        "//admin/x",
        "/%61dmin/x",
        "/a/..%2fadmin/x",
        "/admin%2fx",
        "/a/../admin/x",
    ] {
        let (reason, response) = answered(rules, get(target));
        assert_eq!(reason, Reason::RequestPathAmbiguous, "{target}");
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    }
    for target in ["/ADMIN/x", "/admin./x", "/Admin/"] {
        let (reason, _) = answered(rules, get(target));
        assert_eq!(reason, Reason::RequestPathAmbiguous, "{target}");
    }
    for target in ["/adminx", "/public//x", "/a/../b/x", "/"] {
        assert!(
            matches!(run(rules, get(target)).0, Flow::Continue),
            "{target}"
        );
    }
    // The other way round: a public path must be public in every reading.
    let rules = "{ when = 'not path starts_with \"/public/\"', deny = 403 }";
    let (reason, _) = answered(rules, get("/public/../admin/x"));
    assert_eq!(reason, Reason::RequestPathAmbiguous);
    let (reason, _) = answered(rules, get("/public/..%2fadmin/x"));
    assert_eq!(reason, Reason::RequestPathAmbiguous);
    assert!(matches!(run(rules, get("/public/x")).0, Flow::Continue));
    // A condition without the path is evaluated once.
    let rules = "{ when = 'req.hdr(x) == \"a\"', deny = 403 }";
    assert!(matches!(
        run(rules, get("//x").header("x", "A")).0,
        Flow::Continue
    ));
}

/// The result of `rules` for an answer with status 200 of the server `a`, with `headers`.
fn answer(rules: &str, headers: &mut HeaderMap) -> Flow {
    let exchange = Exchange::default();
    let mut answer = Answer {
        status: StatusCode::OK,
        headers,
        server: Some("a"),
        reason: None,
    };
    let pipeline = pipeline(rules);
    let flow = pipeline.response(&mut answer, &exchange.scope());
    pipeline.after(&mut answer, &exchange.scope());
    flow
}

#[test]
fn rules_for_answers_change_them() {
    let mut headers = HeaderMap::from_iter([(header::SERVER, "x".parse().expect("a value"))]);
    let rules = "{ on = 'response', when = 'status == 200', set_header = { x-from = '%[srv_name] of %[fe_name]' } },
                 { on = 'response', del_header = 'server' },
                 { on = 'after', add_header = { x-after = '%[status]' } },
                 { set_header = { x-never = 'here' } }";
    assert!(matches!(answer(rules, &mut headers), Flow::Continue));
    assert_eq!(values(&headers, "x-from"), ["a of web"]);
    assert_eq!(values(&headers, "x-after"), ["200"]);
    assert_eq!(headers.len(), 2, "{headers:?}");
}

#[test]
fn an_answer_may_be_refused() {
    let rules = "{ on = 'response', when = 'res.hdr(x-secret)', deny = 502 },
                 { on = 'response', set_header = { x-late = '1' } }";
    let mut headers = HeaderMap::new();
    assert!(matches!(answer(rules, &mut headers), Flow::Continue));
    headers.insert("x-secret", "1".parse().expect("a value"));
    headers.remove("x-late");
    let Flow::Answer(refusal) = answer(rules, &mut headers) else {
        unreachable!("it is refused");
    };
    assert_eq!(refusal.into_response(&RequestId::made(1)).status(), 502);
    assert!(!headers.contains_key("x-late"));
}

/// A server never gets the client's own path in place of the rule's.
#[test]
fn a_path_that_cannot_be_replaced_ends_the_exchange() {
    let much = "é".repeat(30_000);
    let request = get("/admin").header("x-tenant", much.as_bytes());
    let (reason, response) = answered("{ set_path = '/t/%[req.fhdr(x-tenant)]%[path]' }", request);
    assert_eq!(
        (reason, response.status().as_u16()),
        (Reason::RequestTargetTooLong, 414)
    );
}

#[test]
fn an_invalid_host_ends_the_exchange() {
    let rules = "{ set_header = { host = '%[req.fhdr(x-h)]' } }";
    for host in ["a b", "u@h/", "", "\u{e9}"] {
        let (reason, _) = answered(rules, get("/").header("x-h", host.as_bytes()));
        assert_eq!(reason, Reason::RequestHostMalformed, "{host:?}");
    }
}

#[test]
fn the_first_host_is_kept_for_expressions_that_read_it() {
    let rules = "{ set_header = { host = 'b' } }, { set_header = { host = 'c' } }";
    let request = changed(rules, get("/"));
    let original = request.extensions().get::<OriginalHost>().expect("a host");
    assert_eq!(original.0.as_ref().expect("a host"), "a.example");
    assert_eq!(values(request.headers(), "host"), ["c"]);
}

#[test]
fn a_redirect_stays_on_the_host_unless_it_names_one() {
    let location = |rules: &str, request: http::request::Builder| {
        let (_, response) = answered(rules, request);
        response.headers()[header::LOCATION]
            .to_str()
            .expect("text")
            .to_owned()
    };
    let stripped = "{ redirect = { location = \"%[path,regsub(^/old,'')]\" } }";
    assert_eq!(location(stripped, get("/old//evil.test/x")), "/evil.test/x");
    let field = "{ redirect = { location = '%[req.fhdr(x-to)]' } }";
    for to in [
        "//evil.test",
        "/\\evil.test",
        "\\/evil.test",
        "///evil.test",
    ] {
        let request = get("/").header("x-to", to);
        assert_eq!(location(field, request), "/evil.test", "{to}");
    }
    let named = "{ redirect = { location = '//b.test%[path]' } }";
    assert_eq!(location(named, get("/a")), "//b.test/a");
    assert_eq!(location(field, get("/").header("x-to", "a\\b")), "a%5Cb");
    let star = "{ redirect = { prefix = 'https://b.test' } }";
    assert_eq!(
        location(star, get("*").method("OPTIONS")),
        "https://b.test/"
    );
}

#[test]
fn a_redirect_to_another_scheme_needs_a_host() {
    let old = Request::get("/").version(http::Version::HTTP_10);
    let (reason, _) = answered("{ redirect = { scheme = 'https' } }", old);
    assert_eq!(reason, Reason::RequestHostMissing);
}
