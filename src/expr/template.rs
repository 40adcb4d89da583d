//! Templates, compiled.

use crate::plan::expr::{self, Type};

use super::facts::Facts;
use super::program::Program;
use super::scratch::Scratch;

/// A compiled template.
#[derive(Debug)]
pub struct Template(Box<[Piece]>);

#[derive(Debug)]
enum Piece {
    Text(Box<[u8]>),
    /// The type is that of its value.
    Program(Program, Type),
}

impl Template {
    /// The compiled form of `template`.
    pub fn compile(template: &expr::Template) -> Self {
        let pieces = template.pieces.iter().map(|piece| match piece {
            expr::Piece::Text(text) => Piece::Text(text.as_bytes().into()),
            expr::Piece::Expr(expr) => Piece::Program(Program::compile(expr), expr.yields()),
        });
        Self(pieces.collect())
    }

    /// Whether it is the same for every exchange.
    pub fn is_literal(&self) -> bool {
        let mut pieces = self.0.iter();
        pieces.all(|piece| matches!(piece, Piece::Text(_)))
    }

    /// Renders the template for an exchange. An absent value becomes empty text.
    pub fn render(&self, facts: &Facts<'_>, scratch: &mut Scratch) -> Vec<u8> {
        let mut text = Vec::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(piece) => text.extend_from_slice(piece),
                Piece::Program(program, yields) => {
                    scratch.clear();
                    let value = program.value(facts, scratch);
                    let value = scratch.cast(value, *yields, Type::Text);
                    text.extend_from_slice(scratch.text(value).unwrap_or_default());
                }
            }
        }
        text
    }
}
