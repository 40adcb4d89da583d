//! Reads a configuration: the main file, and all files that are included, at any depth.
//!
//! The values of all files go into one table, as if one file had them: see `merge`.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use glob::MatchOptions;

use crate::config::check::Reading;
use crate::config::diagnostic::Diagnostic;
use crate::config::haproxy;
use crate::config::merge::merge;
use crate::config::raw::{self, Entry, Kind, Table, Value};
use crate::config::source::{self, Sources, Span};
use crate::config::variables::Variables;
use crate::config::{Options, Syntax, Watch};

/// The most files of one configuration.
const MOST_FILES: usize = 10_000;

/// The most includes within includes.
const MOST_DEPTH: usize = 32;

/// The values of all files, and how completely they could be read.
pub(super) struct Gathered {
    pub(super) table: Table,
    pub(super) sources: Sources,
    pub(super) watch: Watch,
    pub(super) found: Vec<Diagnostic>,
    pub(super) reading: Reading,
    /// Where the syntax is broken.
    pub(super) broken: Vec<Span>,
}

/// Reads the files one after another.
pub(super) struct Gatherer<'a> {
    environment: &'a dyn Fn(&str) -> Option<OsString>,
    gathered: Gathered,
    /// Each file that was read or is being read, by its real path.
    seen: HashSet<PathBuf>,
    /// The files that are being read; each was included by the one before it.
    chain: Vec<PathBuf>,
    options: Options,
}

impl<'a> Gatherer<'a> {
    pub(super) fn new(environment: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self {
            environment,
            gathered: Gathered {
                table: Table::default(),
                sources: Sources::default(),
                watch: Watch::default(),
                found: Vec::new(),
                reading: Reading::Whole,
                broken: Vec::new(),
            },
            seen: HashSet::new(),
            chain: Vec::new(),
            options: Options::default(),
        }
    }

    /// The same, with what the command line says.
    pub(super) fn options(mut self, options: &Options) -> Self {
        self.options = options.clone();
        self
    }

    /// Reads the main file, the further ones of the command line, and all that they include.
    pub(super) fn main_file(mut self, path: &Path) -> Gathered {
        let mut paths = vec![path.to_owned()];
        paths.append(&mut self.options.files);
        let paths: Vec<PathBuf> = paths
            .into_iter()
            .flat_map(|path| self.files_at(path))
            .collect();
        let mut texts = Vec::new();
        for path in paths {
            match source::read_file(&path) {
                Ok(text) => texts.push((path, text)),
                Err(error) => self.cannot_read(&path, &error.to_string()),
            }
        }
        let looks_like_haproxy = || {
            let mut texts = texts.iter();
            texts.any(|(_, text)| haproxy::is_haproxy_cfg(text))
        };
        let is_haproxy = match self.options.syntax {
            Some(syntax) => syntax == Syntax::Haproxy,
            None => looks_like_haproxy(),
        };
        if is_haproxy {
            let wholes = texts.into_iter().map(|(path, text)| {
                let whole = self.gathered.sources.add(&path, text);
                self.gathered.watch.files.push(path);
                whole
            });
            let wholes: Vec<Span> = wholes.collect();
            self.take_in_haproxy(&wholes);
        } else {
            for (path, text) in texts {
                self.file(&path, text);
            }
        }
        self.set_options();
        self.gathered
    }

    /// The file at `path`, or those of the directory.
    fn files_at(&mut self, path: PathBuf) -> Vec<PathBuf> {
        if !path.is_dir() {
            return vec![path];
        }
        let pattern = Path::new(&glob::Pattern::escape(&path.to_string_lossy())).join("*.cfg");
        let pattern = pattern.to_string_lossy().into_owned();
        let found = glob::glob_with(&pattern, MATCHING).into_iter().flatten();
        let files: Vec<PathBuf> = found.flatten().filter(|path| !path.is_dir()).collect();
        if files.is_empty() {
            self.cannot_read(&path, "no file of this directory ends in `.cfg`");
        }
        self.gathered.watch.globs.push(pattern);
        files
    }

    fn cannot_read(&mut self, path: &Path, why: &str) {
        self.gathered.watch.files.push(path.to_owned());
        let span = self.gathered.sources.add(path, String::new());
        let message = format!("cannot read the configuration: {why}");
        self.give_up(Diagnostic::error(span, message));
    }

    /// Sets what the command line says in place of the files.
    fn set_options(&mut self) {
        if let Some(listen) = self.options.admin.take() {
            let kind = Kind::String(raw::Text::plain(listen.clone()));
            self.set("--admin", listen, ["admin", "listen"], kind);
        }
        if let Some(most) = self.options.max_connections {
            let kind = Kind::Integer(most.into());
            self.set("-n", most.to_string(), ["process", "max_connections"], kind);
        }
    }

    /// Sets a key of a table to the value that `option` of the command line has.
    fn set(&mut self, option: &str, written: String, key: [&str; 2], kind: Kind) {
        let span = self.gathered.sources.add(Path::new(option), written);
        let entry = |key: &str, kind| Entry {
            key: key.to_owned(),
            key_span: span,
            value: Value { kind, span },
        };
        let top = &mut self.gathered.table;
        let table = top.remove(key[0]).map(|entry| entry.value.kind);
        let mut table = match table {
            Some(Kind::Table(table)) => table,
            _ => Table::default(),
        };
        table.remove(key[1]);
        table.entries.push(entry(key[1], kind));
        top.entries.push(entry(key[0], Kind::Table(table)));
    }

    /// Reads a text that is in no file.
    pub(super) fn text(mut self, name: &str, text: &str) -> Gathered {
        if haproxy::is_haproxy_cfg(text) {
            let whole = self.gathered.sources.add(Path::new(name), text.to_owned());
            self.take_in_haproxy(&[whole]);
        } else {
            self.take_in(Path::new(name), text.to_owned(), None);
        }
        self.gathered
    }

    fn file(&mut self, path: &Path, text: String) {
        self.gathered.watch.files.push(path.to_owned());
        let real = real_path(path);
        self.seen.insert(real.clone());
        self.chain.push(real);
        self.take_in(path, text, Some(path.parent().unwrap_or(Path::new(""))));
        self.chain.pop();
    }

    fn take_in(&mut self, path: &Path, text: String, directory: Option<&Path>) {
        let whole = self.gathered.sources.add(path, text);
        let text = self.gathered.sources.text(whole);
        let variables = Variables {
            environment: self.environment,
            directory,
        };
        let mut parsed = raw::parse(text, whole, &variables);
        if !parsed.syntax.is_empty() {
            self.gathered.reading = Reading::Partial;
            self.gathered
                .broken
                .extend(parsed.syntax.iter().filter_map(Diagnostic::span));
        }
        self.gathered.found.append(&mut parsed.syntax);
        self.gathered.found.append(&mut parsed.references);
        self.gathered.watch.files.append(&mut parsed.files);
        let include = parsed.table.remove("include");
        merge(
            &mut self.gathered.table,
            parsed.table,
            &mut self.gathered.found,
        );
        if let Some(include) = include {
            self.includes(&include.value, directory);
        }
    }

    /// The same for files of HAProxy, which are one configuration.
    fn take_in_haproxy(&mut self, wholes: &[Span]) {
        let sources = &self.gathered.sources;
        let files: Vec<(&str, Span)> = wholes
            .iter()
            .map(|&whole| (sources.text(whole), whole))
            .collect();
        let Options {
            variables,
            accept_loss,
            ..
        } = &self.options;
        let variable = |name: &str| {
            let own = variables.iter().find(|(own, _)| own == name);
            let own = own.map(|(_, value)| OsString::from(value));
            own.or_else(|| (self.environment)(name))
        };
        let mut read = haproxy::read(&files, &variable, *accept_loss);
        if read.found.iter().any(Diagnostic::is_error) {
            self.gathered.reading = Reading::Partial;
        }
        self.gathered.found.append(&mut read.found);
        self.gathered.found.extend(self.without_effect(&read));
        self.gathered.table = read.table;
    }

    /// One message about all words without effect: there are many in most files, and each is safe.
    fn without_effect(&self, read: &haproxy::Read) -> Option<Diagnostic> {
        let sources = &self.gathered.sources;
        let (first, _) = read.without_effect.first()?;
        let words = read.without_effect.iter().map(|(span, why)| {
            let line = sources.position(*span).line;
            let mut words = sources.text(*span).split_ascii_whitespace();
            let word = words.next().unwrap_or_default();
            format!("line {line}, `{word}`: {why}")
        });
        let words: Vec<String> = words.collect();
        let message = format!("without effect here:\n{}", words.join("\n"));
        Some(Diagnostic::warning(*first, message))
    }

    fn includes(&mut self, value: &Value, directory: Option<&Path>) {
        let items = match &value.kind {
            Kind::Array(items) => items.as_slice(),
            _ => std::slice::from_ref(value),
        };
        for item in items {
            match &item.kind {
                Kind::String(text) => self.include(&text.value, item.span, directory),
                Kind::Broken => {}
                _ => self.give_up(
                    Diagnostic::error(
                        item.span,
                        format!(
                            "`include` must be a path or a list of paths, and is {}",
                            item.describe()
                        ),
                    )
                    .help("write `include = [\"conf.d/*.toml\"]`"),
                ),
            }
        }
    }

    fn include(&mut self, written: &str, span: Span, directory: Option<&Path>) {
        if directory.is_none() && Path::new(written).is_relative() {
            return self.give_up(
                Diagnostic::error(
                    span,
                    "this path is relative, and this text is in no directory",
                )
                .help("write an absolute path"),
            );
        }
        if !written.contains(['*', '?', '[']) {
            return self.included_file(&source::resolve(directory, written), span);
        }
        // Characters of the directory are literal; only the written part is a pattern.
        let escaped =
            directory.map(|directory| glob::Pattern::escape(&directory.to_string_lossy()));
        let pattern = source::resolve(escaped.as_deref().map(Path::new), written);
        let pattern = pattern.to_string_lossy().into_owned();
        let paths = match glob::glob_with(&pattern, MATCHING) {
            Ok(paths) => paths,
            Err(error) => {
                return self.give_up(
                    Diagnostic::error(span, format!("this is not a valid pattern: {}", error.msg))
                        .help("write `\"conf.d/*.toml\"`"),
                );
            }
        };
        self.gathered.watch.globs.push(pattern);
        for path in paths {
            match path {
                // A directory may match the pattern; only files are read.
                Ok(path) if path.is_dir() => {}
                Ok(path) => self.included_file(&path, span),
                Err(error) => self.give_up(Diagnostic::error(
                    span,
                    format!(
                        "cannot read the directory {}: {}",
                        error.path().display(),
                        error.error()
                    ),
                )),
            }
        }
    }

    fn included_file(&mut self, path: &Path, span: Span) {
        let real = real_path(path);
        if self.chain.contains(&real) {
            return self.give_up(
                Diagnostic::error(span, format!("`{}` includes itself", path.display()))
                    .help("a file must not include itself or a file that includes it: leave it out of `include`"),
            );
        }
        if self.seen.contains(&real) {
            return;
        }
        if self.chain.len() >= MOST_DEPTH || self.seen.len() >= MOST_FILES {
            return self.give_up(Diagnostic::error(
                span,
                format!(
                    "too many files: at most {MOST_FILES} files can be included, {MOST_DEPTH} levels deep"
                ),
            ));
        }
        match source::read_file(path) {
            Ok(text) => self.file(path, text),
            Err(error) => {
                // It is watched all the same: when it appears, a reload can succeed.
                self.gathered.watch.files.push(path.to_owned());
                let what = format!("cannot include `{}`: {error}", path.display());
                let diagnostic = Diagnostic::error(span, what);
                self.give_up(match path.is_dir() {
                    true => diagnostic.help(format!(
                        "write `\"{}/*.toml\"` for the files in it",
                        path.display()
                    )),
                    false => diagnostic,
                });
            }
        }
    }

    /// Notes a mistake because of which a part of the configuration is missing.
    fn give_up(&mut self, diagnostic: Diagnostic) {
        self.gathered.reading = Reading::Partial;
        self.gathered.found.push(diagnostic);
    }
}

/// Files that begin with a dot are temporary files of editors.
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The path without symbolic links, if it exists.
fn real_path(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
