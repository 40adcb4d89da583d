//! One exchange as one JSON object in the Elastic Common Schema (ECS 8), with dotted names.
//!
//! Each field has the name and the type of the schema; what it has no field for is under `labels`. A
//! fact that does not apply is left out: the schema has no `null`.
//!
//! <https://www.elastic.co/guide/en/ecs/8.17/ecs-field-reference.html>

use std::io::Write as _;

use http::Version;

use crate::base::Peer;
use crate::exchange::{LoggedField, Reason};
use crate::observe::access_log::entry::Entry;
use crate::observe::calendar::Calendar;
use crate::observe::json;

/// Appends `entry` as one line, its end included.
pub(super) fn write_ecs(out: &mut Vec<u8>, calendar: &mut Calendar, entry: &Entry<'_>) {
    out.extend_from_slice(b"{\"@timestamp\":\"");
    calendar.write(entry.began(), out);
    out.extend_from_slice(
        b"\",\"ecs.version\":\"8.17.0\",\"event.kind\":\"event\",\"event.dataset\":\"evenkeel.access\",",
    );
    out.extend_from_slice(match entry.is_tcp {
        true => b"\"event.category\":[\"network\"],\"event.type\":[\"connection\",\"end\"],\"network.transport\":\"tcp\"",
        false => b"\"event.category\":[\"web\"],\"event.type\":[\"access\"]",
    });
    let has_failed = match entry.status {
        Some(status) => status >= 500 || is_cut(entry),
        None => entry.reason.is_some(),
    };
    let outcome = if has_failed { "failure" } else { "success" };
    text(out, "event.outcome", Some(outcome.as_bytes()));
    number(
        out,
        "event.duration",
        Some(entry.times.total.as_nanos() as u64),
    );
    text(
        out,
        "event.reason",
        entry.reason.map(|reason| Reason::code(reason).as_bytes()),
    );
    client(out, entry.client);
    request(out, entry);
    number(
        out,
        "http.response.status_code",
        entry.status.map(u64::from),
    );
    match entry.is_tcp {
        true => {
            number(out, "client.bytes", Some(entry.body_bytes_in));
            number(out, "server.bytes", Some(entry.body_bytes_out));
        }
        false => {
            number(out, "http.request.body.bytes", Some(entry.body_bytes_in));
            number(out, "http.response.body.bytes", Some(entry.body_bytes_out));
        }
    }
    text(out, "server.address", entry.server.map(str::as_bytes));
    if let Some(tls) = entry.tls {
        text(out, "tls.version", Some(tls.version.code().as_bytes()));
        text(out, "tls.version_protocol", Some(b"tls"));
        text(out, "tls.cipher", Some(tls.cipher.as_bytes()));
    }
    let sni = entry.tls.and_then(|tls| tls.server_name.as_deref());
    text(
        out,
        "tls.client.server_name",
        sni.or(entry.sni).map(str::as_bytes),
    );
    text(out, "labels.frontend", entry.frontend.map(str::as_bytes));
    text(out, "labels.route", entry.route.map(str::as_bytes));
    text(out, "labels.backend", entry.backend.map(str::as_bytes));
    out.extend_from_slice(b"}\n");
}

/// Whether the response was cut.
fn is_cut(entry: &Entry<'_>) -> bool {
    entry.reason.is_some_and(|reason| reason.status().is_none())
}

fn client(out: &mut Vec<u8>, client: Peer) {
    match client {
        Peer::Ip(addr) => {
            let ip = addr.ip().to_canonical();
            for key in ["client.address", "client.ip"] {
                begin(out, key);
                write!(out, "\"{ip}\"").expect("a Vec takes what is written to it");
            }
            number(out, "client.port", Some(addr.port().into()));
        }
        Peer::Unix => text(out, "client.address", Some(b"unix")),
    }
}

fn request(out: &mut Vec<u8>, entry: &Entry<'_>) {
    text(out, "http.request.id", entry.id.map(|id| id.as_bytes()));
    let Some(request) = entry.request else {
        return;
    };
    let of = |field| request.text(field).map(|text| text.bytes);
    text(out, "http.request.method", of(LoggedField::Method));
    text(
        out,
        "http.version",
        request
            .version()
            .map(|version| version_text(version).as_bytes()),
    );
    if let Some(target) = of(LoggedField::Target) {
        text(out, "url.original", Some(target));
        let end = target.iter().position(|&byte| byte == b'?');
        let (path, query) = target.split_at(end.unwrap_or(target.len()));
        text(out, "url.path", Some(path));
        text(out, "url.query", query.get(1..));
    }
    if let Some(host) = of(LoggedField::Host) {
        let (domain, port) = without_port(host);
        text(out, "url.domain", Some(domain));
        number(out, "url.port", port);
    }
    text(out, "user_agent.original", of(LoggedField::UserAgent));
    text(out, "http.request.referrer", of(LoggedField::Referer));
}

fn version_text(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

/// A host, and its port if it has one.
fn without_port(host: &[u8]) -> (&[u8], Option<u64>) {
    let colon = host.iter().rposition(|&byte| byte == b':');
    let is_inside = host.iter().rposition(|&byte| byte == b']') > colon;
    let Some(colon) = colon.filter(|_| !is_inside) else {
        return (host, None);
    };
    let port = str::from_utf8(&host[colon + 1..]).ok();
    match port.and_then(|port| port.parse::<u16>().ok()) {
        Some(port) => (&host[..colon], Some(port.into())),
        None => (host, None),
    }
}

fn begin(out: &mut Vec<u8>, key: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}

fn text(out: &mut Vec<u8>, key: &str, value: Option<&[u8]>) {
    if let Some(value) = value {
        begin(out, key);
        json::string(value, out);
    }
}

fn number(out: &mut Vec<u8>, key: &str, value: Option<u64>) {
    if let Some(value) = value {
        begin(out, key);
        out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::base::clock::{self, Duration};
    use crate::exchange::{Attempt, FirstBytes, LoggedRequest, Reason, Record, RequestTexts};
    use crate::observe::{FrontendMetrics, LeftByRules, OpenConnections, WorkerObserver, fixture};
    use crate::plan::LogTarget;
    use crate::plan::log::LineFormat;

    /// The fields of the schema that a line may have, with their types there.
    const SCHEMA: &[(&str, &str)] = &[
        ("@timestamp", "date"),
        ("ecs.version", "keyword"),
        ("event.kind", "keyword"),
        ("event.dataset", "keyword"),
        ("event.category", "keyword[]"),
        ("event.type", "keyword[]"),
        ("event.outcome", "keyword"),
        ("event.duration", "long"),
        ("event.reason", "keyword"),
        ("network.transport", "keyword"),
        ("client.address", "keyword"),
        ("client.ip", "ip"),
        ("client.port", "long"),
        ("client.bytes", "long"),
        ("server.address", "keyword"),
        ("server.bytes", "long"),
        ("http.request.id", "keyword"),
        ("http.request.method", "keyword"),
        ("http.request.referrer", "keyword"),
        ("http.request.body.bytes", "long"),
        ("http.response.body.bytes", "long"),
        ("http.response.status_code", "long"),
        ("http.version", "keyword"),
        ("url.original", "keyword"),
        ("url.path", "keyword"),
        ("url.query", "keyword"),
        ("url.domain", "keyword"),
        ("url.port", "long"),
        ("user_agent.original", "keyword"),
        ("tls.version", "keyword"),
        ("tls.version_protocol", "keyword"),
        ("tls.cipher", "keyword"),
        ("tls.client.server_name", "keyword"),
        ("labels.frontend", "keyword"),
        ("labels.route", "keyword"),
        ("labels.backend", "keyword"),
    ];

    fn line(record: &Record) -> Value {
        let log = fixture::log(&LogTarget::Stdout, LineFormat::Ecs);
        let observer = WorkerObserver::new(0, &log);
        let (frontend, variables) = (FrontendMetrics::new(1), LeftByRules::default());
        observer.finish(record, &frontend, variables, OpenConnections::default);
        observer.flush();
        let text = fixture::lines(&log);
        assert_eq!(text.matches('\n').count(), 1);
        let value: Value = serde_json::from_str(&text).expect("JSON");
        for (key, value) in value.as_object().expect("an object") {
            let (_, kind) = SCHEMA.iter().find(|(known, _)| known == key).expect(key);
            let is_right = match *kind {
                "long" => value.is_u64(),
                "keyword[]" => value.is_array(),
                "ip" => value
                    .as_str()
                    .is_some_and(|ip| ip.parse::<std::net::IpAddr>().is_ok()),
                _ => value.is_string(),
            };
            assert!(is_right, "{key}: {value}");
        }
        value
    }

    #[test]
    fn an_exchange_has_the_fields_of_the_schema() {
        let began = clock::now();
        let mut record = fixture::record(began);
        let hostile: Vec<u8> = (0..=255).collect();
        record.opening.request = Some(LoggedRequest::of(&RequestTexts {
            method: Some(b"GET"),
            target: Some(b"/a?b=c?"),
            host: Some(b"[::1]:8443"),
            user_agent: Some(&hostile),
            referer: Some(b"https://example.com/"),
            version: Some(http::Version::HTTP_2),
        }));
        record.backend.set("app".into()).expect("unset");
        record.attempts.begin(Attempt {
            status: 200,
            ..fixture::attempt(&fixture::server("s1"))
        });
        record.status.set(200);
        record.body_bytes_out.set(512);
        record.ended.set(Some(began + Duration::from_micros(2_500)));
        let line = line(&record);
        for (key, expected) in [
            ("@timestamp", Value::from("2026-03-01T12:34:56.788Z")),
            ("event.outcome", "success".into()),
            ("event.duration", 2_500_000.into()),
            ("client.ip", "192.0.2.7".into()),
            ("http.version", "2".into()),
            ("url.path", "/a".into()),
            ("url.query", "b=c?".into()),
            ("url.domain", "[::1]".into()),
            ("url.port", 8443.into()),
            ("http.response.status_code", 200.into()),
            ("server.address", "s1".into()),
            ("labels.backend", "app".into()),
        ] {
            assert_eq!(line[key], expected, "{key}");
        }
        assert!(line.get("event.reason").is_none());
    }

    #[test]
    fn a_failure_and_a_connection_have_theirs() {
        let record = fixture::record(clock::now());
        record.status.set(503);
        record.blame(Reason::QueueFull);
        let failed = line(&record);
        assert_eq!(failed["event.outcome"], "failure");
        assert_eq!(failed["event.reason"], "queue.full");
        let mut record = fixture::record(clock::now());
        record.opening.request = None;
        record.opening.first_bytes = Some(FirstBytes {
            sni: Some("a.example".into()),
        });
        let connection = line(&record);
        assert_eq!(connection["event.category"][0], "network");
        assert_eq!(connection["tls.client.server_name"], "a.example");
        assert!(connection.get("http.response.status_code").is_none());
    }
}
