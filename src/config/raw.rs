//! The values of a file with their positions, unchecked.
//!
//! `toml` parses; its tree becomes ours, in the order of the text and with variables replaced. Only
//! this file, and `show` and `page`, which write it, know that the format is TOML.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::base::FoldMap;
use crate::base::quote::beginning;
use crate::config::diagnostic::Diagnostic;
use crate::config::source::Span;
use crate::config::variables::Variables;

/// A value and its position.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) kind: Kind,
    pub(super) span: Span,
}

/// The content of a value.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    String(Text),
    Integer(i64),
    Float(String),
    Boolean(bool),
    Datetime(String),
    Array(Vec<Value>),
    Table(Table),
    /// A mistake that is already reported and is not reported again.
    Broken,
}

/// A string.
#[derive(Clone, Debug)]
pub(super) struct Text {
    /// With variables replaced.
    pub(super) value: String,
    /// As written, if that differs.
    written: Option<Box<str>>,
    /// Whether the string is exactly one reference, to a variable or to a secret file.
    is_one_reference: bool,
    /// Whether it contains the content of a secret file.
    pub(super) is_secret: bool,
}

impl Text {
    /// A string without variables.
    pub(super) fn plain(value: String) -> Self {
        Self {
            value,
            written: None,
            is_one_reference: false,
            is_secret: false,
        }
    }

    /// The string as a message may show it: its beginning, without the values of variables.
    pub(super) fn shown(&self) -> Cow<'_, str> {
        beginning(self.written.as_deref().unwrap_or(&self.value))
    }

    /// The string in quotes, and the value of the variables in it unless a secret file is one of them.
    ///
    /// For keys that take a number, a switch, a quantity, a word or an address. A variable may hold
    /// a password, but not one that is meant for such a key.
    pub(super) fn quoted(&self) -> String {
        match &self.written {
            Some(written) if !self.is_secret => format!(
                "\"{}\", which is {:?}",
                beginning(written),
                beginning(&self.value)
            ),
            Some(written) => {
                format!("\"{}\", whose value is not shown", beginning(written))
            }
            None => format!("{:?}", beginning(&self.value)),
        }
    }

    /// The value of the one reference that is all of the string.
    pub(super) fn one_reference(&self) -> Option<&str> {
        self.is_one_reference.then_some(self.value.trim())
    }

    /// Whether the value is in the file as it is, so that parts of it may be shown.
    pub(super) fn is_as_written(&self) -> bool {
        self.written.is_none()
    }
}

/// Keys with values, in the order of the text.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) entries: Vec<Entry>,
    /// The indices of the first entries by key: of as many as have been merged. Without it, ten
    /// thousand included files would each be searched for every name.
    /// `None`: nothing was merged into this table. Boxed, because most tables are such.
    merged: Option<Box<FoldMap<String, usize>>>,
}

/// One key of a table.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_span: Span,
    pub(super) value: Value,
}

impl Table {
    /// A table of `entries`, whose keys are all different.
    pub(super) fn of(entries: Vec<Entry>) -> Self {
        Self {
            entries,
            merged: None,
        }
    }

    /// The entry of `key`.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The value of `key`.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// Removes the entry `key`.
    pub(super) fn remove(&mut self, key: &str) -> Option<Entry> {
        let index = self.entries.iter().position(|entry| entry.key == key)?;
        self.merged = None;
        Some(self.entries.remove(index))
    }

    /// Adds `entry`, or returns it with the existing entry of its key.
    pub(super) fn add(&mut self, entry: Entry) -> Option<(&mut Entry, Entry)> {
        let merged = self.merged.get_or_insert_default();
        let not_merged = self.entries.iter().enumerate().skip(merged.len());
        merged.extend(not_merged.map(|(index, entry)| (entry.key.clone(), index)));
        match merged.get(&entry.key) {
            Some(&index) => Some((&mut self.entries[index], entry)),
            None => {
                self.entries.push(entry);
                None
            }
        }
    }
}

impl Value {
    /// Whether a part of it is missing because of a mistake that is already reported.
    pub(super) fn has_broken(&self) -> bool {
        match &self.kind {
            Kind::Broken => true,
            Kind::Array(items) => items.iter().any(Self::has_broken),
            Kind::Table(table) => table.entries.iter().any(|entry| entry.value.has_broken()),
            _ => false,
        }
    }

    /// The kind of the value, for a message.
    pub(super) fn describe(&self) -> String {
        match &self.kind {
            Kind::String(text) => format!("the string {}", text.quoted()),
            Kind::Integer(number) => format!("the number {number}"),
            Kind::Float(number) => format!("the number {number}"),
            Kind::Boolean(value) => format!("`{value}`"),
            Kind::Datetime(value) => format!("the date {value}"),
            Kind::Array(_) => "a list".to_owned(),
            Kind::Table(_) => "a table".to_owned(),
            Kind::Broken => "a mistake".to_owned(),
        }
    }
}

/// The result of parsing one file.
pub(super) struct Parsed {
    pub(super) table: Table,
    /// The syntax errors of the text.
    pub(super) syntax: Vec<Diagnostic>,
    /// The mistakes in references to variables and secret files.
    pub(super) references: Vec<Diagnostic>,
    /// The secret files that it names.
    pub(super) files: Vec<std::path::PathBuf>,
}

/// Parses `text`, which is all of `span`; with syntax errors, as many values as can be read.
pub(super) fn parse(text: &str, span: Span, variables: &Variables<'_>) -> Parsed {
    let (document, mut errors) = DeTable::parse_recoverable(text);
    errors.sort_by_key(|error| error.span().map_or(text.len(), |bytes| bytes.start));
    let mut syntax: Vec<Diagnostic> = Vec::with_capacity(errors.len());
    let mut line = 0..0;
    for error in &errors {
        let at = error.span().map_or(text.len(), |bytes| bytes.start);
        // Later errors on the same line mostly follow from the first one.
        if !syntax.is_empty() && line.contains(&at) {
            continue;
        }
        line = line_around(at, text);
        let diagnostic = syntax_error(error, text, span);
        syntax.push(match syntax.is_empty() && is_haproxy_cfg(text) {
            true => diagnostic.help("this is an haproxy.cfg: see conf/recipes/from-haproxy.toml"),
            false => diagnostic,
        });
    }
    let mut reader = Reader {
        text,
        file: span,
        variables,
        references: Vec::new(),
        files: Vec::new(),
    };
    let table = reader.table(document.into_inner());
    Parsed {
        table,
        syntax,
        references: reader.references,
        files: reader.files,
    }
}

struct Reader<'a> {
    text: &'a str,
    file: Span,
    variables: &'a Variables<'a>,
    references: Vec<Diagnostic>,
    files: Vec<std::path::PathBuf>,
}

impl Reader<'_> {
    fn table(&mut self, table: DeTable<'_>) -> Table {
        let mut entries: Vec<Entry> = table
            .into_iter()
            .map(|(key, value)| Entry {
                key_span: self.file.part(key.span().start, key.span().end),
                key: key.into_inner().into_owned(),
                value: self.value(value),
            })
            .collect();
        entries.sort_by_key(|entry| entry.key_span);
        Table::of(entries)
    }

    fn value(&mut self, value: Spanned<DeValue<'_>>) -> Value {
        let bytes = value.span();
        let span = self.file.part(bytes.start, bytes.end);
        let kind = match value.into_inner() {
            DeValue::String(text) => self.string(&text, span, bytes),
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => Kind::Integer(number),
                    Err(_) => {
                        self.references.push(Diagnostic::error(
                            span,
                            format!("`{number}` is too large: a number has 64 bits at most"),
                        ));
                        Kind::Broken
                    }
                }
            }
            DeValue::Float(number) => Kind::Float(number.to_string()),
            DeValue::Boolean(value) => Kind::Boolean(value),
            DeValue::Datetime(value) => Kind::Datetime(value.to_string()),
            DeValue::Array(list) => {
                Kind::Array(list.into_iter().map(|item| self.value(item)).collect())
            }
            DeValue::Table(table) => Kind::Table(self.table(table)),
        };
        Value { kind, span }
    }

    fn string(&mut self, written: &str, span: Span, bytes: Range<usize>) -> Kind {
        let expanded = self.variables.expand(written);
        let is_secret = !expanded.files.is_empty();
        self.files.extend(expanded.files);
        if !expanded.mistakes.is_empty() {
            let in_file = self.text.get(bytes).unwrap_or_default();
            for mistake in expanded.mistakes {
                // Escapes can make the text in the file longer than the string.
                let reference = &written[mistake.part];
                let part = match in_file.find(reference) {
                    Some(start) => span.part(start, start + reference.len()),
                    None => span,
                };
                self.references
                    .push(Diagnostic::error(part, mistake.message).help(mistake.help));
            }
            return Kind::Broken;
        }
        Kind::String(Text {
            value: expanded.text,
            written: expanded.replaced.then(|| written.into()),
            is_one_reference: expanded.is_one_reference,
            is_secret,
        })
    }
}

/// The line around `at`, its line break included.
fn line_around(at: usize, text: &str) -> Range<usize> {
    let (before, after) = text.as_bytes().split_at(at.min(text.len()));
    let is_break = |byte: &u8| *byte == b'\n';
    let start = before
        .iter()
        .rposition(is_break)
        .map_or(0, |found| found + 1);
    let end = after.iter().position(is_break);
    start..end.map_or(text.len(), |found| at + found) + 1
}

/// Whether `text` is a file of HAProxy: two lines begin with its words, without a `=`. One such
/// line is a mistake in a file of ours.
fn is_haproxy_cfg(text: &str) -> bool {
    const WORDS: [&str; 9] = [
        "backend",
        "bind",
        "default_backend",
        "defaults",
        "frontend",
        "global",
        "listen",
        "server",
        "use_backend",
    ];
    let is_of_haproxy = |line: &&str| {
        let mut words = line.split_ascii_whitespace();
        words.next().is_some_and(|word| WORDS.contains(&word))
            && words.next().is_none_or(|word| !word.starts_with('='))
    };
    text.lines().filter(is_of_haproxy).count() > 1
}

/// A syntax error of `toml`; for common mistakes, in words that say what to write instead.
fn syntax_error(error: &toml::de::Error, text: &str, span: Span) -> Diagnostic {
    let bytes = error.span().unwrap_or(text.len()..text.len());
    let at = span.part(bytes.start, bytes.end);
    let message = error.message();
    if message.starts_with("string values must be quoted") || message.starts_with("invalid float") {
        return Diagnostic::error(at, format!("not TOML: {message}"))
            .help("write text in double quotes, and numbers as digits only");
    }
    if message.starts_with("duplicate key") {
        let key = text.get(bytes).unwrap_or_default();
        return Diagnostic::error(at, format!("`{key}` is written twice"))
            .help("keep one of the two");
    }
    if message.starts_with("key with no value") {
        let before = text.get(..bytes.start).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        let help = match text.as_bytes().get(bytes.start) {
            Some(b']') => "the header of a table needs a bracket on both sides: `[name]`",
            _ => without_equals(line),
        };
        return Diagnostic::error(at, "not TOML: a key without `=`").help(help);
    }
    Diagnostic::error(at, format!("not TOML: {message}"))
}

/// What to write instead of a line that begins with `start` and has no `=` there.
fn without_equals(start: &str) -> &'static str {
    match start.split_whitespace().next() {
        Some("global") => {
            "settings of the process are in `[process]`, `[log]`, `[shutdown]` and `[admin]`"
        }
        Some("defaults") => {
            "write `[defaults.frontend]` and `[defaults.backend]`, each on a line of its own"
        }
        Some("frontend") => "write `[frontend.NAME]` on a line of its own",
        Some("backend") => "write `[backend.NAME]` on a line of its own",
        Some("bind") => "write `listen = \"…\"`",
        Some("default_backend") => "write `backend = \"…\"`",
        Some("server") => "write `servers = [\"…\"]`",
        _ => "write `key = value`",
    }
}
