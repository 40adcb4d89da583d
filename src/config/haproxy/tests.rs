//! Files of HAProxy: what their lines become, and what is said about those that become something else.

use crate::config::convert::converted;
use crate::config::include::Gatherer;
use crate::config::{Color, Options, compiled, show};

const BASE: &str = "
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
";

/// The plan of the file as text, without defaults that no test is about.
#[track_caller]
fn shown(text: &str) -> String {
    let text = format!("{BASE}{text}");
    let gathered = || Gatherer::new(&|_| None).text("haproxy.cfg", &text);
    // Whatever a line becomes, it can be written in our words.
    if let Err(diagnostics) = converted(gathered()) {
        unreachable!("{}", diagnostics.render(Color::Never));
    }
    match compiled(gathered()) {
        Ok(loaded) => show(&loaded.plan),
        Err(diagnostics) => unreachable!("{}", diagnostics.render(Color::Never)),
    }
}

/// What is said about the file: mistakes, or else warnings.
fn said(text: &str) -> String {
    said_with(text, &Options::default())
}

fn said_with(text: &str, options: &Options) -> String {
    let gatherer = Gatherer::new(&|_| None).options(options);
    match compiled(gatherer.text("haproxy.cfg", &format!("{BASE}{text}"))) {
        Ok(loaded) => loaded.warnings.render(Color::Never),
        Err(diagnostics) => diagnostics.render(Color::Never),
    }
}

/// Checks that the lines of a `listen` section, and of sections before it, become these lines.
#[track_caller]
fn becomes(lines: &str, expected: &[&str]) {
    let text = shown(&format!(
        "listen l\n bind 127.0.0.1:80\n {lines}\n server s 10.0.0.1:80\n"
    ));
    for line in expected {
        assert!(text.contains(line), "{lines}: no `{line}` in\n{text}");
    }
}

#[test]
fn lines_of_a_proxy_become_keys() {
    for (lines, expected) in [
        (
            "balance leastconn",
            &["balance = \"least-connections\""] as &[_],
        ),
        (
            "timeout http-request 5s",
            &["head = \"5s\"", "keep_alive = \"5s\""],
        ),
        ("timeout http-keep-alive 1000", &["keep_alive = \"1s\""]),
        ("timeout tunnel 1h", &["tunnel = \"1h\""]),
        ("timeout queue 7s", &["queue = \"7s\""]),
        (
            "http-request set-timeout server 3s",
            &["set_timeout = { response = \"3s\", body = \"3s\" }"],
        ),
        (
            "http-request set-timeout tunnel 5000",
            &["set_timeout = { tunnel = \"5s\" }"],
        ),
        ("maxconn 100", &["max_connections = 100"]),
        ("retries 2", &["attempts = 3"]),
        (
            "retry-on conn-failure 503",
            &["on = [\"connect\", \"503\"]"],
        ),
        ("option http-server-close", &["max_idle = 0"]),
        ("option httpclose", &["max_idle = 0"]),
        ("http-reuse never", &["max_idle = 0"]),
        (
            "option http-restrict-req-hdr-names reject",
            &["field_names = \"reject\""],
        ),
        ("unique-id-header X-ID", &["request_id = \"x-id\""]),
        ("monitor-uri /up", &["monitor = { path = \"/up\""]),
        (
            "compression algo gzip\n compression type text/html",
            &[
                "algorithms = [\"gzip\"]",
                "types = [\"text/html\"]",
                "min_size = \"0B\"",
            ],
        ),
        ("use-server s if { path /a }", &["use_server = \"s\""]),
        (
            "server t /run/t.sock backup",
            &[
                "{ name = \"t\", address = \"/run/t.sock\", weight = 1, max_connections = \"off\", backup = true }",
            ],
        ),
        (
            "server t 10.0.0.2:81 weight 7 maxconn 9",
            &["weight = 7, max_connections = 9"],
        ),
        (
            "server t 10.0.0.2:443 ssl verify none",
            &["tls = { verify = \"none\""],
        ),
        (
            "default-server weight 9\n server t 10.0.0.2:81",
            &["{ name = \"t\", address = \"10.0.0.2:81\", weight = 9"],
        ),
        (
            "server t 10.0.0.2:81 send-proxy-v2",
            &["send_proxy = { version = \"v2\""],
        ),
        (
            "server t 10.0.0.2:81 check inter 3s fall 4 rise 1",
            &[
                "type = \"tcp\"",
                "interval = \"3s\"",
                "fall = 4",
                "rise = 1",
                "initial = \"up\"",
            ],
        ),
        (
            "option httpchk GET /up\n http-check expect status 200-204\n server t 10.0.0.2:81 check",
            &["path = \"/up\"", "status = [\"200-204\"]"],
        ),
        (
            "option httpchk GET /up HTTP/1.1\\r\\nHost:\\ a.test\n server t 10.0.0.2:81 check",
            &["host = \"a.test\""],
        ),
        (
            "option httpchk\n http-check send meth GET uri /x hdr host b.test hdr x-a 1\n server t 10.0.0.2:81 check",
            &["path = \"/x\"", "host = \"b.test\"", "x-a = \"1\""],
        ),
        (
            "server t 10.0.0.2:81 check port 82 addr 10.0.0.9",
            &["health = { address = \"10.0.0.9\", port = 82 }"],
        ),
        (
            "stick-table type ip size 1k expire 1m store http_req_rate(10s),gpc(2)\n http-request track-sc0 src\n http-request deny deny_status 429 if { sc_http_req_rate(0) gt 5 }",
            &[
                "[table.l]",
                "size = 1024",
                "store = [\"http_req_rate(10s)\", \"gpc(2)\"]",
                "track = { table = \"l\", key = \"src\", counter = 0 }",
                "when = \"sc_http_req_rate(0) > 5\", deny = 429",
            ],
        ),
        (
            "stick-table type string len 12 size 10 store gpt(1)",
            &["key = \"string(12)\"", "expire = \"off\""],
        ),
    ] {
        becomes(lines, expected);
    }
}

#[test]
fn haproxys_own_habits_are_kept() {
    becomes(
        "option forwardfor",
        &[
            "request_id = \"off\"",
            "x_forwarded = false",
            "pass_untrusted = true",
            "trusted_only = []",
            "add_header = { x-forwarded-for = \"%[src]\" }",
            "attempts = 4",
            "field_names = \"pass\"",
        ],
    );
}

#[test]
fn a_request_without_a_backend_is_answered_503() {
    let text = shown(
        "frontend f\n bind :80\n use_backend b if { path /b }\nbackend b\n server s 10.0.0.1:80\n",
    );
    assert!(text.contains("name = \"no-backend\""), "{text}");
    assert!(text.contains("deny = 503"), "{text}");
}

#[test]
fn logs_have_the_targets_and_formats_of_their_frontends() {
    let text = shown(
        "global\n log /dev/log local3\n log 192.0.2.1 daemon notice\n log-tag edge\n\
         frontend f\n bind :80\n log global\n option httplog\n default_backend b\n\
         frontend t\n mode tcp\n bind :81\n log tcp@192.0.2.2:99 local1\n option tcplog\n default_backend b\n\
         backend b\n server s 10.0.0.1:80\n",
    );
    for line in [
        "to = \"unix:/dev/log\"",
        "format = \"haproxy-http\"",
        "when = \"fe_name in [\\\"f\\\"]\"",
        "facility = \"local3\"",
        "tag = \"edge\"",
        "to = \"tcp://192.0.2.2:99\"",
        "format = \"haproxy-tcp\"",
        "facility = \"local1\"",
    ] {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
    assert!(!text.contains("192.0.2.1"), "{text}");
    let silent = shown("listen l\n bind :80\n server s 10.0.0.1:80\n");
    assert!(
        silent.contains("access = []") || silent.contains("to = \"off\""),
        "{silent}"
    );
}

#[test]
fn certificates_are_below_crt_base() {
    let text = said(
        "global\n crt-base /etc/none\n ca-base /etc/nothing\n\
        listen l\n bind :443 ssl crt a.pem crt /b.pem ca-file ca.pem verify optional alpn h2,http/1.1 ssl-min-ver TLSv1.3\n server s 10.0.0.1:80\n",
    );
    assert!(!text.contains("error"), "{text}");
    let text = shown(
        "global\n crt-base /etc/none\n ca-base /etc/nothing\n\
        listen l\n bind :443 ssl crt a.pem crt /b.pem ca-file ca.pem verify optional ssl-min-ver TLSv1.3\n server s 10.0.0.1:80\n",
    );
    for line in [
        "\"/etc/none/a.pem\"",
        "\"/b.pem\"",
        "\"/etc/nothing/ca.pem\"",
        "min_version = \"1.3\"",
        "mode = \"optional\"",
    ] {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
}

#[test]
fn defaults_hold_for_the_proxies_after_them_and_by_name() {
    let text = shown(
        "defaults fast\n mode http\n timeout connect 1s\n timeout client 2s\n timeout server 3s\n\
         defaults\n mode http\n timeout connect 4s\n timeout client 5s\n timeout server 6s\n\
         listen a from fast\n bind :80\n server s 10.0.0.1:80\n\
         listen b\n bind :81\n server s 10.0.0.1:80\n",
    );
    let a = &text[text.find("[backend.a]").expect("a")..text.find("[backend.b]").expect("b")];
    assert!(
        a.contains("connect = \"1s\"") && a.contains("response = \"3s\""),
        "{a}"
    );
    let b = &text[text.find("[backend.b]").expect("b")..];
    assert!(
        b.contains("connect = \"4s\"") && b.contains("response = \"6s\""),
        "{b}"
    );
}

#[test]
fn no_word_is_dropped_in_silence() {
    let listen = |line: &str| {
        said(&format!(
            "listen l\n bind 127.0.0.1:80\n server s 10.0.0.1:80\n {line}\n"
        ))
    };
    for (line, expected) in [
        ("option redispatc", "unknown option `redispatc`"),
        ("option redispatc", "did you mean `redispatch`?"),
        ("balanse roundrobin", "unknown keyword `balanse`"),
        ("balanse roundrobin", "did you mean `balance`?"),
        ("balance source", "`source` does not exist here yet"),
        ("cookie SRV insert", "`cookie` does not exist here yet"),
        ("timeout servr 1s", "unknown timeout `servr`"),
        (
            "timeout server 15min",
            "approximated: what follows `15m` is left out",
        ),
        ("timeout server abc", "`abc` is not a time"),
        (
            "server t 10.0.0.2:80 wait 1",
            "unknown word of a `server` line `wait`",
        ),
        (
            "server t 10.0.0.2:80 slowstart 1s",
            "`slowstart` does not exist here yet",
        ),
        (
            "server t 10.0.0.2 check",
            "`a server without a port` does not exist here yet",
        ),
        ("bind :81 crt-list /a", "`crt-list` does not exist here yet"),
        ("bind :81 alpnn h2", "did you mean `alpn`?"),
        ("http-request set-hedder a b", "did you mean `set-header`?"),
        (
            "http-request deny if { path }",
            "`path` has no value to compare with",
        ),
        (
            "http-request set-header a b unles TRUE",
            "`unles` does not belong here",
        ),
        ("http-request lua.x", "Evenkeel runs no code of its users"),
        (
            "reqrep .*evil good",
            "`reqrep with this expression` does not exist here yet",
        ),
        ("grace 1s", "approximated: a stop ends listening at once"),
        (
            "tcp-request connection set-tos 1",
            "`set-tos` does not exist here yet",
        ),
        ("tcp-request connection rejekt", "did you mean `reject`?"),
        (
            "http-request deny if { http_auth(none) }",
            "unknown `userlist` `none`",
        ),
        (
            "http-request capture src",
            "`capture` has no `len` and no `id`",
        ),
        (
            "server-template a 3 app.test:80",
            "`server-template` does not",
        ),
        ("stats refesh 5s", "did you mean `refresh`?"),
        (
            "stats admin if TRUE",
            "the page shows the state, and changes nothing",
        ),
        ("stats http-request auth", "has no `stats auth`"),
        ("backlog 100", "without effect here"),
        (
            "option tcpka",
            "approximated: dead peers are found by timeouts",
        ),
    ] {
        let text = listen(line);
        assert!(
            text.contains(expected),
            "{line}: no `{expected}` in\n{text}"
        );
    }
}

#[test]
fn what_is_refused_is_left_out_if_the_user_accepts_it() {
    let file = "listen l\n bind 127.0.0.1:80\n cookie SRV insert\n server s 10.0.0.1:80 cookie a\n";
    let options = Options {
        accept_loss: true,
        ..Options::default()
    };
    assert!(said(file).contains("error: `cookie` does not exist here yet"));
    let text = said_with(file, &options);
    assert!(
        text.contains("warning: left out: `cookie` does not exist here yet"),
        "{text}"
    );
    assert!(!text.contains("error"), "{text}");
}

#[test]
fn conditional_lines_count_if_their_condition_holds() {
    let text = shown(
        ".if version_atleast(2.0)\nlisten l\n.else\nlisten m\n.endif\n bind :80\n server s 10.0.0.1:80\n\
         .if feature(QUIC)\n nonsense\n.elif true\n balance leastconn\n.endif\n",
    );
    assert!(
        text.contains("[backend.l]") && !text.contains("[backend.m]"),
        "{text}"
    );
    assert!(text.contains("least-connections"), "{text}");
    assert!(
        said("listen l\n bind :80\n.if true\n server s 10.0.0.1:80\n")
            .contains("this `.if` has no `.endif`")
    );
}

#[test]
fn the_admin_listener_of_the_command_line_comes_first() {
    let options = Options {
        admin: Some("127.0.0.1:9911".to_owned()),
        ..Options::default()
    };
    let gatherer = Gatherer::new(&|_| None).options(&options);
    let path = std::env::temp_dir().join(format!("evenkeel-admin-{}.toml", std::process::id()));
    let text = "[frontend.web]\nlisten = '127.0.0.1:8080'\nbackend = 'app'\n[backend.app]\nservers = ['10.0.0.1:80']\n[admin]\nlisten = '127.0.0.1:1'\n";
    std::fs::write(&path, text).expect("a file");
    let loaded = compiled(gatherer.main_file(&path));
    std::fs::remove_file(&path).expect("it was written");
    let plan = loaded
        .map_err(|found| found.render(Color::Never))
        .expect("valid")
        .plan;
    assert!(
        show(&plan).contains("[admin]\nlisten = [\"127.0.0.1:9911\"]"),
        "{}",
        show(&plan)
    );
}

#[test]
fn error_files_become_error_pages() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/rig/503.http");
    let text = shown(&format!(
        "http-errors site\n errorfile 502 {file}\n errorfile 404 {file}\n\
         listen l\n bind :80\n errorfile 503 {file}\n errorfile 400 {file}\n errorfile 408 /dev/null\n\
         errorfiles site 502\n errorloc303 504 https://a.test/\n errorloc 500 /b\n\
         http-error status 429 content-type text/plain lf-string \"%[status]\" hdr X-A b\n\
         http-request deny deny_status 404 errorfiles site if {{ path /a }}\n\
         http-request return status 503 default-errorfiles if {{ path /b }}\n\
         http-request tarpit deny_status 429 content-type text/html string slow if {{ path /c }}\n\
         http-request redirect location %[path] ignore-empty if {{ path /d }}\n\
         server s 10.0.0.1:80\n"
    ));
    let page = format!("errorfile = \"{file}\"");
    for line in [
        &format!("{{ status = [503], {page} }}") as &str,
        &format!("{{ status = [400, 414, 431], {page} }}"),
        &format!("{{ status = [502], {page} }}"),
        "{ status = [408], headers = { content-type = \"text/html; charset=utf-8\" }, body = \"\" }",
        "{ status = [504], location = \"https://a.test/\", location_status = 303 }",
        "{ status = [500], location = \"/b\", location_status = 302 }",
        "{ status = [429], headers = { content-type = \"text/plain\", x-a = \"b\" }, body = \"%[status]\" }",
        "{ haproxy = true }",
        &format!("deny = {{ status = 404, {page} }}"),
        "deny = 503",
        "body = \"slow\"",
        "ignore_empty = true",
    ] {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
    assert!(
        !text.contains("status = [404]"),
        "only 502 is taken of the section:\n{text}"
    );
}

#[test]
fn lines_of_old_versions_become_rules() {
    for (line, expected) in [
        ("reqadd X-A:\\ b", "add_header = { x-a = \"b\" }"),
        (
            "rspadd X-A:\\ b",
            "{ on = \"response\", add_header = { x-a = \"b\" } }",
        ),
        (
            "reqrep ^([^\\ :]*)\\ /static/(.*) \\1\\ /\\2",
            "replace_pathq = { match = \"^/static/(.*)\", with = \"/\\\\1\" }",
        ),
        (
            "reqirep ^Host:\\ (.*)\\.a Host:\\ \\1.b",
            "replace_header = { name = \"host\", match = \"(?i)^(.*)\\\\.a\", with = \"\\\\1.b\" }",
        ),
        ("reqidel ^X-A:.*", "del_header = [\"x-a\"]"),
        (
            "rspidel ^Server:.*",
            "{ on = \"response\", del_header = [\"server\"] }",
        ),
        (
            "reqideny ^[^\\ ]*\\ /admin unless { src 10.0.0.1 }",
            "when = \"not src == \\\"10.0.0.1\\\" and pathq matches \\\"(?i)^/admin\\\"\", deny = 403",
        ),
        (
            "block if { src 10.0.0.1 }",
            "when = \"src == \\\"10.0.0.1\\\"\", deny = 403",
        ),
        (
            "rspideny ^X-A:\\ b",
            "{ on = \"response\", when = \"res.fhdr(x-a) matches \\\"(?i)^b\\\"\", deny = 502 }",
        ),
        (
            "timeout tarpit 3s\n reqtarpit ^X-A:",
            "tarpit = { time = \"3s\", status = 500 }",
        ),
        ("contimeout 7s", "connect = \"7s\""),
        ("option forceclose", "max_idle = 0"),
        (
            "monitor-net 10.9.0.0/16",
            "when = \"src == \\\"10.9.0.0/16\\\"\", return = { status = 200 }",
        ),
        (
            "server-template w 2 10.0.0.9:81 weight 3",
            "{ name = \"w2\", address = \"10.0.0.9:81\", weight = 3",
        ),
    ] {
        becomes(line, &[expected]);
    }
    let text = shown("listen l 127.0.0.1:81,127.0.0.2:81\n dispatch 10.0.0.7:80\n");
    for line in [
        "\"127.0.0.1:81\"",
        "\"127.0.0.2:81\"",
        "name = \"dispatch\", address = \"10.0.0.7:80\"",
    ] {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
}

#[test]
fn a_section_that_is_disabled_serves_nobody() {
    let text = shown(
        "frontend f\n bind :80\n default_backend b\nfrontend g\n bind :81\n disabled\n default_backend b\n\
         backend b\n disabled\n server s 10.0.0.1:80\n",
    );
    assert!(!text.contains("[frontend.g]"), "{text}");
    let backend = &text[text.find("[backend.b]").expect("b")..];
    assert!(backend.contains("deny = 503"), "{text}");
}

#[test]
fn captures_have_the_places_of_their_lines() {
    let text = shown(
        "frontend f\n bind :80\n capture request header Host len 10\n declare capture request len 20\n\
         http-request capture path len 30\n http-request capture req.hdr(x-a) id 1\n\
         capture response header Server len 5\n capture cookie SID= len 12\n log 127.0.0.1 local0\n option httplog\n\
         default_backend b\nbackend b\n server s 10.0.0.1:80\n",
    );
    for line in [
        "capture = { value = \"req.fhdr(host,-1)\", len = 10, id = 0 }",
        "len = 20, id = 1 }",
        "capture = { value = \"path\", len = 30, id = 2 }",
        "capture = { value = \"req.hdr(x-a)\", len = 20, id = 1 }",
        "{ on = \"response\", capture = { value = \"res.fhdr(server,-1)\", len = 5, id = 0 } }",
        "req.cook(SID),regsub(^,SID=),bytes(0,12)",
        "%[var(txn.captured_cookie)] %[var(txn.captured_set_cookie)]",
    ] {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
}

#[test]
fn users_of_a_list_are_verified_before_the_condition_that_asks() {
    let lists = "userlist ops\n group admin users joe\n user joe insecure-password secret\n user ann insecure-password x groups admin,all\n";
    let text = shown(&format!(
        "{lists}listen l\n bind :80\n http-request auth realm Ops unless {{ http_auth(ops) }}\n\
         http-request deny unless {{ http_auth_group(ops) admin }}\n server s 10.0.0.1:80\n"
    ));
    let auth = "auth = { realm = \"restricted\", required = false, users = { ann = \"{PLAIN}x\", joe = \"{PLAIN}secret\" }, \
                groups = { admin = [\"ann\", \"joe\"], all = [\"ann\"] } }";
    for line in [
        auth,
        "when = \"not http_auth\", deny = { status = 401, headers = { www-authenticate = \"Basic realm=\\\"Ops\\\"\" } }",
        "when = \"not http_auth_group == \\\"admin\\\"\", deny = 403",
    ] {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
    assert_eq!(text.matches("required = false").count(), 1, "{text}");
    let two = said(&format!(
        "{lists}userlist b\n user c insecure-password d\nlisten l\n bind :80\n\
         http-request deny unless {{ http_auth(ops) }}\n http-request deny unless {{ http_auth(b) }}\n server s 10.0.0.1:80\n"
    ));
    assert!(two.contains("a second `userlist` in conditions"), "{two}");
}

#[test]
fn rules_of_connections_come_before_those_of_sessions() {
    becomes(
        "stick-table type ip size 1k store conn_rate(3s)\n tcp-request session accept if { src 10.0.0.2 }\n \
         tcp-request connection expect-proxy layer4\n tcp-request connection track-sc0 src\n \
         tcp-request connection silent-drop if { src_port 1 }\n tcp-request connection reject if { sc_conn_rate(0) gt 3 }",
        &[
            "connection_rule = [\n    { expect_proxy = true },\n    { track = { table = \"l\", key = \"src\", counter = 0 } },\n",
            "{ when = \"src_port == 1\", silent_drop = true }",
            "{ when = \"sc_conn_rate(0) > 3\", reject = true },\n    { when = \"src == \\\"10.0.0.2\\\"\", accept = true }",
        ],
    );
    becomes(
        "http-request allow if { path /a }\n http-request deny if { src 10.0.0.2 }\n http-request silent-drop",
        &[
            "when = \"path == \\\"/a\\\"\", set_var = { \"txn.allowed_request_l\" = \"bool(true)\" }",
            "when = \"not var(txn.allowed_request_l) and src == \\\"10.0.0.2\\\"\", deny = 403",
            "when = \"not var(txn.allowed_request_l)\", silent_drop = true",
        ],
    );
}

#[test]
fn statistics_become_a_rule_behind_those_of_requests() {
    let lines = "stats enable\n stats uri /st?a\n stats auth ops:se%cret\n stats realm Ops\n stats refresh 5\n stats hide-version\n \
                 stats show-node edge\n stats scope .\n stats scope b\n redirect location /x if { path /y }\n http-request deny if { src 10.0.0.9 }";
    becomes(
        lines,
        &[
            "deny = 403 },\n    { on = \"request\", when = \"pathq starts_with \\\"/st?a\\\"\", auth = { realm = \"Ops\", required = true, users = { ops = \"{PLAIN}se%cret\" } } },\n",
            "stats = { path = \"/st?a\", format = \"page\", refresh = \"5s\", hide_version = true, title = \"edge\", scope = [\"l\", \"b\"] } },\n    { on = \"request\", when = \"path == \\\"/y\\\"\", redirect",
        ],
    );
    becomes(
        "stats auth a:b\n stats http-request allow if { src 10.0.0.1 }\n stats http-request deny if { src 10.0.0.2 }\n stats http-request auth",
        &[
            "not src == \\\"10.0.0.1\\\" and src == \\\"10.0.0.2\\\"\", deny = 403",
            "pathq starts_with \\\"/haproxy?stats\\\" and not src == \\\"10.0.0.1\\\"\", auth = { realm = \"HAProxy Statistics\"",
            "stats = { path = \"/haproxy?stats\"",
        ],
    );
    becomes(
        "http-request use-service prometheus-exporter if { path /metrics }",
        &["when = \"path == \\\"/metrics\\\"\", stats = { path = \"/\", format = \"prometheus\""],
    );
}

#[test]
fn rules_for_content_wait_in_tcp_mode_and_come_first_in_http_mode() {
    let text = shown(
        "frontend f
 mode tcp
 bind :443
 tcp-request inspect-delay 5s
 tcp-request content accept if { req.ssl_hello_type 1 }
 tcp-request content reject unless { req.payload(0,2) -m bin 5353 } or WAIT_END
 tcp-request content set-var(sess.sni) req.ssl_sni
 tcp-request content capture req.ssl_sni len 20
 tcp-request content silent-drop if { req.ssl_ver 3.0:3.1 }
 use_backend b if { req.ssl_sni -i B.test }
 default_backend a
backend a
 mode tcp
 server s 10.0.0.1:1
backend b
 mode tcp
 server s 10.0.0.2:1
",
    );
    for line in [
        "inspect_delay = \"5s\"",
        "{ when = \"req.ssl_hello_type == 1\", accept = true }",
        "when = \"not (req.payload(0,2),hex == \\\"5353\\\" or wait_end)\", reject = true",
        "set_var = { \"sess.sni\" = \"req.ssl_sni\" }",
        "capture = { value = \"req.ssl_sni\", len = 20, id = 0 }",
        "when = \"req.ssl_ver in [196608:196609]\", silent_drop = true",
        "when = \"req.ssl_sni,lower == \\\"b.test\\\"\"",
    ] {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
    becomes(
        "tcp-request inspect-delay 5s\n tcp-request content accept if { path /a }\n \
         tcp-request content reject if { src 10.0.0.1 }\n http-request deny if { path /b }",
        &["when = \"src == \\\"10.0.0.1\\\" and not path == \\\"/a\\\"\", reject = true"],
    );
    let said = said("backend b\n tcp-request content reject\n server s 10.0.0.1:1\n");
    assert!(said.contains("write it in the frontend"), "{said}");
}

#[test]
fn rules_of_connections_set_ends_and_variables() {
    becomes(
        "tcp-request connection set-src-port int(7)\n tcp-request connection set-dst ipv4(192.0.2.1)\n \
         tcp-request session set-var(sess.a) src\n tcp-request session unset-var(sess.a)",
        &[
            "set_src_port = \"int(7)\"",
            "set_dst = \"ipv4(192.0.2.1)\"",
            "set_var = { \"sess.a\" = \"src\" }",
            "unset_var = [\"sess.a\"]",
        ],
    );
    let said =
        said("listen l\n bind :80\n tcp-request content set-dst src\n server s 10.0.0.1:80\n");
    assert!(said.contains("write `tcp-request connection`"), "{said}");
}

#[test]
fn tls_of_clients_ends_here_in_tcp_mode_too() {
    let text = shown(
        "frontend f\n mode tcp\n bind 127.0.0.1:443 ssl crt /a.pem alpn mqtt\n \
         tcp-request content reject unless { ssl_fc_sni a.test }\n default_backend b\n\
         backend b\n mode tcp\n server s 10.0.0.1:80\n",
    );
    for line in [
        "mode = \"tcp\"",
        "[frontend.f.tls]\ncertificates = [",
        "alpn = [\"mqtt\"]",
        "when = \"not ssl_fc_sni == \\\"a.test\\\"\", reject = true",
    ] {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
}

#[test]
fn a_server_verifies_as_its_own_line_says_and_not_as_default_server() {
    let server = |defaults: &str, line: &str| {
        let text = shown(&format!(
            "listen l\n bind 127.0.0.1:80\n default-server {defaults}\n server s 10.0.0.1:443 {line}\n"
        ));
        let verifies = !text.contains("verify = \"none\"");
        (verifies, text.contains("ca = [\"/ca.pem\"]"))
    };
    let cases = [
        ("ssl verify none", "", (false, false)),
        (
            "ssl verify none",
            "verify required ca-file /ca.pem",
            (true, true),
        ),
        ("ssl verify required ca-file /ca.pem", "", (true, true)),
        (
            "ssl verify required ca-file /ca.pem",
            "verify none",
            (false, false),
        ),
        (
            "ssl verify none verifyhost a.test ca-file /ca.pem",
            "",
            (false, false),
        ),
    ];
    for (defaults, line, expected) in cases {
        assert_eq!(server(defaults, line), expected, "{defaults} | {line}");
    }
}
