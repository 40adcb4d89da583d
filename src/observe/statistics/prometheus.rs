//! Metrics with the names that HAProxy's exporter has for them (`use-service prometheus-exporter`).

use std::fmt::Write as _;

use super::rows::{Kind, Row, STATUSES, Value};

/// A column, its metric behind `haproxy_frontend_` and so on, and whether it is a counter.
type Metric = (&'static str, &'static str);

const FRONTEND: &[Metric] = &[
    ("scur", "current_sessions"),
    ("slim", "limit_sessions"),
    ("stot", "sessions_total"),
    ("bin", "bytes_in_total"),
    ("bout", "bytes_out_total"),
    ("dreq", "requests_denied_total"),
    ("ereq", "request_errors_total"),
    ("req_tot", "http_requests_total"),
    ("comp_in", "http_comp_bytes_in_total"),
    ("comp_out", "http_comp_bytes_out_total"),
    ("conn_tot", "connections_total"),
    ("intercepted", "intercepted_requests_total"),
    ("dcon", "denied_connections_total"),
];

const BACKEND: &[Metric] = &[
    ("qcur", "current_queue"),
    ("scur", "current_sessions"),
    ("stot", "sessions_total"),
    ("econ", "connection_errors_total"),
    ("eresp", "response_errors_total"),
    ("weight", "weight"),
    ("act", "active_servers"),
    ("bck", "backup_servers"),
    ("lbtot", "loadbalanced_total"),
    ("req_tot", "http_requests_total"),
    ("connect", "connection_attempts_total"),
    ("reuse", "connection_reuses_total"),
];

const SERVER: &[Metric] = &[
    ("qcur", "current_queue"),
    ("scur", "current_sessions"),
    ("slim", "limit_sessions"),
    ("stot", "sessions_total"),
    ("econ", "connection_errors_total"),
    ("eresp", "response_errors_total"),
    ("weight", "weight"),
    ("chkfail", "check_failures_total"),
    ("chkdown", "check_up_down_total"),
    ("lastchg", "check_last_change_seconds"),
    ("downtime", "downtime_seconds_total"),
    ("lbtot", "loadbalanced_total"),
    ("connect", "connection_attempts_total"),
    ("reuse", "connection_reuses_total"),
];

pub(crate) fn write(rows: &[Row]) -> String {
    let mut text = String::new();
    for (kind, word, metrics) in [
        (Kind::Frontend, "frontend", FRONTEND),
        (Kind::Backend, "backend", BACKEND),
        (Kind::Server, "server", SERVER),
    ] {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.kind == kind).collect();
        status(word, &rows, &mut text);
        statuses(word, &rows, &mut text);
        for (column, name) in metrics {
            let is_total = name.ends_with("_total");
            head(
                word,
                name,
                if is_total { "counter" } else { "gauge" },
                &mut text,
            );
            for row in &rows {
                if let Some(Value::Number(number)) = row.value(column) {
                    sample(word, name, row, "", *number, &mut text);
                }
            }
        }
    }
    text
}

fn status(word: &str, rows: &[&Row], text: &mut String) {
    head(word, "status", "gauge", text);
    for row in rows {
        // A server without checks is up, as in HAProxy.
        let is_down = row.shown("status") == "DOWN";
        for (state, is_it) in [("DOWN", is_down), ("UP", !is_down)] {
            let label = format!(",state=\"{state}\"");
            sample(word, "status", row, &label, u64::from(is_it), text);
        }
    }
}

fn statuses(word: &str, rows: &[&Row], text: &mut String) {
    head(word, "http_responses_total", "counter", text);
    for row in rows {
        for column in STATUSES {
            if let Some(Value::Number(number)) = row.value(column) {
                let label = format!(",code=\"{}\"", column.trim_start_matches("hrsp_"));
                sample(word, "http_responses_total", row, &label, *number, text);
            }
        }
    }
}

fn head(word: &str, name: &str, kind: &str, text: &mut String) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "# TYPE haproxy_{word}_{name} {kind}");
}

fn sample(word: &str, name: &str, row: &Row, more: &str, number: u64, text: &mut String) {
    let proxy = escaped(&row.proxy);
    let server = match row.kind {
        Kind::Server => format!(",server=\"{}\"", escaped(&row.name)),
        _ => String::new(),
    };
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "haproxy_{word}_{name}{{proxy=\"{proxy}\"{server}{more}}} {number}"
    );
}

/// A label's value in the exposition format.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::rows::fixture;
    use super::*;

    #[test]
    fn metrics_have_haproxys_names_and_labels() {
        let text = write(&fixture::rows());
        for line in [
            "# TYPE haproxy_frontend_current_sessions gauge",
            "haproxy_frontend_current_sessions{proxy=\"web<1>\"} 3",
            "haproxy_frontend_http_responses_total{proxy=\"web<1>\",code=\"2xx\"} 5",
            "haproxy_backend_active_servers{proxy=\"app\"} 1",
            "haproxy_server_status{proxy=\"app\",server=\"c\",state=\"DOWN\"} 1",
            "haproxy_server_connection_errors_total{proxy=\"app\",server=\"c\"} 2",
            "haproxy_server_weight{proxy=\"app\",server=\"a,\\\"b\\\"\"} 2",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "no {line} in\n{text}"
            );
        }
    }
}
