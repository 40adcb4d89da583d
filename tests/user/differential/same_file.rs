//! One file for both: ACLs, the order of rules, and the choice of backends and servers.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use crate::case::{Case, case};
use crate::rig::Folder;

use super::{End, IPV4, IPV6, Pair, Seen};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case!(acls_hold_as_in_haproxy, HAPROXY),
        case!(requests_go_to_haproxys_backends, HAPROXY),
        case!(fields_that_are_added_are_haproxys, HAPROXY),
        case!(rules_run_in_haproxys_order, HAPROXY),
        case!(errors_have_haproxys_bodies, HAPROXY),
        case!(error_files_are_read_as_by_haproxy, HAPROXY),
        case!(passwords_are_asked_for_as_by_haproxy, HAPROXY),
        case!(allow_ends_the_rules_as_in_haproxy, HAPROXY),
        case!(connections_are_refused_as_by_haproxy, HAPROXY),
        case!(statistics_have_haproxys_columns, HAPROXY),
    ]
}

const REQUESTS: &[(&str, &str)] = &[
    (IPV4, "GET / HTTP/1.1\r\nhost: a"),
    (
        IPV4,
        "GET /api/v1/users.php?id=7&x=A HTTP/1.1\r\nhost: WWW.Example.com:8080\r\nx-list: one, two,three\r\n\
         x-number: 42\r\ncookie: a=1; session=abc\r\nuser-agent: curl/7.88",
    ),
    (
        IPV6,
        "POST /API/img/logo.PNG HTTP/1.1\r\nhost: api.example.com\r\ncontent-length: 0\r\nx-number: -3\r\n\
         x-list: TWO\r\nx-empty:\r\nreferer: http://www.example.com/a",
    ),
    (
        IPV4,
        "HEAD /static/a.css HTTP/1.1\r\nhost: static.example.com\r\nx-list: two",
    ),
    (IPV4, "OPTIONS * HTTP/1.1\r\nhost: b"),
];

/// What comes between `if` and the line's end.
const CONDITIONS: &[&str] = &[
    "{ path / }",
    "{ path /api /static }",
    "{ path_beg /api }",
    "{ path_beg -i /api }",
    "{ path_beg -i /API /static }",
    "{ path_end .php .css }",
    "{ path_end -i .png }",
    "{ path_sub img v1 }",
    "{ path_sub -i IMG }",
    "{ path_dir img }",
    "{ path_dir api/v1 }",
    "{ path_dir /v1/ }",
    "{ path_dir -i API }",
    "{ path_dom v1 }",
    "{ path_reg ^/api/v[0-9]+/ }",
    "{ path_reg -i ^/API/.*\\.png$ }",
    "{ path_reg \"^/(api|static)/\" }",
    "{ path_len 1 }",
    "{ path_len gt 10 }",
    "{ path_len 10:20 }",
    "{ path -m beg /api }",
    "{ path -m end php }",
    "{ path -m sub -i img }",
    "{ path -m len 1 }",
    "{ path -m found }",
    "{ path,lower -m beg /api }",
    "{ path,length gt 5 }",
    "{ path_beg -- -i }",
    "{ url_beg /api }",
    "{ url_end A }",
    "{ url_reg id=[0-9] }",
    "{ url_sub x=A }",
    "{ url_dir users.php }",
    "{ query -m found }",
    "{ query id=7&x=A }",
    "{ base_beg a/ }",
    "{ base_dom example.com }",
    "{ base -i www.example.com:8080/api/v1/users.php }",
    "{ urlp(id) 7 }",
    "{ urlp(id) -m int gt 6 }",
    "{ urlp(id) -m found }",
    "{ url_param(x) a }",
    "{ url_param(x) -i a }",
    "{ hdr(host) a }",
    "{ hdr(host) -i www.example.com:8080 }",
    "{ hdr(host) -m beg -i www. }",
    "{ hdr_beg(host) -i www. api. }",
    "{ hdr_end(host) example.com }",
    "{ hdr_end(host) -i example.com:8080 }",
    "{ hdr_dom(host) -i example.com }",
    "{ hdr_dom(host) -i www }",
    "{ hdr_dir(referer) a }",
    "{ hdr_sub(host) example }",
    "{ hdr_reg(host) -i ^www\\. }",
    "{ hdr_reg(host) ^(api|static)\\.example\\.com$ }",
    "{ hdr_len(host) 1 }",
    "{ hdr_cnt(x-list) 3 }",
    "{ hdr_cnt(x-list) gt 1 }",
    "{ hdr_cnt(host) eq 1 }",
    "{ hdr_val(x-number) 42 }",
    "{ hdr_val(x-number) lt 0 }",
    "{ hdr_val(x-number) ge 0 le 50 }",
    "{ hdr(x-list) two }",
    "{ hdr(x-list) -i two }",
    "{ hdr(x-list) three one }",
    "{ hdr(x-list) -m found }",
    "{ hdr(x-empty) -m found }",
    "{ hdr(none) -m found }",
    "{ req.hdr(x-list) -m beg t }",
    "{ req.hdr(x-list,1) one }",
    "{ req.fhdr(x-list) \"one, two,three\" }",
    "{ req.hdr(x-list),lower two }",
    "{ req.hdr(user-agent) -m sub curl }",
    "{ req.hdr(user-agent),field(2,/) 7.88 }",
    "{ hdr(x-number) -m int 42 }",
    "{ hdr(x-number) -m int gt 0 }",
    "{ hdr(host),length lt 10 }",
    "{ cook(session) abc }",
    "{ cook_beg(session) a }",
    "{ cook(session) -m found }",
    "{ cook_cnt gt 1 }",
    "{ req.cook(a) 1 }",
    "{ method GET }",
    "{ method POST OPTIONS }",
    "{ method -i get }",
    "{ req.ver 1.1 }",
    "{ req.ver 1.0 2.0 }",
    "{ src 192.0.2.0/24 }",
    "{ src 192.0.2.7 }",
    "{ src 10.0.0.0/8 2001:db8::/32 }",
    "{ dst 198.51.100.1 }",
    "{ dst_port 8443 }",
    "{ dst_port 80 443 8000:9000 }",
    "{ dst_port lt 1024 }",
    "{ src_port gt 4000 }",
    "{ ssl_fc }",
    "{ ssl_fc 0 }",
    "{ ssl_fc 1 }",
    "!{ ssl_fc }",
    "{ always_true }",
    "{ always_false }",
    "{ int(5) gt 4 }",
    "{ str(a) a b }",
    "{ bool(true) }",
    "{ var(txn.v) -m found }",
    "{ var(txn.none) -m found }",
    "{ var(txn.v) -m str set }",
    "TRUE",
    "FALSE",
    "HTTP",
    "HTTP_1.0",
    "HTTP_1.1",
    "HTTP_URL_ABS",
    "HTTP_URL_SLASH",
    "HTTP_URL_STAR",
    "LOCALHOST",
    "METH_GET",
    "METH_HEAD",
    "METH_OPTIONS",
    "METH_POST",
    "METH_PUT",
    "METH_DELETE",
    "METH_TRACE",
    "METH_CONNECT",
    "METH_GET or METH_POST",
    "METH_GET || METH_POST",
    "!METH_GET !METH_POST",
    "! METH_GET",
    "is_api",
    "!is_api",
    "is_api METH_GET",
    "is_api METH_POST or is_static",
    "is_static or is_api METH_GET or is_b",
    "is_api !is_get or !is_api is_get",
    "either",
    "!either",
    "either METH_POST or { path / }",
];

/// Named ACLs; two of one name are alternatives.
const ACLS: &str = "
    acl is_api path_beg -i /api
    acl is_static path_beg /static
    acl is_static path_end .js .css
    acl is_b hdr(host) b
    acl is_get method GET
    acl either hdr(x-list) one
    acl either hdr(host) a
";

fn acls_hold_as_in_haproxy() {
    let mut lines = String::from(ACLS);
    lines.push_str("http-request set-var(txn.v) str(set)\n");
    for (index, condition) in CONDITIONS.iter().enumerate() {
        for word in ["if", "unless"] {
            writeln!(
                lines,
                "http-request set-header x-{word}-{index} 1 {word} {condition}"
            )
            .expect("text");
        }
    }
    let pair = Pair::with_one_file(&lines);
    let mut differences = String::new();
    for (client, request) in REQUESTS {
        let [theirs, ours] = pair.ask(client, request);
        let has = |seen: &Seen, name: &str| {
            let origin = seen.origin.as_ref().expect("the origin got it");
            origin.field(name).is_some()
        };
        for (index, condition) in CONDITIONS.iter().enumerate() {
            for word in ["if", "unless"] {
                let name = format!("x-{word}-{index}");
                let (theirs, ours) = (has(&theirs, &name), has(&ours, &name));
                if theirs != ours {
                    let line = request.lines().next().unwrap_or_default();
                    writeln!(
                        differences,
                        "{word} {condition}\n  of {line}: HAProxy {theirs}, Evenkeel {ours}"
                    )
                    .expect("text");
                }
            }
        }
    }
    assert!(differences.is_empty(), "\n{differences}");
}

/// Names with values.
type Fields = Vec<(String, String)>;

/// What the origin saw, and the status and the fields that the client saw, without what differs from run to run.
fn seen(seen: &Seen) -> (Option<(String, Fields)>, u16, Fields) {
    let fields = |fields: &[(String, String)]| {
        let mut fields = fields.to_vec();
        for (name, _) in &mut fields {
            name.make_ascii_lowercase();
        }
        // A `date` where a server sends none is ours (RFC 9110 §6.6.1).
        fields.retain(|(name, _)| name != "connection" && name != "date");
        fields.sort();
        fields
    };
    let origin = seen.origin.as_ref();
    (
        origin.map(|origin| (origin.start.clone(), fields(&origin.fields))),
        seen.client.status(),
        match seen.origin {
            Some(_) => fields(&seen.client.fields),
            // The bodies of our own answers differ.
            None => Vec::new(),
        },
    )
}

#[track_caller]
fn same<E: End>(pair: &Pair<E>, requests: &[(&str, &str)]) {
    for (client, request) in requests {
        let [theirs, ours] = pair.ask(client, request);
        assert_eq!(seen(&ours), seen(&theirs), "{request}");
    }
}

fn requests_go_to_haproxys_backends() {
    let backend = |name: &str| {
        format!(
            "backend {name}\n mode http\n timeout connect 5s\n timeout server 30s\n \
             http-request set-header x-backend {name}\n server s {{origin}}\n"
        )
    };
    let sections = ["api", "static", "b"].map(backend).concat();
    let lines = format!(
        "{ACLS}
        use_backend static if is_static
        use_backend api if is_api !METH_POST
        use_backend %[req.hdr(host),lower] if {{ hdr(host) b none }}
        use_backend b if {{ src 2001:db8::/32 }}
        http-request set-header x-own 1"
    );
    let pair = Pair::with_sections(&sections, &lines);
    let mut requests = REQUESTS.to_vec();
    requests.push((IPV4, "GET /c HTTP/1.1\r\nhost: none"));
    same(&pair, &requests);
}

fn fields_that_are_added_are_haproxys() {
    for lines in [
        "",
        "option forwardfor",
        "option forwardfor except 192.0.2.0/24",
        "option forwardfor header X-Client",
        "option forwardfor if-none",
        "http-request set-header X-Forwarded-Proto http\noption forwardfor",
        "http-request set-header X-Forwarded-For %[src]",
    ] {
        let pair = Pair::with_one_file(lines);
        for client in [IPV4, IPV6] {
            same(
                &pair,
                &[
                    (client, "GET / HTTP/1.1\r\nhost: a"),
                    (
                        client,
                        "GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 10.0.0.1\r\nx-forwarded-for: 10.0.0.2\r\n\
                         x-forwarded-proto: https\r\nx-real-ip: 10.0.0.3\r\nforwarded: for=10.0.0.4\r\nx_odd: 1\r\n\
                         x-request-id: abc",
                    ),
                ],
            );
        }
    }
}

fn rules_run_in_haproxys_order() {
    let lines = "
        redirect location /redirected if { path /a }
        redirect prefix https://other.test code 301 if { path /b }
        http-request deny if { path /a }
        http-request set-path /b if { path /c }
        http-request set-header x-path %[path]
        http-request deny deny_status 404 if { path /d } { src 192.0.2.0/24 }
        http-request return status 200 content-type text/plain string done if { path /e }
        monitor-uri /up
        http-request deny if { path /up }
        http-response set-header x-after %[status]
        http-after-response set-header x-always 1
    ";
    let pair = Pair::with_one_file(lines);
    let targets = [
        "/a?q", "/b?q", "/c?q", "/d?q", "/e?q", "/up", "/up?q", "/other",
    ];
    for target in targets {
        let request = format!("GET {target} HTTP/1.1\r\nhost: a");
        for client in [IPV4, IPV6] {
            let [theirs, ours] = pair.ask(client, &request);
            assert_eq!(seen(&ours), seen(&theirs), "{request}");
            for field in ["location", "x-always", "x-after"] {
                let (ours, theirs) = (ours.client.values(field), theirs.client.values(field));
                assert_eq!(ours, theirs, "{field} of {request}");
            }
        }
    }
}

/// Checks that clients get the same status, body and fields of our own answers.
#[track_caller]
fn same_answers<E: End>(pair: &Pair<E>, targets: &[&str]) {
    for target in targets {
        let request = format!("GET {target} HTTP/1.1\r\nhost: a");
        let [theirs, ours] = pair.ask(IPV4, &request);
        assert_eq!(seen(&ours), seen(&theirs), "{request}");
        let (theirs, ours) = (theirs.client, ours.client);
        assert_eq!(ours.text(), theirs.text(), "{request}");
        for field in [
            "content-type",
            "cache-control",
            "location",
            "www-authenticate",
            "x-a",
        ] {
            let (ours, theirs) = (ours.values(field), theirs.values(field));
            // What `http-error` makes may be stored as HAProxy answers it; ours never is.
            if ours != ["no-store"] {
                assert_eq!(ours, theirs, "{field} of {request}");
            }
        }
    }
}

fn errors_have_haproxys_bodies() {
    let statuses = [
        400, 401, 403, 404, 405, 408, 410, 413, 425, 429, 500, 501, 502, 503, 504,
    ];
    let mut lines = String::new();
    for status in statuses {
        writeln!(
            lines,
            "http-request deny deny_status {status} if {{ path /{status} }}"
        )
        .expect("text");
    }
    lines.push_str("http-request tarpit if { path /tarpit }\ntimeout tarpit 10ms\n");
    let pair = Pair::with_one_file(&lines);
    let targets = statuses.map(|status| format!("/{status}"));
    let mut targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    targets.extend(["/tarpit", "/ok"]);
    same_answers(&pair, &targets);
}

fn error_files_are_read_as_by_haproxy() {
    let folder = Folder::new();
    let page = |name: &str, status: u16| {
        let text = format!(
            "HTTP/1.0 {status} Own\r\nCache-Control: no-store\r\nContent-Type: text/html\r\nX-A: {name}\r\n\r\n<p>{name}\n"
        );
        folder
            .write(&format!("{name}.http"), &text)
            .display()
            .to_string()
    };
    let (first, second, third) = (page("first", 403), page("second", 200), page("third", 503));
    let format = folder.write("format.txt", "%[path] and 100%% of %ci\n");
    let sections = format!(
        "http-errors site\n errorfile 403 {first}\n errorfile 404 {second}\n errorfile 503 {third}\n"
    );
    let lines = format!(
        "errorfile 403 {third}
        errorfiles site 403
        errorfile 429 {second}
        errorloc302 500 http://a.test/500
        errorloc303 502 /sorry
        http-error status 410 content-type text/plain string gone hdr x-a %[fe_name]
        http-request deny if {{ path /deny }}
        http-request deny deny_status 429 if {{ path /429 }}
        http-request deny deny_status 500 if {{ path /500 }}
        http-request deny deny_status 502 if {{ path /502 }}
        http-request deny deny_status 410 if {{ path /410 }}
        http-request deny deny_status 404 if {{ path /404 }}
        http-request deny deny_status 404 errorfiles site if {{ path /site }}
        http-request deny deny_status 400 errorfile {second} if {{ path /own }}
        http-request deny content-type text/plain lf-file {format} if {{ path /format }}
        http-request return status 200 content-type text/plain lf-file {format} hdr x-a 1 if {{ path /return }}
        http-request return status 503 default-errorfiles if {{ path /default }}
        http-request return errorfile {second} if {{ path /whole }}
        http-request tarpit deny_status 429 content-type text/plain string slow hdr x-a 2 if {{ path /tarpit }}
        timeout tarpit 10ms
        http-request redirect location %[req.hdr(x-to)] ignore-empty if {{ path /empty }}
        http-request redirect location %[path]x ignore-empty if {{ path /full }}",
        format = format.display(),
    );
    let pair = Pair::with_sections(&sections, &lines);
    same_answers(
        &pair,
        &[
            "/deny", "/429", "/500", "/502", "/410", "/404", "/site", "/own", "/format", "/return",
            "/default", "/whole", "/tarpit", "/empty", "/full", "/ok",
        ],
    );
}

fn passwords_are_asked_for_as_by_haproxy() {
    // The hash of "secret".
    const HASH: &str = "$5$salt$kpa26zwgX83BPSR8d7w93OIXbFt/d3UOTZaAu5vsTM6";
    let sections = format!(
        "userlist ops\n group admin users joe\n group all\n user joe insecure-password open\n \
         user ann insecure-password sesame groups all\n user kim password {HASH}\n"
    );
    let lines = "
        acl ok http_auth(ops)
        acl admin http_auth_group(ops) admin
        http-request auth realm Ops if { path /a } !ok
        http-request auth if { path /own } !ok
        http-request deny if { path /b } !admin
        http-request set-header x-known 1 if ok
        http-request set-header x-admin 1 if admin
    ";
    let pair = Pair::with_sections(&sections, lines);
    let credentials = [
        "",
        "\r\nauthorization: Basic am9lOm9wZW4=",
        "\r\nauthorization: Basic am9lOndyb25n",
        "\r\nauthorization: Basic YW5uOnNlc2FtZQ==",
        "\r\nauthorization: Basic bm9uZTpub25l",
        "\r\nauthorization: Basic a2ltOnNlY3JldA==",
        "\r\nauthorization: Basic a2ltOndyb25n",
        "\r\nauthorization: Bearer abc",
        "\r\nauthorization: Basic !!",
    ];
    for target in ["/a", "/own", "/b", "/c"] {
        for line in credentials {
            let request = format!("GET {target} HTTP/1.1\r\nhost: a{line}");
            let [theirs, ours] = pair.ask(IPV4, &request);
            assert_eq!(seen(&ours), seen(&theirs), "{request}");
            let (theirs, ours) = (theirs.client, ours.client);
            assert_eq!(ours.text(), theirs.text(), "{request}");
            let challenge = "www-authenticate";
            assert_eq!(
                ours.values(challenge),
                theirs.values(challenge),
                "{request}"
            );
        }
    }
}

fn allow_ends_the_rules_as_in_haproxy() {
    let lines = "
        http-request set-header x-first 1
        http-request allow if { path_beg /a }
        http-request set-header x-second 1
        http-request deny if { hdr(x-deny) 1 }
        http-request allow if { path_beg /b }
        http-request set-header x-third 1
        http-response allow if { status 203 }
        http-response set-header x-answer 1
    ";
    let pair = Pair::with_one_file(lines);
    for target in ["/a", "/b", "/c"] {
        for deny in ["", "\r\nx-deny: 1"] {
            same(
                &pair,
                &[(IPV4, &format!("GET {target} HTTP/1.1\r\nhost: a{deny}"))],
            );
        }
    }
}

fn connections_are_refused_as_by_haproxy() {
    let lines = "
        stick-table type ip size 100 expire 1m store gpc0,conn_cnt
        tcp-request session accept if { src 192.0.2.7 }
        tcp-request session reject if { src 2001:db8::7 }
        http-request reject if { path /reject }
        http-request deny deny_status 429 if { path /deny }
    ";
    let pair = Pair::with_one_file(lines);
    for (client, target) in [(IPV4, "/"), (IPV4, "/deny"), (IPV4, "/reject"), (IPV6, "/")] {
        let request = format!("GET {target} HTTP/1.1\r\nhost: a");
        let closed = |seen: &Seen| (seen.origin.is_some(), seen.client.start.clone());
        let [theirs, ours] = pair.ask(client, &request);
        assert_eq!(closed(&ours).0, closed(&theirs).0, "{request}");
        assert_eq!(
            ours.client.start.is_empty(),
            theirs.client.start.is_empty(),
            "{request}"
        );
    }
}

fn statistics_have_haproxys_columns() {
    let lines = "
        stats enable
        stats uri /st
        stats auth ops:open
        stats scope .
        http-request use-service prometheus-exporter if { path /metrics }
        http-request deny if { path /deny }
    ";
    let pair = Pair::with_one_file(lines);
    for path in [&pair.haproxy.end.path, &pair.evenkeel.end.path] {
        for target in ["/ok", "/deny"] {
            let mut stream = UnixStream::connect(path).expect("it listens");
            let request = format!(
                "PROXY {IPV4}\r\nGET {target} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).expect("it reads");
            // An exchange is counted when it has ended, and the connection ends after it.
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).expect("it answers");
        }
    }
    let ask = |target: &str| {
        let request =
            format!("GET {target} HTTP/1.0\r\nhost: a\r\nauthorization: Basic b3BzOm9wZW4=");
        pair.ask(IPV4, &request).map(|seen| {
            assert_eq!(seen.client.status(), 200, "{target}");
            seen.client
        })
    };
    let [theirs, ours] = ask("/st;csv").map(|answer| answer.text().replace("\r\n", "\n"));
    let columns = |text: &str| -> Vec<String> {
        let line = text
            .lines()
            .find(|line| line.starts_with("# pxname"))
            .expect("a head");
        let columns = line.trim_start_matches("# ").split(',');
        columns
            .take_while(|name| *name != "-" && !name.is_empty())
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(columns(&ours), columns(&theirs));
    // What both count alike, by the name of the row.
    let value = |text: &str, row: &str, column: &str| {
        let index = columns(text)
            .iter()
            .position(|name| name == column)
            .expect("the column");
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("l,{row},")));
        let line = line.unwrap_or_else(|| unreachable!("no {row} in\n{text}"));
        line.split(',').nth(index).map(str::to_owned)
    };
    for (row, column) in [
        ("FRONTEND", "status"),
        ("FRONTEND", "hrsp_2xx"),
        ("FRONTEND", "hrsp_4xx"),
        ("FRONTEND", "dreq"),
        ("FRONTEND", "mode"),
        ("FRONTEND", "type"),
        ("s", "status"),
        ("s", "hrsp_2xx"),
        ("s", "stot"),
        ("s", "weight"),
        ("s", "act"),
        ("s", "type"),
        ("BACKEND", "status"),
        ("BACKEND", "act"),
        ("BACKEND", "type"),
    ] {
        let (ours, theirs) = (value(&ours, row, column), value(&theirs, row, column));
        assert_eq!(ours, theirs, "{column} of {row}");
    }
    // The names and labels of metrics that both have.
    let [theirs, ours] = ask("/metrics").map(|answer| answer.text().to_owned());
    let series = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.starts_with("haproxy_"));
        lines
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(series, _)| series.to_owned())
            .collect()
    };
    let theirs = series(&theirs);
    for ours in series(&ours) {
        assert!(theirs.contains(&ours), "HAProxy has no {ours}");
    }
    // The page is for people; who has no password does not see it.
    let [theirs, ours] = pair.ask(IPV4, "GET /st HTTP/1.1\r\nhost: a");
    assert_eq!(ours.client.status(), theirs.client.status());
    assert_eq!(ours.client.text(), theirs.client.text());
    let [_, ours] = ask("/st");
    assert!(ours.text().contains("<h2>l</h2>"), "{}", ours.text());
}
