//! The mistakes of one configuration, while they are being found.

use std::path::PathBuf;

use crate::base::Position;
use crate::config::diagnostic::Diagnostic;
use crate::config::source::{Sources, Span};

/// The mistakes found so far.
pub(super) struct Report<'a> {
    sources: &'a Sources,
    found: Vec<Diagnostic>,
    errors: usize,
    /// Files that values named, and that were read for them.
    files: Vec<PathBuf>,
}

impl<'a> Report<'a> {
    pub(super) fn new(sources: &'a Sources) -> Self {
        Self {
            sources,
            found: Vec::new(),
            errors: 0,
            files: Vec::new(),
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
    pub(super) fn position(&self, span: Span) -> Position {
        self.sources.position(span)
    }

    /// The text of a stretch.
    pub(super) fn text(&self, span: Span) -> &'a str {
        self.sources.text(span)
    }

    /// Notes files that were read for a value: a change of one is a change of the configuration.
    pub(super) fn read(&mut self, files: Vec<PathBuf>) {
        self.files.extend(files);
    }

    /// The files that were read for values.
    pub(super) fn take_files(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.files)
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
