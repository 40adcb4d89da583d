//! Mistakes in a configuration: the position, the cause, and what to write instead.
//!
//! The readers of this room collect [`Diagnostic`]s; `control::verify` adds mistakes that only the
//! system can find (an address in use); `cli` and the admin API show them. One mistake does not
//! hide the others.

use std::fmt;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};

use crate::base::Position;
use crate::config::source::{Sources, Span};

/// The most bytes of one sentence of a diagnostic: a list of known keys may have a thousand items.
const MOST_BYTES: usize = 4 << 10;

/// Whether the output has escape codes for a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// Plain text.
    Never,
    /// ANSI colors.
    Always,
}

/// Whether the configuration can be used all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The program does not start, or the reload changes nothing.
    Error,
    /// The configuration is valid, but probably not what was meant.
    Warning,
}

/// One mistake.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    severity: Severity,
    message: String,
    help: Option<String>,
    spot: Spot,
    related: Vec<(Span, String)>,
}

/// The position of a mistake.
#[derive(Clone, Debug)]
enum Spot {
    Span(Span),
    Position(Position),
}

impl Diagnostic {
    /// An error at `position`; an empty `help` is left out.
    pub fn at(position: &Position, message: impl Into<String>, help: impl Into<String>) -> Self {
        let diagnostic = Self::new(Severity::Error, Spot::Position(position.clone()), message);
        let help = help.into();
        if help.is_empty() {
            return diagnostic;
        }
        diagnostic.help(help)
    }

    /// A warning at `position`; an empty `help` is left out.
    pub fn warning_at(
        position: &Position,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::at(position, message, help)
        }
    }

    /// An error at a range of the text.
    pub(super) fn error(span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, Spot::Span(span), message)
    }

    /// A warning at a range of the text.
    pub(super) fn warning(span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, Spot::Span(span), message)
    }

    /// The same with what to write instead.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(bounded(help.into()));
        self
    }

    /// The same, with another range that is related to it.
    pub(super) fn related(mut self, span: Span, note: impl Into<String>) -> Self {
        self.related.push((span, bounded(note.into())));
        self
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// What is wrong, in one sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The same, with the range in `sources` that its position means.
    pub(super) fn found_in(mut self, sources: &Sources) -> Self {
        if let Spot::Position(position) = &self.spot
            && let Some(span) = sources.span_at(position)
        {
            self.spot = Spot::Span(span);
        }
        self
    }

    /// The range of the mistake.
    pub(super) fn span(&self) -> Option<Span> {
        match self.spot {
            Spot::Span(span) => Some(span),
            Spot::Position(_) => None,
        }
    }

    fn new(severity: Severity, spot: Spot, message: impl Into<String>) -> Self {
        Self {
            severity,
            message: bounded(message.into()),
            help: None,
            spot,
            related: Vec::new(),
        }
    }

    fn group<'a>(&'a self, sources: &'a Sources) -> Group<'a> {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let main = match &self.spot {
            Spot::Span(span) => Ok(*span),
            Spot::Position(position) => sources.span_at(position).ok_or(position),
        };
        let mut group = level
            .primary_title(self.message.as_str())
            .element(match main {
                Ok(span) => self.excerpt(span, sources),
                Err(position) => origin(position),
            });
        for (span, note) in &self.related {
            if main.is_ok_and(|main| sources.are_near(main, *span)) {
                continue;
            }
            let excerpt = sources.excerpt(*span, *span);
            let annotation = AnnotationKind::Context.span(excerpt.stretch(*span));
            group = group.element(
                Snippet::source(excerpt.text)
                    .path(excerpt.path.to_string_lossy())
                    .line_start(excerpt.line)
                    .annotation(annotation.label(note.as_str())),
            );
        }
        match &self.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        }
    }

    /// The lines from `main` to the related ranges in the same file, each range underlined.
    fn excerpt<'a>(&'a self, main: Span, sources: &'a Sources) -> Element<'a> {
        let near = self
            .related
            .iter()
            .filter(|(span, _)| sources.are_near(main, *span));
        let spans = || near.clone().map(|(span, _)| *span).chain([main]);
        let excerpt = sources.excerpt(spans().min().unwrap_or(main), spans().max().unwrap_or(main));
        if excerpt.text.is_empty() {
            return origin(&sources.position(main));
        }
        let mut snippet = Snippet::source(excerpt.text)
            .path(excerpt.path.to_string_lossy())
            .line_start(excerpt.line)
            .annotation(AnnotationKind::Primary.span(excerpt.stretch(main)));
        for (span, note) in near {
            let annotation = AnnotationKind::Context.span(excerpt.stretch(*span));
            snippet = snippet.annotation(annotation.label(note.as_str()));
        }
        snippet.into()
    }
}

/// All mistakes of one configuration, with its text.
#[derive(Clone, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    sources: Arc<Sources>,
}

impl Diagnostics {
    /// In the order of the files and of the lines in them.
    pub(super) fn new(mut list: Vec<Diagnostic>, sources: Arc<Sources>) -> Self {
        list.sort_by_key(Diagnostic::span);
        Self { list, sources }
    }

    /// An empty list over the same text, so that mistakes that are pushed can show their lines.
    pub fn empty_over_same_text(&self) -> Self {
        Self {
            list: Vec::new(),
            sources: Arc::clone(&self.sources),
        }
    }

    /// Adds one that is found later.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are, warnings included.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(Diagnostic::is_error)
    }

    /// One after the other.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// For a person: each with its line underlined, a blank line between two.
    pub fn render(&self, color: Color) -> String {
        let renderer = match color {
            Color::Never => Renderer::plain(),
            Color::Always => Renderer::styled(),
        };
        let rendered: Vec<String> = self
            .list
            .iter()
            .map(|diagnostic| trim_line_ends(&renderer.render(&[diagnostic.group(&self.sources)])))
            .collect();
        rendered.join("\n\n")
    }

    /// For a program: `[{"file", "line", "column", "severity", "message", "help"}]`, `help` may be
    /// null.
    pub fn to_json(&self) -> serde_json::Value {
        self.list
            .iter()
            .map(|diagnostic| {
                let position = self.position(&diagnostic.spot);
                serde_json::json!({
                    "file": position.file.display().to_string(),
                    "line": position.line,
                    "column": position.column,
                    "severity": match diagnostic.severity {
                        Severity::Error => "error",
                        Severity::Warning => "warning",
                    },
                    "message": diagnostic.message,
                    "help": diagnostic.help,
                })
            })
            .collect()
    }

    /// The position of one of them.
    pub fn position_of(&self, diagnostic: &Diagnostic) -> Position {
        self.position(&diagnostic.spot)
    }

    fn position(&self, spot: &Spot) -> Position {
        match spot {
            Spot::Span(span) => self.sources.position(*span),
            Spot::Position(position) => position.clone(),
        }
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Color::Never))
    }
}

impl fmt::Debug for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::error::Error for Diagnostics {}

/// The beginning of `text`, up to [`MOST_BYTES`]. A message quotes only the beginning of a value
/// ([`crate::base::quote`]); this bounds messages with many such parts, or from a library.
fn bounded(mut text: String) -> String {
    if text.len() > MOST_BYTES {
        let mut end = MOST_BYTES;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

/// A position without its text.
fn origin(position: &Position) -> Element<'static> {
    Origin::path(position.file.to_string_lossy().into_owned())
        .line(position.line as usize)
        .char_column(position.column as usize)
        .into()
}

fn trim_line_ends(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}
