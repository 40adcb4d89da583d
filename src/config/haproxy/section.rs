//! The sections of a file, and its conditional lines (`.if`).

use crate::config::diagnostic::Diagnostic;
use crate::config::source::Span;
use crate::config::suggest;
use std::ffi::OsString;

use super::lexer::{self, Environment, Line};
use super::predicate;

/// The keywords that begin a section.
pub(super) const SECTIONS: &[&str] = &[
    "global",
    "defaults",
    "frontend",
    "backend",
    "listen",
    "peers",
    "resolvers",
    "userlist",
    "mailers",
    "cache",
    "ring",
    "log-forward",
    "log-profile",
    "http-errors",
    "fcgi-app",
    "crt-store",
    "acme",
    "program",
    "traces",
    "healthcheck",
];

/// The lines from one keyword of [`SECTIONS`] to the next.
#[derive(Debug)]
pub(super) struct Section {
    /// With the name.
    pub(super) header: Line,
    pub(super) lines: Vec<Line>,
}

/// One `.if` that has not ended.
struct Block {
    span: Span,
    /// Whether its lines count now.
    counts: bool,
    /// Whether one of its parts has counted already.
    has_counted: bool,
}

/// The variables of a configuration: those that lines set or unset, then those of the environment.
pub(super) struct Variables<'e> {
    environment: Environment<'e>,
    own: Vec<(String, Option<String>)>,
}

impl<'e> Variables<'e> {
    pub(super) fn of(environment: Environment<'e>) -> Self {
        Self {
            environment,
            own: Vec::new(),
        }
    }

    fn get(&self, name: &str) -> Option<OsString> {
        match self.own.iter().rev().find(|(own, _)| own == name) {
            Some((_, value)) => value.clone().map(Into::into),
            None => (self.environment)(name),
        }
    }
}

/// Divides `text`, which is all of `whole`, into sections.
pub(super) fn sections(
    text: &str,
    whole: Span,
    variables: &mut Variables<'_>,
    found: &mut Vec<Diagnostic>,
) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut blocks: Vec<Block> = Vec::new();
    for (begin, line) in lexer::lines(text) {
        let counts = blocks.iter().all(|block| block.counts);
        let line = match lexer::words(line, begin, whole, &|name| variables.get(name)) {
            Ok(Some(line)) => line,
            Ok(None) => continue,
            Err(mistake) => {
                if counts {
                    found.push(mistake);
                }
                continue;
            }
        };
        match line.keyword() {
            word if word.starts_with('.') => {
                directive(&line, &mut blocks, &|name| variables.get(name), found);
            }
            _ if !counts => {}
            "setenv" | "presetenv" if line.words.len() == 3 => {
                let name = line.words[1].text.clone();
                if line.keyword() == "setenv" || variables.get(&name).is_none() {
                    variables.own.push((name, Some(line.words[2].text.clone())));
                }
            }
            "unsetenv" => {
                let names = line.words[1..].iter();
                variables
                    .own
                    .extend(names.map(|word| (word.text.clone(), None)));
            }
            word if SECTIONS.contains(&word) => sections.push(Section {
                header: line,
                lines: Vec::new(),
            }),
            word => match sections.last_mut() {
                Some(section) => section.lines.push(line),
                None => {
                    let near = suggest::nearest(word, SECTIONS.iter().copied());
                    let help = match near {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "a file begins with a section: `global`, `defaults`, `frontend` …"
                            .to_owned(),
                    };
                    found.push(
                        Diagnostic::error(line.words[0].span, format!("`{word}` is in no section"))
                            .help(help),
                    );
                }
            },
        }
    }
    for block in blocks {
        found.push(Diagnostic::error(block.span, "this `.if` has no `.endif`"));
    }
    sections
}

fn directive(
    line: &Line,
    blocks: &mut Vec<Block>,
    environment: Environment<'_>,
    found: &mut Vec<Diagnostic>,
) {
    let outer = |blocks: &[Block], levels: usize| {
        let outer = blocks.len().saturating_sub(levels);
        blocks[..outer].iter().all(|block| block.counts)
    };
    let holds = |found: &mut Vec<Diagnostic>| {
        let words: Vec<&str> = line.words[1..].iter().map(|word| &*word.text).collect();
        predicate::holds(&words.join(" "), environment).unwrap_or_else(|message| {
            found.push(Diagnostic::error(line.span, message).help(predicate::KNOWN));
            false
        })
    };
    match line.keyword() {
        ".if" => {
            let counts = outer(blocks, 0) && holds(found);
            blocks.push(Block {
                span: line.span,
                counts,
                has_counted: counts,
            });
        }
        ".elif" | ".else" => {
            let is_open = outer(blocks, 1);
            let Some(block) = blocks.last_mut() else {
                return found.push(Diagnostic::error(line.span, "this has no `.if` before it"));
            };
            let is_next = !block.has_counted && is_open;
            block.counts = is_next && (line.keyword() == ".else" || holds(found));
            block.has_counted |= block.counts;
        }
        ".endif" => {
            if blocks.pop().is_none() {
                found.push(Diagnostic::error(line.span, "this has no `.if` before it"));
            }
        }
        word @ (".notice" | ".warning" | ".alert" | ".diag") => {
            if !outer(blocks, 0) {
                return;
            }
            let words: Vec<&str> = line.words[1..].iter().map(|word| &*word.text).collect();
            let text = words.join(" ");
            match word {
                ".alert" => found.push(Diagnostic::error(line.span, text)),
                ".warning" => found.push(Diagnostic::warning(line.span, text)),
                // For whoever reads HAProxy's output; it changes nothing.
                _ => {}
            }
        }
        word => {
            let near = suggest::nearest(word, DIRECTIVES.iter().copied());
            let mistake =
                Diagnostic::error(line.words[0].span, format!("unknown directive `{word}`"));
            found.push(match near {
                Some(near) => mistake.help(format!("did you mean `{near}`?")),
                None => mistake,
            });
        }
    }
}

const DIRECTIVES: &[&str] = &[
    ".if", ".elif", ".else", ".endif", ".notice", ".warning", ".alert", ".diag",
];
