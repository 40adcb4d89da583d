//! What becomes of each word: the same, approximated, without effect, or refused.
//!
//! No word is dropped in silence: who reads a word says here what became of it, unless it is the same.

use std::collections::HashSet;

use crate::config::diagnostic::Diagnostic;
use crate::config::source::Span;
use crate::config::suggest;

use super::lexer::Word;

/// What was said about the words of a file.
#[derive(Default)]
pub(super) struct Verdicts {
    pub(super) found: Vec<Diagnostic>,
    /// Words without effect, with the reason that this is safe.
    pub(super) without_effect: Vec<(Span, String)>,
    /// What is refused is left out.
    accepts_loss: bool,
    /// A line of `defaults` is read once for each proxy, and is reported once.
    said: HashSet<(Span, String)>,
}

impl Verdicts {
    pub(super) fn new(accepts_loss: bool) -> Self {
        Self {
            accepts_loss,
            ..Self::default()
        }
    }

    /// The words at `span` do something else than in HAProxy: `what`, which is a sentence. Evenkeel starts.
    pub(super) fn approximated(&mut self, span: Span, what: impl Into<String>) {
        let what = what.into();
        if self.is_new(span, &what) {
            let words = format!("approximated: {what}");
            self.found.push(Diagnostic::warning(span, words));
        }
    }

    /// The words at `span` change nothing here, and that is safe because of `why`.
    pub(super) fn without_effect(&mut self, span: Span, why: impl Into<String>) {
        let why = why.into();
        if self.is_new(span, &why) {
            self.without_effect.push((span, why));
        }
    }

    /// Evenkeel has nothing for the words at `span`; `instead` is what to do.
    pub(super) fn refused(&mut self, span: Span, what: &str, instead: impl Into<String>) {
        if self.is_new(span, what) {
            let words = format!("`{what}` does not exist here yet");
            self.found.push(
                match self.accepts_loss {
                    true => Diagnostic::warning(span, format!("left out: {words}")),
                    false => Diagnostic::error(span, words),
                }
                .help(instead),
            );
        }
    }

    /// The words at `span` are wrong in HAProxy, too.
    pub(super) fn wrong(
        &mut self,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let message = message.into();
        if self.is_new(span, &message) {
            let help = help.into();
            let mistake = Diagnostic::error(span, message);
            self.found.push(match help.is_empty() {
                true => mistake,
                false => mistake.help(help),
            });
        }
    }

    /// No `kind` has the name `word`; `known` are those that could be meant.
    pub(super) fn unknown<'k>(
        &mut self,
        kind: &str,
        word: &Word,
        known: impl IntoIterator<Item = &'k str>,
    ) {
        let near = suggest::nearest(&word.text, known);
        let help = near.map_or(String::new(), |near| format!("did you mean `{near}`?"));
        self.wrong(word.span, format!("unknown {kind} `{}`", word.text), help);
    }

    fn is_new(&mut self, span: Span, text: &str) -> bool {
        self.said.insert((span, text.to_owned()))
    }
}
