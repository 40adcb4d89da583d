//! `health` of a backend: `"/healthz"`, `"tcp"`, `"off"`, or a table.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::config::compile::server_tls::server_tls;
use crate::config::compile::status::status;
use crate::config::diagnostic::Diagnostic;
use crate::config::keys::{self, is_of_the_protocol};
use crate::config::raw::{Kind, Text};
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::plan::{Health, HttpCheck, Probe, ServerTls, StatusSet};

/// The most bytes of a body in which `body` is searched.
const MOST_BODY_BYTES: usize = 64 << 10;

/// The least and the greatest status that HTTP can carry.
const STATUSES: RangeInclusive<u16> = 100..=999;
const STATUS_EXAMPLE: &str = "a status (`200`) or a range of them (`\"200-399\"`)";

/// Compiles the checks of `backend`, whose `tls` is `of_backend`.
pub(super) fn health(
    backend: &Section<'_>,
    of_backend: Option<&ServerTls>,
    report: &mut Report<'_>,
) -> Option<Health> {
    let setting = backend.setting("health")?;
    let at = report.position(setting.span());
    let health = match &setting.value.kind {
        Kind::String(text) => short(setting, text, report),
        Kind::Table(_) => {
            let section = backend.section("health", &keys::HEALTH, report)?;
            Some(of_table(&section, of_backend, report))
        }
        _ => {
            let help = match &setting.value.kind {
                Kind::Boolean(false) => "write `health = \"off\"`, or leave it out",
                _ => {
                    "write `health = \"/healthz\"` to GET that path of each server, or `health = \"tcp\"` to \
                     only open a connection"
                }
            };
            setting.wrong_with("a path, \"tcp\", \"off\" or a table", help, report);
            None
        }
    };
    Some(Health { at, ..health? })
}

fn short(setting: Setting<'_>, text: &Text, report: &mut Report<'_>) -> Option<Health> {
    let probe = match text.value.as_str() {
        "off" => return None,
        "tcp" => Probe::Tcp,
        path if path.starts_with('/') => Probe::Http(HttpCheck {
            path: check_path(setting, text, report)?,
            ..HttpCheck::default()
        }),
        _ => {
            report.error(
                setting.span(),
                format!("`health` cannot be {}", text.quoted()),
                "write a path (`\"/healthz\"`), `\"tcp\"`, `\"off\"`, or a table",
            );
            return None;
        }
    };
    Some(Health {
        probe,
        ..Health::default()
    })
}

fn of_table(
    section: &Section<'_>,
    of_backend: Option<&ServerTls>,
    report: &mut Report<'_>,
) -> Health {
    let mut health = Health::default();
    keys::HEALTH.whole().read(section, &mut health, report);
    let unless_written = |key, time: &mut Duration| {
        if section.setting(key).is_none() {
            *time = health.interval;
        }
    };
    unless_written("fast_interval", &mut health.fast_interval);
    unless_written("timeout", &mut health.timeout);
    if let Some(setting) = section.setting("fast_interval")
        && health.fast_interval > health.interval
    {
        report.error(
            setting.span(),
            "`fast_interval` is longer than `interval`",
            "write a shorter one: it is the time between two checks while a server changes its state",
        );
    }
    if let Some(setting) = section.setting("timeout")
        && health.timeout > health.interval
    {
        report.add(
            Diagnostic::warning(
                setting.span(),
                "`timeout` of the check is longer than its `interval`",
            )
            .help(
                "a server has one check at a time: while one waits, the next ones are skipped, and the \
                 server goes down later than `interval` and `fall` say",
            ),
        );
    }
    health.port = section
        .number("port", 1, i64::from(u16::MAX), report)
        .map(|port| port as u16);
    health.tls = server_tls(section, of_backend, report);
    health.probe = probe(section, report);
    health
}

fn probe(section: &Section<'_>, report: &mut Report<'_>) -> Probe {
    #[derive(Clone, Copy, PartialEq)]
    enum Type {
        Http,
        Tcp,
    }
    let types = [("http", Type::Http), ("tcp", Type::Tcp)];
    let hints = [("httpchk", "http"), ("tcp-check", "tcp")];
    let mut kind = section.setting("type");
    let of_tls = ["https", "tls", "ssl"];
    if let Some(setting) = kind.filter(|kind| of_tls.iter().any(|word| kind.is_word(word))) {
        report.error(
            setting.span(),
            "`type` is \"http\" or \"tcp\", and TLS is a key of its own",
            "write `type = \"http\"` and `tls = true`",
        );
        kind = None;
    }
    let kind = kind.and_then(|kind| kind.choice(&types, &hints, report));
    let is_tcp = kind == Some(Type::Tcp);
    let check = http_check(section, report);
    if !is_tcp {
        return Probe::Http(check);
    }
    for key in ["path", "host", "headers", "status", "body", "tls"] {
        if let Some(setting) = section.setting(key) {
            report.error(
                setting.span(),
                format!("`{key}` has no effect with `type = \"tcp\"`"),
                format!("leave `{key}` out, or write `type = \"http\"`"),
            );
        }
    }
    Probe::Tcp
}

fn http_check(section: &Section<'_>, report: &mut Report<'_>) -> HttpCheck {
    let default = HttpCheck::default();
    HttpCheck {
        path: section
            .setting("path")
            .and_then(|setting| check_path(setting, setting.text(report)?, report))
            .unwrap_or(default.path),
        host: section
            .setting("host")
            .and_then(|setting| host(setting, report)),
        headers: headers(section, report),
        status: section
            .setting("status")
            .and_then(|setting| statuses(setting, report))
            .unwrap_or(default.status),
        body: section
            .setting("body")
            .and_then(|setting| body(setting, report)),
    }
}

fn check_path(setting: Setting<'_>, text: &Text, report: &mut Report<'_>) -> Option<String> {
    let is_target = |path: &str| {
        path.starts_with('/')
            && path
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'#')
            && path.parse::<http::uri::PathAndQuery>().is_ok()
    };
    if is_target(&text.value) {
        return Some(text.value.clone());
    }
    report.error(
        setting.span(),
        format!("{:?} is not a path that can be requested", text.shown()),
        "begin it with `/`, and write spaces and the like as escapes (`%20`)",
    );
    None
}

fn host(setting: Setting<'_>, report: &mut Report<'_>) -> Option<HeaderValue> {
    let text = setting.text(report)?;
    let is_host = crate::wire::host::Authority::parse(text.value.as_bytes()).is_ok();
    match HeaderValue::from_str(&text.value) {
        Ok(value) if is_host => Some(value),
        _ => {
            report.error(
                setting.span(),
                format!("{:?} is not a host", text.shown()),
                "write a host such as `\"app.example.com\"`, with a port if the server needs one",
            );
            None
        }
    }
}

/// By name: their order means nothing, so two orders are one plan.
fn headers(section: &Section<'_>, report: &mut Report<'_>) -> Vec<(HeaderName, HeaderValue)> {
    let Some(table) = section.named("headers", report) else {
        return Vec::new();
    };
    let mut headers: Vec<(HeaderName, HeaderValue)> = Vec::new();
    for entry in &table.entries {
        let setting = Setting {
            key: &entry.key,
            value: &entry.value,
        };
        let Some(text) = setting.text(report) else {
            continue;
        };
        let name = HeaderName::from_bytes(entry.key.as_bytes());
        let value = HeaderValue::from_str(&text.value);
        let refusal = match (&name, &value) {
            (Err(_), _) => Some((
                "is not a valid field name",
                "field names have letters, digits and `-`",
            )),
            (Ok(name), _) if name.as_str() == "host" => {
                Some(("cannot be set here", "write `host = \"…\"` in the check"))
            }
            (Ok(name), _) if is_of_the_connection(name) => Some((
                "belongs to the connection and is set by Evenkeel",
                "leave it out",
            )),
            (Ok(_), Err(_)) => Some((
                "has a value with characters that no field can have",
                "leave out control characters and line breaks",
            )),
            (Ok(name), Ok(_)) if headers.iter().any(|(other, _)| other == name) => Some((
                "is in the table twice",
                "upper and lower case are the same in field names; keep one of them",
            )),
            (Ok(_), Ok(_)) => None,
        };
        if let Some((why, help)) = refusal {
            report.add(
                Diagnostic::error(entry.key_span, format!("the field `{}` {why}", entry.key))
                    .help(help),
            );
            continue;
        }
        if let (Ok(name), Ok(mut value)) = (name, value) {
            value.set_sensitive(text.is_secret);
            headers.push((name, value));
        }
    }
    headers.sort_by(|(left, _), (right, _)| left.as_str().cmp(right.as_str()));
    headers
}

/// Whether the field belongs to the connection. A check may send credentials; those of an exchange
/// come from its client.
fn is_of_the_connection(name: &HeaderName) -> bool {
    is_of_the_protocol(name)
        && !matches!(name.as_str(), "authorization" | "cookie" | "content-type")
}

fn statuses(setting: Setting<'_>, report: &mut Report<'_>) -> Option<StatusSet> {
    let items = setting.list();
    if items.is_empty() {
        report.error(
            setting.span(),
            "the list `status` is empty: no check could pass",
            "write the statuses that pass: `status = [\"200-299\", 304]`",
        );
        return None;
    }
    let ranges: Vec<_> = items
        .iter()
        .map(|item| status(*item, STATUSES, STATUS_EXAMPLE, report))
        .collect();
    ranges.into_iter().collect::<Option<_>>().map(StatusSet)
}

fn body(setting: Setting<'_>, report: &mut Report<'_>) -> Option<String> {
    let text = setting.text(report)?;
    if text.value.is_empty() || text.value.len() > MOST_BODY_BYTES {
        report.error(
            setting.span(),
            format!("`body` must have 1 to {MOST_BODY_BYTES} bytes"),
            "write a text that the body of a healthy answer contains, or leave `body` out",
        );
        return None;
    }
    Some(text.value.clone())
}
