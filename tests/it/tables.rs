//! Tables and rate limits: what rules track, what conditions read, and what a reload keeps.

use std::time::Duration;

use crate::rig::{Browser, Client, Gate, Line, OK, Origin, Proxy, Setup, echoing, until};

/// A table of clients' names, as they say themselves, that keeps `store`.
fn table(store: &str) -> String {
    format!("[table.names]\nkey = 'string'\nsize = 100\nexpire = '1h'\nstore = [{store}]\n")
}

const TRACK: &str = "{ track = { table = 'names', key = 'req.hdr(x-name)' } }";

/// A proxy for `origin` that tracks names; the server sees in `x-seen` what `reads` yields.
fn tracking(origin: &Origin, store: &str, reads: &str) -> Setup {
    Setup::of(&[origin])
        .frontend(&format!(
            "rule = [{TRACK}, {{ when = 'path == \"/denied\"', deny = 403 }}, \
             {{ set_header = {{ x-seen = '%[{reads}]' }} }}]"
        ))
        .rest(&table(store))
}

/// The status of the answer to a request of the client `name`.
fn ask(proxy: &Proxy, target: &str, name: &str) -> u16 {
    let lines = format!("host: test\r\nx-name: {name}\r\nconnection: close\r\n");
    proxy
        .ask(format!("GET {target} HTTP/1.1\r\n{lines}\r\n"))
        .status()
}

/// What the server saw of the last request in `x-seen`.
fn seen(origin: &Origin) -> String {
    let requests = origin.requests();
    let last = requests.last().expect("a request");
    last.field("x-seen").unwrap_or_default().to_owned()
}

#[test]
fn a_client_over_its_rate_is_refused_and_others_are_not() {
    let origin = Origin::answering(OK);
    let setup = Setup::of(&[&origin])
        .frontend(&format!(
            "rule = [{TRACK}, {{ when = 'sc_http_req_rate(0) > 3', deny = 429 }}]"
        ))
        .rest(&table("'http_req_rate(1h)'"));
    let proxy = setup.start();
    let statuses = |name| [0; 5].map(|_| ask(&proxy, "/", name));
    assert_eq!(statuses("a"), [200, 200, 200, 429, 429]);
    assert_eq!(statuses("b"), [200, 200, 200, 429, 429]);
}

#[test]
fn a_log_has_the_counts_with_its_exchange_in_them() {
    let origin = Origin::answering("HTTP/1.1 404 No\r\ncontent-length: 3\r\n\r\nabc");
    let logs = "[[log.access]]\nto = \"{log}\"\n\
                [[log.access]]\nto = \"{log}.counts\"\nwhen = 'sc_http_err_cnt(0) > 1'\n\
                format = '%[sc_http_req_cnt(0)] %[sc_http_err_cnt(0)] %[sc_conn_cur(0)] %[sc_bytes_out_rate(0)] \
                %[str(a),table_http_req_cnt(names)] %[str(none),table_http_req_cnt(names)] %[table_cnt(names)] %[sc_http_req_cnt(1)]'\n";
    let store = "'http_req_cnt', 'http_err_cnt', 'conn_cur', 'bytes_out_rate(1h)'";
    let proxy = Setup::of(&[&origin])
        .access_logs(logs)
        .frontend(&format!("rule = [{TRACK}]"))
        .rest(&table(store))
        .start();
    for _ in 0..2 {
        ask(&proxy, "/", "a");
    }
    proxy.wait_for_lines(2);
    let path = proxy.folder().path("access.log.counts");
    let line = until("there is a line", || {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        text.ends_with('\n').then_some(text)
    });
    assert_eq!(line, "2 2 1 6 2 0 1 -\n");
}

#[test]
fn errors_and_failures_are_counted_as_haproxy_does() {
    for (answer, target, counted) in [
        ("200 OK", "/", "0/0"),
        ("404 No", "/", "1/0"),
        ("500 No", "/", "0/1"),
        ("501 No", "/", "0/0"),
        ("503 No", "/", "0/1"),
        ("505 No", "/", "0/0"),
        ("200 OK", "/denied", "1/0"),
        ("garbage", "/", "0/1"),
        ("", "/", "0/1"),
    ] {
        let line = match answer {
            "" | "garbage" => answer.to_owned(),
            _ => format!("HTTP/1.1 {answer}"),
        };
        let origin = Origin::answering(format!("{line}\r\ncontent-length: 0\r\n\r\n"));
        let reads = "sc_http_err_cnt(0)]/%[sc_http_fail_cnt(0)";
        let proxy = tracking(&origin, "'http_err_cnt', 'http_fail_cnt'", reads).start();
        ask(&proxy, target, "a");
        ask(&proxy, "/", "a");
        assert_eq!(seen(&origin), counted, "{answer} {target}");
    }
}

#[test]
fn rules_of_answers_see_the_answer_counted() {
    let origin = Origin::answering("HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n");
    let setup = Setup::of(&[&origin])
        .frontend(&format!(
            "rule = [{TRACK}, {{ on = 'response', set_header = {{ x-errors = '%[sc_http_err_cnt(0)]' }} }}, \
             {{ on = 'response', track = {{ table = 'names', key = 'str(late)' }} }}, \
             {{ on = 'response', set_header = {{ x-late = '%[sc_http_err_cnt(1)]' }} }}]"
        ))
        .rest(&table("'http_err_cnt'"));
    let proxy = setup.start();
    let answer = proxy.ask("GET / HTTP/1.1\r\nhost: test\r\nx-name: a\r\n\r\n");
    assert_eq!(answer.field("x-errors"), Some("1"));
    // What is tracked after the answer came has it counted too.
    assert_eq!(answer.field("x-late"), Some("1"));
}

#[test]
fn what_is_tracked_is_released_when_the_exchange_is_over() {
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let reads = "sc_conn_cur(0)]/%[sc_trackers(0)]/%[sc_conn_cnt(0)";
    let proxy = tracking(&origin, "'conn_cur', 'conn_cnt'", reads).start();
    let mut clients: Vec<Client> = (0..2).map(|_| proxy.client()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.send("GET / HTTP/1.1\r\nhost: test\r\nx-name: a\r\n\r\n");
        origin.wait_for_requests(number + 1);
    }
    assert_eq!(seen(&origin), "2/2/2");
    // One client leaves before its answer, one gets it.
    drop(clients.remove(0));
    gate.open();
    assert_eq!(clients[0].response().status(), 200);
    proxy.wait_for_lines(2);
    ask(&proxy, "/", "a");
    assert_eq!(seen(&origin), "1/1/3");
}

#[test]
fn a_tunnel_is_tracked_until_it_ends_and_its_bytes_are_counted_then() {
    let origin = echoing();
    let reads =
        "table_cnt(names)]/%[str(ws),table_conn_cur(names)]/%[str(ws),table_bytes_in_rate(names)";
    let track = "{ when = 'path == \"/chat\"', track = { table = 'names', key = 'str(ws)' } }";
    let proxy = Setup::of(&[&origin])
        .frontend(&format!(
            "rule = [{track}, {{ when = 'path == \"/look\"', return = {{ status = 200, body = '%[{reads}]' }} }}]"
        ))
        .rest(&table("'conn_cur', 'bytes_in_rate(1h)'"))
        .start();
    let mut browser = Browser::open(proxy.address());
    browser.echoed("hello");
    assert_eq!(proxy.get("/look").text(), "1/1/0");
    browser.leave();
    // The line of the tunnel, and one of the look.
    proxy.wait_for_lines(2);
    let look = proxy.get("/look").text();
    let bytes: u64 = look
        .strip_prefix("1/0/")
        .and_then(|bytes| bytes.parse().ok())
        .expect("bytes");
    assert!(bytes > 5, "{look}");
}

#[test]
fn bytes_of_bodies_are_counted_when_the_exchange_is_over() {
    let origin = Origin::answering(format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n{}",
        "x".repeat(5_000)
    ));
    let reads = "sc_kbytes_in(0)]/%[sc_kbytes_out(0)]/%[sc_bytes_out_rate(0)";
    let store = "'bytes_in_cnt', 'bytes_out_cnt', 'bytes_out_rate(1h)'";
    let proxy = tracking(&origin, store, reads).start();
    let body = "y".repeat(3_000);
    let head = "POST / HTTP/1.1\r\nhost: test\r\nx-name: a\r\ncontent-length: 3000\r\n";
    proxy.ask(format!("{head}connection: close\r\n\r\n{body}"));
    proxy.wait_for_lines(1);
    ask(&proxy, "/", "a");
    assert_eq!(seen(&origin), "2/4/5000");
}

#[test]
fn a_second_rule_does_not_change_what_a_counter_tracks() {
    let origin = Origin::answering(OK);
    let setup = Setup::of(&[&origin])
        .frontend(
            "rule = [{ track = { table = 'names', key = 'str(first)' } }, \
             { track = { table = 'names', key = 'str(second)', counter = 0 } }, \
             { track = { table = 'others', key = 'req.hdr(absent)', counter = 2 } }, \
             { set_header = { x-seen = '%[sc_http_req_cnt(0)]/%[sc_tracked(0)]/%[sc_tracked(2)]/%[sc_http_req_cnt(2)]/%[sc_http_req_cnt(0,others)]' } }]",
        )
        .backend("rule = [{ track = { table = 'names', key = 'str(second)', counter = 5 } }, { set_header = { x-second = '%[sc_http_req_cnt(5)]' } }]")
        .rest(&table("'http_req_cnt'"))
        .rest("[table.others]\nkey = 'string'\nsize = 10\nstore = 'http_req_cnt'\n");
    let proxy = setup.start();
    for _ in 0..2 {
        ask(&proxy, "/", "a");
    }
    assert_eq!(seen(&origin), "2/1/0//0");
    let requests = origin.requests();
    assert_eq!(requests[1].field("x-second"), Some("2"));
}

#[test]
fn a_reload_keeps_entries_as_long_as_name_and_type_of_the_table_stay() {
    let origin = Origin::answering(OK);
    let with = |store: &str| tracking(&origin, store, "sc_http_req_cnt(0)");
    let proxy = with("'http_req_cnt'").start();
    ask(&proxy, "/", "a");
    // Another table at the same place, and other data in this one.
    proxy.apply(&with("'gpc(3)', 'http_req_cnt'").rest("[table.z]\nkey = 'ip'\nsize = 1\n"));
    ask(&proxy, "/", "a");
    assert_eq!(seen(&origin), "2");
    let text = table("'http_req_cnt'").replace("'string'", "'string(10)'");
    let other = Setup::of(&[&origin])
        .frontend(&format!(
            "rule = [{TRACK}, {{ set_header = {{ x-seen = '%[sc_http_req_cnt(0)]' }} }}]"
        ))
        .rest(&text);
    proxy.apply(&other);
    ask(&proxy, "/", "a");
    assert_eq!(seen(&origin), "1");
}

/// A proxy for `origin` with this rate limit of the name that clients say.
fn limited(origin: &Origin, terms: &str) -> Setup {
    Setup::of(&[origin]).frontend(&format!(
        "rule = [{{ rate_limit = {{ name = 'names', key = 'req.hdr(x-name)', {terms} }} }}]"
    ))
}

const OVER: &str = "evenkeel_rate_limit_requests_total";

#[test]
fn a_request_over_the_limit_is_refused_and_says_when_to_come_again() {
    let origin = Origin::answering(OK);
    let proxy = limited(&origin, "rate = '2/1h'").start();
    let ask = |name: &str| {
        proxy.ask(format!(
            "GET / HTTP/1.1\r\nhost: test\r\nx-name: {name}\r\n\r\n"
        ))
    };
    assert_eq!([ask("a").status(), ask("a").status()], [200, 200]);
    let refused = ask("a");
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.reason(), "rule.rate_limited");
    let seconds: u64 = refused
        .field("retry-after")
        .and_then(|value| value.parse().ok())
        .expect("a number");
    assert!((1..=1800).contains(&seconds), "{seconds}");
    // Others, and those without a key, have nothing to do with it.
    assert_eq!(ask("b").status(), 200);
    for _ in 0..5 {
        assert_eq!(proxy.get("/").status(), 200);
    }
    assert_eq!(proxy.metric(OVER, &[("outcome", "denied")]), 1.0);
    assert_eq!(
        proxy.metric("evenkeel_rate_limit_keys", &[("limit", "names")]),
        2.0
    );
    let status = proxy.status();
    assert_eq!(status["rate_limits"]["names"]["over"]["denied"], 1);
    let lines = proxy.wait_for_lines(9);
    let refused = |line: &Line| line.verdict() == (429, "rule.rate_limited");
    assert_eq!(lines.iter().filter(|line| refused(line)).count(), 1);
}

#[test]
fn a_limit_has_its_own_status_and_can_leave_the_field_out() {
    let origin = Origin::answering(OK);
    let proxy = limited(&origin, "rate = '1/1h', status = 503, retry_after = false").start();
    assert_eq!([ask(&proxy, "/", "a"), ask(&proxy, "/", "a")], [200, 503]);
    let refused = proxy.ask("GET / HTTP/1.1\r\nhost: test\r\nx-name: a\r\n\r\n");
    assert_eq!(refused.field("retry-after"), None);
}

#[test]
fn a_client_sees_how_much_of_its_limit_is_left() {
    let origin = Origin::answering(OK);
    let two = "rule = [{ rate_limit = { name = 'names', key = 'req.hdr(x-name)', rate = '3/1h', headers = true } }, \
               { rate_limit = { name = 'all', key = 'str(all)', rate = '100/10s', burst = 50, headers = true } }]";
    let proxy = Setup::of(&[&origin]).frontend(two).start_paused();
    let fields = |name: &str| {
        let answer = proxy.ask(format!(
            "GET / HTTP/1.1\r\nhost: test\r\n{name}connection: close\r\n\r\n"
        ));
        let names = ["limit", "remaining", "reset", "policy"];
        let fields = names.map(|name| {
            answer
                .field(&format!("ratelimit-{name}"))
                .map(str::to_owned)
        });
        (answer.status(), fields.map(|field| field.expect("a field")))
    };
    let shown = |status, fields: [&str; 4]| (status, fields.map(str::to_owned));
    let a = "x-name: a\r\n";
    assert_eq!(fields(a), shown(200, ["3", "2", "1200", "3;w=3600"]));
    assert_eq!(fields(a), shown(200, ["3", "1", "2400", "3;w=3600"]));
    assert_eq!(fields(a), shown(200, ["3", "0", "3600", "3;w=3600"]));
    // A refusal has them too.
    assert_eq!(fields(a), shown(429, ["3", "0", "3600", "3;w=3600"]));
    // Without a key, the other limit is shown: three requests passed to it before, in no time.
    assert_eq!(fields(""), shown(200, ["50", "46", "1", "100;w=10"]));
}

#[test]
fn a_limit_that_is_tried_out_refuses_nothing() {
    let origin = Origin::answering(OK);
    let proxy = limited(&origin, "rate = '1/1h', on_exceed = 'dry_run'").start();
    assert_eq!([0; 4].map(|_| ask(&proxy, "/", "a")), [200; 4]);
    assert_eq!(proxy.metric(OVER, &[("outcome", "dry_run")]), 3.0);
    assert_eq!(proxy.metric(OVER, &[("outcome", "denied")]), 0.0);
}

#[test]
fn requests_over_the_limit_wait_for_their_turn() {
    let origin = Origin::answering(OK);
    let proxy = limited(&origin, "rate = '1/2s', on_exceed = 'delay'").start_paused();
    assert_eq!(ask(&proxy, "/", "a"), 200);
    let mut client = proxy.client();
    client.send("GET / HTTP/1.1\r\nhost: test\r\nx-name: a\r\n\r\n");
    proxy.wait_for_metric(OVER, &[("outcome", "delayed")], 1.0);
    assert_eq!(origin.requests().len(), 1);
    proxy.advance(Duration::from_secs(2));
    assert_eq!(client.response().status(), 200);
}

#[test]
fn a_busy_client_did_not_profit_from_a_reload_that_loosened_its_limit() {
    let origin = Origin::answering(OK);
    let proxy = limited(&origin, "rate = '1/1h'").start_paused();
    assert_eq!([ask(&proxy, "/", "a"), ask(&proxy, "/", "a")], [200, 429]);
    proxy.apply(&limited(&origin, "rate = '1/10s'"));
    assert_eq!(ask(&proxy, "/", "a"), 429);
    proxy.advance(Duration::from_secs(10));
    assert_eq!([ask(&proxy, "/", "a"), ask(&proxy, "/", "a")], [200, 429]);
}

#[test]
fn a_reload_that_adds_conn_cur_did_not_count_exchanges_that_were_open() {
    let gate = Gate::default();
    let origin = Origin::behind(&gate);
    let proxy = tracking(&origin, "'conn_cnt'", "sc_conn_cnt(0)").start();
    let mut clients: Vec<Client> = (0..2).map(|_| proxy.client()).collect();
    clients[0].send("GET / HTTP/1.1\r\nhost: test\r\nx-name: a\r\n\r\n");
    origin.wait_for_requests(1);
    proxy.apply(&tracking(
        &origin,
        "'conn_cnt', 'conn_cur'",
        "sc_conn_cur(0)",
    ));
    clients[1].send("GET / HTTP/1.1\r\nhost: test\r\nx-name: a\r\n\r\n");
    origin.wait_for_requests(2);
    assert_eq!(seen(&origin), "2");
    gate.open();
    for client in &mut clients {
        assert_eq!(client.response().status(), 200);
    }
    proxy.wait_for_lines(2);
    ask(&proxy, "/", "a");
    assert_eq!(seen(&origin), "1");
}

#[test]
fn clients_that_leave_while_they_wait_reach_no_server_and_hold_nothing() {
    let origin = Origin::answering(OK);
    let rate = "rate = '1/2s', on_exceed = 'delay'";
    let rules = format!(
        "rule = [{TRACK}, {{ rate_limit = {{ name = 'names', key = 'req.hdr(x-name)', {rate} }} }}, \
         {{ set_header = {{ x-seen = '%[sc_conn_cur(0)]' }} }}]"
    );
    let setup = Setup::of(&[&origin])
        .frontend(&rules)
        .rest(&table("'conn_cur'"));
    let proxy = setup.start_paused();
    assert_eq!(ask(&proxy, "/", "a"), 200);
    let mut leaving = proxy.client();
    leaving.send("GET / HTTP/1.1\r\nhost: test\r\nx-name: a\r\n\r\n");
    proxy.wait_for_metric(OVER, &[("outcome", "delayed")], 1.0);
    drop(leaving);
    let lines = proxy.wait_for_lines(2);
    assert_eq!(lines[1].verdict(), (499, "client.left"));
    proxy.advance(Duration::from_secs(60));
    assert_eq!(ask(&proxy, "/", "a"), 200);
    assert_eq!(origin.requests().len(), 2);
    assert_eq!(seen(&origin), "1");
}

#[test]
fn a_reload_keeps_what_a_limit_has_counted() {
    let origin = Origin::answering(OK);
    let proxy = limited(&origin, "rate = '1/1h'").start();
    assert_eq!(ask(&proxy, "/", "a"), 200);
    proxy.apply(&limited(&origin, "rate = '1/1h', status = 503"));
    assert_eq!(ask(&proxy, "/", "a"), 503);
    // Another name is another limit.
    let other = "rule = [{ rate_limit = { key = 'req.hdr(x-name)', rate = '1/1h' } }]";
    proxy.apply(&Setup::of(&[&origin]).frontend(other));
    assert_eq!([ask(&proxy, "/", "a"), ask(&proxy, "/", "a")], [200, 429]);
}

#[test]
fn the_state_of_tables_is_in_the_status_and_in_metrics() {
    let origin = Origin::answering(OK);
    let setup = Setup::of(&[&origin])
        .frontend(&format!("rule = [{TRACK}]"))
        .rest("[table.names]\nkey = 'string'\nsize = 2\nstore = 'http_req_cnt'\n");
    let proxy = setup.start();
    for name in ["a", "b", "c", "c"] {
        ask(&proxy, "/", name);
    }
    proxy.wait_for_lines(4);
    let table = proxy.status()["tables"]["names"].clone();
    assert_eq!((&table["entries"], &table["size"]), (&2.into(), &2.into()));
    assert_eq!(
        (&table["evictions"], &table["refusals"]),
        (&1.into(), &0.into())
    );
    assert!(table["bytes"].as_u64().is_some_and(|bytes| bytes > 0));
    let of_table = [("table", "names")];
    assert_eq!(proxy.metric("evenkeel_table_entries", &of_table), 2.0);
    assert_eq!(
        proxy.metric("evenkeel_table_evictions_total", &of_table),
        1.0
    );
}

#[test]
fn the_recipe_blocks_tries_out_and_limits_logins() {
    let origin = Origin::scripted(|visit| {
        while let Some(request) = visit.request() {
            let status = match request.target() {
                "/missing" => "404 Not Found",
                _ => "200 OK",
            };
            visit.send(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n"));
        }
    });
    let recipe = include_str!("../../conf/recipes/rate-limits.toml");
    let rules = recipe
        .split_once("rule = [")
        .and_then(|(_, rest)| rest.split_once("\n]\n"));
    let (rules, _) = rules.expect("the rules");
    let table = recipe.split_once("[frontend.web]").expect("the table").0;
    let proxy = Setup::of(&[&origin])
        .frontend(&format!("rule = [{rules}\n]"))
        .rest(table)
        .start();
    let statuses = |target: &str| [0; 4].map(|_| proxy.get(target).status());
    assert_eq!(statuses("/login"), [200, 200, 200, 429]);
    // What is tried out refuses nothing; the first three logins are requests too.
    assert_eq!(statuses("/"), [200; 4]);
    assert!(proxy.metric(OVER, &[("limit", "all"), ("outcome", "dry_run")]) >= 5.0);
    // One error was the refused login. After 21, the next request is marked, and the ones after it are refused.
    for _ in 0..20 {
        assert_eq!(proxy.get("/missing").status(), 404);
    }
    assert_eq!(proxy.get("/").status(), 200);
    assert_eq!(statuses("/"), [429; 4]);
}
