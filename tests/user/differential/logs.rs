//! Lines of access logs: what both proxies write of the same exchange, in one format.
//!
//! Left out: times and dates; bytes, since HAProxy counts heads too; counts of connections and exchanges;
//! names; quotes, `#` and bytes that are not visible in the value of an expression, which HAProxy 2.6 writes as
//! they are; `%{+Q,+X}ci`, to which it
//! gives no quotes; and `%[status]`, which it has lost by then.

use std::net::UdpSocket;
use std::time::Duration;

use crate::case::{Case, case};
use crate::rig::{Origin, Setup, until};

use super::{ANSWER, IPV4, IPV6, Side};

pub(crate) fn cases() -> Vec<Case> {
    vec![case!(log_lines_are_those_of_haproxy, HAPROXY)]
}

const FORMAT: &str = "%ci %cp %fi %fp %HM %HP %HQ %HU %HV %ST %ts %tsc %rc %CC %CS|%hr|%hs|%% %{+Q}r %{+Q}HM \
    %{+X}ci %{+X}cp %{+X}fi  %{-Q}ci %[src] %{+Q}[src_port] %[var(txn.a)] %{+Q}[var(txn.a)] \
    %{+E}[var(txn.a)] %{+Q}[var(txn.none)] %[var(txn.none)] %[ssl_fc] %{+Q}o %HM %ST %{-Q}HU %[str(b),upper]";

/// The client, the request line, and the field `x-a`.
const REQUESTS: &[(&str, &str, &str)] = &[
    (IPV4, "GET / HTTP/1.1", "a"),
    (IPV4, "GET /a?b=c&d HTTP/1.1", "a b"),
    (IPV4, "DELETE /%41/b%20c;x=1?d;e HTTP/1.1", "a]b\\c [d]"),
    (IPV4, "GET /? HTTP/1.1", "a;b=c"),
    (IPV4, "POST /deny HTTP/1.1", "~!"),
    (IPV6, "OPTIONS /x HTTP/1.1", "[1]"),
    (IPV4, "GET /old HTTP/1.0", ""),
];

fn log_lines_are_those_of_haproxy() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let deadline = Duration::from_secs(60);
    socket.set_read_timeout(Some(deadline)).expect("it is set");
    let port = socket.local_addr().expect("bound").port();
    let haproxy = Side::haproxy(&format!(
        " log 127.0.0.1:{port} format raw local0\n log-format '{FORMAT}'\n \
         http-request set-var(txn.a) req.fhdr(x-a)\n http-request deny if {{ path /deny }}"
    ));
    let origin = Origin::answering(ANSWER);
    let logs = format!(
        "[[log.access]]\nto = \"{{log}}\"\n[[log.access]]\nto = \"{{log}}.lines\"\nformat = '{FORMAT}'\n"
    );
    let setup = Setup::of(&[&origin]).access_logs(&logs).frontend(
        "proxy_protocol = 'required'\n\
         rule = [{ set_var = { 'txn.a' = 'req.fhdr(x-a)' } }, { when = 'path == \"/deny\"', deny = 403 }]",
    );
    let evenkeel = Side::of(origin, &setup);
    let path = evenkeel.end.0.folder().path("access.log.lines");
    for (count, (client, line, value)) in REQUESTS.iter().enumerate() {
        let request = format!("PROXY {client}\r\n{line}\r\nhost: a\r\nx-a: {value}\r\n\r\n");
        haproxy.ask(&request);
        evenkeel.ask(&request);
        let theirs = line_of_haproxy(&socket);
        let ours = until("there is a line", || {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<&str> = text.split_terminator('\n').collect();
            (text.ends_with('\n') && lines.len() > count).then(|| lines[count].to_owned())
        });
        assert_eq!(ours, theirs.trim_end_matches('\n'), "{line}");
    }
}

/// The next line. HAProxy also writes of the connection that only asked whether it listens.
fn line_of_haproxy(socket: &UdpSocket) -> String {
    loop {
        let mut datagram = [0; 4096];
        let length = socket.recv(&mut datagram).expect("a line");
        let line = String::from_utf8_lossy(&datagram[..length]).into_owned();
        if !line.contains("PROXY protocol header") {
            return line;
        }
    }
}
