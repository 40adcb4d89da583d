//! Reads a table: each key is asked for by name with the type it must have.
//!
//! Every method returns `None` both for a key that is missing and for one that is wrong. The
//! mistake is in the [`Report`] and the caller continues with the default, so one run finds all
//! mistakes.

use crate::config::diagnostic::Diagnostic;
use crate::config::haproxy_hints;
use crate::config::raw::{Entry, Kind, Table};
use crate::config::report::Report;
use crate::config::setting::Setting;
use crate::config::source::Span;
use crate::config::suggest;

/// The keys that a kind of table may have.
pub(super) trait KeyList {
    fn names(&self) -> Vec<&'static str>;

    /// What to write instead of `written`, if it is a word of another proxy.
    fn hint(&self, written: &str) -> Option<String>;
}

/// A table whose keys are known.
pub(super) struct Section<'a> {
    /// As the user would write it: `[frontend.web]`.
    pub(super) title: String,
    pub(super) span: Span,
    table: &'a Table,
    /// What to write instead of each unknown key.
    hints: Vec<String>,
    /// Whether the table has an unknown key.
    has_unknown: bool,
    /// Whether the keys of its items are one level deeper: then no key is reported as missing.
    is_table_of_items: bool,
    /// The keys that are allowed.
    names: Vec<&'static str>,
}

/// The keys of a table that is in another one. They are often written below it by mistake: in TOML,
/// a line belongs to the last header above it.
struct Inside<'k> {
    keys: &'k dyn KeyList,
    outer: &'k Section<'k>,
    title: &'k str,
}

impl KeyList for Inside<'_> {
    fn names(&self) -> Vec<&'static str> {
        self.keys.names()
    }

    fn hint(&self, written: &str) -> Option<String> {
        let belongs = || {
            let outer = &self.outer.title;
            let known = self.outer.names.contains(&written) && !outer.is_empty();
            known.then(|| {
                format!(
                    "`{written}` belongs to `{outer}`: write it above the first `{}`",
                    self.title
                )
            })
        };
        self.keys.hint(written).or_else(belongs)
    }
}

impl<'a> Section<'a> {
    /// Opens the table `value`; a value that is no table, and every key that `keys` does not have,
    /// is reported.
    pub(super) fn open(
        keys: &dyn KeyList,
        title: String,
        setting: Setting<'a>,
        report: &mut Report<'_>,
    ) -> Option<Self> {
        let Kind::Table(table) = &setting.value.kind else {
            let help = haproxy_hints::short_form(&title, setting.key, setting.value)
                .unwrap_or_else(|| {
                    let some = keys.names().into_iter().take(2);
                    let some = some.map(|key| format!("{key} = …"));
                    let some: Vec<String> = some.collect();
                    format!("write `{} = {{ {} }}`", setting.key, some.join(", "))
                });
            setting.wrong_with("a table", help, report);
            return None;
        };
        Some(Self::over(keys, title, table, setting.value.span, report))
    }

    /// The same for a table that is known to be one.
    pub(super) fn over(
        keys: &dyn KeyList,
        title: String,
        table: &'a Table,
        span: Span,
        report: &mut Report<'_>,
    ) -> Self {
        let mut hints = Vec::new();
        let mut has_unknown = false;
        let mut is_table_of_items = false;
        let names = keys.names();
        for entry in &table.entries {
            if !names.contains(&entry.key.as_str()) {
                if is_item_of_list(keys, &title, entry) {
                    let help = format!(
                        "write `{title}` with `name = {:?}`, once for each",
                        entry.key
                    );
                    let message =
                        format!("`{title}` is a list, and `{}` is a table in it", entry.key);
                    report.error(entry.key_span, message, help);
                    is_table_of_items = true;
                    continue;
                }
                has_unknown = true;
                let (diagnostic, hint) = unknown_key(keys, &title, entry);
                report.add(diagnostic);
                hints.extend(hint);
            }
        }
        Self {
            title,
            span,
            table,
            hints,
            has_unknown,
            is_table_of_items,
            names,
        }
    }

    /// The table `setting` in this one, or an item of its list; `header` is what a user writes above it.
    pub(super) fn inner(
        &self,
        keys: &dyn KeyList,
        title: String,
        header: &str,
        setting: Setting<'a>,
        report: &mut Report<'_>,
    ) -> Option<Section<'a>> {
        let inside = Inside {
            keys,
            outer: self,
            title: header,
        };
        Section::open(&inside, title, setting, report)
    }

    /// The entry `key`.
    pub(super) fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.table.entry(key)
    }

    /// The setting `key`, whatever its type.
    pub(super) fn setting(&self, key: &'static str) -> Option<Setting<'a>> {
        let value = self.table.get(key)?;
        Some(Setting { key, value })
    }

    /// Whether the table has an unknown key, which may be the misspelled name of a missing one.
    pub(super) fn has_unknown(&self) -> bool {
        self.has_unknown
    }

    /// Whether `key` is missing, also under a misspelled name.
    pub(super) fn lacks(&self, key: &'static str) -> bool {
        let is_meant = |hint: &String| hint.contains(&format!("`{key}"));
        let is_elsewhere = self.is_table_of_items || self.hints.iter().any(is_meant);
        self.table.get(key).is_none() && !is_elsewhere
    }

    /// The table `key` with the keys `keys`.
    pub(super) fn section(
        &self,
        key: &'static str,
        keys: &dyn KeyList,
        report: &mut Report<'_>,
    ) -> Option<Section<'a>> {
        let title = match self.title.as_str() {
            "" => format!("[{key}]"),
            title => format!("[{}.{key}]", title.trim_matches(['[', ']'])),
        };
        self.inner(keys, title.clone(), &title, self.setting(key)?, report)
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

    /// The values of a list; a single value is a list of one.
    pub(super) fn list(&self, key: &'static str) -> Option<Vec<Setting<'a>>> {
        Some(self.setting(key)?.list())
    }

    /// The keys that the user chose, for a table of names.
    pub(super) fn named(&self, key: &'static str, report: &mut Report<'_>) -> Option<&'a Table> {
        self.setting(key)?.table(report)
    }
}

/// Whether `entry` is an item of a list, written as a table of tables: `[frontend.web.route.api]`.
fn is_item_of_list(keys: &dyn KeyList, title: &str, entry: &Entry) -> bool {
    title.starts_with("[[")
        && keys.names().contains(&"name")
        && matches!(entry.value.kind, Kind::Table(_))
        && keys.hint(&entry.key).is_none()
}

/// The message about an unknown key, and what to write instead, if that is clear.
fn unknown_key(keys: &dyn KeyList, title: &str, entry: &Entry) -> (Diagnostic, Option<String>) {
    let (key, span) = (entry.key.as_str(), entry.key_span);
    let at = match title {
        "" => "at the top of a file".to_owned(),
        title => format!("in `{title}`"),
    };
    let names = keys.names();
    let known = || format!("known {at} are {}", suggest::list(names.iter().copied()));
    let message = format!("unknown key `{key}` {at}");
    let folded = haproxy_hints::fold(key);
    // `set-header`: the right word in another spelling.
    let is_spelled_otherwise = names.iter().any(|name| haproxy_hints::fold(name) == folded);
    let absent = || haproxy_hints::absent(key).map(str::to_owned);
    if let Some(hint) = keys
        .hint(key)
        .or_else(absent)
        .filter(|_| !is_spelled_otherwise)
    {
        let hint = haproxy_hints::for_value(key, hint, &entry.value);
        let diagnostic = Diagnostic::error(span, message).help(hint.as_str());
        return (diagnostic, Some(hint));
    }
    let Some(word) = suggest::nearest(key, names.iter().copied()) else {
        return (Diagnostic::error(span, message).help(known()), None);
    };
    let message = format!("unknown key `{key}`, did you mean `{word}`?");
    let diagnostic = Diagnostic::error(span, message).help(known());
    (diagnostic, Some(format!("`{word}`")))
}
