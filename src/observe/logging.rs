//! The log of events: standard error, as lines for people or as JSON.
//!
//! `main` starts it once for the whole process, because `tracing` has one subscriber. Level and
//! format can be changed by a reload. Events of libraries are shown from `warn` on.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::reload;

use crate::base::clock;
use crate::observe::calendar::Calendar;
use crate::observe::json;
use crate::plan::{LogFormat, LogLevel};

/// The target of our own events.
const OURS: &str = env!("CARGO_PKG_NAME");

/// Changes how events are written while the process runs.
#[derive(Clone, Debug)]
pub struct LoggingHandle {
    filter: reload::Handle<Targets, Registry>,
    /// Whether events are written as JSON. Written by a reload, read for each event. Relaxed: it orders nothing.
    is_json: Arc<AtomicBool>,
}

/// This process has a subscriber already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyStarted;

impl fmt::Display for AlreadyStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("logging has already been started in this process")
    }
}

impl std::error::Error for AlreadyStarted {}

/// Sends the events of this process to standard error.
///
/// # Errors
///
/// [`AlreadyStarted`] the second time.
pub fn start(level: LogLevel, format: LogFormat) -> Result<LoggingHandle, AlreadyStarted> {
    let has_color = io::stderr().is_terminal();
    let (subscriber, handle) = subscriber(level, format, has_color, io::stderr);
    tracing::subscriber::set_global_default(subscriber).map_err(|_| AlreadyStarted)?;
    Ok(handle)
}

impl LoggingHandle {
    /// Writes events of `level` and above from now on.
    pub fn set_level(&self, level: LogLevel) {
        // It fails only if the subscriber is gone, and then there is nothing to change.
        let _ = self.filter.reload(filter(level));
    }

    /// Writes events as `format` from now on.
    pub fn set_format(&self, format: LogFormat) {
        self.is_json
            .store(format == LogFormat::Json, Ordering::Relaxed);
    }
}

fn subscriber<W>(
    level: LogLevel,
    format: LogFormat,
    has_color: bool,
    writer: W,
) -> (impl Subscriber + Send + Sync, LoggingHandle)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let is_json = Arc::new(AtomicBool::new(format == LogFormat::Json));
    let (filter, filter_handle) = reload::Layer::new(filter(level));
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Lines {
            is_json: Arc::clone(&is_json),
            has_color,
        })
        // It would report a failure of standard error on standard error, and panic when that fails.
        .log_internal_errors(false)
        .with_writer(writer);
    let subscriber = Registry::default().with(filter).with(lines);
    let handle = LoggingHandle {
        filter: filter_handle,
        is_json,
    };
    (subscriber, handle)
}

fn filter(level: LogLevel) -> Targets {
    let ours = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    Targets::new()
        .with_target(OURS, ours)
        .with_default(ours.min(LevelFilter::WARN))
}

/// Writes an event as a line.
#[derive(Debug)]
struct Lines {
    is_json: Arc<AtomicBool>,
    has_color: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut parts = Parts::default();
        event.record(&mut parts);
        let mut time = Vec::new();
        Calendar::new().write(clock::wall(), &mut time);
        let time = String::from_utf8_lossy(&time);
        if self.is_json.load(Ordering::Relaxed) {
            as_json(&mut writer, &time, event, &parts)
        } else {
            self.for_people(&mut writer, &time, event, &parts)
        }
    }
}

impl Lines {
    fn for_people(
        &self,
        writer: &mut Writer<'_>,
        time: &str,
        event: &Event<'_>,
        parts: &Parts,
    ) -> fmt::Result {
        let level = *event.metadata().level();
        if self.has_color {
            let color = color(level);
            write!(writer, "\x1b[2m{time}\x1b[0m {color}{level:<5}\x1b[0m ")?;
        } else {
            write!(writer, "{time} {level:<5} ")?;
        }
        visible(writer, &parts.message)?;
        // Our messages contain all of their fields.
        if !is_ours(event) {
            for (name, value) in &parts.fields {
                write!(writer, " {name}=")?;
                visible(writer, &value.text)?;
            }
            write!(writer, " ({})", event.metadata().target())?;
        }
        writer.write_char('\n')
    }
}

fn as_json(writer: &mut Writer<'_>, time: &str, event: &Event<'_>, parts: &Parts) -> fmt::Result {
    let level = event.metadata().level().as_str().to_ascii_lowercase();
    write!(
        writer,
        "{{\"time\":\"{time}\",\"level\":\"{level}\",\"message\":"
    )?;
    quoted(writer, &parts.message)?;
    if !is_ours(event) {
        writer.write_str(",\"from\":")?;
        quoted(writer, event.metadata().target())?;
    }
    for (name, value) in &parts.fields {
        writer.write_char(',')?;
        quoted(writer, name)?;
        writer.write_char(':')?;
        if value.is_number {
            writer.write_str(&value.text)?;
        } else {
            quoted(writer, &value.text)?;
        }
    }
    writer.write_str("}\n")
}

fn is_ours(event: &Event<'_>) -> bool {
    let rest = event.metadata().target().strip_prefix(OURS);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn color(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        _ => "\x1b[34m",
    }
}

fn quoted(writer: &mut Writer<'_>, text: &str) -> fmt::Result {
    let mut out = Vec::with_capacity(text.len() + 2);
    json::string(text.as_bytes(), &mut out);
    writer.write_str(&String::from_utf8_lossy(&out))
}

/// Writes `text` with its line ends, and with no other byte that a terminal would obey: it may
/// contain a server's answer.
fn visible(writer: &mut Writer<'_>, text: &str) -> fmt::Result {
    for character in text.chars() {
        if character.is_control() && character != '\n' {
            write!(writer, "{}", character.escape_default())?;
        } else {
            writer.write_char(character)?;
        }
    }
    Ok(())
}

/// An event, taken apart.
#[derive(Default)]
struct Parts {
    message: String,
    fields: Vec<(&'static str, Value)>,
}

struct Value {
    text: String,
    /// Written in JSON as it is.
    is_number: bool,
}

impl Parts {
    fn add(&mut self, field: &Field, text: String, is_number: bool) {
        if field.name() == "message" {
            self.message = text;
        } else {
            self.fields.push((field.name(), Value { text, is_number }));
        }
    }
}

impl Visit for Parts {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"), false);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.to_owned(), false);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.to_string(), true);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.to_string(), true);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.to_string(), true);
    }
}

/// The events that `work` logs on this thread.
#[cfg(test)]
pub(crate) fn captured(level: LogLevel, format: LogFormat, work: impl FnOnce()) -> String {
    let written = tests::Written::default();
    let (subscriber, _) = subscriber(level, format, false, written.clone());
    tracing::subscriber::with_default(subscriber, work);
    written.text()
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    #[derive(Clone, Default)]
    pub(super) struct Written(Arc<Mutex<Vec<u8>>>);

    impl Written {
        pub(super) fn text(&self) -> String {
            let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            String::from_utf8(std::mem::take(&mut *bytes)).expect("text")
        }
    }

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            written.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Written {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn json_has_the_fields_and_is_json_whatever_they_hold() {
        let text = captured(LogLevel::Info, LogFormat::Json, || {
            tracing::warn!(
                event = "server.down",
                backend = "a\"b",
                up = 1,
                is_ok = true,
                "x\ny"
            );
        });
        let line: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(line["level"], "warn");
        assert_eq!(line["message"], "x\ny");
        assert_eq!(line["event"], "server.down");
        assert_eq!(line["backend"], "a\"b");
        assert_eq!(line["up"], 1);
        assert_eq!(line["is_ok"], true);
        assert_eq!(line["time"].as_str().map(str::len), Some(24));
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn a_line_for_people_cannot_steer_their_terminal() {
        let text = captured(LogLevel::Info, LogFormat::Human, || {
            tracing::info!(event = "x", "said \x1b[2J and\nmore");
        });
        assert!(
            text.ends_with("INFO  said \\u{1b}[2J and\nmore\n"),
            "{text:?}"
        );
    }

    #[test]
    fn events_of_libraries_are_written_from_warn_on_and_never_above_our_level() {
        let noise = || {
            tracing::info!(target: "hyper::proto", "chatter");
            tracing::warn!(target: "hyper::proto", count = 2, "trouble");
            tracing::warn!(target: "evenkeelish", "not ours");
        };
        let text = captured(LogLevel::Debug, LogFormat::Human, noise);
        assert!(!text.contains("chatter"), "{text}");
        assert!(
            text.contains("WARN  trouble count=2 (hyper::proto)\n"),
            "{text}"
        );
        assert!(text.contains("not ours (evenkeelish)"), "{text}");
        assert_eq!(captured(LogLevel::Error, LogFormat::Human, noise), "");
    }

    #[test]
    fn level_and_format_change_while_it_runs() {
        let written = Written::default();
        let (subscriber, handle) =
            subscriber(LogLevel::Warn, LogFormat::Human, false, written.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("one");
            assert_eq!(written.text(), "");
            handle.set_level(LogLevel::Info);
            tracing::info!("two");
            assert!(written.text().ends_with("INFO  two\n"));
            handle.set_format(LogFormat::Json);
            tracing::info!("three");
            assert!(written.text().starts_with("{\"time\":"));
            handle.set_level(LogLevel::Error);
            tracing::warn!("four");
            assert_eq!(written.text(), "");
        });
    }
}
