//! The kinds of values that keys have: how each kind is read into the plan, and how it is shown.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::base::ByteSize;
use crate::config::page::{Page, duration, or_word, string};
use crate::config::report::Report;
use crate::config::section::{KeyList, Section};
use crate::config::setting::Setting;

use super::words::Word;
use super::{Key, KeyInfo, Keys, Part};

/// Borrows the value that a key fills from a `T` of the plan.
type Accessor<T, V> = fn(&mut T) -> &mut V;

/// The kind of a key's value, with its bounds and the value in the plan that it fills.
pub(super) enum KeyKind<T: 'static> {
    /// Longer than 0.
    Duration(Accessor<T, Duration>),
    DurationFrom0(Accessor<T, Duration>),
    /// `None` is `"off"`.
    DurationOrOff(Accessor<T, Option<Duration>>),
    /// From, to.
    Size(ByteSize, ByteSize, Accessor<T, ByteSize>),
    /// From, to.
    Number(i64, i64, Accessor<T, dyn Number>),
    /// From 1 to a bound, or a word, which is `None`.
    NumberOr(&'static str, i64, Accessor<T, dyn OptionalNumber>),
    Switch(Accessor<T, bool>),
    /// With all words.
    Word(fn() -> Vec<&'static str>, Accessor<T, dyn Word>),
    Table(&'static dyn InnerTable<T>),
    /// A value with a shape of its own; without a function it is read in `compile`.
    Own(Shape, Option<Read<T>>, Show<T>),
}

/// Reads a value with a shape of its own: the table that it is in, the value, and where it goes.
pub(super) type Read<T> = fn(&Section<'_>, Setting<'_>, &mut T, &mut Report<'_>);

/// How a value with a shape of its own is shown.
pub(super) enum Show<T: 'static> {
    /// As a value; `None`: it is left out.
    Value(fn(&T) -> Option<String>),
    /// As tables that follow, the first of which has this path.
    Tables(fn(&T, &str, &mut Page)),
    /// As a value, or else as tables.
    Either(fn(&T) -> Option<String>, fn(&T, &str, &mut Page)),
    /// By another key, or not at all.
    Elsewhere,
}

/// What may be written for a key, for the schema.
#[derive(Clone, Copy)]
pub(in crate::config) enum Shape {
    Text,
    Duration,
    Size,
    /// From, to.
    Number(i64, i64),
    Switch,
    Words(&'static [&'static str]),
    /// Several, or one without brackets.
    List(&'static Shape),
    Table(&'static dyn Described),
    /// Names that the user chooses, each with a value.
    Named(&'static Shape),
    /// One of these shapes.
    AnyOf(&'static [Shape]),
}

/// What a table may contain, without the type of the plan that it fills.
pub(in crate::config) trait Described: KeyList + Sync {
    /// All keys.
    fn about(&self) -> Vec<About>;

    /// All words that are no keys and have a hint.
    #[cfg(test)]
    fn words(&self) -> Vec<&'static str>;
}

/// The description of a key, without the type of the plan that its table fills.
pub(in crate::config) struct About {
    pub(in crate::config) name: &'static str,
    pub(in crate::config) means: &'static str,
    /// As `check --show` writes it; `None`: the key has no default.
    pub(in crate::config) default: Option<String>,
    pub(in crate::config) shape: Shape,
    /// Words that may be there in place of the shape.
    pub(in crate::config) words: Vec<&'static str>,
}

/// A table of plain keys in another table: its keys, and how its value is borrowed from that of the other.
pub(super) struct Inner<T: 'static, U: 'static>(
    pub(super) &'static Keys<U>,
    pub(super) Accessor<T, U>,
);

/// An [`Inner`] without the type that it fills.
pub(super) trait InnerTable<T>: Sync {
    fn read(
        &self,
        part: Part,
        section: &Section<'_>,
        key: &'static str,
        value: &mut T,
        report: &mut Report<'_>,
    );
    fn show(&self, part: Part, path: &str, value: &mut T, page: &mut Page);
    fn described(&self) -> &'static dyn Described;
}

/// A whole number of the plan, of any type.
pub(super) trait Number {
    fn set(&mut self, number: i64);
    fn text(&self) -> String;
}

/// A whole number of the plan that may be missing, of any type.
pub(super) trait OptionalNumber {
    fn set(&mut self, number: Option<i64>);
    fn text(&self, word: &str) -> String;
}

impl KeyInfo {
    pub(super) const fn duration<T>(self, at: Accessor<T, Duration>) -> Key<T> {
        self.of(KeyKind::Duration(at))
    }

    pub(super) const fn duration_from_0<T>(self, at: Accessor<T, Duration>) -> Key<T> {
        self.of(KeyKind::DurationFrom0(at))
    }

    pub(super) const fn duration_or_off<T>(self, at: Accessor<T, Option<Duration>>) -> Key<T> {
        self.of(KeyKind::DurationOrOff(at))
    }

    pub(super) const fn size<T>(
        self,
        least: ByteSize,
        most: ByteSize,
        at: Accessor<T, ByteSize>,
    ) -> Key<T> {
        self.of(KeyKind::Size(least, most, at))
    }

    pub(super) const fn number<T>(
        self,
        least: i64,
        most: i64,
        at: Accessor<T, dyn Number>,
    ) -> Key<T> {
        self.of(KeyKind::Number(least, most, at))
    }

    pub(super) const fn number_or<T>(
        self,
        word: &'static str,
        most: i64,
        at: Accessor<T, dyn OptionalNumber>,
    ) -> Key<T> {
        self.of(KeyKind::NumberOr(word, most, at))
    }

    pub(super) const fn switch<T>(self, at: Accessor<T, bool>) -> Key<T> {
        self.of(KeyKind::Switch(at))
    }

    pub(super) const fn word<T>(
        self,
        words: fn() -> Vec<&'static str>,
        at: Accessor<T, dyn Word>,
    ) -> Key<T> {
        self.of(KeyKind::Word(words, at))
    }

    /// A table that is read and shown by its own entries.
    pub(super) const fn table<T, U: Clone>(self, inner: &'static Inner<T, U>) -> Key<T> {
        self.of(KeyKind::Table(inner))
    }

    /// A value that `read` reads.
    pub(super) const fn own<T>(
        self,
        shape: Shape,
        read: Read<T>,
        show: fn(&T) -> Option<String>,
    ) -> Key<T> {
        self.of(KeyKind::Own(shape, Some(read), Show::Value(show)))
    }

    /// A value that is read in `compile`, where other tables matter.
    pub(super) const fn compiled<T>(self, shape: Shape, show: fn(&T) -> Option<String>) -> Key<T> {
        self.of(KeyKind::Own(shape, None, Show::Value(show)))
    }

    /// The same, shown as tables.
    pub(super) const fn compiled_tables<T>(
        self,
        shape: Shape,
        show: fn(&T, &str, &mut Page),
    ) -> Key<T> {
        self.of(KeyKind::Own(shape, None, Show::Tables(show)))
    }

    /// The same, shown as a value, or as tables where there is none.
    pub(super) const fn compiled_either<T>(
        self,
        shape: Shape,
        value: fn(&T) -> Option<String>,
        tables: fn(&T, &str, &mut Page),
    ) -> Key<T> {
        self.of(KeyKind::Own(shape, None, Show::Either(value, tables)))
    }

    /// The same, shown by another key or not at all.
    pub(super) const fn not_shown<T>(self, shape: Shape) -> Key<T> {
        self.of(KeyKind::Own(shape, None, Show::Elsewhere))
    }

    const fn of<T>(self, kind: KeyKind<T>) -> Key<T> {
        Key { info: self, kind }
    }
}

impl<T> KeyKind<T> {
    /// Reads `key` of `section` into `value`. A wrong value is reported, and `value` stays as it is.
    pub(super) fn read(
        &self,
        part: Part,
        section: &Section<'_>,
        key: &'static str,
        value: &mut T,
        report: &mut Report<'_>,
    ) {
        let Some(setting) = section.setting(key) else {
            return;
        };
        match self {
            Self::Duration(at) => put(at(value), setting.positive_duration(report)),
            Self::DurationFrom0(at) => put(at(value), setting.any_duration(report)),
            Self::DurationOrOff(at) if setting.is_word("off") => *at(value) = None,
            Self::DurationOrOff(at) => put(at(value), setting.positive_duration(report).map(Some)),
            Self::Size(least, most, at) => put(at(value), setting.size(*least, *most, report)),
            Self::Number(least, most, at) => {
                if let Some(number) = setting.number(*least, *most, report) {
                    at(value).set(number);
                }
            }
            Self::NumberOr(word, most, at) => {
                if let Some(number) = setting.number_or(word, *most, report) {
                    at(value).set(number);
                }
            }
            Self::Switch(at) => put(at(value), setting.boolean(report)),
            Self::Word(_, at) => at(value).read(setting, report),
            Self::Table(inner) => inner.read(part, section, key, value, report),
            Self::Own(_, Some(read), _) => read(section, setting, value, report),
            Self::Own(_, None, _) => {}
        }
    }

    /// The value as text; `None`: it is not shown, or it is shown as tables.
    pub(super) fn text(&self, value: &mut T) -> Option<String> {
        Some(match self {
            Self::Duration(at) | Self::DurationFrom0(at) => duration(*at(value)),
            Self::DurationOrOff(at) => at(value).map_or_else(|| string("off"), duration),
            Self::Size(_, _, at) => string(&at(value).to_string()),
            Self::Number(_, _, at) => at(value).text(),
            Self::NumberOr(word, _, at) => at(value).text(word),
            Self::Switch(at) => at(value).to_string(),
            Self::Word(_, at) => string(at(value).word()),
            Self::Own(_, _, Show::Value(show) | Show::Either(show, _)) => return show(value),
            Self::Table(_) | Self::Own(..) => return None,
        })
    }

    /// Shows the value as tables, if it is shown in this way.
    pub(super) fn tables(&self, part: Part, path: &str, value: &mut T, page: &mut Page) {
        match self {
            Self::Table(inner) => inner.show(part, path, value, page),
            Self::Own(_, _, Show::Tables(show) | Show::Either(_, show)) => show(value, path, page),
            _ => {}
        }
    }
}

impl<T> Key<T> {
    /// The description of the key; `default` is the value of its table when nothing is written there.
    pub(super) fn about(&self, default: Option<&mut T>) -> About {
        let (shape, words) = match &self.kind {
            KeyKind::Duration(_) | KeyKind::DurationFrom0(_) => (Shape::Duration, Vec::new()),
            KeyKind::DurationOrOff(_) => (Shape::Duration, vec!["off"]),
            KeyKind::Size(..) => (Shape::Size, Vec::new()),
            KeyKind::Number(least, most, _) => (Shape::Number(*least, *most), Vec::new()),
            KeyKind::NumberOr(word, most, _) => (Shape::Number(1, *most), vec![*word]),
            KeyKind::Switch(_) => (Shape::Switch, Vec::new()),
            KeyKind::Word(words, _) => (Shape::Words(&[]), words()),
            KeyKind::Table(inner) => (Shape::Table(inner.described()), Vec::new()),
            KeyKind::Own(shape, ..) => (*shape, Vec::new()),
        };
        About {
            name: self.info.name,
            means: self.info.means,
            default: default.and_then(|value| self.kind.text(value)),
            shape,
            words,
        }
    }
}

fn put<V>(target: &mut V, value: Option<V>) {
    if let Some(value) = value {
        *target = value;
    }
}

impl<T, U: Clone> InnerTable<T> for Inner<T, U> {
    fn read(
        &self,
        part: Part,
        section: &Section<'_>,
        key: &'static str,
        value: &mut T,
        report: &mut Report<'_>,
    ) {
        let keys = self.0.part(part);
        if let Some(section) = section.section(key, &keys, report) {
            keys.read(&section, (self.1)(value), report);
        }
    }

    fn show(&self, part: Part, path: &str, value: &mut T, page: &mut Page) {
        let (keys, value) = (self.0.part(part), (self.1)(value));
        if !keys.texts(value).is_empty() {
            page.table(path);
            keys.show(path, value, page);
        }
    }

    fn described(&self) -> &'static dyn Described {
        self.0
    }
}

/// The bounds of the key have been checked. A number that they allow and the type cannot hold (`i64::MAX` for
/// "no bound") becomes the greatest of the type.
macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Number for $number {
            fn set(&mut self, number: i64) {
                *self = Self::try_from(number).unwrap_or(Self::MAX);
            }

            fn text(&self) -> String {
                self.to_string()
            }
        }

        impl OptionalNumber for Option<$number> {
            fn set(&mut self, number: Option<i64>) {
                *self = number.map(|number| <$number>::try_from(number).unwrap_or(<$number>::MAX));
            }

            fn text(&self, word: &str) -> String {
                or_word(*self, word)
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64, usize);

impl OptionalNumber for Option<NonZeroUsize> {
    fn set(&mut self, number: Option<i64>) {
        let number = number.and_then(|number| usize::try_from(number).ok());
        *self = number.and_then(NonZeroUsize::new);
    }

    fn text(&self, word: &str) -> String {
        or_word(*self, word)
    }
}
