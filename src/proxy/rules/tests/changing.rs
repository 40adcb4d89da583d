//! Rules that change a request or an answer. Where a rule has HAProxy's word, the expected values are
//! those of HAProxy 2.6.

use http::{HeaderMap, Request, StatusCode, header};

use super::*;
use crate::plan::log::Severity;

/// The target that `rules` make of `target`.
#[track_caller]
fn target(rules: &str, target: &str) -> String {
    changed(rules, get(target)).uri().to_string()
}

/// The lines of `x-a` that `rule` makes of one line `value`.
#[track_caller]
fn replaced(rule: &str, value: &str) -> Vec<String> {
    let request = changed(&format!("{{ {rule} }}"), get("/p").header("x-a", value));
    let values = values(request.headers(), "x-a").into_iter();
    values.map(str::to_owned).collect()
}

/// The status of the answer to a request that a rule made invalid.
#[track_caller]
fn invalid(rules: &str, request: http::request::Builder) -> u16 {
    let (reason, response) = answered(rules, request);
    assert_eq!(reason, Reason::RuleInvalidValue);
    response.status().as_u16()
}

#[test]
fn fields_are_removed_by_parts_of_their_names() {
    let names = |rule: &str| {
        let request = get("/")
            .header("x-debug-a", "1")
            .header("x-debug-a", "2")
            .header("x_debug_b", "1")
            .header("content-length", "0")
            .header("a-id", "1")
            .header("x-7", "1");
        let request = changed(&format!("{{ del_header = {rule} }}"), request);
        let mut names: Vec<&str> = request.headers().keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        names.join(" ")
    };
    // Also the spelling that some servers take for the same name.
    assert_eq!(
        names("{ starts_with = 'X-Debug-' }"),
        "a-id content-length host x-7"
    );
    assert_eq!(
        names("[{ ends_with = '-id' }, 'x-7']"),
        "content-length host x-debug-a x_debug_b"
    );
    assert_eq!(
        names("{ contains = 'bug' }"),
        "a-id content-length host x-7"
    );
    assert_eq!(
        names("{ matches = '^x-[0-9]$' }"),
        "a-id content-length host x-debug-a x_debug_b"
    );
    // What belongs to the connection stays in any case.
    assert_eq!(names("{ matches = '.' }"), "content-length host");
}

#[test]
fn a_line_that_matches_is_replaced_as_a_whole() {
    let rule = r"replace_header = { name = 'x-a', match = '(.*)b(.*)', with = '\1X\2' }";
    assert_eq!(replaced(rule, "abc"), ["aXc"]);
    assert_eq!(replaced(rule, "abc, b"), ["abc, X"]);
    assert_eq!(replaced(rule, "none"), ["none"]);
    let rule = "replace_header = { name = 'x-a', match = 'b', with = 'X' }";
    assert_eq!(replaced(rule, "abc"), ["X"]);
    let rule = r"replace_header = { name = 'X-A', match = '^(.)(.)', with = '\2\1%[path]' }";
    assert_eq!(replaced(rule, "ab"), ["ba/p"]);
    let both = "{ replace_header = { name = 'x-a', match = '^b$', with = 'c' } }";
    let request = changed(both, get("/").header("x-a", "a").header("x-a", "b"));
    assert_eq!(values(request.headers(), "x-a"), ["a", "c"]);
}

#[test]
fn elements_that_match_are_replaced_one_by_one() {
    let rule = "replace_value = { name = 'x-a', match = '^b$', with = 'X' }";
    assert_eq!(replaced(rule, "a, b ,b,c"), ["a,X,X,c"]);
    assert_eq!(replaced(rule, "\"b,b\",b"), ["\"b,b\",X"]);
    assert_eq!(replaced(rule, "\"b\\\",b\",b"), ["\"b\\\",b\",X"]);
    assert_eq!(replaced(rule, ", b,"), [",X,"]);
    assert_eq!(replaced(rule, "a, c"), ["a, c"]);
    let rule = "replace_value = { name = 'x-a', match = '.*', with = 'X' }";
    assert_eq!(replaced(rule, "a, ,b,"), ["X,X,X,X"]);
    let rule = r"replace_value = { name = 'x-a', match = 'b', with = 'X\0Y' }";
    assert_eq!(replaced(rule, "abc, b"), ["XbY,XbY"]);
}

/// A client must not reach the groups of a rule.
#[test]
fn what_an_expression_yields_is_not_read_as_a_group() {
    let rule = r"replace_header = { name = 'x-a', match = '(.*)', with = '%[req.fhdr(x-a)] \1' }";
    assert_eq!(replaced(rule, r"\1\0"), [r"\1\0 \1\0"]);
}

#[test]
fn a_host_is_replaced_in_the_target_too() {
    let rule = r"{ replace_header = { name = 'host', match = '^a\.(.*)', with = 'b.\1' } }";
    let request = changed(rule, get("http://a.example/x"));
    assert_eq!(request.uri(), "http://b.example/x");
    assert_eq!(values(request.headers(), "host"), ["b.example"]);
    let h2 = Request::get("http://a.example/x").version(http::Version::HTTP_2);
    assert_eq!(changed(rule, h2).uri(), "http://b.example/x");
}

#[test]
fn a_path_is_replaced_if_it_matches() {
    let rule = r"{ replace_path = { match = '^/old/(.*)', with = '/new/\1' } }";
    assert_eq!(target(rule, "/old/x?q"), "/new/x?q");
    assert_eq!(target(rule, "/a/old/x"), "/a/old/x");
    assert_eq!(target(rule, "/old/"), "/new/");
    let rule = r"{ replace_pathq = { match = '(.*)\?(.*)', with = '\1?x=1&\2' } }";
    assert_eq!(target(rule, "/a?b"), "/a?x=1&b");
    assert_eq!(target(rule, "/a"), "/a");
    let any = r"{ replace_path = { match = '.*', with = '/x' } }";
    let star = changed(any, get("*").method("OPTIONS"));
    assert_eq!(star.uri(), "*");
}

#[test]
fn a_part_of_the_target_is_written() {
    assert_eq!(target("{ set_query = 'a=%[path]' }", "/a?b"), "/a?a=/a");
    assert_eq!(target("{ set_query = 'a=%[path]' }", "/a"), "/a?a=/a");
    let empty = "{ set_query = '%[req.hdr(none)]' }";
    assert_eq!(target(empty, "/a?b"), "/a?");
    assert_eq!(target(empty, "/a"), "/a");
    assert_eq!(target("{ set_pathq = '/x?%[query]' }", "/a?b"), "/x?b");
    assert_eq!(target("{ set_uri = '/y?z' }", "/a?b"), "/y?z");
    let request = changed("{ set_uri = 'http://b.example:81/y?z' }", get("/a"));
    assert_eq!(request.uri(), "/y?z");
    assert_eq!(values(request.headers(), "host"), ["b.example:81"]);
    let star = changed("{ set_uri = '%[str(*)]' }", get("/a").method("OPTIONS"));
    assert_eq!(star.uri(), "*");
}

#[test]
fn characters_that_a_target_cannot_have_are_escaped() {
    let request = get("/").header("x-q", "a b#c?d");
    let written = changed("{ set_pathq = '/%[req.hdr(x-q)]' }", request);
    assert_eq!(written.uri(), "/a%20b%23c?d");
}

#[test]
fn a_target_is_normalised_as_it_is_written() {
    let rule =
        "{ normalize_uri = ['path-merge-slashes', 'path-strip-dotdot', 'query-sort-by-name'] }";
    assert_eq!(target(rule, "//a///b/../c?b=1&a=2"), "/a/c?a=2&b=1");
    assert_eq!(target(rule, "/a/c?a=2"), "/a/c?a=2");
    let star = changed(rule, get("*").method("OPTIONS"));
    assert_eq!(star.uri(), "*");
    let strict = "{ normalize_uri = 'percent-decode-unreserved-strict' }";
    assert_eq!(target(strict, "/%61?%7e"), "/a?~");
    assert_eq!(invalid(strict, get("/%zz")), 400);
    // Dots in escapes are found after they are decoded.
    let decoded = "{ normalize_uri = ['percent-decode-unreserved', 'path-strip-dotdot-full'] }";
    assert_eq!(target(decoded, "/a/%2e%2e/%2e./b"), "/b");
}

#[test]
fn a_method_is_replaced() {
    let rule = "{ set_method = '%[req.hdr(x-method)]' }";
    let request = changed(rule, get("/").header("x-method", "PURGE"));
    assert_eq!(request.method(), "PURGE");
}

#[test]
fn a_rule_cannot_make_a_request_that_would_be_refused() {
    let method = "{ set_method = '%[req.hdr(x-a)]' }";
    let long = "X".repeat(33);
    for bad in ["A B", "", "CONNECT", "TRACE", &long] {
        assert_eq!(invalid(method, get("/").header("x-a", bad)), 400, "{bad}");
    }
    let star = get("*").method("OPTIONS").header("x-a", "GET");
    assert_eq!(invalid(method, star), 400);
    for rule in [
        // Of constants the configuration says it.
        "set_header = { x-b = 'a%[str(%01),url_dec]' }",
        "set_header = { x-b = 'a%[str(%0D%0A),url_dec]b' }",
        "add_header = { x-b = 'a%[str(%00),url_dec]' }",
        "set_header = { host = 'a%[str(%0A),url_dec]b' }",
        "replace_header = { name = 'accept', match = '.*', with = '%[str(%01),url_dec]' }",
        "early_hint = { link = '%[str(%01),url_dec]' }",
        "set_path = '/a%[str(%0D%0A),url_dec]b'",
        "set_pathq = '/a%[str(%00),url_dec]'",
        "set_query = 'a%[str(%0A),url_dec]b'",
        "set_uri = '/a%[str(%0A),url_dec]b'",
        "set_uri = 'http://a%[str(%0A),url_dec]b/'",
        "set_uri = '%[req.hdr(none)]x'",
        "set_uri = '%[str(*)]'",
        "replace_path = { match = '.*', with = '/%[str(%0A),url_dec]' }",
        "return = { headers = { x-b = '%[str(%01),url_dec]' } }",
    ] {
        let request = get("/").header("accept", "a");
        assert_eq!(invalid(&format!("{{ {rule} }}"), request), 400, "{rule}");
    }
    let options = get("*").method("OPTIONS");
    assert_eq!(invalid("{ set_query = 'a' }", options), 400);
}

#[test]
fn an_answer_with_an_invalid_value_is_refused_or_sent_without_it() {
    let mut headers = HeaderMap::from_iter([(header::SERVER, "x".parse().expect("a value"))]);
    let rule = "set_header = { server = 'a%[str(%01),url_dec]' }";
    let Flow::Answer(refusal) = answer(&format!("{{ on = 'response', {rule} }}"), &mut headers)
    else {
        unreachable!("it is refused");
    };
    assert_eq!(refusal.reason, Reason::RuleInvalidValue);
    assert_eq!(refusal.into_response(&RequestId::made(1)).status(), 502);

    let mut headers = HeaderMap::from_iter([(header::SERVER, "x".parse().expect("a value"))]);
    let after =
        format!("{{ on = 'after', {rule} }}, {{ on = 'after', add_header = {{ x-b = 'c' }} }}");
    assert!(matches!(answer(&after, &mut headers), Flow::Continue));
    assert!(!headers.contains_key(header::SERVER));
    assert_eq!(values(&headers, "x-b"), ["c"]);
}

#[test]
fn a_variable_is_removed() {
    let rules = "{ set_var = { 'txn.a' = 'int(1)', 'sess.b' = 'int(2)' } }, { unset_var = ['txn.a', 'sess.b'] },
                 { set_header = { x-a = '%[var(txn.a,none)] %[var(sess.b,none)]' } }";
    let request = changed(rules, get("/"));
    assert_eq!(values(request.headers(), "x-a"), ["none none"]);
}

/// The status after `rules` of an answer with `status`.
fn status_after(rules: &str, status: StatusCode) -> u16 {
    let exchange = Exchange::default();
    let mut answer = Answer {
        status,
        headers: &mut HeaderMap::new(),
        server: Some("a"),
        reason: None,
    };
    let pipeline = pipeline(rules);
    assert!(matches!(
        pipeline.response(&mut answer, &exchange.scope()),
        Flow::Continue
    ));
    pipeline.after(&mut answer, &exchange.scope());
    answer.status.as_u16()
}

#[test]
fn the_status_of_an_answer_with_content_is_replaced() {
    let rules = "{ on = 'response', set_status = 418 }, { on = 'after', when = 'status == 418', set_status = 503 }";
    assert_eq!(status_after(rules, StatusCode::OK), 503);
    for kept in [101, 204, 205, 206, 304] {
        let status = StatusCode::from_u16(kept).expect("a status");
        assert_eq!(status_after(rules, status), kept);
    }
}

#[test]
fn cookies_get_attributes() {
    let cookies = |rule: &str| {
        let mut headers = HeaderMap::new();
        for cookie in [
            "a=1",
            "b=2; Path=/; secure ; SameSite=Lax",
            "c=3; HttpOnly;samesite=none",
        ] {
            headers.append(header::SET_COOKIE, cookie.parse().expect("a value"));
        }
        let rules = format!("{{ on = 'response', cookie_attributes = {{ {rule} }} }}");
        assert!(matches!(answer(&rules, &mut headers), Flow::Continue));
        let cookies = values(&headers, "set-cookie").into_iter();
        cookies.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        cookies("secure = true, http_only = true, same_site = 'strict'"),
        [
            "a=1; Secure; HttpOnly; SameSite=Strict",
            "b=2; Path=/; secure ; HttpOnly; SameSite=Strict",
            "c=3; HttpOnly; Secure; SameSite=Strict",
        ]
    );
    assert_eq!(
        cookies("names = ['a', 'c'], secure = true"),
        [
            "a=1; Secure",
            "b=2; Path=/; secure ; SameSite=Lax",
            "c=3; HttpOnly;samesite=none; Secure",
        ]
    );
}

#[test]
fn hints_of_several_rules_are_sent_together() {
    let rules =
        "{ early_hint = { link = '</a>' } }, { early_hint = { link = '</b>', x-c = '%[path]' } }";
    let request = changed(rules, get("/p"));
    let EarlyHints(hints) = request.extensions().get::<EarlyHints>().expect("hints");
    assert_eq!(values(hints, "link"), ["</a>", "</b>"]);
    assert_eq!(values(hints, "x-c"), ["/p"]);
    // No empty hint where the value is absent, and no interim answer without a hint.
    let rules = "{ early_hint = { link = '%[req.hdr(x-absent)]' } }";
    let request = changed(rules, get("/p"));
    assert!(request.extensions().get::<EarlyHints>().is_none());
}

#[test]
fn the_last_rule_about_the_log_decides() {
    let exchange = Exchange::default();
    let rules =
        "{ set_log_level = 'silent' }, { when = 'path == \"/a\"', set_log_level = 'notice' },
                 { on = 'after', when = 'status == 503', set_log_level = 'crit' }";
    let pipeline = pipeline(rules);
    let mut request = get("/a").body(()).expect("a request");
    pipeline.request(0, &mut request, &exchange.scope());
    assert_eq!(exchange.log_as.get(), LogAs::Severity(Severity::Notice));
    let mut answer = Answer {
        status: StatusCode::SERVICE_UNAVAILABLE,
        headers: &mut HeaderMap::new(),
        server: None,
        reason: None,
    };
    pipeline.after(&mut answer, &exchange.scope());
    assert_eq!(exchange.log_as.get(), LogAs::Severity(Severity::Critical));
}
