//! `[[log.access]]`: where the lines for exchanges go, and what they are.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use crate::base::Position;
use crate::base::address::LONGEST_UNIX_NAME;
use crate::config::compile::expression;
use crate::config::keys;
use crate::config::raw::Kind;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::config::suggest;
use crate::plan::expr::Known;
use crate::plan::log::{
    JsonField, LineFormat, LogServer, Mask, MaskedFact, MaskedQuery, Preset, Sample,
};
use crate::plan::{AccessLog, Log, LogTarget};

/// The usual port of syslog servers.
const SYSLOG_PORT: u16 = 514;

/// Targets that are words.
const TARGETS: [&str; 3] = ["stdout", "stderr", "off"];

/// The access logs in `top`; without any, the default.
pub(super) fn access_logs(top: &Section<'_>, report: &mut Report<'_>) -> Vec<AccessLog> {
    let log = top.setting("log").map(|log| &log.value.kind);
    let Some(Kind::Table(log)) = log else {
        return Log::default().access;
    };
    let Some(value) = log.get("access") else {
        return Log::default().access;
    };
    let setting = Setting {
        key: "access",
        value,
    };
    let items = setting.list();
    if items.is_empty() {
        let help = "write `access = { to = \"off\" }` to switch the access log off";
        report.error(setting.span(), "the list of access logs is empty", help);
    }
    // `[log.access]` is short for a list of one.
    let title = match setting.value.kind {
        Kind::Array(_) => "[[log.access]]",
        _ => "[log.access]",
    };
    let items = items.into_iter();
    items
        .filter_map(|item| {
            let section = Section::open(&keys::LOG_ACCESS, title.to_owned(), item, report)?;
            Some(access_log(&section, report))
        })
        .collect()
}

fn access_log(section: &Section<'_>, report: &mut Report<'_>) -> AccessLog {
    let default = AccessLog::default();
    let (to, at) = section
        .setting("to")
        .and_then(|to| target(to, report))
        .unwrap_or((default.to, default.at));
    let format = section.setting("format");
    let mut log = AccessLog {
        to,
        format: format
            .and_then(|format| line_format(format, report))
            .unwrap_or(default.format),
        when: section
            .setting("when")
            .and_then(|when| expression::condition(when, Known::Log, report)),
        sample: section
            .setting("sample")
            .and_then(|sample| sampled(sample, report)),
        mask: mask(section, report),
        syslog: default.syslog,
        at,
    };
    if let Some(fields) = section.setting("fields") {
        let chosen = json_fields(fields, report);
        match log.format {
            LineFormat::Json if !chosen.is_empty() => log.format = LineFormat::JsonOf(chosen),
            LineFormat::Json => {}
            _ => report.error(
                fields.span(),
                "`fields` are those of `format = \"json\"`, and this format has its own",
                "leave it out",
            ),
        }
    }
    if let Some(syslog) = section.section("syslog", &keys::SYSLOG, report) {
        keys::SYSLOG.whole().read(&syslog, &mut log.syslog, report);
        if !log.to.is_syslog() {
            report.error(
                syslog.span,
                format!("`syslog` does nothing for lines that go to {}", log.to),
                "leave it out, or write a syslog as `to`: \"unix:/dev/log\", \"udp://HOST:514\"",
            );
        }
    }
    log
}

fn json_fields(setting: Setting<'_>, report: &mut Report<'_>) -> Vec<JsonField> {
    let mut fields = Vec::new();
    let items = setting.list();
    if items.is_empty() {
        let help = "write the fields that a line shall have, or leave it out";
        report.error(setting.span(), "the list of fields is empty", help);
    }
    for item in items {
        let Some(text) = item.text(report) else {
            continue;
        };
        let names = || JsonField::ALL.iter().map(|field| field.name());
        let (message, help) = match JsonField::named(&text.value) {
            Some(field) if !fields.contains(&field) => {
                fields.push(field);
                continue;
            }
            Some(_) => (
                format!("the field {} is written twice", text.quoted()),
                "keep one of the two".to_owned(),
            ),
            None => (
                format!("a line has no field {}", text.quoted()),
                match suggest::nearest(&text.value, names()) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("known are {}", suggest::list(names())),
                },
            ),
        };
        report.error(item.span(), message, help);
    }
    fields
}

/// What lines do not contain.
fn mask(section: &Section<'_>, report: &mut Report<'_>) -> Mask {
    let mut facts = Vec::new();
    for item in section.list("mask").unwrap_or_default() {
        if let Some(fact) = item.choice(&MaskedFact::WORDS, &[], report)
            && !facts.contains(&fact)
        {
            facts.push(fact);
        }
    }
    let mut names = Vec::new();
    let mut query = None;
    for item in section.list("mask_query").unwrap_or_default() {
        match item.text(report) {
            Some(text) if text.value == "*" => query = Some(MaskedQuery::All),
            Some(text) => names.push(text.value.clone()),
            None => {}
        }
    }
    Mask {
        query: query.unwrap_or(MaskedQuery::Named(names)),
        facts,
    }
}

fn sampled(setting: Setting<'_>, report: &mut Report<'_>) -> Option<Sample> {
    let text = setting.text(report)?;
    let sample = Sample::parse(&text.value);
    if sample.is_none() {
        report.error(
            setting.span(),
            format!("`sample` cannot be {}", text.quoted()),
            "write which lines of how many: \"1:100\" is the first of each 100, \"1-5:100\" the first five",
        );
    }
    sample
}

fn target(to: Setting<'_>, report: &mut Report<'_>) -> Option<(LogTarget, Position)> {
    let text = to.text(report)?;
    let at = report.position(to.span());
    let target = match text.value.as_str() {
        "stdout" => Ok(LogTarget::Stdout),
        "stderr" => Ok(LogTarget::Stderr),
        "off" => Ok(LogTarget::Off),
        written => match written.split_once(':') {
            Some(("udp", server)) => log_server(server, "udp").map(LogTarget::Udp),
            Some(("tcp", server)) => log_server(server, "tcp").map(LogTarget::Tcp),
            Some(("unix", path)) => unix(path).map(LogTarget::Unix),
            _ => in_file(written),
        },
    };
    let report_mistake = |help| {
        let message = format!("the access log cannot go to {}", text.quoted());
        report.error(to.span(), message, help);
    };
    let target = target.map_err(report_mistake).ok()?;
    Some((target, at))
}

/// A file, or what to write instead of `written`.
fn in_file(written: &str) -> Result<LogTarget, String> {
    // Without the `/`, a mistyped `"stdout"` would quietly become a file of that name.
    if written == "/dev/log" || written == "/run/systemd/journal/syslog" {
        return Err(format!("it is a socket: write \"unix:{written}\""));
    }
    if written.contains('/') && !written.ends_with('/') {
        return Ok(LogTarget::File(PathBuf::from(written)));
    }
    if written.parse::<SocketAddr>().is_ok() || written.parse::<IpAddr>().is_ok() {
        return Err(format!("write \"udp://{written}\" for a syslog server"));
    }
    Err(match suggest::nearest(written, TARGETS) {
        Some(word) => {
            format!("did you mean \"{word}\"? The path of a file must have a `/`: \"./access.log\"")
        }
        None => "write \"stdout\", \"stderr\", \"off\", the path of a file, which must have a `/`: \
                 \"./access.log\", or a syslog: \"unix:/dev/log\", \"udp://HOST:514\", \"tcp://HOST:514\""
            .to_owned(),
    })
}

/// The server in `written`, which follows `udp:` or `tcp:`.
fn log_server(written: &str, scheme: &str) -> Result<LogServer, String> {
    let help = || format!("write a host and a port: \"{scheme}://127.0.0.1:514\"");
    let written = written.strip_prefix("//").ok_or_else(help)?;
    let (host, port) = match written.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or_else(help)?;
            host.parse::<Ipv6Addr>().map_err(|_| help())?;
            (
                host,
                rest.strip_prefix(':').or(rest.is_empty().then_some("")),
            )
        }
        None => match written.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (written, Some("")),
        },
    };
    let port = match port.ok_or_else(help)? {
        "" => SYSLOG_PORT,
        port => port.parse().map_err(|_| help())?,
    };
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    if host.is_empty() || port == 0 || !host.chars().all(is_part) {
        return Err(help());
    }
    Ok(LogServer {
        host: host.to_owned(),
        port,
    })
}

fn unix(path: &str) -> Result<PathBuf, String> {
    let path = path.strip_prefix("//").unwrap_or(path);
    match path.starts_with('/') && path.len() <= LONGEST_UNIX_NAME {
        true => Ok(PathBuf::from(path)),
        false => Err("write the whole path of the socket: \"unix:/dev/log\"".to_owned()),
    }
}

fn line_format(setting: Setting<'_>, report: &mut Report<'_>) -> Option<LineFormat> {
    let text = setting.text(report)?;
    let written = text.value.as_str();
    match written {
        keys::JSON => return Some(LineFormat::Json),
        keys::ECS => return Some(LineFormat::Ecs),
        _ => {}
    }
    if let Some(preset) = Preset::ALL.into_iter().find(|one| one.name() == written) {
        let template = expression::preset(preset);
        return Some(LineFormat::Preset(preset, template));
    }
    // A template without a variable would write the same line for every exchange.
    if written.contains('%') {
        return expression::line_template(setting, report).map(LineFormat::Template);
    }
    let names = || {
        [keys::JSON, keys::ECS]
            .into_iter()
            .chain(Preset::ALL.map(Preset::name))
    };
    let known = suggest::list(names());
    let help = match (written, suggest::nearest(written, names())) {
        ("httplog" | "http" | "haproxy", _) => "write \"haproxy-http\"".to_owned(),
        ("tcplog" | "tcp", _) => "write \"haproxy-tcp\"".to_owned(),
        ("common" | "apache" | "ncsa", _) => "write \"clf\"".to_owned(),
        ("nginx", _) => "write \"combined\"".to_owned(),
        (_, Some(near)) => {
            format!("did you mean \"{near}\"? Known are {known}, and templates: \"%ci %r %ST\"")
        }
        (_, None) => format!("known are {known}, and templates with variables: \"%ci %r %ST\""),
    };
    let message = format!("there is no log format {}", text.quoted());
    report.error(setting.span(), message, help);
    None
}
