//! Templates: text with expressions in it.

use super::{Expr, Fetch};

/// Text with expressions in it: `id-%[src]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Template {
    /// In order. Two texts never follow each other, and no text is empty.
    pub pieces: Vec<Piece>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// A literal text.
    Text(String),
    /// The value as text; an absent value becomes empty text.
    Expr(Expr),
}

impl Template {
    /// Hands each expression in it to `see`.
    pub fn each_expr(&self, see: &mut dyn FnMut(&Expr)) {
        for piece in &self.pieces {
            match piece {
                Piece::Expr(expr) => see(expr),
                Piece::Text(_) => {}
            }
        }
    }

    /// Whether an expression in it has a fetch that satisfies `is_meant`.
    pub fn reads(&self, is_meant: fn(Fetch) -> bool) -> bool {
        self.pieces.iter().any(|piece| match piece {
            Piece::Text(_) => false,
            Piece::Expr(expr) => is_meant(expr.fetch),
        })
    }
}
