//! Rules for the first bytes of connections, and for the bodies of requests, with one file for both.

use crate::case::{Case, case};

use super::{IPV4, Pair};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case!(first_bytes_decide_as_in_haproxy, HAPROXY),
        case!(
            rules_for_content_come_before_requests_as_in_haproxy,
            HAPROXY
        ),
        case!(bodies_are_seen_as_in_haproxy, HAPROXY),
    ]
}

/// What comes between `if` and the line's end. Requests are `GET /NN…`, where `NN` is the index.
const CONDITIONS: &[&str] = &[
    "{ req.len gt 10 }",
    "{ req.len gt 60000 }",
    "!{ req.len lt 3 }",
    "{ req.payload(0,3) -m str GET }",
    "{ req.payload(0,3) -m bin 474554 }",
    "{ req.payload(0,3) -m str PUT }",
    "{ req.payload(0,0) -m sub HTTP/1.1 }",
    "{ req.payload(4,0) -m beg /07 }",
    "{ req.payload_lv(0,1,4) -m found }",
    "{ req.payload(0,0),length gt 10 }",
    "HTTP",
    "!HTTP",
    "{ req.proto_http }",
    "{ req.ssl_hello_type 1 }",
    "!{ req.ssl_hello_type 1 }",
    "{ req.ssl_sni -m found }",
    "{ req.ssl_ver 3.0:3.4 }",
    "{ req.ssl_alpn h2 }",
    "!{ req.ssl_alpn -m found }",
    "{ req.ssl_sni a.test } or { req.len gt 5 }",
    "{ req.ssl_sni -m found } or { src 192.0.2.0/24 }",
    "{ req.rdp_cookie_cnt gt 0 }",
    "{ rdp_cookie(mstshash) -m found }",
    "REQ_CONTENT",
    "WAIT_END",
    "{ wait_end }",
    "!{ wait_end }",
    "{ src 192.0.2.0/24 } { dst_port 8443 } { req.payload(0,1) -m str G }",
];

fn first_bytes_decide_as_in_haproxy() {
    let mut lines = String::from("mode tcp\ntcp-request inspect-delay 300ms\n");
    for (index, condition) in CONDITIONS.iter().enumerate() {
        // Several alternatives would each need the path.
        for (alternative, condition) in condition.split(" or ").enumerate() {
            let path = format!("{{ req.payload(5,3) -m str {index:02}{alternative} }}");
            lines.push_str(&format!(
                "tcp-request content reject if {path} {condition}\n"
            ));
        }
    }
    let pair = Pair::with_one_file(&lines);
    let mut differences = String::new();
    for (index, condition) in CONDITIONS.iter().enumerate() {
        for alternative in 0..=1 {
            let request = format!("GET /{index:02}{alternative} HTTP/1.1\r\nhost: a");
            let [theirs, ours] = pair.ask(IPV4, &request).map(|seen| {
                let is_passed = seen.origin.is_some();
                assert_eq!(is_passed, !seen.client.start.is_empty(), "{request}");
                is_passed
            });
            if theirs != ours {
                let line = format!("{condition}: HAProxy passes {theirs}, Evenkeel {ours}\n");
                differences.push_str(&line);
            }
        }
    }
    assert!(differences.is_empty(), "\n{differences}");
}

fn rules_for_content_come_before_requests_as_in_haproxy() {
    let lines = "
        tcp-request inspect-delay 5s
        http-request deny deny_status 404 if { path /d }
        http-request set-header x-kept %[var(sess.kept)]
        tcp-request content set-var(sess.kept) src
        tcp-request content accept if { src 198.51.100.0/24 }
        tcp-request content reject if !HTTP
        tcp-request content track-sc0 src
        stick-table type ip size 100 expire 1h store http_req_cnt
        http-request set-header x-count %[sc_http_req_cnt(0)]
    ";
    let pair = Pair::with_one_file(lines);
    for target in ["/a", "/b", "/d"] {
        let [theirs, ours] = pair.ask(IPV4, &format!("GET {target} HTTP/1.1\r\nhost: a"));
        assert_eq!(ours.client.status(), theirs.client.status(), "{target}");
        for field in ["x-kept", "x-count"] {
            let value = |origin: Option<&crate::rig::Message>| {
                origin.map(|origin| origin.field(field).map(str::to_owned))
            };
            let (ours, theirs) = (value(ours.origin.as_ref()), value(theirs.origin.as_ref()));
            assert_eq!(ours, theirs, "{field} of {target}");
        }
    }
}

fn bodies_are_seen_as_in_haproxy() {
    const FETCHES: &[&str] = &[
        "req.body,hex",
        "req.body,sha1,hex",
        "req.body_len",
        "req.body_size",
        "req.body_param(user)",
        "req.body_param(none)",
        "req.body_param",
        "req.body_param(enc),url_dec",
    ];
    let fields: String = FETCHES
        .iter()
        .enumerate()
        .map(|(index, fetch)| format!("http-request set-header x-{index} %[{fetch}]\n"))
        .collect();
    for wait in [
        "option http-buffer-request\n",
        "http-request wait-for-body time 5s\n",
        "http-request wait-for-body time 5s at-least 4\n",
    ] {
        let lines = format!(
            "{wait}{fields}http-request deny deny_status 422 if {{ req.body_param(user) -m str mallory }}"
        );
        let pair = Pair::with_one_file(&lines);
        for body in [
            "user=joe&x=1&z=",
            "user=mallory&z=",
            "a;b=2&enc=%41%20b&z=",
            "User=A&user=b&z=",
            "",
            "=&&=&z=",
        ] {
            // An empty line follows: the end of the last value.
            let request = format!(
                "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}",
                body.len() + 4
            );
            let [theirs, ours] = pair.ask(IPV4, &request);
            assert_eq!(ours.client.status(), theirs.client.status(), "{wait}{body}");
            let (Some(ours), Some(theirs)) = (ours.origin, theirs.origin) else {
                continue;
            };
            assert_eq!(ours.body, theirs.body, "{wait}{body}");
            for (index, fetch) in FETCHES.iter().enumerate() {
                let field = format!("x-{index}");
                assert_eq!(
                    ours.field(&field),
                    theirs.field(&field),
                    "{fetch} {wait}{body}"
                );
            }
        }
    }
}
