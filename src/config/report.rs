//! The mistakes of one configuration, while they are being found.

use std::collections::HashSet;
use std::path::PathBuf;

use crate::base::{Name, Position};
use crate::config::diagnostic::Diagnostic;
use crate::config::source::{Sources, Span};
use crate::config::suggest;
use crate::plan::expr::Variable;

/// Only so many unknown variables get a "did you mean", because each is compared with all. More of
/// them have one cause.
const MOST_COMPARED: usize = 20;

/// The mistakes found so far.
pub(super) struct Report<'a> {
    sources: &'a Sources,
    found: Vec<Diagnostic>,
    errors: usize,
    /// Files that values named and that were read for them.
    files: Vec<PathBuf>,
    /// Variables that expressions read, and where.
    read_variables: Vec<(Variable, Span)>,
    /// Variables that rules set.
    set_variables: HashSet<Variable>,
    /// Keys of backends that matter for requests alone: the backend, the key, and where.
    keys_of_requests: Vec<(Name, &'static str, Span)>,
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
            read_variables: Vec::new(),
            set_variables: HashSet::new(),
            keys_of_requests: Vec::new(),
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
        self.errors += usize::from(diagnostic.is_error());
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

    /// Notes that the value at `span` reads `variables`.
    pub(super) fn reads_variables(
        &mut self,
        span: Span,
        variables: impl IntoIterator<Item = Variable>,
    ) {
        let variables = variables.into_iter().map(|variable| (variable, span));
        self.read_variables.extend(variables);
    }

    /// Notes that a rule sets `variable`.
    pub(super) fn sets_variable(&mut self, variable: Variable) {
        self.set_variables.insert(variable);
    }

    /// Notes that `backend` has `key`, which has no effect unless the backend gets requests.
    pub(super) fn is_of_requests(&mut self, backend: &Name, key: &'static str, span: Span) {
        self.keys_of_requests.push((backend.clone(), key, span));
    }

    /// Warns of the noted keys of `backends`, which get no requests.
    pub(super) fn warn_of_keys_of_requests(&mut self, backends: &HashSet<&Name>) {
        for (backend, key, span) in std::mem::take(&mut self.keys_of_requests) {
            if backends.contains(&backend) {
                let message = format!(
                    "`{key}` has no effect: only frontends in TCP mode use the backend `{backend}`"
                );
                let help =
                    "leave it out: in TCP mode client and server choose the protocol themselves";
                self.add(Diagnostic::warning(span, message).help(help));
            }
        }
    }

    /// Warns of variables that no rule sets: they are always absent.
    pub(super) fn warn_of_unset_variables(&mut self) {
        let mut set: Vec<String> = self.set_variables.iter().map(Variable::to_string).collect();
        set.sort();
        let read = std::mem::take(&mut self.read_variables).into_iter();
        let is_set = |variable: &Variable| self.set_variables.contains(variable);
        let unset: Vec<_> = read.filter(|(variable, _)| !is_set(variable)).collect();
        for (count, (variable, span)) in unset.into_iter().enumerate() {
            let name = variable.to_string();
            let near = match count < MOST_COMPARED {
                true => suggest::nearest(&name, set.iter().map(String::as_str)),
                false => None,
            };
            let help = match near {
                Some(near) => format!("did you mean `var({near})`?"),
                None => format!("set it in a rule before: `set_var = {{ {name:?} = \"src\" }}`"),
            };
            let message = format!("no rule sets the variable `{name}`");
            self.add(Diagnostic::warning(span, message).help(help));
        }
    }

    /// The files that were read for values.
    pub(super) fn take_files(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.files)
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
