//! A plan's values as the text of the format, for `check --show`.
//!
//! Used by `keys` and `show`; the text loads back to an equal value.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use crate::base::units::show_duration;
use crate::config::variables;
use crate::plan::expr::Template;
use crate::plan::{Field, HostPattern, Peers, UnixPeers};

/// The text so far.
#[derive(Default)]
pub(super) struct Page {
    text: String,
}

impl Page {
    /// `[path]`, after an empty line.
    pub(super) fn table(&mut self, path: &str) {
        self.header(&format!("[{path}]"));
    }

    /// `[[path]]`, after an empty line.
    pub(super) fn element(&mut self, path: &str) {
        self.header(&format!("[[{path}]]"));
    }

    fn header(&mut self, header: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.line(header);
    }

    pub(super) fn set(&mut self, key: &str, value: impl std::fmt::Display) {
        self.line(&format!("{key} = {value}"));
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// The path of the table `key` in the table `path`.
    pub(super) fn inner(path: &str, key: &str) -> String {
        match path {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

pub(super) fn duration(duration: Duration) -> String {
    string(&show_duration(duration))
}

pub(super) fn or_word<T: std::fmt::Display>(value: Option<T>, word: &str) -> String {
    value.map_or_else(|| string(word), |value| value.to_string())
}

pub(super) fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

/// A list, or nothing if there are no items.
pub(super) fn list_of_any(items: impl ExactSizeIterator<Item = String>) -> Option<String> {
    (items.len() > 0).then(|| list(items))
}

pub(super) fn strings(items: &[String]) -> String {
    list(items.iter().map(|item| string(item)))
}

/// Each item on a line of its own.
pub(super) fn rows(indent: &str, rows: impl ExactSizeIterator<Item = String>) -> String {
    if rows.len() == 0 {
        return "[]".to_owned();
    }
    let rows: String = rows.map(|row| format!("{indent}{row},\n")).collect();
    format!("[\n{rows}]")
}

/// `{ key = value }`.
pub(super) fn table(keys: impl Iterator<Item = (String, String)>) -> String {
    let keys: Vec<String> = keys
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    format!("{{ {} }}", keys.join(", "))
}

pub(super) fn fields(fields: &[Field]) -> String {
    let fields = fields.iter();
    table(fields.map(|field| (key(field.name.as_str()), template(&field.value))))
}

pub(super) fn template(template: &Template) -> String {
    string(&template.to_string())
}

pub(super) fn file(path: &Path) -> String {
    string(&path.to_string_lossy())
}

pub(super) fn host(host: &HostPattern) -> String {
    string(&host_name(host))
}

pub(super) fn host_name(host: &HostPattern) -> String {
    match host {
        HostPattern::Exact(name) => name.clone(),
        HostPattern::Wildcard(name) => format!("*.{name}"),
    }
}

pub(super) fn peers(peers: &Peers) -> String {
    let networks = peers.networks.iter();
    let unix = (peers.unix == UnixPeers::Included).then(|| string("unix"));
    list(
        networks
            .map(|network| string(&network.to_string()))
            .chain(unix),
    )
}

/// A key, in quotes where it needs them. Variables are not replaced in keys.
pub(super) fn key(text: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !text.is_empty() && text.bytes().all(is_bare) {
        return text.to_owned();
    }
    quoted(text)
}

/// A string that reads back as `text`, variables included.
pub(super) fn string(text: &str) -> String {
    quoted(&variables::escape(text))
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\t' => quoted.push_str("\\t"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() => {
                write!(quoted, "\\U{:08X}", u32::from(c))
                    .expect("a string takes all that is written");
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
