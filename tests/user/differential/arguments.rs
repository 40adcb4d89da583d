//! Arguments that HAProxy refuses: Evenkeel refuses the same file, so no mistake is found only by a request.

use std::process::Command;

use crate::case::{Case, case};
use crate::need;
use crate::program::EVENKEEL;
use crate::rig::Folder;

pub(crate) fn cases() -> Vec<Case> {
    vec![case!(arguments_that_haproxy_refuses_are_refused, HAPROXY)]
}

/// Each alone in a file: HAProxy stops at the first one of a section.
const REFUSED: &[&str] = &[
    "path,field(0,/)",
    "path,field(x,/)",
    "path,field(1)",
    "path,word(0,/)",
    "path,bytes(x)",
    "path,bytes",
    "path,regsub",
    "path,regsub(a)",
    "path,regsub([,b)",
    "path,regsub(a,b,x)",
    "path,param",
    "path,concat(a,nosuch,b)",
    "path,add_item",
    "path,add_item(,)",
    "path,strcmp",
    "path,strcmp(foo)",
    "path,secure_memcmp",
    "path,iif(a)",
    "int(1),add(x)",
    "int(1),add(foo.bar)",
    "path,sha2(5)",
    "path,sha2(x)",
    "path,digest",
    "path,digest(foo)",
    "path,hmac(sha256)",
    "path,hmac(foo,a2V5)",
    "path,hmac(sha256,***)",
    "path,xxh32(x)",
    "path,crc32(x)",
    "path,crc32(1,2)",
    "path,lower(1)",
    "path,url_dec(x)",
    "path,url_enc(foo)",
    "path,json(foo)",
    "path,json_query",
    "path,json_query($.a,foo)",
    "path,jwt_verify(FOO,/x)",
    "path,jwt_verify(HS256)",
    "path,http_date(x)",
    "date,http_date(0,foo)",
    "date,utime(%Y,x)",
    "date,ltime(%Y,x)",
    "src,ipmask",
    "src,ipmask(x)",
    "src,ipmask(33)",
    "src,ipmask(24,129)",
    "path,be2dec(:,9)",
    "path,be2dec(:)",
    "path,be2hex(:,0)",
    "path,be2hex(:,2,2)",
    "path,le2dec(:,0)",
    "path,map",
    "path,map(/nosuch/file)",
    "path,map_int_ip(/dev/null,foo)",
    "path,map_str_int(/dev/null,foo)",
    "path,in_table",
    "path,in_table(nosuch)",
    "path,rfc7239_field(foo)",
    "path,nosuchconv",
    "nosuchfetch",
    "req.hdr(a,x)",
    "req.hdr(a,1,2)",
    "urlp(a,?,x)",
    "req.cook(a,b)",
    "rand(x)",
    "date(x)",
    "date(0,foo)",
    "int",
    "int(x)",
    "bool",
    "bool(foo)",
    "bin",
    "bin(0)",
    "bin(xx)",
    "ipv4",
    "ipv4(foo)",
    "ipv6(foo)",
    "var",
    "var(foo)",
    "var(foo.bar)",
    "var(txn.a,b,c)",
    "nbsrv(nosuch)",
    "srv_conn(l/nosuch)",
    "srv_conn",
    "be_conn(nosuch)",
    "table_cnt",
    "table_cnt(nosuch)",
    "sc_http_req_cnt",
    "sc_http_req_cnt(x)",
    "sc_get_gpc(0)",
    "uuid(1)",
    "uuid(x)",
    "req.payload(0)",
    "req.payload(x,1)",
    "capture.req.hdr",
    "capture.req.hdr(x)",
    "req.hdr_names(a,b)",
    "req.body_param(a,x)",
    "fc_pp_tlv(x)",
    "ssl_c_s_dn(cn,x)",
    "ssl_c_s_dn(cn,1,foo)",
    "src(1)",
    "path(1)",
    "status(1)",
    "src,lower(",
    "path,be2hex(:)",
    "path,be2hex(,0,1)",
];

/// One that both take: what refuses the others is not the file around them.
const TAKEN: &str = "path,field(1,/)";

fn arguments_that_haproxy_refuses_are_refused() {
    let folder = Folder::new();
    let is_refused = |expression: &str| {
        let file = folder.write(
            "haproxy.cfg",
            &format!(
                "defaults\n mode http\n timeout connect 5s\n timeout client 5s\n timeout server 5s\n\
                 listen l\n bind 127.0.0.1:80\n http-request set-var(txn.v) {expression}\n \
                 server s 127.0.0.1:1\n"
            ),
        );
        let path = file.to_str().expect("a path of text");
        let theirs = need::HAPROXY.run(&["-c", "-q", "-f", path]);
        let mut program = Command::new(EVENKEEL);
        program.args(["haproxy", "-c", "-q", "-f", path]);
        let ours = program.output().expect("it runs");
        [!theirs.status.success(), !ours.status.success()]
    };
    assert_eq!(is_refused(TAKEN), [false; 2], "{TAKEN}");
    let differing: Vec<&&str> = REFUSED
        .iter()
        .filter(|expression| is_refused(expression) != [true; 2])
        .collect();
    assert!(differing.is_empty(), "not refused by both: {differing:?}");
}
