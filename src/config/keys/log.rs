//! `[log]` and `[[log.access]]`.

use crate::config::page::{Page, file, list, list_of_any, string};
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::plan::log::{Facility, LineFormat, MaskedQuery, Preset, Syslog, SyslogFormat};
use crate::plan::{AccessLog, Log, LogFormat, LogLevel, LogTarget};

use super::kind::Shape;
use super::words::Words;
use super::{Keys, key};

/// Names of formats that are no templates.
pub(in crate::config) const JSON: &str = "json";
/// The other one.
pub(in crate::config) const ECS: &str = "ecs";

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
        syslog facility: write `[[log.access]]` with `to = "unix:/dev/log"` or `to = "udp://HOST:514"`
    "#,
    default: Some(Log::default),
    ..Keys::EMPTY
};

pub(in crate::config) static LOG_ACCESS: Keys<AccessLog> = Keys {
    keys: &[
        key("to")
            .means("\"stdout\", \"stderr\", \"off\", a file, or a syslog: \"udp://HOST:514\", \"tcp://HOST:514\", \"unix:/dev/log\".")
            .also("output target")
            .compiled(Shape::Text, |log| Some(target(&log.to))),
        key("format")
            .means("\"json\", \"ecs\", \"haproxy-http\", \"haproxy-tcp\", \"clf\", \"combined\", or a template.")
            .also("log_format template")
            .compiled(Shape::Text, |log| Some(format(&log.format))),
        key("fields")
            .means("Of JSON: these fields alone, in this order.")
            .compiled(Shape::List(&Shape::Text), |log| match &log.format {
                LineFormat::JsonOf(fields) => {
                    Some(list(fields.iter().map(|field| string(field.name()))))
                }
                _ => None,
            }),
        key("mask")
            .means("Facts that are written as `***`; an address is shortened to its network.")
            .also("redact hide anonymize")
            .compiled(Shape::List(&Shape::Text), |log| {
                let facts = log.mask.facts.iter();
                list_of_any(facts.map(|fact| string(fact.word())))
            }),
        key("mask_query")
            .means("Parameters of the query whose values are written as `***`; \"*\" for all.")
            .compiled(Shape::List(&Shape::Text), |log| match &log.mask.query {
                MaskedQuery::All => Some(string("*")),
                MaskedQuery::Named(names) => list_of_any(names.iter().map(|name| string(name))),
            }),
        key("when")
            .means("The condition; without it each exchange has a line.")
            .also("if condition")
            .compiled(Shape::Text, |log| {
                log.when.as_ref().map(|when| string(&when.to_string()))
            }),
        key("sample")
            .means("Which of the lines are written: \"1:100\" is the first of each 100.")
            .also("sampling rate")
            .compiled(Shape::Text, |log| {
                log.sample.as_ref().map(|sample| string(&sample.to_string()))
            }),
        key("syslog")
            .means("What comes before a line that goes to a syslog.")
            .compiled_tables(Shape::Table(&SYSLOG), |log, path, page| {
                if log.to.is_syslog() {
                    page.table(path);
                    SYSLOG.whole().show(path, &log.syslog, page);
                }
            }),
    ],
    hints: r#"
        file path: write `to = "/path/to/file"`
        enabled: write `to = "off"` to switch it off
        errors separate_errors: write a second `[[log.access]]` with `when = "status >= 500"`
        facility tag: write `syslog = { facility = "local0", tag = "evenkeel" }`
        severity level: leave it out: the severity of a message is that of the exchange's outcome
        option: write `format = "haproxy-http"` for HAProxy's `option httplog`
    "#,
    default: Some(AccessLog::default),
    ..Keys::EMPTY
};

pub(in crate::config) static SYSLOG: Keys<Syslog> = Keys {
    keys: &[
        key("format")
            .means("\"rfc3164\" or \"rfc5424\".")
            .word(SyslogFormat::words, |syslog| &mut syslog.format),
        key("facility")
            .means("The facility of all messages: \"local0\", or another word of syslog.")
            .word(Facility::words, |syslog| &mut syslog.facility),
        key("tag")
            .means("The name of the program.")
            .also("app_name program log_tag")
            .own(Shape::Text, tag, |syslog| Some(string(&syslog.tag))),
    ],
    hints: r#"
        severity level: leave it out: the severity of a message is that of the exchange's outcome
        host hostname: leave it out: it is the name of this host
    "#,
    default: Some(Syslog::default),
    ..Keys::EMPTY
};

/// The most characters of a tag (RFC 5424 §6.2.5, APP-NAME).
const LONGEST_TAG: usize = 48;

fn tag(_: &Section<'_>, setting: Setting<'_>, syslog: &mut Syslog, report: &mut Report<'_>) {
    let Some(text) = setting.text(report) else {
        return;
    };
    // What a receiver takes for the end of a tag.
    let is_part = |c: char| c.is_ascii_graphic() && !"[]:".contains(c);
    let length = text.value.len();
    if (1..=LONGEST_TAG).contains(&length) && text.value.chars().all(is_part) {
        syslog.tag.clone_from(&text.value);
        return;
    }
    report.error(
        setting.span(),
        format!("the tag cannot be {}", text.quoted()),
        "write 1 to 48 visible characters of ASCII, without spaces, `[`, `]` and `:`",
    );
}

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
        server => string(&server.to_string()),
    }
}

fn format(format: &LineFormat) -> String {
    match format {
        LineFormat::Json | LineFormat::JsonOf(_) => string(JSON),
        LineFormat::Ecs => string(ECS),
        LineFormat::Preset(preset, _) => string(Preset::name(*preset)),
        LineFormat::Template(template) => string(&template.to_string()),
    }
}
