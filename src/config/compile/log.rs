//! `[[log.access]]`: where the lines for exchanges go, and what they are.

use std::path::PathBuf;

use crate::base::Position;
use crate::config::compile::expression;
use crate::config::keys;
use crate::config::raw::Kind;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::config::suggest;
use crate::plan::log::{LineFormat, Preset};
use crate::plan::{AccessLog, Log, LogTarget};

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
    AccessLog {
        to,
        format: format
            .and_then(|format| line_format(format, report))
            .unwrap_or(default.format),
        at,
    }
}

fn target(to: Setting<'_>, report: &mut Report<'_>) -> Option<(LogTarget, Position)> {
    let text = to.text(report)?;
    let target = match text.value.as_str() {
        "stdout" => LogTarget::Stdout,
        "stderr" => LogTarget::Stderr,
        "off" => LogTarget::Off,
        // Without the `/`, a mistyped `"stdout"` would quietly become a file of that name.
        path if path.contains('/') && !path.ends_with('/') => LogTarget::File(PathBuf::from(path)),
        other => {
            let help = match suggest::nearest(other, TARGETS) {
                Some(word) => format!(
                    "did you mean \"{word}\"? The path of a file must have a `/`: \"./access.log\""
                ),
                None => {
                    "write \"stdout\", \"stderr\", \"off\" or the path of a file, which must have a `/`: \
                         \"./access.log\""
                        .to_owned()
                }
            };
            report.error(
                to.span(),
                format!("the access log cannot go to {}", text.quoted()),
                help,
            );
            return None;
        }
    };
    Some((target, report.position(to.span())))
}

fn line_format(setting: Setting<'_>, report: &mut Report<'_>) -> Option<LineFormat> {
    let text = setting.text(report)?;
    let written = text.value.as_str();
    if written == keys::JSON {
        return Some(LineFormat::Json);
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
        [keys::JSON]
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
