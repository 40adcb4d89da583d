//! Errors and warnings about tables, and about what reads and writes them.

use super::{BASE, errors, plan, warnings};

const TABLE: &str =
    "[table.clients]\nkey = 'ip'\nsize = 10\nstore = ['http_req_rate(10s)', 'gpc(2)']\n";
const TRACK: &str = "{ track = { table = 'clients', key = 'src' } }";

/// A frontend with these rules, and these tables.
fn text(rules: &str, tables: &str) -> String {
    let rules = format!("backend = \"app\"\nrule = [{rules}]");
    let base = BASE.replacen("backend = \"app\"", &rules, 1);
    format!("{base}{tables}")
}

#[test]
fn mistakes_in_tables_are_said_with_what_to_write() {
    for (lines, parts) in [
        (
            "key = 'ip'\nsize = 1\nstore = 'http_rate(1s)'",
            &[
                "`http_rate` is not something that a table can keep",
                "did you mean",
            ][..],
        ),
        (
            "key = 'ip'\nsize = 1\nstore = 'http_req_rate'",
            &["`http_req_rate` is not in the form of `http_req_rate(10s)`"],
        ),
        (
            "key = 'ip'\nsize = 1\nstore = 'http_req_rate(0s)'",
            &["not in the form of"],
        ),
        (
            "key = 'ip'\nsize = 1\nstore = 'http_req_cnt(1s)'",
            &["not in the form of `http_req_cnt`"],
        ),
        (
            "key = 'ip'\nsize = 1\nstore = 'gpc(101)'",
            &["not in the form of `gpc(2)`"],
        ),
        (
            "key = 'ip'\nsize = 1\nstore = 'gpc_rate(1s)'",
            &["not in the form of `gpc_rate(2,10s)`"],
        ),
        (
            "key = 'ip'\nsize = 1\nstore = ['gpt0', 'gpt0']",
            &["`store` has `gpt0` twice"],
        ),
        (
            "key = 'ip'\nsize = 1\nstore = 'server_id'",
            &["a table does not choose servers"],
        ),
        ("key = 'ip(4)'\nsize = 1", &["leave the length out"]),
        (
            "key = 'text'\nsize = 1",
            &["`key = \"text\"` is not the type of keys", "\"string(64)\""],
        ),
        (
            "key = 'string(0)'\nsize = 1",
            &["write a length from 1 to 1024"],
        ),
        ("key = 'ip'", &["`[table.t]` has no `size`"]),
        ("size = 1", &["`[table.t]` has no `key`"]),
        (
            "key = 'ip'\nsize = 0",
            &["`size` must be a whole number from 1"],
        ),
        (
            "type = 'ip'\nsize = 1",
            &["unknown key `type`", "write `key`"],
        ),
        ("key = 'ip'\nsize = 1\nttl = '1s'", &["write `expire`"]),
        (
            "key = 'ip'\nsize = 1\nlen = 3",
            &["write the length with the type"],
        ),
    ] {
        let said = errors(&text(TRACK, &format!("{TABLE}[table.t]\n{lines}\n")));
        for part in parts {
            assert!(said.contains(part), "{lines}\n{said}");
        }
        assert_eq!(said.matches("error:").count(), 1, "{said}");
    }
}

#[test]
fn what_uses_a_table_must_fit_it() {
    for (rules, parts) in [
        (
            "{ track = { table = 'client', key = 'src' } }",
            &[
                "table `client` is not defined; defined are `clients`",
                "did you mean `clients`?",
            ][..],
        ),
        (
            "{ track = { table = 'clients', key = 'ssl_fc' } }",
            &["a key of `[table.clients]` is an address, and `ssl_fc` yields true or false"],
        ),
        (
            "{ track = { table = 'clients' } }",
            &["`track` has no `key`"],
        ),
        ("{ track = { key = 'src' } }", &["`track` has no `table`"]),
        (
            "{ track = { table = 'clients', key = 'src', counter = 12 } }",
            &["`counter` must be a whole number from 0 to 11"],
        ),
        (
            "{ on = 'after', track = { table = 'clients', key = 'src' } }",
            &["`track` cannot run with `on = \"after\"`"],
        ),
        (
            "{ when = 'src_http_req_rate(clint) > 1', deny = 429 }",
            &["table `clint` is not defined", "did you mean `clients`?"],
        ),
        (
            "{ when = 'src_http_err_cnt(clients) > 1', deny = 429 }",
            &[
                "`[table.clients]` does not keep what `src,table_http_err_cnt(clients)` reads",
                "add \"http_err_cnt\" to its `store`",
            ],
        ),
        (
            "{ when = 'src,table_gpc(2,clients) > 1', deny = 429 }",
            &["does not keep what"],
        ),
        (
            "{ when = 'ssl_fc,table_http_req_rate(clients) > 1', deny = 429 }",
            &["a key of `[table.clients]` is an address"],
        ),
        (
            "{ when = 'sc_conn_cur(0,clients) > 1', deny = 429 }",
            &["add \"conn_cur\" to its `store`"],
        ),
        (
            "{ when = 'sc_http_req_rte(0) > 1', deny = 429 }",
            &["did you mean `sc_http_req_rate`?"],
        ),
        (
            "{ when = 'sc_http_req_rate > 1', deny = 429 }",
            &["`sc_http_req_rate` needs its argument `counter`"],
        ),
        (
            "{ when = 'src_http_req_rate > 1', deny = 429 }",
            &["`src_http_req_rate` needs its argument `table`"],
        ),
        (
            "{ sc_inc_gpc = { index = 1 } }",
            &["`sc_inc_gpc` has no `counter`"],
        ),
        (
            "{ sc_set_gpt = { counter = 1 } }",
            &["`sc_set_gpt` has no `value`"],
        ),
        (
            "{ sc_set_gpt = { counter = 1, value = 'src' } }",
            &["no error"],
        ),
    ] {
        let said = errors(&text(rules, TABLE));
        for part in parts {
            assert!(said.contains(part), "{rules}\n{said}");
        }
    }
}

#[test]
fn what_is_never_tracked_and_what_nothing_uses_is_warned_of() {
    let of_1 = "{ when = 'sc_http_req_rate(1) > 1', deny = 429 }";
    let of_errors = "{ when = 'sc0_http_err_rate > 1', deny = 429 }";
    for (rules, part) in [
        (
            format!("{TRACK}, {of_1}"),
            "no rule tracks the counter 1, which `sc_http_req_rate(1)` reads",
        ),
        (
            format!("{TRACK}, {of_errors}"),
            "no table of the counter 0 keeps what `sc_http_err_rate(0)` reads",
        ),
        (
            format!("{TRACK}, {{ sc_inc_gpc = {{ counter = 1 }} }}"),
            "no rule tracks the counter 1, so `sc_inc_gpc` does nothing",
        ),
        (
            format!("{TRACK}, {{ sc_set_gpt = {{ counter = 0, value = 1 }} }}"),
            "no table of the counter 0 keeps what `sc_set_gpt` changes",
        ),
        (String::new(), "nothing uses the table `clients`"),
    ] {
        let said = warnings(&text(&rules, TABLE));
        assert!(said.contains(part), "{rules}\n{said}");
        assert_eq!(said.matches("warning:").count(), 1, "{said}");
    }
    let used = format!(
        "{TRACK}, {{ when = 'sc_http_req_rate(0) > 1', deny = 429 }}, {{ sc_inc_gpc = {{ counter = 0 }} }}"
    );
    assert_eq!(warnings(&text(&used, TABLE)), "");
}

#[test]
fn short_forms_of_haproxy_are_the_long_ones() {
    let same = |short: &str, long: &str| {
        let with = |read: &str| {
            plan(&text(
                &format!("{{ when = '{read} > 1', deny = 429 }}"),
                TABLE,
            ))
        };
        assert_eq!(with(short), with(long), "{short}");
    };
    same("sc0_http_req_rate", "sc_http_req_rate(0)");
    same("sc2_get_gpc0(clients)", "sc_get_gpc0(2,clients)");
    same(
        "src_http_req_rate(clients)",
        "src,table_http_req_rate(clients)",
    );
    same("src_get_gpc(1,clients)", "src,table_gpc(1,clients)");
    same(
        "src_http_req_rate(clients),add(1)",
        "src,table_http_req_rate(clients),add(1)",
    );
}

#[test]
fn a_counter_without_a_number_has_that_of_its_position() {
    let track = |more: &str| format!("{{ track = {{ table = 'clients', key = 'src'{more} }} }}");
    let rules = [track(""), track(", counter = 7"), track("")].join(", ");
    let plan = plan(&text(&rules, TABLE));
    let rules = plan.frontends[0].rules.iter();
    let counters = rules.map(|rule| match &rule.action {
        crate::plan::Action::Track(track) => track.counter,
        _ => u8::MAX,
    });
    assert_eq!(counters.collect::<Vec<_>>(), [0, 7, 2]);
}

#[test]
fn mistakes_in_rate_limits_are_said_with_what_to_write() {
    for (limit, parts) in [
        (
            "key = 'src'",
            &["`rate_limit` has no `rate`", "100/10s"][..],
        ),
        ("rate = '1/1s'", &["`rate_limit` has no `key`"]),
        (
            "key = 'src', rate = '10'",
            &["`rate = \"10\"` is not a rate", "\"3/10s\""],
        ),
        ("key = 'src', rate = '0/1s'", &["is not a rate"]),
        ("key = 'src', rate = '1/0s'", &["is not a rate"]),
        ("key = 'src', rate = 10", &["`rate` must be a string"]),
        (
            "key = 'src', rate = '1/1s', on_exceed = 'drop'",
            &["`on_exceed`", "known are `deny`, `delay`, `dry_run`"],
        ),
        (
            "key = 'src', rate = '1/1s', status = 302",
            &["from 400 to 599"],
        ),
        (
            "key = 'src', rate = '1/1s', ipv6_mask = 129",
            &["`ipv6_mask` must be a whole number from 1 to 128"],
        ),
        (
            "key = 'src', rate = '1/1s', nodelay = true",
            &["requests within the `burst` pass at once"],
        ),
    ] {
        let said = errors(&text(&format!("{{ rate_limit = {{ {limit} }} }}"), ""));
        for part in parts {
            assert!(said.contains(part), "{limit}\n{said}");
        }
    }
    let of_route = format!(
        "{BASE}[[frontend.web.route]]\nbackend = 'app'\nrule = [{{ rate_limit = {{ key = 'src', rate = '1/1s' }} }}]"
    );
    let said = errors(&of_route);
    assert!(
        said.contains("a rate limit of a route needs a `name`"),
        "{said}"
    );
    let named = "{ rate_limit = { name = 'a', key = 'src', rate = '1/1s' } }";
    let said = errors(&text(&format!("{named}, {named}"), ""));
    assert!(said.contains("two rate limits have the name `a`"), "{said}");
}

#[test]
fn a_rate_limit_has_its_defaults_and_periods_have_short_names() {
    let limit = |terms: &str| {
        let plan = plan(&text(
            &format!("{{ rate_limit = {{ key = 'src', {terms} }} }}"),
            "",
        ));
        match &plan.frontends[0].rules[0].action {
            crate::plan::Action::RateLimit(limit) => (**limit).clone(),
            other => unreachable!("{other:?}"),
        }
    };
    let found = limit("rate = '3/10s'");
    assert_eq!(
        (found.name.as_str(), found.burst, found.size),
        ("frontend.web.1", 3, 100_000)
    );
    assert_eq!((found.status.as_u16(), found.ipv6_mask), (429, 64));
    for (short, long) in [("s", "1s"), ("m", "1m"), ("min", "60s"), ("h", "1h")] {
        assert_eq!(
            limit(&format!("rate = '5/{short}'")),
            limit(&format!("rate = '5/{long}'"))
        );
    }
}
