//! A replacement by regular expression, compiled.

use regex::bytes::{Captures, Regex};

use crate::expr::{Facts, Template};
use crate::plan::{self, expr};
use crate::proxy::rules::Scope;

/// A text that matches is replaced as a whole, as HAProxy does.
#[derive(Debug)]
pub(super) struct Replacement {
    regex: Regex,
    pieces: Box<[Piece]>,
}

#[derive(Debug)]
enum Piece {
    Text(Box<[u8]>),
    /// The match (0) or one of its groups.
    Group(usize),
    /// An expression. What it yields is never searched for `\1`: a client could write it.
    Expr(Template),
}

impl Replacement {
    pub(super) fn compile(replace: &plan::Replace) -> Self {
        let mut pieces = Vec::new();
        for piece in &replace.with.pieces {
            match piece {
                expr::Piece::Text(text) => literal(text, &mut pieces),
                expr::Piece::Expr(_) => {
                    pieces.push(Piece::Expr(Template::compile(&expr::Template {
                        pieces: vec![piece.clone()],
                    })))
                }
            }
        }
        Self {
            regex: replace.pattern.regex().clone(),
            pieces: pieces.into(),
        }
    }

    /// What `text` becomes; `None`: it does not match, and stays.
    pub(super) fn apply(
        &self,
        text: &[u8],
        facts: &Facts<'_>,
        scope: &Scope<'_>,
    ) -> Option<Vec<u8>> {
        let captures = self.regex.captures(text)?;
        let mut into = Vec::with_capacity(text.len());
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => into.extend_from_slice(text),
                Piece::Group(index) => into.extend_from_slice(group(&captures, *index)),
                Piece::Expr(template) => into.extend_from_slice(&scope.text(template, facts)),
            }
        }
        Some(into)
    }
}

fn group<'t>(captures: &Captures<'t>, index: usize) -> &'t [u8] {
    captures.get(index).map_or(&[], |group| group.as_bytes())
}

/// `\1` is a group; any other character after a backslash is itself.
fn literal(written: &str, pieces: &mut Vec<Piece>) {
    let mut text = Vec::new();
    let mut bytes = written.bytes();
    while let Some(byte) = bytes.next() {
        match (byte == b'\\').then(|| bytes.next()).flatten() {
            Some(digit) if digit.is_ascii_digit() => {
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text).into()));
                }
                pieces.push(Piece::Group(usize::from(digit - b'0')));
            }
            Some(other) => text.push(other),
            None => text.push(byte),
        }
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text.into()));
    }
}
