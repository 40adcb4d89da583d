//! Actions of rules, one case each: HAProxy's lines, ours, and the requests.

use crate::case::{Case, case};

use super::{End, IPV4, Pair, Side};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case!(actions_do_what_they_do_in_haproxy, HAPROXY),
        case!(passwords_pass_as_in_haproxy, HAPROXY),
        case!(actions_in_haproxys_file_do_what_they_do_there, HAPROXY),
    ]
}

/// A rule in both languages.
struct Action {
    haproxy: &'static str,
    evenkeel: &'static str,
    /// Without the empty line.
    requests: &'static [&'static str],
    /// Fields that the client may see differ: HAProxy's pages and ours are not the same.
    client_fields: &'static [&'static str],
}

const ACTIONS: &[Action] = &[
    Action {
        haproxy: "http-request set-header x-new %[path]\nhttp-request del-header x-old\n\
                  http-request add-header x-more 2",
        evenkeel: "{ set_header = { x-new = '%[path]' } }, { del_header = 'x-old' }, { add_header = { x-more = '2' } }",
        requests: &[
            "GET /a HTTP/1.1\r\nhost: a\r\nx-old: 1\r\nx-more: 1",
            "GET /a HTTP/1.1\r\nhost: a\r\nx-new: 1\r\nx-new: 2",
        ],
        client_fields: &[],
    },
    Action {
        haproxy: "http-request redirect scheme https code 301 if { path /s }\n\
                  http-request redirect prefix https://other.test code 308 if { path_beg /p }",
        evenkeel: "{ when = 'path == \"/s\"', redirect = { scheme = 'https', status = 301 } },\n\
                   { when = 'path starts_with \"/p\"', redirect = { prefix = 'https://other.test', status = 308 } }",
        requests: &[
            "GET /s?q HTTP/1.1\r\nhost: a.test",
            "GET /p/1?q=1 HTTP/1.1\r\nhost: a.test",
            "GET /other HTTP/1.1\r\nhost: a.test",
        ],
        client_fields: &["location"],
    },
    // Conditions: each sets a field when it holds.
    Action {
        haproxy: "http-request set-header x-dir 1 if { path -m dir img }\n\
                  http-request set-header x-dom 1 if { req.hdr(host) -m dom example.com }\n\
                  http-request set-header x-beg 1 if { path -i -m beg /A /IMG }\n\
                  http-request set-header x-end 1 if { path -i -m end .jpg .PNG }\n\
                  http-request set-header x-sub 1 if { path -m sub mg/ zz }\n\
                  http-request set-header x-reg 1 if { path -i -m reg ^/img/[a-z] ^/x }\n\
                  http-request set-header x-str 1 if { req.hdr(host) -i www.EXAMPLE.com }\n\
                  http-request set-header x-found 1 if { req.hdr(x-a) -m found }\n\
                  http-request set-header x-len 1 if { path -m len 5:11 }\n\
                  http-request set-header x-int 1 if { req.hdr_val(x-n) 5:10 100: }\n\
                  http-request set-header x-get 1 if METH_GET\n\
                  http-request set-header x-post 1 if METH_POST\n\
                  http-request set-header x-11 1 if HTTP_1.1\n\
                  http-request set-header x-content 1 if HTTP_CONTENT\n\
                  http-request set-header x-slash 1 if HTTP_URL_SLASH\n\
                  http-request set-header x-local 1 if LOCALHOST",
        evenkeel: r#"{ when = 'path has_dir "img"', set_header = { x-dir = '1' } },
            { when = 'req.hdr(host) has_domain "example.com"', set_header = { x-dom = '1' } },
            { when = 'path starts_with -i ["/A", "/IMG"]', set_header = { x-beg = '1' } },
            { when = 'path ends_with -i [".jpg", ".PNG"]', set_header = { x-end = '1' } },
            { when = 'path contains ["mg/", "zz"]', set_header = { x-sub = '1' } },
            { when = 'path matches -i ["^/img/[a-z]", "^/x"]', set_header = { x-reg = '1' } },
            { when = 'req.hdr(host) == -i "www.EXAMPLE.com"', set_header = { x-str = '1' } },
            { when = 'req.hdr(x-a) found', set_header = { x-found = '1' } },
            { when = 'path,length in [5:11]', set_header = { x-len = '1' } },
            { when = 'req.hdr_val(x-n) in [5:10, 100:]', set_header = { x-int = '1' } },
            { when = 'METH_GET', set_header = { x-get = '1' } },
            { when = 'METH_POST', set_header = { x-post = '1' } },
            { when = 'HTTP_1.1', set_header = { x-11 = '1' } },
            { when = 'HTTP_CONTENT', set_header = { x-content = '1' } },
            { when = 'HTTP_URL_SLASH', set_header = { x-slash = '1' } },
            { when = 'LOCALHOST', set_header = { x-local = '1' } }"#,
        requests: &[
            "GET /img/a.png HTTP/1.1\r\nhost: WWW.example.com\r\nx-a: 1\r\nx-n: 7",
            "GET /Img/A.PNG HTTP/1.1\r\nhost: www.Example.com:80\r\nx-n: 11",
            "HEAD /x/img HTTP/1.1\r\nhost: xexample.com\r\nx-n: 100",
            "POST /imgs HTTP/1.1\r\nhost: example.com.a\r\nx-a: 1, 2\r\ncontent-length: 0",
        ],
        client_fields: &[],
    },
    Action {
        haproxy: "http-request deny deny_status 429 if { path /no }",
        evenkeel: "{ when = 'path == \"/no\"', deny = 429 }",
        requests: &[
            "GET /no HTTP/1.1\r\nhost: a",
            "GET /yes HTTP/1.1\r\nhost: a",
        ],
        client_fields: &[],
    },
    Action {
        haproxy: "http-response set-header x-status %[status]\nhttp-response del-header server",
        evenkeel: "{ on = 'response', set_header = { x-status = '%[status]' } }, { on = 'response', del_header = 'server' }",
        requests: &["GET / HTTP/1.1\r\nhost: a"],
        client_fields: &["x-status", "server", "x-list", "set-cookie"],
    },
    Action {
        haproxy: "http-request del-header x-a -m beg\nhttp-request del-header -z -m end\n\
                  http-request del-header bug -m sub\nhttp-request del-header ^x-[0-9]$ -m reg",
        evenkeel: "{ del_header = [{ starts_with = 'x-a' }, { ends_with = '-z' }, { contains = 'bug' }, { matches = '^x-[0-9]$' }] }",
        requests: &[
            "GET / HTTP/1.1\r\nhost: a\r\nx-a: 1\r\nx-ab: 1\r\nxx-a: 1\r\nb-z: 1\r\nx-debug: 1\r\nx-1: 1\r\nx-12: 1",
        ],
        client_fields: &[],
    },
    Action {
        haproxy: "http-request replace-header x-a (.*)b(.*) \\1X\\2",
        evenkeel: r"{ replace_header = { name = 'x-a', match = '(.*)b(.*)', with = '\1X\2' } }",
        requests: &[
            "GET / HTTP/1.1\r\nhost: a\r\nx-a: abc\r\nx-a: b, b\r\nx-a: none",
            "GET / HTTP/1.1\r\nhost: a",
        ],
        client_fields: &[],
    },
    Action {
        haproxy: "http-request replace-header host ^a(.*) b\\1",
        evenkeel: r"{ replace_header = { name = 'host', match = '^a(.*)', with = 'b\1' } }",
        requests: &[
            "GET / HTTP/1.1\r\nhost: a.test:81",
            "GET / HTTP/1.1\r\nhost: c.test",
        ],
        client_fields: &[],
    },
    Action {
        haproxy: "http-request replace-value x-a ^b$ X",
        evenkeel: "{ replace_value = { name = 'x-a', match = '^b$', with = 'X' } }",
        requests: &[
            "GET / HTTP/1.1\r\nhost: a\r\nx-a: a, b ,b,c",
            "GET / HTTP/1.1\r\nhost: a\r\nx-a: \"b,b\",b\r\nx-a: , b,",
        ],
        client_fields: &[],
    },
    Action {
        haproxy: "http-request replace-path ^/old/(.*) /new/\\1",
        evenkeel: r"{ replace_path = { match = '^/old/(.*)', with = '/new/\1' } }",
        requests: &[
            "GET /old/x?q HTTP/1.1\r\nhost: a",
            "GET /a/old/x HTTP/1.1\r\nhost: a",
        ],
        client_fields: &[],
    },
    Action {
        haproxy: "http-request replace-pathq (.*)\\?(.*) \\1?x=1&\\2",
        evenkeel: r"{ replace_pathq = { match = '(.*)\?(.*)', with = '\1?x=1&\2' } }",
        requests: &[
            "GET /a?b HTTP/1.1\r\nhost: a",
            "GET /a HTTP/1.1\r\nhost: a",
        ],
        client_fields: &[],
    },
    Action {
        haproxy: "http-request set-query a=%[path]",
        evenkeel: "{ set_query = 'a=%[path]' }",
        requests: &[
            "GET /a?b HTTP/1.1\r\nhost: a",
            "GET /a HTTP/1.1\r\nhost: a",
        ],
        client_fields: &[],
    },
    Action {
        haproxy: "http-request set-query %[req.hdr(none)]",
        evenkeel: "{ set_query = '%[req.hdr(none)]' }",
        requests: &[
            "GET /a?b HTTP/1.1\r\nhost: a",
            "GET /a HTTP/1.1\r\nhost: a",
        ],
        client_fields: &[],
    },
    Action {
        haproxy: "http-request set-pathq /x?%[query]\nhttp-request set-method PURGE",
        evenkeel: "{ set_pathq = '/x?%[query]' }, { set_method = 'PURGE' }",
        requests: &["GET /a?b HTTP/1.1\r\nhost: a"],
        client_fields: &[],
    },
    Action {
        haproxy: "http-request set-uri /y?z",
        evenkeel: "{ set_uri = '/y?z' }",
        requests: &["GET /a?b HTTP/1.1\r\nhost: a"],
        client_fields: &[],
    },
    Action {
        haproxy: "http-response set-status 418\nhttp-response replace-value x-list ^b$ X\n\
                  http-response replace-header set-cookie (.*);.* \\1",
        evenkeel: r"{ on = 'response', set_status = 418 }, { on = 'response', replace_value = { name = 'x-list', match = '^b$', with = 'X' } },
                   { on = 'response', replace_header = { name = 'set-cookie', match = '(.*);.*', with = '\1' } }",
        requests: &["GET / HTTP/1.1\r\nhost: a"],
        client_fields: &["x-list", "set-cookie"],
    },
    Action {
        haproxy: "http-request redirect prefix /p drop-query append-slash if { path_beg /a }\n\
                  http-request redirect location /l set-cookie A=b if { path /l }\n\
                  http-request redirect location /l clear-cookie A= if { path /m }\n\
                  http-request redirect prefix / drop-query if { path_beg /b }",
        evenkeel: "{ when = 'path starts_with \"/a\"', redirect = { prefix = '/p', drop_query = true, append_slash = true } },
                   { when = 'path == \"/l\"', redirect = { location = '/l', set_cookie = 'A=b' } },
                   { when = 'path == \"/m\"', redirect = { location = '/l', clear_cookie = 'A=' } },
                   { when = 'path starts_with \"/b\"', redirect = { prefix = '/', drop_query = true } }",
        requests: &[
            "GET /a?b=c HTTP/1.1\r\nhost: a",
            "GET /a/?b HTTP/1.1\r\nhost: a",
            "GET /l HTTP/1.1\r\nhost: a",
            "GET /m?x HTTP/1.1\r\nhost: a",
            "GET /b/c?d HTTP/1.1\r\nhost: a",
        ],
        client_fields: &["location", "set-cookie"],
    },
    Action {
        haproxy: "http-request deny deny_status 429 content-type text/plain string no hdr x-why %[path]\n",
        evenkeel: "{ deny = { status = 429, content_type = 'text/plain', body = 'no', headers = { x-why = '%[path]' } } }",
        requests: &["GET /a HTTP/1.1\r\nhost: a"],
        client_fields: &["content-type", "content-length", "x-why"],
    },
    Action {
        haproxy: "timeout tarpit 10\nhttp-request tarpit",
        evenkeel: "{ tarpit = '10ms' }",
        requests: &["GET /a HTTP/1.1\r\nhost: a"],
        client_fields: &[],
    },
    Action {
        haproxy: "monitor-uri /up\nacl drill path /up\nmonitor fail if { src 192.0.2.8 }",
        evenkeel: "{ monitor = { path = '/up', fail = 'src == \"192.0.2.8\"' } }",
        requests: &[
            "GET /up HTTP/1.1\r\nhost: a",
            "GET /UP HTTP/1.1\r\nhost: a",
        ],
        client_fields: &[],
    },
];

/// Fields that each proxy adds by its own defaults.
const OWN: [&str; 6] = [
    "connection",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-request-id",
    "via",
];

fn actions_do_what_they_do_in_haproxy() {
    for action in ACTIONS {
        let rules = format!("rule = [{}]", action.evenkeel);
        compare(action, &Pair::start(action.haproxy, &rules));
    }
}

fn actions_in_haproxys_file_do_what_they_do_there() {
    for action in ACTIONS {
        compare(action, &Pair::with_one_file(action.haproxy));
    }
}

fn compare<E: End>(action: &Action, pair: &Pair<E>) {
    for request in action.requests {
        let [theirs, ours] = pair.ask(IPV4, request);
        let what = format!("{}\n{request}", action.haproxy);
        assert_eq!(ours.client.status(), theirs.client.status(), "{what}");
        for field in action.client_fields {
            let (ours, theirs) = (ours.client.values(field), theirs.client.values(field));
            assert_eq!(ours, theirs, "{field} of {what}");
        }
        let request_seen = |seen: &super::Seen| {
            let origin = seen.origin.as_ref()?;
            let mut fields = origin.fields.clone();
            fields
                .iter_mut()
                .for_each(|(name, _)| name.make_ascii_lowercase());
            fields.retain(|(name, _)| !OWN.contains(&name.as_str()));
            fields.sort();
            Some((origin.start.clone(), fields))
        };
        assert_eq!(request_seen(&ours), request_seen(&theirs), "{what}");
    }
}

/// HAProxy verifies with the crypt(3) of the system, and Evenkeel by itself.
fn passwords_pass_as_in_haproxy() {
    let hash = "$5$rounds=1000$salt$CCvcOM6b7TEJDPb37Aec/9UpOg4QhPNAxPpL9ZzjTB7";
    let list = format!(
        "userlist L\n group a users joe\n user joe password {hash}\n user ann insecure-password x:y\n"
    );
    let pair = Pair {
        haproxy: Side::haproxy_in(
            None,
            &list,
            " http-request auth realm ops unless { http_auth(L) }\n\
              http-request set-header x-a 1 if { http_auth_group(L) a }",
        ),
        evenkeel: Side::evenkeel(&format!(
            "rule = [{{ auth = {{ realm = 'ops', users = {{ joe = '{hash}', ann = '{{PLAIN}}x:y' }}, groups = {{ a = 'joe' }} }} }},
                     {{ when = 'http_auth_group == \"a\"', set_header = {{ x-a = '1' }} }}]"
        )),
    };
    for line in [
        "authorization: Basic am9lOnNlY3JldA==",
        "authorization: basic am9lOnNlY3JldA==",
        "authorization: Basic am9lOndyb25n",
        "authorization: Basic YW5uOng6eQ==",
        "authorization: Basic Ym9iOnNlY3JldA==",
        "authorization: Bearer am9lOnNlY3JldA==",
        "x-none: 1",
    ] {
        let [theirs, ours] = pair.ask(IPV4, &format!("GET / HTTP/1.1\r\nhost: a\r\n{line}"));
        assert_eq!(ours.client.status(), theirs.client.status(), "{line}");
        let group = |seen: &super::Seen| seen.origin.as_ref().map(|seen| seen.values("x-a").len());
        assert_eq!(group(&ours), group(&theirs), "{line}");
    }
}
