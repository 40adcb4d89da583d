//! Writes the reference pages `conf/reference/metrics.md`, `reasons.md` and `access-log.md` from
//! the tables of the code; tests compare them.
//!
//! `EVENKEEL_BLESS=1 cargo test` writes them.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use crate::exchange::{BOUNDS_US, Reason, Retry, Side};
use crate::observe::access_log::FIELDS;
use crate::observe::metrics::names::{self, Kind, Metric};
use crate::observe::{
    CheckResult, ConnectionRefusal, HandshakeFailure, NoHeader, PauseCause, ReloadResult,
    ServerState,
};

/// Queries for Prometheus: a description, and the query.
const QUERIES: &[(&str, &str)] = &[
    (
        "Requests a second by frontend and status class",
        "sum by (frontend, class) (label_replace(rate(evenkeel_frontend_requests_total[5m]), \
         \"class\", \"${1}xx\", \"status\", \"(.)..\"))",
    ),
    (
        "Share of a frontend's requests that were answered with a 5xx",
        "sum by (frontend) (rate(evenkeel_frontend_requests_total{status=~\"5..\"}[5m]))\n  / \
         sum by (frontend) (rate(evenkeel_frontend_requests_total[5m]))",
    ),
    (
        "99th percentile of the request duration, by frontend",
        "histogram_quantile(0.99, sum by (frontend, le) \
         (rate(evenkeel_frontend_request_duration_seconds_bucket[5m])))",
    ),
    (
        "Responses that Evenkeel made itself, by reason",
        "sum by (frontend, reason) (rate(evenkeel_replies_total[5m]))",
    ),
    (
        "Share of attempts that failed, by server",
        "sum by (backend, server) (rate(evenkeel_attempt_faults_total[5m]))\n  / sum by (backend, server) \
         (rate({__name__=~\"evenkeel_attempt_faults_total|evenkeel_server_requests_total\"}[5m]))",
    ),
    (
        "Servers up, by backend",
        "sum by (backend) (evenkeel_server_up)",
    ),
    (
        "Availability of a server over 30 days (0 to 1; time before its first check is not counted)",
        "sum by (backend, server) (increase(evenkeel_server_state_seconds_total{state=\"up\"}[30d]))\n  / \
         sum by (backend, server) (increase(evenkeel_server_state_seconds_total{state=~\"up|down\"}[30d]))\n  \
         or on (backend, server) max_over_time(evenkeel_server_up[30d])",
    ),
    (
        "Mean time to repair (MTTR) in seconds: time down, divided by changes to up",
        "sum by (backend, server) (increase(evenkeel_server_state_seconds_total{state=\"down\"}[30d]))\n  / \
         sum by (backend, server) (increase(evenkeel_server_transitions_total{to=\"up\"}[30d]))",
    ),
    (
        "Mean time between failures (MTBF) in seconds: time up, divided by changes to down",
        "sum by (backend, server) (increase(evenkeel_server_state_seconds_total{state=\"up\"}[30d]))\n  / \
         sum by (backend, server) (increase(evenkeel_server_transitions_total{to=\"down\"}[30d]))",
    ),
    (
        "Share of attempts on a reused connection",
        "sum by (backend) (rate(evenkeel_server_connections_reused_total[5m]))\n  / (sum by (backend) \
         (rate(evenkeel_server_connections_reused_total[5m]))\n    + sum by (backend) \
         (rate(evenkeel_server_connections_opened_total[5m])))",
    ),
    (
        "Reloads that failed in the last hour",
        "increase(evenkeel_config_reloads_total{result=\"failed\"}[1h]) > 0",
    ),
];

type IsOfPart = fn(&Metric) -> bool;

/// The parts of the page of metrics, by the first label.
const PARTS: [(&str, IsOfPart); 3] = [
    ("Frontends", |metric| {
        metric.labels.first() == Some(&"frontend")
    }),
    ("Backends and servers", |metric| {
        metric.labels.first() == Some(&"backend")
    }),
    ("Process", |metric| {
        !matches!(metric.labels.first(), Some(&"frontend" | &"backend"))
    }),
];

#[test]
fn the_page_of_metrics_is_that_of_the_table() {
    held("conf/reference/metrics.md", &metrics_page());
}

#[test]
fn the_page_of_reasons_is_that_of_the_table() {
    held("conf/reference/reasons.md", &reasons_page());
}

#[test]
fn the_page_of_the_access_log_is_that_of_the_table() {
    held("conf/reference/access-log.md", &access_log_page());
}

#[test]
fn queries_ask_for_metrics_that_there_are() {
    for (_, query) in QUERIES {
        let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let asked = words.filter(|word| word.starts_with("evenkeel_"));
        for name in asked {
            let name = name.strip_suffix("_bucket").unwrap_or(name);
            assert!(
                names::ALL.iter().any(|metric| metric.name == name),
                "{name}"
            );
        }
    }
}

/// Fails if `path` differs from `expected`; with `EVENKEEL_BLESS` set, writes it.
pub(super) fn held(path: &str, expected: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if env::var_os("EVENKEEL_BLESS").is_some() {
        fs::write(&file, expected).expect("it writes");
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == expected,
        "{path} differs from the code; run the tests with EVENKEEL_BLESS=1, or write:\n\n{expected}"
    );
}

fn metrics_page() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         The admin listener serves them at `/metrics`, in the Prometheus text format. A test keeps this page equal to\n\
         the code's table (`src/observe/metrics/names.rs`).\n\n\
         When a reload removes a frontend, backend or server, its series disappear; all others continue. A series by\n\
         status, reason, result or cause appears with its first count, a histogram with its first duration.\n\n\
         A server that was never used has one series, `evenkeel_server_up`: there may be tens of thousands of servers.\n\
         Its other series appear with its first exchange, those of checks with the first check, and those of states\n\
         and transitions when it is down for the first time. The queue of a backend or server appears when an exchange\n\
         waits there at the time of a scrape. An absent series means 0; an absent time in states means that the server was\n\
         never down. A series that has appeared stays until a reload removes its server or backend, also when the\n\
         server gets another address. `evenkeel_servers` and `evenkeel_servers_transitions_total`, the sums over all\n\
         servers, are always there. `increase` does not see the count with which a counter appears: to alert on the\n\
         first failure of a server, write `changes(evenkeel_server_up[5m]) > 0`, or use the sums.\n\n",
    );
    for (title, is_of_part) in PARTS {
        let of_part = names::ALL.iter().filter(|metric| is_of_part(metric));
        write!(
            page,
            "## {title}\n\n| name | type | labels | what |\n|---|---|---|---|\n"
        )
        .expect("text");
        for Metric {
            name,
            kind,
            labels,
            help,
            ..
        } in of_part
        {
            let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
            let (kind, labels) = (kind.as_str(), labels.join(", "));
            writeln!(page, "| `{name}` | {kind} | {labels} | {help} |").expect("text");
        }
        page.push('\n');
    }
    label_values(&mut page);
    page.push_str(
        "## Queries\n\n\
         Something that has never happened has no series: an empty result means none.\n",
    );
    for (what, query) in QUERIES {
        write!(page, "\n{what}:\n\n```promql\n{query}\n```\n").expect("text");
    }
    page
}

fn label_values(page: &mut String) {
    let listed = |codes: Vec<&str>| {
        let codes: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
        codes.join(", ")
    };
    let seconds: Vec<String> = BOUNDS_US
        .iter()
        .map(|bound_us| (*bound_us as f64 / 1e6).to_string())
        .collect();
    let histograms = names::ALL
        .iter()
        .filter(|metric| metric.kind == Kind::Histogram);
    write!(
        page,
        "## Labels\n\n\
         - `status`: three digits. An exchange that ended before the client got a status has the one that the client\n  \
         would have got; 499 if the client left.\n\
         - `reason`: see [reasons](reasons.md).\n\
         - `reason` of a failed TLS handshake: {}.\n\
         - `state`: {}.\n\
         - `result` of a check: {}.\n\
         - `result` of a reload: {}.\n\
         - `cause` of a pause: {}.\n\
         - `cause` of a failure of the PROXY protocol: {}.\n\
         - `cause` of a refused connection: {} (the first two: rules for connections).\n\
         - `le` of the {} histograms, in seconds: {}.\n\n",
        listed(HandshakeFailure::ALL.map(HandshakeFailure::code).to_vec()),
        listed(ServerState::ALL.map(ServerState::code).to_vec()),
        listed(CheckResult::ALL.map(CheckResult::code).to_vec()),
        listed(ReloadResult::ALL.map(ReloadResult::code).to_vec()),
        listed(PauseCause::ALL.map(PauseCause::code).to_vec()),
        listed(NoHeader::ALL.map(NoHeader::code).to_vec()),
        listed(ConnectionRefusal::ALL.map(ConnectionRefusal::code).to_vec()),
        histograms.count(),
        seconds.join(", "),
    )
    .expect("text");
}

fn access_log_page() -> String {
    let mut page = String::from(
        "# Access log\n\n\
         Each request is one line of JSON, written when its exchange is over; in TCP mode and with `passthrough`, each\n\
         connection is. `[[log.access]]` says where to (`to`), and `to = \"off\"` turns it off; its `format` makes\n\
         [other lines](log-formats.md), such as HAProxy's. Written from the code's own table\n\
         (`src/observe/access_log/fields.rs`) and held to it by a test.\n\n\
         The fields are always in this order. A field that does not apply, or whose step was not reached, is `null`;\n\
         only fields marked *if* can be absent. A line is ASCII: other characters are escaped (`\\u00e9`), and bytes that\n\
         are not UTF-8 are `\\ufffd`. Texts of a client are cut at a limit, so that no request can fill the disk; a field\n\
         `…_bytes` then has the full length.\n\n\
         A connection that ends before its first request has no line: a failed TLS handshake or a missing PROXY header is\n\
         an event of the log at `level = \"debug\"`, and is counted in the [metrics](metrics.md).\n\n\
         | field | type | example | meaning |\n|---|---|---|---|\n",
    );
    for field in FIELDS {
        let (name, kind, example, meaning) = (field.name, field.kind, field.example, field.meaning);
        writeln!(page, "| `{name}` | {kind} | `{example}` | {meaning} |").expect("text");
    }
    page.push_str("\nA line, here on several:\n\n```json\n{");
    page.push_str(&example_of(""));
    page.push_str(
        "}\n```\n\n\
         ## Requests whose head was refused\n\n\
         A head that cannot be read (400 `request.head.malformed`, 431, 408) has a line as well, with as much of the\n\
         first line as was read: `method`, `target`, `version`. The other fields of the request are `null`. Method and\n\
         target are `null` too where they are not known: a stream of HTTP/2 that was reset for its head.\n",
    );
    page
}

/// The examples of the fields that are always present, in the object `outer`.
fn example_of(outer: &str) -> String {
    let own = FIELDS.iter().filter_map(|field| {
        let name = field.name.strip_prefix(outer)?;
        let is_own = !name.contains(['.', '[']) && !field.kind.contains(", if");
        is_own.then_some((name, field.example))
    });
    let written = own.map(|(name, example)| match name {
        "times_ms" => format!("\n \"times_ms\":{{{}}}", example_of("times_ms.")),
        "method" | "tls_version" | "status" => format!("\n \"{name}\":{example}"),
        // As in an exchange that went well.
        "reason" => "\"reason\":null".to_owned(),
        _ => format!("\"{name}\":{example}"),
    });
    written.collect::<Vec<_>>().join(",")
}

fn reasons_page() -> String {
    let mut page = String::from(
        "# Reasons\n\n\
         Each response that Evenkeel makes itself, each exchange that ends early and each failed attempt has one of these\n\
         codes. It is the same in the access log (`reason`, `failed`), in the metrics (`evenkeel_replies_total`,\n\
         `evenkeel_attempt_faults_total`) and in the admin API. A test keeps this page equal to the code's table\n\
         (`src/exchange/reason.rs`).\n\n\
         - *status*: the status that the client gets. *cut*: the connection is closed, because a response has already\n  \
         begun or none is possible. 499 is never sent: log and metrics have it for a client that left.\n  \
         `request.heads.too_large` has no status in the log, and is not in `evenkeel_frontend_requests_total`.\n\
         - *side*: who caused it.\n\
         - *retry*: the word of `retry.on` in a backend that stands for it: then an idempotent request (RFC 9110 §9.2.2)\n  \
         goes to another server, if its body is still here. A request of which no byte was written, or which the server\n  \
         has refused, goes to another server whatever the list says.\n\n\
         Also, if an idle connection from the pool turns out to be dead, its request is sent once more to the same server\n\
         on a new connection: if no byte of it was sent, or if it is idempotent and its body is still here. A body is here\n\
         while it has at most 16 KiB, and no more than 8 MiB of bodies are kept by the worker, nor more than half of\n\
         `http2.connection_window` for one HTTP/2 connection.\n\n\
         A connection to a server over HTTP/1.1 carries no other request if its server answered before it had the whole request,\n\
         or refused (4xx or 5xx) one of more than 16 KiB: some servers throw away the next request with the rest of this one.\n\n\
         | reason | status | side | retry | what |\n|---|---|---|---|---|\n",
    );
    for reason in Reason::ALL {
        let status = match reason.status() {
            Some(status) => status.as_u16().to_string(),
            None => "cut".to_owned(),
        };
        let side = match reason.side() {
            Side::Client => "client",
            Side::Proxy => "proxy",
            Side::Server => "server",
        };
        let retry = match reason.retry() {
            Retry::Connect => "connect",
            Retry::Refused => "refused",
            Retry::Empty => "empty",
            Retry::Timeout => "timeout",
            Retry::Malformed => "malformed",
            Retry::Never => "",
        };
        let (code, meaning) = (reason.code(), reason.meaning());
        writeln!(
            page,
            "| `{code}` | {status} | {side} | {retry} | {meaning} |"
        )
        .expect("text");
    }
    page
}
