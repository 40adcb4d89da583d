//! Tables: what rules track, count and tag, and what expressions read of it.
//!
//! Each of [`READS`] is evaluated for each request; the entries live on from one request to the next.
//! Left out: `sc_conn_cur` and `sc_trackers`, because it is not known when HAProxy has ended the
//! exchange before; and full tables. There HAProxy 2.6 removes nothing and takes no new key if each
//! entry was changed since it looked for the oldest one last; here the oldest one always makes room.

use std::fmt::Write as _;

use crate::case::{Case, case};
use crate::rig::{Origin, Setup};

use super::{ANSWER, IPV4, IPV6, Pair, Side};

pub(crate) fn cases() -> Vec<Case> {
    vec![case!(tables_count_what_haproxy_counts, HAPROXY)]
}

const HAPROXY_TABLES: &str = "\
backend names
 stick-table type string len 8 size 100 expire 1h store http_req_cnt,http_req_rate(1h),http_err_cnt,http_err_rate(1h),http_fail_cnt,http_fail_rate(1h),conn_cnt,conn_rate(1h),gpc0,gpc0_rate(1h),gpc1,gpc1_rate(1h),gpt0
backend addrs
 stick-table type ip size 100 expire 1h store http_req_cnt,conn_cnt
backend few
 stick-table type integer size 10 expire 1h store http_req_cnt,gpc(3),gpc_rate(3,1h),gpt(3)
backend none
 stick-table type integer size 1 expire 1h nopurge store http_req_cnt
backend raw
 stick-table type binary len 4 size 10 expire 1h store http_req_cnt
";

const HAPROXY: &str = "
 http-request track-sc0 req.hdr(x-name) table names
 http-request track-sc1 src table addrs
 http-request track-sc2 req.hdr(x-number) table few
 http-request track-sc0 str(never) table names
 http-request sc-inc-gpc0(0) if { path /inc }
 http-request sc-inc-gpc1(0) if { path /inc }
 http-request sc-set-gpt0(0) int(7) if { path /tag }
 http-request sc-inc-gpc(1,2) if { path /inc }
 http-request sc-set-gpt(2,2) req.hdr(x-number) if { path /tag }
 http-request deny if { path /deny }
";

const EVENKEEL: &str = "rule = [
{ track = { table = 'names', key = 'req.hdr(x-name)' } },
{ track = { table = 'addrs', key = 'src' } },
{ track = { table = 'few', key = 'req.hdr(x-number)' } },
{ track = { table = 'names', key = 'str(never)', counter = 0 } },
{ when = 'path == \"/inc\"', sc_inc_gpc = { counter = 0, index = 0 } },
{ when = 'path == \"/inc\"', sc_inc_gpc = { counter = 0, index = 1 } },
{ when = 'path == \"/tag\"', sc_set_gpt = { counter = 0, index = 0, value = 7 } },
{ when = 'path == \"/inc\"', sc_inc_gpc = { counter = 2, index = 1 } },
{ when = 'path == \"/tag\"', sc_set_gpt = { counter = 2, index = 2, value = 'req.hdr(x-number)' } },
{ when = 'path == \"/deny\"', deny = 403 },
";

const TABLES: &str = "\
[table.names]
key = 'string(8)'
size = 100
expire = '1h'
store = ['http_req_cnt', 'http_req_rate(1h)', 'http_err_cnt', 'http_err_rate(1h)', 'http_fail_cnt', 'http_fail_rate(1h)', 'conn_cnt', 'conn_rate(1h)', 'gpc0', 'gpc0_rate(1h)', 'gpc1', 'gpc1_rate(1h)', 'gpt0']
[table.addrs]
key = 'ipv4'
size = 100
expire = '1h'
store = ['http_req_cnt', 'conn_cnt']
[table.few]
key = 'integer'
size = 10
expire = '1h'
store = ['http_req_cnt', 'gpc(3)', 'gpc_rate(3,1h)', 'gpt(3)']
[table.none]
key = 'integer'
size = 1
expire = '1h'
nopurge = true
store = ['http_req_cnt']
[table.raw]
key = 'binary(4)'
size = 10
expire = '1h'
store = ['http_req_cnt']
";

/// The client, the target, and the fields `x-name` and `x-number`; an empty one is left out.
const REQUESTS: &[(&str, &str, &str, &str)] = &[
    (IPV4, "/", "a", "1"),
    (IPV4, "/", "a", "2"),
    (IPV4, "/inc", "a", "2"),
    (IPV4, "/tag", "a", "2"),
    (IPV4, "/deny", "a", "1"),
    (IPV4, "/", "a", "2"),
    // A text is cut to the length of keys.
    (IPV4, "/inc", "longer than eight", "3"),
    (IPV4, "/", "longer t", "3"),
    (IPV4, "/", "b", "4"),
    (IPV4, "/", "b", "1"),
    (IPV4, "/", "b", "2"),
    (IPV4, "/", "b", "-1"),
    (IPV4, "/", "b", "4294967295"),
    // No key: nothing is tracked.
    (IPV4, "/inc", "", ""),
    (IPV4, "/tag", "", "no number"),
    (IPV6, "/", "a", "5"),
];

const READS: &[&str] = &[
    "sc_http_req_cnt(0)",
    "sc0_http_req_cnt",
    "sc_http_req_rate(0)",
    "sc_http_err_cnt(0)",
    "sc_http_err_rate(0)",
    "sc_http_fail_cnt(0)",
    "sc_http_fail_rate(0)",
    "sc0_http_fail_rate",
    "sc_conn_cnt(0)",
    "sc_conn_rate(0)",
    "sc_get_gpc0(0)",
    "sc0_get_gpc0",
    "sc_gpc0_rate(0)",
    "sc_get_gpc1(0)",
    "sc_gpc1_rate(0)",
    "sc_get_gpt0(0)",
    "sc_tracked(0)",
    "sc_tracked(2)",
    "sc_http_req_cnt(1)",
    "sc1_conn_cnt",
    "sc_http_req_cnt(2)",
    "sc2_http_req_cnt",
    "sc_get_gpc(0,2)",
    "sc_get_gpc(1,2)",
    "sc_gpc_rate(1,2)",
    "sc_get_gpt(2,2)",
    "sc_get_gpc0(2)",
    "sc_get_gpc1(2)",
    "sc_gpc1_rate(2)",
    // The same key in another table.
    "sc_http_req_cnt(2,none)",
    "sc2_http_req_cnt(none)",
    // Without tracking.
    "src_http_req_cnt(addrs)",
    "src_conn_cnt(addrs)",
    "src,table_http_req_cnt(addrs)",
    "src,in_table(addrs)",
    "str(192.0.2.7),table_http_req_cnt(addrs)",
    "str(192.0.2.8),table_http_req_cnt(addrs)",
    "str(192.0.2.8),in_table(addrs)",
    "str(nothing),table_http_req_cnt(addrs)",
    "str(a),table_http_req_cnt(names)",
    "str(a),table_http_req_rate(names)",
    "str(a),table_http_err_cnt(names)",
    "str(a),table_conn_cnt(names)",
    "str(a),table_gpc0(names)",
    "str(a),table_conn_rate(names)",
    "str(a),table_gpc0_rate(names)",
    "str(a),table_gpc1(names)",
    "str(a),table_gpc1_rate(names)",
    "str(a),table_http_err_rate(names)",
    "str(a),table_http_fail_cnt(names)",
    "str(a),table_http_fail_rate(names)",
    "str(a),table_gpt0(names)",
    "str(longer than nine),table_gpc0(names)",
    "int(1),table_http_req_cnt(few)",
    "int(2),table_gpc(1,few)",
    "int(2),table_gpc_rate(1,few)",
    "int(2),table_gpt(2,few)",
    "int(3),in_table(few)",
    "int(4294967297),table_http_req_cnt(few)",
    "int(1),in_table(none)",
    "str(abcd),table_http_req_cnt(raw)",
    "table_cnt(few)",
    "table_avl(few)",
    "table_cnt(none)",
    "table_avl(names)",
];

fn tables_count_what_haproxy_counts() {
    let (mut theirs, mut ours) = (HAPROXY.to_owned(), EVENKEEL.to_owned());
    for (number, read) in READS.iter().enumerate() {
        writeln!(
            theirs,
            " http-request set-header x-{number} \"<%[{read}]>\""
        )
        .expect("text");
        writeln!(ours, "{{ set_header = {{ x-{number} = '<%[{read}]>' }} }},").expect("text");
    }
    ours.push(']');
    let origin = Origin::answering(ANSWER);
    let setup = Setup::of(&[&origin]).frontend(&format!("proxy_protocol = \"required\"\n{ours}"));
    let pair = Pair {
        haproxy: Side::haproxy_in(None, HAPROXY_TABLES, &theirs),
        evenkeel: Side::of(origin, &setup.rest(TABLES)),
    };
    let mut differences = String::new();
    for (index, (client, target, name, number)) in REQUESTS.iter().enumerate() {
        let mut request = format!("GET {target} HTTP/1.1\r\nhost: a");
        for (field, value) in [("x-name", name), ("x-number", number)] {
            if !value.is_empty() {
                write!(request, "\r\n{field}: {value}").expect("text");
            }
        }
        let [theirs, ours] = pair.ask(client, &request);
        assert_eq!(ours.client.status(), theirs.client.status(), "{target}");
        // What an answer of our own counts is counted when it has been sent: before its line.
        pair.evenkeel.end.0.wait_for_lines(index + 1);
        let (Some(theirs), Some(ours)) = (theirs.origin, ours.origin) else {
            continue;
        };
        for (number, read) in READS.iter().enumerate() {
            let field = format!("x-{number}");
            let (theirs, ours) = (theirs.values(&field), ours.values(&field));
            if theirs != ours {
                writeln!(
                    differences,
                    "request {index} ({target}): {read}: HAProxy {theirs:?}, Evenkeel {ours:?}"
                )
                .expect("text");
            }
        }
    }
    assert!(differences.is_empty(), "\n{differences}");
}
