//! Rules that answer in place of a server. Where a rule has HAProxy's word, the expected values are those
//! of HAProxy 2.6.

use super::*;

/// The `Location` and the `Set-Cookie` of the redirect that `redirect` makes of a request to `target`.
#[track_caller]
fn redirected(redirect: &str, target: &str) -> (String, Option<String>) {
    let rules = format!("{{ redirect = {{ {redirect} }} }}");
    let (reason, response) = answered(&rules, get(target));
    assert_eq!(reason, Reason::RuleRedirected);
    let field = |name: &str| {
        let value = response.headers().get(name)?;
        Some(value.to_str().expect("text").to_owned())
    };
    (field("location").expect("a location"), field("set-cookie"))
}

#[test]
fn a_redirect_leaves_the_query_out_and_ends_with_a_slash() {
    let to = |redirect: &str, target: &str| redirected(redirect, target).0;
    let drop = "prefix = '/p', drop_query = true";
    let slash = "prefix = '/p', drop_query = true, append_slash = true";
    for (target, dropped, with_slash) in [
        ("/a?b=c", "/p/a", "/p/a/"),
        ("/a", "/p/a", "/p/a/"),
        ("/a/?b", "/p/a/", "/p/a/"),
        ("/", "/p/", "/p/"),
    ] {
        assert_eq!(to(drop, target), dropped, "{target}");
        assert_eq!(to(slash, target), with_slash, "{target}");
    }
    let here = "prefix = '/', drop_query = true, append_slash = true";
    assert_eq!(to(here, "/a?b=c"), "/a/");
    let scheme = "scheme = 'https', drop_query = true, append_slash = true";
    assert_eq!(to(scheme, "/a?b=c"), "https://a.example/a/");
}

#[test]
fn the_query_of_the_request_follows_a_location() {
    let to = |location: &str, target: &str| {
        redirected(
            &format!("location = '{location}', keep_query = true"),
            target,
        )
        .0
    };
    assert_eq!(to("/l", "/a?b=c"), "/l?b=c");
    assert_eq!(to("/l?x", "/a?b=c"), "/l?x&b=c");
    assert_eq!(to("/l", "/a"), "/l");
    assert_eq!(to("/l", "/a?"), "/l");
}

#[test]
fn a_redirect_sets_or_removes_a_cookie() {
    let cookie = |key: &str| redirected(&format!("location = '/l', {key}"), "/a").1;
    let expected = |text: &str| Some(text.to_owned());
    assert_eq!(cookie("set_cookie = 'A=b'"), expected("A=b; path=/;"));
    assert_eq!(cookie("set_cookie = 'A'"), expected("A; path=/;"));
    let cleared = expected("A=; path=/; Max-Age=0;");
    assert_eq!(cookie("clear_cookie = 'A='"), cleared);
    assert_eq!(cookie("status = 303"), None);
}

#[test]
fn a_refusal_has_fields_and_a_body_of_its_own() {
    let (reason, response) = answered(
        "{ deny = { status = 429, headers = { retry-after = '7' } } }",
        get("/"),
    );
    assert_eq!(
        (reason, response.status().as_u16()),
        (Reason::RuleDenied, 429)
    );
    assert_eq!(values(response.headers(), "retry-after"), ["7"]);
    let text = std::str::from_utf8(response.body()).expect("text");
    assert!(text.contains("reason: rule.denied\n"), "{text}");

    let (reason, response) = answered(
        "{ deny = { content_type = 'text/html', body = '<p>%[path]' } }",
        get("/a"),
    );
    assert_eq!(
        (reason, response.status().as_u16()),
        (Reason::RuleDenied, 403)
    );
    assert_eq!(values(response.headers(), "content-type"), ["text/html"]);
    assert_eq!(response.body(), "<p>/a");
    let (_, response) = answered("{ deny = { body = '' } }", get("/a"));
    assert_eq!(response.body(), "");
}

#[test]
fn a_refusal_of_a_grpc_call_keeps_its_status_and_has_the_fields() {
    let flow = run(
        "{ deny = { status = 503, headers = { x-a = '1' } } }",
        get("/"),
    )
    .0;
    let Flow::Answer(answer) = flow else {
        unreachable!("{flow:?}");
    };
    let response = answer.into_grpc_response(&RequestId::made(1));
    assert_eq!(values(response.headers(), "grpc-status"), ["14"]);
    assert_eq!(values(response.headers(), "x-a"), ["1"]);
}

#[test]
fn a_file_is_sent_as_it_is() {
    // The tests run in the folder of the sources.
    let rules = "{ return = { content_type = 'text/plain', file = 'Cargo.toml' } }";
    let (_, response) = answered(rules, get("/"));
    let expected = std::fs::read("Cargo.toml").expect("the file");
    assert_eq!(response.body().as_ref(), expected);
    let (reason, response) = answered("{ deny = { file = 'Cargo.toml' } }", get("/"));
    assert_eq!(
        (reason, response.status()),
        (Reason::RuleDenied, StatusCode::FORBIDDEN)
    );
    assert_eq!(response.body().as_ref(), expected);
}

#[test]
fn a_client_waits_for_a_refusal() {
    let flow = run("{ tarpit = '10s' }", get("/")).0;
    let Flow::Hold(time, answer) = flow else {
        unreachable!("{flow:?}");
    };
    assert_eq!(time, Duration::from_secs(10));
    assert_eq!(answer.reason, Reason::RuleTarpitted);
    assert_eq!(answer.into_response(&RequestId::made(1)).status(), 500);
    // No other spelling of a path gets past it, as for `deny`.
    let rules = "{ when = 'path starts_with \"/admin/\"', tarpit = '1s' }";
    let (reason, _) = answered(rules, get("/%61dmin/x"));
    assert_eq!(reason, Reason::RequestPathAmbiguous);
}

#[test]
fn a_monitor_answers_one_path() {
    let rules = "{ monitor = { path = '/up', fail = 'req.hdr(x-drill)' } }";
    let (reason, response) = answered(rules, get("/up?x"));
    assert_eq!(
        (reason, response.status().as_u16()),
        (Reason::RuleMonitor, 200)
    );
    let (reason, response) = answered(rules, get("/up").header("x-drill", "1"));
    assert_eq!(
        (reason, response.status().as_u16()),
        (Reason::RuleMonitor, 503)
    );
    for other in ["/up/", "/UP", "/"] {
        assert!(
            matches!(run(rules, get(other)).0, Flow::Continue),
            "{other}"
        );
    }
}

/// A request with these Basic credentials.
fn with_password(target: &str, credentials: &str) -> http::request::Builder {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(credentials);
    get(target).header("authorization", format!("Basic {encoded}"))
}

#[test]
fn only_the_password_of_a_user_passes() {
    let rules = "{ auth = { realm = 'ops', users = { joe = '{PLAIN}a:b', ann = '{PLAIN}' } } }";
    for credentials in ["joe:a:b", "ann:"] {
        changed(rules, with_password("/", credentials));
    }
    let wrong = [
        "joe:a", "joe:a:bc", "ann:a:b", "Joe:a:b", ":", "joe", "bob:a:b",
    ];
    let wrong = wrong.map(|credentials| with_password("/", credentials));
    let twice = with_password("/", "joe:a:b").header("authorization", "Basic YW5uOg==");
    let odd = [
        "Basic",
        "Basic !",
        "Bearer am9lOmE6Yg==",
        "Basic am9lOmE6Yg",
    ];
    let odd = odd.map(|line| get("/").header("authorization", line));
    for request in wrong.into_iter().chain(odd).chain([twice, get("/")]) {
        let what = format!("{request:?}");
        let (reason, response) = answered(rules, request);
        assert_eq!(reason, Reason::RuleUnauthorized, "{what}");
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{what}");
        assert_eq!(
            values(response.headers(), "www-authenticate"),
            ["Basic realm=\"ops\", charset=\"UTF-8\""]
        );
    }
}

#[test]
fn rules_after_a_password_know_the_groups_of_its_user() {
    let rules = "{ when = 'http_auth', deny = 500 },
        { auth = { users = { joe = '{PLAIN}x', ann = '{PLAIN}y' }, groups = { a = 'joe', b = ['joe', 'ann'] } } },
        { when = 'http_auth and http_auth_group == \"a\"', set_header = { x-a = '1' } },
        { when = 'http_auth_group == \"b\"', set_header = { x-b = '%[http_auth_user]' } }";
    let joe = changed(rules, with_password("/", "joe:x"));
    assert_eq!(values(joe.headers(), "x-a"), ["1"]);
    assert_eq!(values(joe.headers(), "x-b"), ["joe"]);
    let ann = changed(rules, with_password("/", "ann:y"));
    assert!(values(ann.headers(), "x-a").is_empty());
    assert_eq!(values(ann.headers(), "x-b"), ["ann"]);
}

#[test]
fn no_other_spelling_of_a_path_gets_past_a_password() {
    let rules =
        "{ when = 'path starts_with \"/admin/\"', auth = { users = { joe = '{PLAIN}x' } } }";
    let (reason, _) = answered(rules, get("/%61dmin/x"));
    assert_eq!(reason, Reason::RequestPathAmbiguous);
}
