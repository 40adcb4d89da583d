//! One value of a table, asked for with the type that it must have.
//!
//! `section` finds the value; here a wrong value is reported in the words of the file. Every method
//! returns `None` for a wrong value: the mistake is in the [`Report`].

use std::time::Duration;

use crate::base::ByteSize;
use crate::base::units::{UnitError, parse_duration, parse_size};
use crate::config::haproxy_hints;
use crate::config::quantity::{DURATION_WORDS, QuantityWords, SIZE_WORDS};
use crate::config::raw::{Kind, Table, Text, Value};
use crate::config::report::Report;
use crate::config::source::Span;
use crate::config::suggest;

/// The value of a setting, and its name for messages.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) key: &'a str,
    pub(super) value: &'a Value,
}

impl<'a> Setting<'a> {
    pub(super) fn span(&self) -> Span {
        self.value.span
    }

    /// Whether the value is exactly this string.
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(&self.value.kind, Kind::String(text) if text.value == word)
    }

    /// The value as a whole number: written as one, or from a variable.
    pub(super) fn as_integer(&self) -> Option<i64> {
        match &self.value.kind {
            Kind::Integer(number) => Some(*number),
            Kind::String(text) => text.one_reference()?.parse().ok(),
            _ => None,
        }
    }

    /// The value as `true` or `false`: written as one, or from a variable.
    pub(super) fn as_switch(&self) -> Option<bool> {
        match &self.value.kind {
            Kind::Boolean(value) => Some(*value),
            Kind::String(text) => text.one_reference()?.parse().ok(),
            _ => None,
        }
    }

    /// The values of a list; a single value is a list of one.
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
                    _ => "write text in double quotes".to_owned(),
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
                    key => haproxy_hints::conditions(key, self.value)
                        .unwrap_or_else(|| format!("write `{key} = {{ name = \"value\" }}`")),
                };
                self.wrong_with("a table", help, report);
                None
            }
        }
    }

    pub(super) fn boolean(&self, report: &mut Report<'_>) -> Option<bool> {
        let value = self.as_switch();
        if value.is_none() {
            let meant = match &self.value.kind {
                Kind::String(text) if text.is_as_written() => haproxy_hints::switch(&text.value),
                Kind::Integer(number) => haproxy_hints::switch(&number.to_string()),
                _ => None,
            };
            let help = match meant {
                Some(value) => format!("write `{} = {value}`, without quotes", self.key),
                None => "write `true` or `false`, without quotes".to_owned(),
            };
            self.wrong_with("`true` or `false`", help, report);
        }
        value
    }

    pub(super) fn number(&self, least: i64, most: i64, report: &mut Report<'_>) -> Option<i64> {
        let number = self
            .as_integer()
            .filter(|number| (least..=most).contains(number));
        if number.is_none() {
            let expected = range(least, most);
            self.wrong_with(&expected, self.as_number(least, most, &expected), report);
        }
        number
    }

    /// The same, or `word`, which is `Some(None)`.
    pub(super) fn number_or(
        &self,
        word: &str,
        most: i64,
        report: &mut Report<'_>,
    ) -> Option<Option<i64>> {
        if self.is_word(word) {
            return Some(None);
        }
        let number = self
            .as_integer()
            .filter(|number| (1..=most).contains(number));
        if number.is_none() {
            let expected = format!("{}, or \"{word}\"", range(1, most));
            let is_without = match &self.value.kind {
                Kind::String(text) => ["unlimited", "none", "no", "infinite", "off", "auto"]
                    .contains(&text.value.as_str()),
                Kind::Boolean(value) => !value,
                Kind::Integer(number) => *number == 0 || *number == -1,
                _ => false,
            };
            let help = match is_without {
                true => format!("write `{} = \"{word}\"`", self.key),
                false => self.as_number(1, most, &expected),
            };
            self.wrong_with(&expected, help, report);
        }
        number.map(Some)
    }

    /// What to write in place of a value that must be a number.
    fn as_number(&self, least: i64, most: i64, expected: &str) -> String {
        match self.as_written_number() {
            Some(number) if (least..=most).contains(&number) => {
                format!("write `{} = {number}`, without quotes", self.key)
            }
            _ => format!("write {expected}"),
        }
    }

    /// The number that is written, with quotes or without.
    fn as_written_number(&self) -> Option<i64> {
        match &self.value.kind {
            Kind::Integer(number) => Some(*number),
            Kind::String(text) if text.is_as_written() => text.value.trim().parse().ok(),
            _ => None,
        }
    }

    pub(super) fn positive_duration(&self, report: &mut Report<'_>) -> Option<Duration> {
        let duration = self.any_duration(report)?;
        if duration.is_zero() {
            report.error(
                self.span(),
                format!("`{}` must be longer than 0", self.key),
                "write a duration longer than 0",
            );
            return None;
        }
        Some(duration)
    }

    /// A duration, which may be 0.
    pub(super) fn any_duration(&self, report: &mut Report<'_>) -> Option<Duration> {
        let text = self.quantity(&DURATION_WORDS, report)?;
        parse_duration(&text.value)
            .map_err(|error| self.not_a_quantity(text, &error, &DURATION_WORDS, report))
            .ok()
    }

    pub(super) fn size(
        &self,
        least: ByteSize,
        most: ByteSize,
        report: &mut Report<'_>,
    ) -> Option<ByteSize> {
        if let Some(number) = self.as_written_number()
            && u64::try_from(number).is_ok_and(|number| number < least.0)
        {
            let help = match (self.key, number) {
                ("open_requests", 1..=10_000) => {
                    format!("it is a size; for a number of requests write `max_streams = {number}`")
                }
                _ => format!("it is a size: write one from \"{least}\" to \"{most}\""),
            };
            let message = format!("`{} = {number}` has no unit", self.key);
            report.error(self.span(), message, help);
            return None;
        }
        let text = self.quantity(&SIZE_WORDS, report)?;
        let size = parse_size(&text.value)
            .map_err(|error| self.not_a_quantity(text, &error, &SIZE_WORDS, report))
            .ok()?;
        if size < least || size > most {
            report.error(
                self.span(),
                format!(
                    "`{}` must be from {least} to {most}, and is {}",
                    self.key,
                    text.quoted()
                ),
                format!("write a size from \"{least}\" to \"{most}\""),
            );
            return None;
        }
        Some(size)
    }

    /// The text of a quantity with a unit; a bare number has a message of its own.
    fn quantity(&self, words: &QuantityWords, report: &mut Report<'_>) -> Option<&'a Text> {
        let number = match &self.value.kind {
            Kind::String(text) => return Some(text),
            Kind::Integer(number) => number.to_string(),
            Kind::Float(number) => number.clone(),
            _ => {
                let expected = format!("a {} such as \"{}\"", words.noun, words.example);
                let help = match self.value.kind {
                    Kind::Boolean(false) if words.noun == DURATION_WORDS.noun => {
                        "write a duration; where a timeout can be switched off, its value is \"off\""
                            .to_owned()
                    }
                    _ => format!("write {expected}"),
                };
                self.wrong_with(&expected, help, report);
                return None;
            }
        };
        let help = match (words.with_unit)(self.key, &number) {
            Some((instead, note)) => format!("write `{} = \"{instead}\"`{note}", self.key),
            None => format!("write `{} = \"{}\"`", self.key, words.example),
        };
        report.error(
            self.span(),
            format!("`{} = {number}` has no unit", self.key),
            help,
        );
        None
    }

    fn not_a_quantity(
        &self,
        text: &Text,
        error: &UnitError,
        words: &QuantityWords,
        report: &mut Report<'_>,
    ) {
        let shown = format!("`{}` is {}", self.key, text.quoted());
        let message = match error {
            _ if text.is_as_written() => format!("`{} = {:?}` {error}", self.key, text.value),
            // The unit is a part of the value, which may be a secret.
            UnitError::UnknownUnit(_) if text.is_secret => {
                format!("{shown}, and that is not a {}", words.noun)
            }
            error => format!("{shown}, and that {error}"),
        };
        let instead = match error {
            UnitError::NoUnit if !text.is_secret => (words.with_unit)(self.key, text.value.trim()),
            _ => None,
        };
        let help = match instead {
            Some((instead, note)) if text.is_as_written() => {
                format!("write `{} = \"{instead}\"`{note}", self.key)
            }
            Some((instead, note)) => format!("set the variable to `{instead}`{note}"),
            None => format!(
                "the units are {}; write for example `\"{}\"`",
                words.units, words.example
            ),
        };
        report.error(self.span(), message, help);
    }

    /// One of a few words; `hints` are words of other programs, each with ours.
    pub(super) fn choice<T: Copy>(
        &self,
        choices: &[(&str, T)],
        hints: &[(&str, &str)],
        report: &mut Report<'_>,
    ) -> Option<T> {
        let words = || choices.iter().map(|(word, _)| *word);
        let hint = |written: &str| {
            let mut known = hints.iter().filter(|(hint, _)| *hint == written);
            known.next().map(|(_, word)| *word)
        };
        let Kind::String(text) = &self.value.kind else {
            let quoted: Vec<String> = words().map(|word| format!("\"{word}\"")).collect();
            let expected = quoted.join(" or ");
            let bare = match &self.value.kind {
                Kind::Boolean(value) => value.to_string(),
                Kind::Integer(number) => number.to_string(),
                Kind::Float(number) => number.clone(),
                _ => String::new(),
            };
            let meant = words().find(|word| *word == bare).or_else(|| hint(&bare));
            let help = match meant {
                Some(word) => format!("write `{} = \"{word}\"`", self.key),
                None => format!("write {expected}"),
            };
            self.wrong_with(&expected, help, report);
            return None;
        };
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == text.value) {
            return Some(*choice);
        }
        let meant = match text.is_secret {
            true => None,
            false => hint(&text.value).or_else(|| suggest::nearest(&text.value, words())),
        };
        let help = match meant {
            Some(word) => format!("write `\"{word}\"`; known are {}", suggest::list(words())),
            None => format!("known are {}", suggest::list(words())),
        };
        report.error(
            self.span(),
            format!("`{}` cannot be {}", self.key, text.quoted()),
            help,
        );
        None
    }

    /// Reports a value of a wrong kind, and what to write instead.
    pub(super) fn wrong_with(
        &self,
        expected: &str,
        help: impl Into<String>,
        report: &mut Report<'_>,
    ) {
        let help = match &self.value.kind {
            Kind::Broken => return,
            // The mistake is in the variable, not in the file.
            Kind::String(text) if text.one_reference().is_some() => match text.is_secret {
                true => format!("the file must contain {expected}"),
                false => format!("set the variable to {expected}"),
            },
            _ => help.into(),
        };
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

/// The bounds in words; the greatest number of the type is no bound to mention.
pub(super) fn range(least: i64, most: i64) -> String {
    match most {
        i64::MAX => format!("a whole number of at least {least}"),
        _ => format!("a whole number from {least} to {most}"),
    }
}
