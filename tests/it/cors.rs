//! Pages of other origins, and the fields of a security review.

use crate::rig::{Message, OK, Origin, Proxy, Setup};

/// A proxy for `origin` whose frontend has these rules.
fn ruled(origin: &Origin, rules: &str) -> Proxy {
    Setup::of(&[origin])
        .frontend(&format!("rule = [{rules}]"))
        .start()
}

fn asked(proxy: &Proxy, line: &str, fields: &str) -> Message {
    proxy.ask(format!("{line} HTTP/1.1\r\nHost: test\r\n{fields}\r\n"))
}

const RULE: &str = "{ when = 'path starts_with \"/v1\"', cors = { origins = ['https://a.example', 'https://*.b.example'],
    methods = ['PUT'], headers = ['x-a', 'x-b'], expose = ['x-c'], credentials = true, max_age = '1h' } }";

#[test]
fn a_preflight_is_answered_without_a_server() {
    let origin = Origin::answering(OK);
    let proxy = ruled(&origin, RULE);
    let fields = "Origin: https://x.b.example\r\nAccess-Control-Request-Method: PUT\r\n";
    let answer = asked(&proxy, "OPTIONS /v1/a", fields);
    assert_eq!(answer.status(), 204);
    for (name, value) in [
        ("access-control-allow-origin", "https://x.b.example"),
        ("access-control-allow-methods", "PUT"),
        ("access-control-allow-headers", "x-a, x-b"),
        ("access-control-allow-credentials", "true"),
        ("access-control-max-age", "3600"),
    ] {
        assert_eq!(answer.values(name), [value], "{name}");
    }
    let varies = answer.values("vary").join(", ");
    assert!(varies.contains("origin"), "{varies}");
    assert!(
        varies.contains("access-control-request-headers"),
        "{varies}"
    );
    // A page that may not: the browser finds no origin in the answer.
    let fields = "Origin: https://evil.example\r\nAccess-Control-Request-Method: PUT\r\n";
    let answer = asked(&proxy, "OPTIONS /v1/a", fields);
    assert_eq!(answer.status(), 204);
    assert!(answer.values("access-control-allow-origin").is_empty());
    assert!(origin.requests().is_empty());
}

#[test]
fn an_options_request_that_is_no_preflight_goes_to_the_server() {
    let origin = Origin::answering(OK);
    let proxy = ruled(&origin, RULE);
    for fields in [
        "Origin: https://a.example\r\n",
        "Access-Control-Request-Method: PUT\r\n",
    ] {
        assert_eq!(asked(&proxy, "OPTIONS /v1/a", fields).text(), "ok");
    }
    assert_eq!(origin.requests().len(), 2);
}

#[test]
fn an_answer_says_whether_the_page_may_read_it() {
    let origin = Origin::answering(
        "HTTP/1.1 200 OK\r\nvary: accept\r\naccess-control-allow-origin: *\r\n\
         access-control-allow-credentials: true\r\ncontent-length: 2\r\n\r\nok",
    );
    let proxy = ruled(&origin, RULE);
    let answer = asked(&proxy, "GET /v1/a", "Origin: https://a.example\r\n");
    assert_eq!(
        answer.values("access-control-allow-origin"),
        ["https://a.example"]
    );
    assert_eq!(answer.values("access-control-expose-headers"), ["x-c"]);
    assert_eq!(answer.values("vary"), ["accept", "origin"]);
    // The server's own fields would let every page read it.
    for fields in ["Origin: https://evil.example\r\n", "Origin: null\r\n", ""] {
        let answer = asked(&proxy, "GET /v1/a", fields);
        assert!(answer.values("access-control-allow-origin").is_empty());
        assert!(answer.values("access-control-allow-credentials").is_empty());
        assert_eq!(answer.values("vary"), ["accept", "origin"], "{fields}");
    }
    // The condition does not hold: the server's fields stay.
    let answer = asked(&proxy, "GET /v2", "Origin: https://a.example\r\n");
    assert_eq!(answer.values("access-control-allow-origin"), ["*"]);
    assert_eq!(answer.values("vary"), ["accept"]);
}

#[test]
fn a_page_can_read_our_own_refusals_too() {
    let origin = Origin::answering(OK);
    let rules = format!("{RULE}, {{ when = 'path == \"/v1/no\"', deny = 429 }}");
    let proxy = ruled(&origin, &rules);
    let answer = asked(&proxy, "GET /v1/no", "Origin: https://a.example\r\n");
    assert_eq!(answer.status(), 429);
    assert_eq!(
        answer.values("access-control-allow-origin"),
        ["https://a.example"]
    );
}

#[test]
fn with_any_origin_the_answer_is_the_same_for_all() {
    let origin = Origin::answering(OK);
    let proxy = ruled(&origin, "{ cors = { origins = '*', headers = '*' } }");
    let answer = asked(&proxy, "GET /", "Origin: null\r\n");
    assert_eq!(answer.values("access-control-allow-origin"), ["*"]);
    assert!(answer.values("vary").is_empty());
    let fields = "Origin: https://a.example\r\nAccess-Control-Request-Method: GET\r\n\
                  Access-Control-Request-Headers: x-any,content-type\r\n";
    let answer = asked(&proxy, "OPTIONS /", fields);
    assert_eq!(
        answer.values("access-control-allow-headers"),
        ["x-any,content-type"]
    );
    assert_eq!(
        answer.values("access-control-allow-methods"),
        ["GET, HEAD, POST"]
    );
}

#[test]
fn security_fields_are_added_unless_the_answer_has_them() {
    let origin = Origin::answering(
        "HTTP/1.1 200 OK\r\nx-frame-options: DENY\r\ncontent-length: 2\r\n\r\nok",
    );
    let proxy = ruled(&origin, "{ on = 'after', security_headers = true }");
    let answer = proxy.get("/");
    for (name, value) in [
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "strict-origin-when-cross-origin"),
    ] {
        assert_eq!(answer.values(name), [value], "{name}");
    }
    // Not in the clear (RFC 6797 section 7.2).
    assert!(answer.values("strict-transport-security").is_empty());
}
