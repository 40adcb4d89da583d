//! Values that are conditions, expressions or templates: `config::expression` parses them, and each
//! mistake is shown at its character.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::base::Position;
use crate::config::diagnostic::Diagnostic;
use crate::config::expression::{self, Files, Mistake};
use crate::config::raw::{Entry, Text};
use crate::config::report::Report;
use crate::config::setting::Setting;
use crate::config::source::{self, Span};
use crate::plan::expr::{Condition, Expr, Known, Template, Variable};
use crate::plan::log::{LineTemplate, Preset};

/// Parses `setting` as a condition, where `known` is known.
pub(super) fn condition(
    setting: Setting<'_>,
    known: Known,
    report: &mut Report<'_>,
) -> Option<Condition> {
    parsed(setting, "condition", report, |text, at, files| {
        expression::condition(text, at, known, files)
    })
}

/// Parses `setting` as an expression, where `known` is known.
pub(super) fn expr(setting: Setting<'_>, known: Known, report: &mut Report<'_>) -> Option<Expr> {
    parsed(setting, "expression", report, |text, at, files| {
        expression::expression(text, at, known, files)
    })
}

/// Parses `setting` as a template, where `known` is known.
pub(super) fn template(
    setting: Setting<'_>,
    known: Known,
    report: &mut Report<'_>,
) -> Option<Template> {
    parsed(setting, "template", report, |text, at, files| {
        expression::template(text, at, known, files)
    })
}

/// Parses `setting` as the template of a log line.
pub(super) fn line_template(setting: Setting<'_>, report: &mut Report<'_>) -> Option<LineTemplate> {
    parsed(setting, "template", report, |text, at, files| {
        expression::line_template(text, at, files)
    })
}

/// The template of `preset`.
pub(super) fn preset(preset: Preset) -> LineTemplate {
    let mut no_lists = Lists {
        directory: Path::new(""),
        read: Vec::new(),
    };
    let at = Position::built_in();
    let template = expression::line_template(preset.template(), &at, &mut no_lists);
    template.expect("a test parses every one")
}

/// Parses the key `entry` as the name of a variable that is set where `known` is known.
pub(super) fn variable(entry: &Entry, known: Known, report: &mut Report<'_>) -> Option<Variable> {
    variable_in(&entry.key, entry.key_span, known, report)
}

/// The same for a `name` that is written at `span`.
pub(super) fn variable_in(
    name: &str,
    span: Span,
    known: Known,
    report: &mut Report<'_>,
) -> Option<Variable> {
    expression::variable(name, known)
        .map_err(|mistake| report.error(span, mistake.message, mistake.help))
        .ok()
}

fn parsed<T>(
    setting: Setting<'_>,
    kind: &str,
    report: &mut Report<'_>,
    parse: impl FnOnce(&str, &Position, &mut dyn Files) -> Result<T, Mistake>,
) -> Option<T> {
    let text = setting.text(report)?;
    let at = report.position(setting.span());
    if !text.is_as_written() {
        report.has_variables(&at);
    }
    let mut lists = Lists {
        directory: at.file.parent().unwrap_or(Path::new("")),
        read: Vec::new(),
    };
    let parsed = parse(&text.value, &at, &mut lists);
    let read = lists.read;
    report.read(read);
    parsed
        .map_err(|mistake| refuse(setting, text, kind, mistake, report))
        .ok()
}

fn refuse(
    setting: Setting<'_>,
    text: &Text,
    kind: &str,
    mistake: Mistake,
    report: &mut Report<'_>,
) {
    // Parts of a text with variables may be a variable's value.
    if !text.is_as_written() {
        let message = format!(
            "`{} = {:?}` is not a valid {kind}",
            setting.key,
            text.shown()
        );
        let help = "write it without variables to see where the mistake is";
        return report.error(setting.span(), message, help);
    }
    let part = in_source(report.text(setting.span()), mistake.part);
    let span = setting.span().part(part.start, part.end);
    report.add(Diagnostic::error(span, mistake.message).help(mistake.help));
}

/// Reads the files of lists.
struct Lists<'a> {
    directory: &'a Path,
    read: Vec<PathBuf>,
}

impl Files for Lists<'_> {
    fn read(&mut self, written: &str) -> Result<(PathBuf, String), String> {
        let path = source::resolve(Some(self.directory), written);
        self.read.push(path.clone());
        let text = source::read_file(&path);
        text.map(|text| (path, text))
            .map_err(|error| error.to_string())
    }
}

/// The range of `written`, a string in a TOML file, for the range `part` of its value. Of a string
/// over several lines it is the whole, unless no character is escaped.
fn in_source(written: &str, part: Range<usize>) -> Range<usize> {
    let quotes = ["\"\"\"", "'''", "\"", "'"];
    let Some(open) = quotes.iter().find(|quote| written.starts_with(**quote)) else {
        return 0..written.len();
    };
    let mut start = open.len();
    if open.len() == 3 {
        let body = &written[start..];
        start += body.len() - body.trim_start_matches('\r').len();
        start += usize::from(written[start..].starts_with('\n'));
    }
    if open.starts_with('\'') {
        return start + part.start..start + part.end;
    }
    let (mut value_at, mut ends) = (0, [None, None]);
    let mut characters = written[start..].char_indices();
    while let Some((index, c)) = characters.next() {
        for (end, wanted) in ends.iter_mut().zip([part.start, part.end]) {
            if end.is_none() && value_at >= wanted {
                *end = Some(start + index);
            }
        }
        value_at += match c {
            '\\' => match characters.next().map(|(_, kind)| kind) {
                // `\u00e9` and `\U0001F600` are as many bytes as their character has.
                Some(kind @ ('u' | 'U' | 'x')) => {
                    let digits = match kind {
                        'x' => 2,
                        'u' => 4,
                        _ => 8,
                    };
                    let code: String = characters.by_ref().take(digits).map(|(_, c)| c).collect();
                    let code = u32::from_str_radix(&code, 16).ok();
                    code.and_then(char::from_u32).map_or(1, char::len_utf8)
                }
                // A line continuation: the value has nothing of it, and counting ends here.
                Some('\n' | '\r' | ' ') => return 0..written.len(),
                _ => 1,
            },
            c => c.len_utf8(),
        };
    }
    match ends {
        [Some(start), Some(end)] => start..end,
        _ => 0..written.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_value_is_found_where_it_is_written() {
        for (written, value, part) in [
            (r#""path == 'a'""#, "path == 'a'", "=="),
            (r#"'path == "a"'"#, r#"path == "a""#, "\"a\""),
            (r#""path == \"a\" x""#, r#"path == "a" x"#, "x"),
            (r#""\u00e9\U0001F600\t== x""#, "é😀\t== x", "=="),
            ("'''\npath == 1'''", "path == 1", "=="),
            ("\"\"\"\npath == 1\"\"\"", "path == 1", "=="),
        ] {
            let start = value.find(part).expect("a part");
            let found = in_source(written, start..start + part.len());
            let start = written.find(part).expect("a part");
            assert_eq!(found, start..start + part.len(), "{written}");
        }
    }
}
