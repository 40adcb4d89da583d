//! Errors and warnings about rules.

use super::{BASE, errors, warnings};

/// The errors for a frontend with this rule.
#[track_caller]
fn refused(rule: &str) -> String {
    let rules = format!("backend = \"app\"\nrule = [{{ {rule} }}]");
    errors(&BASE.replacen("backend = \"app\"", &rules, 1))
}

#[test]
fn fields_of_the_connection_are_not_for_rules() {
    let names = [
        "connection",
        "content-length",
        "http2-settings",
        "keep-alive",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
    ];
    for name in names {
        for rule in [
            format!("set_header = {{ {name} = 'a' }}"),
            format!("add_header = {{ {name} = 'a' }}"),
            format!("del_header = '{name}'"),
            format!("on = 'response', set_header = {{ {name} = 'a' }}"),
            format!("on = 'after', del_header = '{name}'"),
            format!("return = {{ headers = {{ {name} = 'a' }} }}"),
        ] {
            let said = refused(&rule);
            let expected = format!("`{name}` belongs to the connection");
            assert!(said.contains(&expected), "{rule}\n{said}");
        }
    }
}

#[test]
fn rules_neither_add_nor_remove_a_host_and_do_not_touch_expect() {
    for rule in ["add_header = { host = 'a' }", "del_header = 'Host'"] {
        let said = refused(rule);
        assert!(said.contains("a request has exactly one `host`"), "{said}");
        assert!(said.contains("write `set_header = { host = "), "{said}");
    }
    for rule in [
        "set_header = { expect = 'a' }",
        "add_header = { expect = 'a' }",
        "del_header = 'expect'",
    ] {
        let said = refused(rule);
        assert!(said.contains("`expect` belongs to the client"), "{said}");
    }
    for rule in [
        "set_header = { host = 'a' }",
        "on = 'response', del_header = ['host', 'expect']",
    ] {
        assert!(refused(rule).starts_with("no error"), "{rule}");
    }
}

#[test]
fn an_answer_has_one_content_type() {
    let said = refused("return = { headers = { Content-Type = 'a' }, content_type = 'b' }");
    let expected = "`return` has the field `content-type` twice";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn an_answer_whose_status_has_no_content_has_no_body() {
    for status in [204, 205, 304] {
        let said = refused(&format!("return = {{ status = {status}, body = 'x' }}"));
        let expected = format!("an answer with the status {status} has no body");
        assert!(said.contains(&expected), "{said}");
        let said = refused(&format!("return = {{ status = {status} }}"));
        assert!(said.starts_with("no error"), "{said}");
    }
}

#[test]
fn a_list_in_a_device_is_not_read() {
    let said = refused("when = 'src in @file(\"/dev/null\")', deny = 403");
    assert!(said.contains("it is not a regular file"), "{said}");
}

#[test]
fn a_field_that_evenkeel_writes_is_pointed_at_and_not_its_rule() {
    let rules =
        "rule = [\n  { when = 'ssl_fc', set_header = { x-a = 'b', x-forwarded-for = 'c' } },\n]";
    let frontend = BASE.replace("[backend.app]", &format!("{rules}\n\n[backend.app]"));
    // A backend has requests of any frontend, so its rule gets a warning and no error.
    for said in [errors(&frontend), warnings(&format!("{BASE}{rules}\n"))] {
        let line = said.lines().find(|line| line.contains("x-forwarded-for ="));
        let line = line.or(said.lines().find(|line| line.contains("'ssl_fc'")));
        let column = line.and_then(|line| line.find("x-forwarded-for"));
        let mark = said.lines().find_map(|line| line.find("^^^^"));
        assert!(column.is_some() && column == mark, "{said}");
        assert!(said.contains("^^^^^^^^^^^^^^^\n"), "{said}");
    }
}

/// The warnings for a frontend with these rules.
#[track_caller]
fn warned(rules: &str) -> String {
    let rules = format!("backend = \"app\"\nrule = [{rules}]");
    warnings(&BASE.replacen("backend = \"app\"", &rules, 1))
}

#[test]
fn a_variable_that_no_rule_sets_is_warned_of() {
    let set = r#"{ set_var = { "txn.name" = "src" } }, "#;
    let said = warned(&format!(
        "{set}{{ when = 'var(txn.nmae) == \"a\"', deny = 403 }}"
    ));
    assert!(
        said.contains("no rule sets the variable `txn.nmae`"),
        "{said}"
    );
    assert!(said.contains("did you mean `var(txn.name)`?"), "{said}");
    for read in [
        "{ set_header = { x-a = '%[var(txn.other)]' } }",
        "{ set_var = { 'txn.b' = 'var(txn.other)' } }",
    ] {
        let said = warned(read);
        assert!(
            said.contains("no rule sets the variable `txn.other`"),
            "{said}"
        );
    }
    let rules = format!("{set}{{ set_header = {{ x-a = '%[var(txn.name)]' }} }}");
    assert_eq!(warned(&rules), "");
}

#[test]
fn rules_after_one_that_answers_everything_get_a_warning() {
    let said = warned("{ deny = 403 }, { set_header = { x-a = 'b' } }, { deny = 404 }");
    assert_eq!(said.matches("this rule never runs").count(), 1, "{said}");
    assert!(said.contains("answers all that come to it"), "{said}");
    for fine in [
        "{ when = 'ssl_fc', deny = 403 }, { deny = 404 }",
        "{ set_header = { x-a = 'b' } }, { deny = 404 }",
        "{ deny = 404 }, { on = 'after', set_header = { x-a = 'b' } }",
    ] {
        assert_eq!(warned(fine), "", "{fine}");
    }
}

#[test]
fn conditions_that_never_hold_are_warned_of() {
    for when in [
        r#"method == "get""#,
        r#"path == "login""#,
        r#"path starts_with "api/""#,
        r#"not path == "login""#,
        r#"req.hdr(host),lower == "Example.com""#,
        r#"req.hdr(host),upper in ["a", "b"]"#,
        r#"method == "GET" and method == "PUT""#,
        "ssl_fc and src and not ssl_fc",
        r#"ssl_fc_sni == "A.example""#,
    ] {
        let said = warned(&format!("{{ when = '{when}', deny = 403 }}"));
        assert!(said.contains("never holds"), "{when}: {said}");
    }
    for when in [
        r#"method == "GET" or method == "PUT""#,
        r#"req.hdr(x-a) == "a" and req.hdr(x-a) == "b""#,
        r#"path contains "login""#,
        r#"path ends_with "login""#,
        r#"path == "*""#,
        r#"req.hdr(host),lower in ["Example.com", "example.com"]"#,
        r#"src == "10.0.0.0/8" and src == "10.1.0.0/16""#,
        r#"path != "login""#,
    ] {
        assert_eq!(
            warned(&format!("{{ when = '{when}', deny = 403 }}")),
            "",
            "{when}"
        );
    }
}

#[test]
fn the_value_of_a_variable_is_not_in_a_warning_about_a_condition() {
    // The tests' `TOKEN` is `s3cret`.
    let said = warned(r#"{ when = 'req.hdr(x-token),upper == "${TOKEN}"', deny = 403 }"#);
    assert!(
        said.contains("a part of this condition never holds"),
        "{said}"
    );
    assert!(!said.to_ascii_lowercase().contains("s3cret"), "{said}");
}

#[test]
fn keys_of_a_redirect_that_mean_nothing_together_are_refused() {
    for (redirect, expected) in [
        (
            "location = '/a', drop_query = true",
            "`drop_query` means nothing with a `location`",
        ),
        (
            "prefix = '/a', append_slash = true",
            "`append_slash` needs `drop_query`",
        ),
        (
            "scheme = 'https', keep_query = true",
            "`keep_query` is for a `location`",
        ),
        (
            "location = '/a', set_cookie = 'a', clear_cookie = 'a'",
            "`set_cookie` and `clear_cookie` exclude each other",
        ),
        (
            "location = '/a', set_cookie = 'a=b; Secure'",
            "is not a cookie",
        ),
    ] {
        let said = refused(&format!("redirect = {{ {redirect} }}"));
        assert!(said.contains(expected), "{redirect}\n{said}");
    }
}

#[test]
fn an_answer_has_one_body_and_its_file_is_readable() {
    let said = refused("return = { body = 'a', file = 'b' }");
    assert!(
        said.contains("`body` and `file` exclude each other"),
        "{said}"
    );
    let said = refused("deny = { file = 'not-there.html' }");
    assert!(
        said.contains("cannot read not-there.html: there is no such file"),
        "{said}"
    );
    let said = refused("deny = { file = '/dev/null' }");
    assert!(said.contains("it is not a regular file"), "{said}");
    let said = refused("deny = { status = 200 }");
    assert!(said.contains("a whole number from 400 to 599"), "{said}");
}

#[test]
fn a_tarpit_has_a_time_and_a_monitor_a_path() {
    let said = refused("tarpit = { status = 500 }");
    assert!(said.contains("`tarpit` has no `time`"), "{said}");
    let said = refused("monitor = { fail = 'ssl_fc' }");
    assert!(said.contains("`monitor` has no `path`"), "{said}");
    let said = refused("monitor = 'healthz'");
    assert!(said.contains("a path begins with `/`"), "{said}");
    let said = refused("set_log_level = 'loudly'");
    assert!(said.contains("`set_log_level` cannot be"), "{said}");
}

#[test]
fn among_lists_backends_for_a_template_alone() {
    let route = |lines: &str| errors(&format!("{BASE}\n[[frontend.web.route]]\n{lines}\n"));
    let said = route("backend = 'app'\namong = ['app']");
    assert!(
        said.contains("`among` is for a `backend` with an expression"),
        "{said}"
    );
    let said = route("backend = '%[method]'\namong = []");
    assert!(said.contains("`among` has no backend"), "{said}");
    let said = route("backend = '%[method]'\namong = ['ap']");
    assert!(said.contains("backend `ap` is not defined"), "{said}");
    assert!(said.contains("did you mean `app`?"), "{said}");
}

#[test]
fn an_auth_rule_that_would_let_no_one_in_is_refused_and_shows_no_password() {
    for (rule, said) in [
        ("auth = { realm = 'x' }", "this `auth` has no users"),
        (
            "auth = { users = { joe = 'hunter2' } }",
            "the value of `joe` is no hash of a password",
        ),
        (
            "auth = { users = { joe = '$apr1$hunter2$w4Xyh6vmV1tqcQFcI1b4i.' } }",
            "the value of `joe` is a hash by MD5",
        ),
        (
            "auth = { users = { 'a:b' = '{PLAIN}hunter2' } }",
            "this cannot be the name of a user",
        ),
        (
            "auth = { realm = 'a\"b', users = { joe = '{PLAIN}hunter2' } }",
            "has characters that a realm cannot have",
        ),
        (
            "auth = { users = { joe = '{PLAIN}hunter2' }, groups = { admins = 'jo' } }",
            "did you mean \"joe\"?",
        ),
        ("auth = { file = 'no-such-file' }", "cannot read"),
        (
            "auth = { file = 'Cargo.toml' }",
            "line 1 of Cargo.toml: is not `name:hash`",
        ),
        (
            "on = 'response', auth = { users = { joe = '{PLAIN}hunter2' } }",
            "`auth` cannot run with `on = \"response\"`",
        ),
    ] {
        let found = refused(rule);
        assert!(found.contains(said), "{rule}\n{found}");
    }
}

#[test]
fn a_cors_rule_that_would_be_open_or_cannot_work_is_refused() {
    for (rule, said) in [
        (
            "cors = { origins = '*', credentials = true }",
            "every page of the internet could read answers with the cookies of its visitor",
        ),
        ("cors = { methods = 'PUT' }", "this `cors` allows no origin"),
        (
            "cors = { origins = 'app.example.com' }",
            "`origins = \"app.example.com\"` is not an origin",
        ),
        (
            "cors = { origins = 'https://app.example.com/' }",
            "is not an origin: it needs a scheme and a host, and has no path",
        ),
        (
            "cors = { origins = '*', headers = 'x y' }",
            "is not a valid field name",
        ),
        (
            "cors = { origin = '*' }",
            "unknown key `origin` in `[frontend.web.rule.cors]`",
        ),
        (
            "on = 'response', cors = { origins = '*' }",
            "`cors` cannot run with `on = \"response\"`",
        ),
        (
            "security_headers = true",
            "`security_headers` cannot run with `on = \"request\"`",
        ),
    ] {
        let found = refused(rule);
        assert!(found.contains(said), "{rule}\n{found}");
    }
}

#[test]
fn names_whose_state_is_read_must_exist() {
    for (when, parts) in [
        (
            "nbsrv(ap) < 1",
            &["backend `ap` is not defined", "did you mean `app`?"][..],
        ),
        (
            "srv_is_up(ap/10.0.0.1:80)",
            &["backend `ap` is not defined"],
        ),
        (
            "srv_conn(app/10.0.0.1:8) > 1",
            &[
                "`[backend.app]` has no server `10.0.0.1:8`",
                "did you mean `app/10.0.0.1:80`?",
            ],
        ),
        (
            "srv_conn(s1) > 1",
            &[
                "`server` must be the name of a backend and of its server",
                "`app/s1`",
            ],
        ),
        (
            "fe_conn(wed) > 1",
            &["frontend `wed` is not defined", "did you mean `web`?"],
        ),
        (
            "nbsrv < 1",
            &[
                "`nbsrv` needs the name of a backend",
                "write the name: `nbsrv(app)`",
            ],
        ),
        ("srv_id == 1", &["`srv_id` is not known here yet"]),
    ] {
        let base = BASE.replacen(
            "backend = \"app\"",
            &format!("backend = \"app\"\nrule = [{{ when = '{when}', deny = 503 }}]"),
            1,
        );
        let said = errors(&base);
        for part in parts {
            assert!(said.contains(part), "{when}\n{said}");
        }
        assert_eq!(said.matches("error:").count(), 1, "{said}");
    }
    let logged = format!("{BASE}[log.access]\nto = 'stdout'\nwhen = 'fe_conn > 1'\n");
    let said = errors(&logged);
    assert!(said.contains("`fe_conn` is not known here"), "{said}");
}

#[test]
fn a_jwt_rule_whose_tokens_could_be_forged_is_refused() {
    let secret = "secret = '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'";
    for (rule, said) in [
        ("issuer = 'x'".to_owned(), "this `jwt` has no key"),
        (
            "secret = 'hunter2'".to_owned(),
            "a secret has 32 bytes at least",
        ),
        (
            "file = 'Cargo.toml'".to_owned(),
            "`file` cannot be used: it has no key for signatures",
        ),
        (
            format!("{secret}, algorithms = ['HS256', 'none']"),
            "a token without a signature can be made by everyone",
        ),
        (
            format!("{secret}, algorithms = 'HS265'"),
            "did you mean \"HS256\"?",
        ),
        (
            format!("{secret}, algorithms = 'RS256'"),
            "no key is for RS256",
        ),
        (
            format!("{secret}, audience = []"),
            "the list `audience` is empty: tokens for anyone would pass",
        ),
        (
            format!("{secret}, file = 'Cargo.toml'"),
            "`file` and `secret` exclude each other",
        ),
        (
            format!("{secret}, claims = {{ Authorization = 'sub' }}"),
            "`Authorization` cannot be the field of a claim",
        ),
        (
            format!("{secret}, jwks_url = 'https://a.example'"),
            "write `file`",
        ),
    ] {
        let found = refused(&format!("jwt = {{ {rule} }}"));
        assert!(found.contains(said), "{rule}\n{found}");
    }
}

#[test]
fn a_mistake_in_a_question_to_another_server_is_named() {
    for (rule, said) in [
        ("path = '/a'", "`forward_auth` has no `backend`"),
        ("backend = 'ap'", "did you mean `app`?"),
        ("backend = 'app', host = 'a b'", "is not a host"),
        (
            "backend = 'app', copy = ['host']",
            "is not a field that is handed on",
        ),
        (
            "backend = 'app', copy = ['x-a', 'X-A']",
            "is not a field that is handed on",
        ),
        (
            "backend = 'app', send = ['te']",
            "is not a field that is handed on",
        ),
        (
            "backend = 'app', without_answer = 'maybe'",
            "known are `refuse`, `pass`",
        ),
        ("backend = 'app', timeout = '0s'", "timeout"),
        ("backend = 'app', path = '%[status]'", "status"),
    ] {
        let found = refused(&format!("forward_auth = {{ {rule} }}"));
        assert!(found.contains(said), "{rule}\n{found}");
    }
}

#[test]
fn a_rule_that_chooses_a_backend_belongs_to_a_frontend() {
    let unknown = refused("use_backend = 'ap'");
    assert!(unknown.contains("did you mean `app`?"), "{unknown}");
    let among = refused("use_backend = { backend = '%[path]', among = ['ap'] }");
    assert!(among.contains("did you mean `app`?"), "{among}");
    for (rule, message) in [
        (
            "use_backend = { among = ['app'] }",
            "`use_backend` has no `backend`",
        ),
        (
            "use_backend = { backend = 'app', among = ['app'] }",
            "`among` is for a `backend` with an expression",
        ),
        ("use_backend = '%[status]'", "status"),
        (
            "on = 'response', use_backend = 'app'",
            "cannot run with `on = \"response\"`",
        ),
        ("default_backend = 'app'", "write `use_backend`"),
    ] {
        let said = refused(rule);
        assert!(said.contains(message), "{rule}\n{said}");
    }
    let elsewhere = "`use_backend` belongs to the rules of a frontend";
    let route =
        "[[frontend.web.route]]\nbackend = 'app'\nrule = [{ use_backend = 'app' }]\n[backend.app]";
    let said = errors(&BASE.replacen("[backend.app]", route, 1));
    assert!(said.contains(elsewhere), "{said}");
    let said = errors(&format!("{BASE}rule = [{{ use_backend = 'app' }}]"));
    assert!(said.contains(elsewhere), "{said}");
}

#[test]
fn a_backend_that_only_a_rule_names_is_used() {
    let with = |rule: &str| {
        let lines = format!("backend = \"app\"\nrule = [{{ when = 'ssl_fc', {rule} }}]");
        let text = BASE.replacen("backend = \"app\"", &lines, 1);
        warnings(&format!("{text}[backend.more]\nservers = ['10.0.0.2:80']"))
    };
    assert_eq!(with("use_backend = 'more'"), "");
    assert_eq!(with("use_backend = '%[ssl_fc_sni]'"), "");
    assert_eq!(
        with("use_backend = { backend = '%[ssl_fc_sni]', among = ['more'] }"),
        ""
    );
    let unused = with("use_backend = 'app'");
    assert!(unused.contains("uses the backend `more`"), "{unused}");
}

#[test]
fn values_of_bodies_levels_and_deadlines_are_checked() {
    for (rule, message) in [
        ("max_body = 10", "has no unit"),
        ("wait_for_body = { }", "`wait_for_body` has no `time`"),
        ("wait_for_body = { time = '1s', size = '2MiB' }", "size"),
        (
            "wait_for_body = { time = '1s', at_least = '17KiB' }",
            "at_least",
        ),
        ("max_body = 'much'", "max_body"),
        ("on = 'response', max_body = '1B'", "cannot run with"),
        ("client_max_body_size = '1MiB'", "write `max_body`"),
        ("set_log_level = 'error'", "write `\"err\"`"),
        ("set_log_level = 'loud'", "`emerg`"),
        ("set_timeout = {}", "`set_timeout` sets no deadline"),
        ("set_timeout = { response = 5 }", "has no unit"),
        ("set_timeout = { server = '5s' }", "write `response`"),
        (
            "set_timeout = { client = '5s' }",
            "`timeout` of the frontend",
        ),
        (
            "on = 'after', set_timeout = { response = '5s' }",
            "cannot run with",
        ),
    ] {
        let said = refused(rule);
        assert!(said.contains(message), "{rule}\n{said}");
    }
}

#[test]
fn what_a_rule_cannot_capture_is_refused() {
    for (rule, message) in [
        ("capture = {}", "`capture` has no `value`"),
        ("capture = { value = 'res.hdr(a)' }", "res.hdr"),
        ("capture = { value = 'src', len = 2000 }", "from 1 to 1024"),
        ("capture = { value = 'src', id = 32 }", "from 0 to 31"),
        (
            "on = 'after', capture = { value = 'src' }",
            "cannot run with",
        ),
        ("capture = { sample = 'src' }", "write `value`"),
    ] {
        let said = refused(rule);
        assert!(said.contains(message), "{rule}\n{said}");
    }
    let many = "{ capture = { value = 'src' } }, ".repeat(33);
    let rules = format!("backend = \"app\"\nrule = [{many}]");
    let said = errors(&BASE.replacen("backend = \"app\"", &rules, 1));
    assert!(said.contains("the rule number 33 with `capture`"), "{said}");
}
