//! `[log]` and `[[log.access]]`.

use crate::config::page::{Page, file, string};
use crate::plan::log::{LineFormat, Preset};
use crate::plan::{AccessLog, Log, LogFormat, LogLevel, LogTarget};

use super::kind::Shape;
use super::words::Words;
use super::{Keys, key};

/// Names of formats that are no templates.
pub(in crate::config) const JSON: &str = "json";

pub(super) static LOG: Keys<Log> = Keys {
    keys: &[
        key("level")
            .means("Events of this level and above are written to standard error.")
            .word(LogLevel::words, |log| &mut log.level),
        key("format")
            .means("\"human\": a line of text for each event; \"json\": a JSON object.")
            .word(LogFormat::words, |log| &mut log.format),
        key("access")
            .means("Access logs: a line for each exchange.")
            .compiled_tables(
                Shape::List(&Shape::Table(&LOG_ACCESS)),
                |log, path, page| {
                    for access in &log.access {
                        show(access, path, page);
                    }
                },
            ),
    ],
    hints: r#"
        to: `to` is a key of `[[log.access]]`; events go to standard error
        file path output target: events go to standard error; an access log goes where `[[log.access]]` has `to`
        access_log: write `[[log.access]]` with `to = "…"`
        syslog: write `[[log.access]]` with `to = "…"`
    "#,
    default: Some(Log::default),
    ..Keys::EMPTY
};

pub(in crate::config) static LOG_ACCESS: Keys<AccessLog> = Keys {
    keys: &[
        key("to")
            .means("\"stdout\", \"stderr\", \"off\", or the path of a file.")
            .also("output target")
            .compiled(Shape::Text, |log| Some(target(&log.to))),
        key("format")
            .means("\"json\", \"haproxy-http\", \"haproxy-tcp\", \"clf\", \"combined\", or a template.")
            .also("log_format template")
            .compiled(Shape::Text, |log| Some(format(&log.format))),
    ],
    hints: r#"
        file path: write `to = "/path/to/file"`
        enabled: write `to = "off"` to switch it off
        option: write `format = "haproxy-http"` for HAProxy's `option httplog`
    "#,
    default: Some(AccessLog::default),
    ..Keys::EMPTY
};

fn show(access: &AccessLog, path: &str, page: &mut Page) {
    page.element(path);
    LOG_ACCESS.whole().show(path, access, page);
}

fn target(to: &LogTarget) -> String {
    match to {
        LogTarget::Off => string("off"),
        LogTarget::Stdout => string("stdout"),
        LogTarget::Stderr => string("stderr"),
        LogTarget::File(path) => file(path),
    }
}

fn format(format: &LineFormat) -> String {
    match format {
        LineFormat::Json => string(JSON),
        LineFormat::Preset(preset, _) => string(Preset::name(*preset)),
        LineFormat::Template(template) => string(&template.to_string()),
    }
}
