//! One value of a table, asked for with the type that it must have.
//!
//! `section` finds the value; here what does not fit is reported in the words of the file. Every
//! question answers `None` for a value that is wrong: the mistake is in the [`Report`].

use std::time::Duration;

use crate::base::ByteSize;
use crate::base::units::{UnitError, parse_duration, parse_size};
use crate::config::raw::{Kind, Table, Text, Value};
use crate::config::report::Report;
use crate::config::source::Span;
use crate::config::suggest;

/// A value that stands for a setting, with the name to call it by.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) key: &'a str,
    pub(super) value: &'a Value,
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
                let help = match self.key {
                    key @ ("frontend" | "backend") => format!("write `[{key}.NAME]`"),
                    key => format!("write `{key} = {{ name = … }}`"),
                };
                self.wrong_with("a table", help, report);
                None
            }
        }
    }

    pub(super) fn boolean(&self, report: &mut Report<'_>) -> Option<bool> {
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

    pub(super) fn positive_duration(&self, report: &mut Report<'_>) -> Option<Duration> {
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

    pub(super) fn size(
        &self,
        least: ByteSize,
        most: ByteSize,
        report: &mut Report<'_>,
    ) -> Option<ByteSize> {
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

/// For a message; the greatest number that fits is no bound worth a word.
pub(super) fn range(least: i64, most: i64) -> String {
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
