//! The reference pages `conf/reference/metrics.md` and `reasons.md`, made from the tables of the
//! code and held to them.
//!
//! `EVENKEEL_BLESS=1 cargo test` writes them anew.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use crate::exchange::{Reason, Retry, Side};
use crate::observe::metrics::names::{self, Kind, Metric};
use crate::observe::metrics::shard::BOUNDS_US;
use crate::observe::{CheckResult, NoHeader, PauseCause, ReloadResult, ServerState};

/// What to ask Prometheus: what it gives, and how.
const QUERIES: &[(&str, &str)] = &[
    (
        "Requests a second by frontend and status class",
        "sum by (frontend, class) (label_replace(rate(evenkeel_frontend_requests_total[5m]), \
         \"class\", \"${1}xx\", \"status\", \"(.)..\"))",
    ),
    (
        "Share of requests that a frontend answered with a 5xx",
        "sum by (frontend) (rate(evenkeel_frontend_requests_total{status=~\"5..\"}[5m]))\n  / \
         sum by (frontend) (rate(evenkeel_frontend_requests_total[5m]))",
    ),
    (
        "99th percentile of the request duration, by frontend",
        "histogram_quantile(0.99, sum by (frontend, le) \
         (rate(evenkeel_frontend_request_duration_seconds_bucket[5m])))",
    ),
    (
        "Why the proxy answered by itself",
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
         sum by (backend, server) (increase(evenkeel_server_state_seconds_total{state=~\"up|down\"}[30d]))",
    ),
    (
        "Mean time to repair (MTTR) in seconds: time down for each return to up",
        "sum by (backend, server) (increase(evenkeel_server_state_seconds_total{state=\"down\"}[30d]))\n  / \
         sum by (backend, server) (increase(evenkeel_server_transitions_total{to=\"up\"}[30d]))",
    ),
    (
        "Mean time between failures (MTBF) in seconds: time up for each fall to down",
        "sum by (backend, server) (increase(evenkeel_server_state_seconds_total{state=\"up\"}[30d]))\n  / \
         sum by (backend, server) (increase(evenkeel_server_transitions_total{to=\"down\"}[30d]))",
    ),
    (
        "Share of attempts on a connection that was open already",
        "sum by (backend) (rate(evenkeel_server_connections_reused_total[5m]))\n  / (sum by (backend) \
         (rate(evenkeel_server_connections_reused_total[5m]))\n    + sum by (backend) \
         (rate(evenkeel_server_connections_opened_total[5m])))",
    ),
    (
        "A configuration that could not be loaded in the last hour",
        "increase(evenkeel_config_reloads_total{result=\"failed\"}[1h]) > 0",
    ),
];

type IsOfPart = fn(&Metric) -> bool;

/// The parts of the page of metrics, told apart by the first label.
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

/// Fails when `path` does not say `expected`; with `EVENKEEL_BLESS` set it is made to.
fn held(path: &str, expected: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if env::var_os("EVENKEEL_BLESS").is_some() {
        fs::write(&file, expected).expect("it writes");
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == expected,
        "{path} is not what the code says; run the tests with EVENKEEL_BLESS=1, or write:\n\n{expected}"
    );
}

fn metrics_page() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         Served at `/metrics` of the admin listener, in the Prometheus text format. Written from the code's own\n\
         table (`src/observe/metrics/names.rs`) and held to it by a test.\n\n\
         The series of a frontend, backend or server that a reload removed go away; those of one that is still\n\
         there go on. Series by status, reason, result or cause begin with the first count, histograms with the\n\
         first duration.\n\n",
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
        "## Questions\n\n\
         What has never happened has no series: such a question has no answer then, which means none.\n",
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
         - `status`: three digits. An exchange that ended before the client was sent a status has the one that it\n  \
         would have been sent; 499 when the client left.\n\
         - `reason`: see [reasons](reasons.md).\n\
         - `state`: {}.\n\
         - `result` of a check: {}.\n\
         - `result` of a reload: {}.\n\
         - `cause` of a pause: {}.\n\
         - `cause` of a failure of the PROXY protocol: {}.\n\
         - `le` of the {} histograms, in seconds: {}.\n\n",
        listed(ServerState::ALL.map(ServerState::code).to_vec()),
        listed(CheckResult::ALL.map(CheckResult::code).to_vec()),
        listed(ReloadResult::ALL.map(ReloadResult::code).to_vec()),
        listed(PauseCause::ALL.map(PauseCause::code).to_vec()),
        listed(NoHeader::ALL.map(NoHeader::code).to_vec()),
        histograms.count(),
        seconds.join(", "),
    )
    .expect("text");
}

fn reasons_page() -> String {
    let mut page = String::from(
        "# Reasons\n\n\
         Each answer that the proxy makes itself, each exchange that ends early and each failed attempt has one of\n\
         these codes, the same in the access log (`reason`, `failed`), in the metrics (`evenkeel_replies_total`,\n\
         `evenkeel_attempt_faults_total`) and in the admin API. Written from the code's own table\n\
         (`src/exchange/reason.rs`) and held to it by a test.\n\n\
         *status*: what the client is sent; *cut*: an answer was on its way already, or none can be given, and the\n\
         connection ends. 499 is sent to nobody: it stands in log and metrics for a client that left.\n\
         *side*: on whose account it goes. *tried again*: whether another server may be tried after it: always\n\
         (this one has seen nothing), if unsent (not a byte of the request was written), or never. Besides, a request on\n\
         a kept connection that turns out to be dead is sent once more to the same server, on a fresh connection: if\n\
         unsent, or if it is idempotent (RFC 9110 §9.2.2) and has no body.\n\n\
         | reason | status | side | tried again | what |\n|---|---|---|---|---|\n",
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
            Retry::Safe => "always",
            Retry::IfUnsent => "if unsent",
            Retry::Never => "never",
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
