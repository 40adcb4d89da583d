//! The mistakes of one configuration, while they are being found.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::{FoldSet, Name, Position};
use crate::config::diagnostic::Diagnostic;
use crate::config::source::{Sources, Span};

/// A position by file, line and column: two positions are always equal.
type Key = (Arc<Path>, u32, u32);

/// The mistakes found so far.
pub(super) struct Report<'a> {
    sources: &'a Sources,
    found: Vec<Diagnostic>,
    errors: usize,
    /// Files that values named and that were read for them.
    files: Vec<PathBuf>,
    /// Where the conditions, expressions and templates are that have values of the environment or of a file
    /// in them.
    with_variables: FoldSet<Key>,
    /// Keys of backends that matter for requests alone: the backend, the key, and where.
    keys_of_requests: Vec<(Name, &'static str, Span, &'static str)>,
    /// The frontends and backends with a value that an error is about, by the positions of their names.
    with_errors: FoldSet<Key>,
    /// The ranges of the keys and values of `[defaults]`.
    defaults: Vec<Span>,
    /// The frontend or backend that is compiled now: a mistake may be in a value that it has from
    /// `[defaults]`.
    heir: Option<(Span, String)>,
}

impl<'a> Report<'a> {
    pub(super) fn new(sources: &'a Sources) -> Self {
        Self {
            sources,
            found: Vec::new(),
            errors: 0,
            files: Vec::new(),
            with_variables: FoldSet::default(),
            keys_of_requests: Vec::new(),
            with_errors: FoldSet::default(),
            defaults: Vec::new(),
            heir: None,
        }
    }

    /// Notes that the values at `spans` belong to `[defaults]`, and have been checked by
    /// themselves.
    pub(super) fn defaults_are_at(&mut self, spans: Vec<Span>) {
        self.defaults = spans;
    }

    /// The following diagnostics are about the frontend or backend `title`, whose name is at
    /// `span`.
    pub(super) fn begins(&mut self, title: &str, span: Span) {
        self.heir = Some((span, title.to_owned()));
    }

    /// The same, with the name at `position`.
    pub(super) fn begins_at(&mut self, title: &str, position: &Position) {
        self.heir = self.span_at(position).map(|span| (span, title.to_owned()));
    }

    /// Notes that a value of the frontend or backend whose name is at `span` is missing, because of a mistake
    /// that is reported elsewhere.
    pub(super) fn leaves_out_value_of(&mut self, span: Span) {
        let position = self.position(span);
        self.with_errors.insert(key_of(&position));
    }

    /// The following diagnostics are about no frontend and no backend in particular.
    pub(super) fn ends(&mut self) {
        self.heir = None;
    }

    /// Adds a diagnostic. A mistake in a value of `[defaults]` is found again in every frontend or
    /// backend that has the value, but is reported once.
    pub(super) fn add(&mut self, diagnostic: Diagnostic) {
        let diagnostic = diagnostic.found_in(self.sources);
        let Some(diagnostic) = self.about_defaults(diagnostic) else {
            return;
        };
        if diagnostic.is_error() {
            self.errors += 1;
            // An error at the name itself says that a key is missing. It hides no value.
            let heir = self.heir.as_ref();
            let heir = heir.filter(|(name, _)| diagnostic.span() != Some(*name));
            let heir = heir.map(|(name, _)| self.position(*name));
            self.with_errors.extend(heir.as_ref().map(key_of));
        }
        self.found.push(diagnostic);
    }

    /// `diagnostic`; if it is about a value of `[defaults]`, with the frontend or backend that has
    /// the value. `None`: one for that value was added before.
    fn about_defaults(&self, diagnostic: Diagnostic) -> Option<Diagnostic> {
        let Some(span) = diagnostic.span() else {
            return Some(diagnostic);
        };
        if !self.defaults.iter().any(|value| value.contains(span)) {
            return Some(diagnostic);
        }
        let is_same = |earlier: &Diagnostic| {
            // A warning must not hide an error: the plan would be used.
            earlier.span() == Some(span) && (earlier.is_error() || !diagnostic.is_error())
        };
        if self.found.iter().any(is_same) {
            return None;
        }
        let Some((name, title)) = &self.heir else {
            return Some(diagnostic);
        };
        Some(diagnostic.related(*name, format!("`{title}` has this value from `[defaults]`")))
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

    /// Adds a diagnostic with a second, related position.
    pub(super) fn add_related(
        &mut self,
        diagnostic: Diagnostic,
        at: &Position,
        note: impl Into<String>,
    ) {
        self.add(match self.span_at(at) {
            Some(span) => diagnostic.related(span, note),
            None => diagnostic,
        });
    }

    /// The range of the value at `position`; `None`: it is in no file.
    pub(super) fn span_at(&self, position: &Position) -> Option<Span> {
        self.sources.span_at(position)
    }

    /// `name` as messages may show it: if it comes from a variable or a secret file, as it is
    /// written at `position`.
    pub(super) fn shown_at<'n>(&self, position: &Position, name: &'n Name) -> &'n str
    where
        'a: 'n,
    {
        let written = self.span_at(position).map(|span| self.text(span));
        match written {
            Some(written) if !written.contains(name.as_str()) => written.trim_matches(['"', '\'']),
            _ => name.as_str(),
        }
    }

    /// The position of the beginning of a range.
    pub(super) fn position(&self, span: Span) -> Position {
        self.sources.position(span)
    }

    /// The text of a range.
    pub(super) fn text(&self, span: Span) -> &'a str {
        self.sources.text(span)
    }

    /// Notes files that were read for a value: if one changes, the configuration has changed.
    pub(super) fn read(&mut self, files: Vec<PathBuf>) {
        self.files.extend(files);
    }

    /// Notes that the value at `position` has parts that come from the environment or from a file.
    pub(super) fn has_variables(&mut self, position: &Position) {
        self.with_variables.insert(key_of(position));
    }

    /// Whether the value at `position` may be shown: all of it is in the configuration itself.
    pub(super) fn may_show(&self, position: &Position) -> bool {
        !self.with_variables.contains(&key_of(position))
    }

    /// Notes that `backend` has `key`, which has no effect unless the backend gets requests. `help` says what to
    /// write if it gets none.
    pub(super) fn is_of_requests(
        &mut self,
        backend: &Name,
        key: &'static str,
        span: Span,
        help: &'static str,
    ) {
        let noted = (backend.clone(), key, span, help);
        self.keys_of_requests.push(noted);
    }

    /// Warns of the noted keys of `backends`, which get no requests.
    pub(super) fn warn_of_keys_of_requests(&mut self, backends: &FoldSet<&Name>) {
        for (backend, key, span, help) in std::mem::take(&mut self.keys_of_requests) {
            if backends.contains(&backend) {
                let message = format!(
                    "`{key}` has no effect: only frontends in TCP mode use the backend `{backend}`"
                );
                self.add(Diagnostic::warning(span, message).help(help));
            }
        }
    }

    /// The files that were read for values.
    pub(super) fn take_files(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.files)
    }

    /// Whether an error is about a value of the frontend or backend whose name is at `position`, so that parts of
    /// it may be missing.
    pub(super) fn has_errors_in(&self, position: &Position) -> bool {
        self.with_errors.contains(&key_of(position))
    }

    /// The number of errors.
    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    /// The beginning of the first file.
    pub(super) fn start(&self) -> Span {
        self.sources.start()
    }

    pub(super) fn into_found(self) -> Vec<Diagnostic> {
        self.found
    }
}

fn key_of(position: &Position) -> Key {
    (Arc::clone(&position.file), position.line, position.column)
}
