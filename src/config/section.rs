//! Walking a table: each key is asked for by name with the type it must have, and what does not fit
//! is reported in the words of the file.
//!
//! Every question answers `None` both for a key that is not there and for one that is wrong: the
//! mistake is in the [`Report`], the caller goes on with the default, and all mistakes come out in
//! one run.

use std::time::Duration;

use crate::base::units::{UnitError, parse_duration, parse_size};
use crate::base::{ByteSize, Place};
use crate::config::diagnostic::Diagnostic;
use crate::config::keys::Keys;
use crate::config::raw::{Kind, Table, Text, Value};
use crate::config::source::{Sources, Span};
use crate::config::suggest;

/// The mistakes found so far.
pub(super) struct Report<'a> {
    sources: &'a Sources,
    found: Vec<Diagnostic>,
    errors: usize,
}

impl<'a> Report<'a> {
    pub(super) fn new(sources: &'a Sources) -> Self {
        Self {
            sources,
            found: Vec::new(),
            errors: 0,
        }
    }

    pub(super) fn add(&mut self, diagnostic: Diagnostic) {
        self.errors += usize::from(diagnostic.is_error());
        self.found.push(diagnostic);
    }

    /// An error with what to write instead.
    pub(super) fn error(
        &mut self,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(Diagnostic::error(span, message).help(help));
    }

    /// Where a stretch begins.
    pub(super) fn place(&self, span: Span) -> Place {
        self.sources.place(span)
    }

    /// How many errors there are.
    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    /// Where the first file begins.
    pub(super) fn start(&self) -> Span {
        self.sources.start()
    }

    pub(super) fn into_found(self) -> Vec<Diagnostic> {
        self.found
    }
}

/// A value that stands for a setting, with the name to call it by.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) key: &'a str,
    pub(super) value: &'a Value,
}

/// A table whose keys are known.
pub(super) struct Section<'a> {
    /// As the user would write it: `[frontend.web]`.
    pub(super) title: String,
    pub(super) span: Span,
    table: &'a Table,
    /// What to write instead of each key that is not known.
    hints: Vec<String>,
}

impl<'a> Section<'a> {
    /// The table `value`; what is no table, and every key that `keys` does not have, is reported.
    pub(super) fn open(
        keys: &Keys,
        title: String,
        setting: Setting<'a>,
        report: &mut Report<'_>,
    ) -> Option<Self> {
        let Kind::Table(table) = &setting.value.kind else {
            let some: Vec<String> = keys
                .known
                .iter()
                .take(2)
                .map(|key| format!("{key} = …"))
                .collect();
            setting.wrong_with(
                "a table",
                format!("write `{} = {{ {} }}`", setting.key, some.join(", ")),
                report,
            );
            return None;
        };
        Some(Self::over(keys, title, table, setting.value.span, report))
    }

    /// The same for a table that is known to be one.
    pub(super) fn over(
        keys: &Keys,
        title: String,
        table: &'a Table,
        span: Span,
        report: &mut Report<'_>,
    ) -> Self {
        let mut hints = Vec::new();
        for entry in &table.entries {
            if !keys.known.contains(&entry.key.as_str()) {
                let (diagnostic, hint) = unknown_key(keys, &title, &entry.key, entry.key_span);
                report.add(diagnostic);
                hints.extend(hint);
            }
        }
        Self {
            title,
            span,
            table,
            hints,
        }
    }

    /// The setting `key`, whatever its type.
    pub(super) fn setting(&self, key: &'static str) -> Option<Setting<'a>> {
        let value = self.table.get(key)?;
        Some(Setting { key, value })
    }

    /// Whether `key` is not there, not even under a name that is mistaken for it.
    pub(super) fn lacks(&self, key: &'static str) -> bool {
        let is_meant = |hint: &String| hint.contains(&format!("`{key}"));
        self.table.get(key).is_none() && !self.hints.iter().any(is_meant)
    }

    /// The table `key` with the keys `keys`.
    pub(super) fn section(
        &self,
        key: &'static str,
        keys: &Keys,
        report: &mut Report<'_>,
    ) -> Option<Section<'a>> {
        let title = match self.title.as_str() {
            "" => format!("[{key}]"),
            title => format!("{}.{key}]", title.trim_end_matches(']')),
        };
        Section::open(keys, title, self.setting(key)?, report)
    }

    pub(super) fn boolean(&self, key: &'static str, report: &mut Report<'_>) -> Option<bool> {
        self.setting(key)?.boolean(report)
    }

    /// A duration longer than nothing.
    pub(super) fn duration(&self, key: &'static str, report: &mut Report<'_>) -> Option<Duration> {
        self.setting(key)?.positive_duration(report)
    }

    /// A duration longer than nothing, or `"off"`, which is `Some(None)`.
    pub(super) fn duration_or_off(
        &self,
        key: &'static str,
        report: &mut Report<'_>,
    ) -> Option<Option<Duration>> {
        let setting = self.setting(key)?;
        if setting.is_word("off") {
            return Some(None);
        }
        setting.positive_duration(report).map(Some)
    }

    /// A whole number from `least` to `most`.
    pub(super) fn number(
        &self,
        key: &'static str,
        least: i64,
        most: i64,
        report: &mut Report<'_>,
    ) -> Option<i64> {
        self.setting(key)?.number(least, most, report)
    }

    /// A whole number of at least 1, or `word`, which is `Some(None)`.
    pub(super) fn count_or(
        &self,
        key: &'static str,
        word: &str,
        most: i64,
        report: &mut Report<'_>,
    ) -> Option<Option<i64>> {
        let setting = self.setting(key)?;
        if setting.is_word(word) {
            return Some(None);
        }
        if let Kind::Integer(number) = setting.value.kind
            && (1..=most).contains(&number)
        {
            return Some(Some(number));
        }
        setting.wrong(&format!("{}, or \"{word}\"", range(1, most)), report);
        None
    }

    /// A size from `least` to `most`.
    pub(super) fn size(
        &self,
        key: &'static str,
        least: ByteSize,
        most: ByteSize,
        report: &mut Report<'_>,
    ) -> Option<ByteSize> {
        self.setting(key)?.size(least, most, report)
    }

    /// One of a few words; `habits` are words from elsewhere and the one of ours.
    pub(super) fn choice<T: Copy>(
        &self,
        key: &'static str,
        choices: &[(&str, T)],
        habits: &[(&str, &str)],
        report: &mut Report<'_>,
    ) -> Option<T> {
        self.setting(key)?.choice(choices, habits, report)
    }

    /// The values of a list, or the one value that stands for a list of one.
    pub(super) fn list(&self, key: &'static str) -> Option<Vec<Setting<'a>>> {
        Some(self.setting(key)?.list())
    }

    /// The keys that the user chose, for a table of names.
    pub(super) fn named(&self, key: &'static str, report: &mut Report<'_>) -> Option<&'a Table> {
        self.setting(key)?.table(report)
    }
}

impl<'a> Setting<'a> {
    pub(super) fn span(&self) -> Span {
        self.value.span
    }

    /// Whether it is exactly this string.
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(&self.value.kind, Kind::String(text) if text.value == word)
    }

    /// The values of a list, or the one value that stands for a list of one.
    pub(super) fn list(&self) -> Vec<Setting<'a>> {
        let with_key = |value| Setting {
            key: self.key,
            value,
        };
        match &self.value.kind {
            Kind::Array(items) => items.iter().map(with_key).collect(),
            _ => vec![with_key(self.value)],
        }
    }

    pub(super) fn text(&self, report: &mut Report<'_>) -> Option<&'a Text> {
        match &self.value.kind {
            Kind::String(text) => Some(text),
            _ => {
                let help = match &self.value.kind {
                    Kind::Integer(number) => format!("write `\"{number}\"`"),
                    Kind::Float(text) | Kind::Datetime(text) => format!("write `\"{text}\"`"),
                    Kind::Array(_) => "write one string, without `[` and `]`".to_owned(),
                    _ => "write a text in double quotes".to_owned(),
                };
                self.wrong_with("a string", help, report);
                None
            }
        }
    }

    pub(super) fn table(&self, report: &mut Report<'_>) -> Option<&'a Table> {
        match &self.value.kind {
            Kind::Table(table) => Some(table),
            _ => {
                self.wrong_with(
                    "a table",
                    format!("write `{} = {{ name = … }}`", self.key),
                    report,
                );
                None
            }
        }
    }

    fn boolean(&self, report: &mut Report<'_>) -> Option<bool> {
        match &self.value.kind {
            Kind::Boolean(value) => Some(*value),
            _ => {
                self.wrong_with(
                    "`true` or `false`",
                    "write `true` or `false`, without quotes",
                    report,
                );
                None
            }
        }
    }

    pub(super) fn number(&self, least: i64, most: i64, report: &mut Report<'_>) -> Option<i64> {
        match self.value.kind {
            Kind::Integer(number) if (least..=most).contains(&number) => Some(number),
            _ => {
                self.wrong(&range(least, most), report);
                None
            }
        }
    }

    fn positive_duration(&self, report: &mut Report<'_>) -> Option<Duration> {
        let duration = self.any_duration(report)?;
        if duration.is_zero() {
            report.error(
                self.span(),
                format!("`{}` is no time at all", self.key),
                "write a duration longer than 0",
            );
            return None;
        }
        Some(duration)
    }

    /// A duration, nothing included.
    pub(super) fn any_duration(&self, report: &mut Report<'_>) -> Option<Duration> {
        let text = self.quantity("a duration such as \"5s\"", "5s", 's', report)?;
        parse_duration(&text.value)
            .map_err(|error| self.no_quantity(text, &error, &DURATION_WORDS, report))
            .ok()
    }

    fn size(&self, least: ByteSize, most: ByteSize, report: &mut Report<'_>) -> Option<ByteSize> {
        let text = self.quantity("a size such as \"64KiB\"", "64KiB", 'B', report)?;
        let size = parse_size(&text.value)
            .map_err(|error| self.no_quantity(text, &error, &SIZE_WORDS, report))
            .ok()?;
        if size < least || size > most {
            report.error(
                self.span(),
                format!(
                    "`{}` must be from {least} to {most}, and is {:?}",
                    self.key,
                    text.shown()
                ),
                format!("write a size from \"{least}\" to \"{most}\""),
            );
            return None;
        }
        Some(size)
    }

    /// The text of a quantity with a unit; a bare number has a message of its own.
    fn quantity(
        &self,
        expected: &str,
        example: &str,
        unit: char,
        report: &mut Report<'_>,
    ) -> Option<&'a Text> {
        let number = match &self.value.kind {
            Kind::String(text) => return Some(text),
            Kind::Integer(number) => number.to_string(),
            Kind::Float(number) => number.clone(),
            _ => {
                self.wrong(expected, report);
                return None;
            }
        };
        let instead = match (number.parse::<u64>(), number.parse::<f64>()) {
            (Ok(number), _) => format!("{number}{unit}"),
            (_, Ok(seconds)) if unit == 's' && (0.001..1e6).contains(&seconds) => {
                format!("{}ms", (seconds * 1000.0).round())
            }
            _ => example.to_owned(),
        };
        report.error(
            self.span(),
            format!("`{} = {number}` has no unit", self.key),
            format!("write `{} = \"{instead}\"`", self.key),
        );
        None
    }

    fn no_quantity(
        &self,
        text: &Text,
        error: &UnitError,
        words: &QuantityWords,
        report: &mut Report<'_>,
    ) {
        let shown = format!("`{} = {:?}`", self.key, text.shown());
        let message = match error {
            // The unit is a part of the value, which may be a secret.
            UnitError::UnknownUnit(_) if !text.is_as_written() => {
                format!("{shown} is no {}", words.noun)
            }
            error => format!("{shown} {error}"),
        };
        let help = match error {
            UnitError::NoUnit if text.is_as_written() => {
                format!("write `\"{}{}\"`", text.value.trim(), words.unit)
            }
            _ => format!(
                "units are {}; write for example `\"{}\"`",
                words.units, words.example
            ),
        };
        report.error(self.span(), message, help);
    }

    pub(super) fn choice<T: Copy>(
        &self,
        choices: &[(&str, T)],
        habits: &[(&str, &str)],
        report: &mut Report<'_>,
    ) -> Option<T> {
        let words = || choices.iter().map(|(word, _)| *word);
        let Kind::String(text) = &self.value.kind else {
            let quoted: Vec<String> = words().map(|word| format!("\"{word}\"")).collect();
            self.wrong(&quoted.join(" or "), report);
            return None;
        };
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == text.value) {
            return Some(*choice);
        }
        let meant = habits
            .iter()
            .find(|(habit, _)| *habit == text.value)
            .map(|(_, word)| *word)
            .or_else(|| suggest::nearest(&text.value, words()));
        let help = match meant {
            Some(word) => format!("write `\"{word}\"`; known are {}", suggest::list(words())),
            None => format!("known are {}", suggest::list(words())),
        };
        report.error(
            self.span(),
            format!("`{}` cannot be {:?}", self.key, text.shown()),
            help,
        );
        None
    }

    /// Reports that the value is something else than it must be.
    pub(super) fn wrong(&self, expected: &str, report: &mut Report<'_>) {
        self.wrong_with(expected, format!("write {expected}"), report);
    }

    /// The same with what to write instead.
    pub(super) fn wrong_with(
        &self,
        expected: &str,
        help: impl Into<String>,
        report: &mut Report<'_>,
    ) {
        if matches!(self.value.kind, Kind::Broken) {
            return;
        }
        report.error(
            self.span(),
            format!(
                "`{}` must be {expected}, and is {}",
                self.key,
                self.value.describe()
            ),
            help,
        );
    }
}

fn range(least: i64, most: i64) -> String {
    match most {
        i64::MAX => format!("a whole number of at least {least}"),
        _ => format!("a whole number from {least} to {most}"),
    }
}

/// The words for one kind of quantity.
struct QuantityWords {
    noun: &'static str,
    unit: &'static str,
    units: &'static str,
    example: &'static str,
}

const DURATION_WORDS: QuantityWords = QuantityWords {
    noun: "duration",
    unit: "s",
    units: "`us`, `ms`, `s`, `m`, `h` and `d`",
    example: "250ms",
};

const SIZE_WORDS: QuantityWords = QuantityWords {
    noun: "size",
    unit: "B",
    units: "`B`, `kB`, `KiB`, `MB`, `MiB`, `GB` and `GiB`",
    example: "64KiB",
};

/// What is said about a key that is not known, and what to write instead, if that is clear.
fn unknown_key(keys: &Keys, title: &str, key: &str, span: Span) -> (Diagnostic, Option<String>) {
    let at = match title {
        "" => "at the top of a file".to_owned(),
        title => format!("in `{title}`"),
    };
    let known = || {
        format!(
            "known {at} are {}",
            suggest::list(keys.known.iter().copied())
        )
    };
    let message = format!("unknown key `{key}` {at}");
    if let Some(hint) = keys.hint(key) {
        let diagnostic = Diagnostic::error(span, message).help(hint);
        return (diagnostic, Some(hint.to_owned()));
    }
    let Some(word) = suggest::nearest(key, keys.known.iter().copied()) else {
        return (Diagnostic::error(span, message).help(known()), None);
    };
    let message = format!("unknown key `{key}`, did you mean `{word}`?");
    let diagnostic = Diagnostic::error(span, message).help(known());
    (diagnostic, Some(format!("`{word}`")))
}
