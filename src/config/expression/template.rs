//! Templates: text in which `%[expression]` stands for what the expression yields.

use crate::plan::expr::{Known, Piece, Template};

use super::cursor::Cursor;
use super::expr::expression;
use super::{Files, Mistake};

/// Parses all of the text as one template.
pub(super) fn whole(
    cursor: &mut Cursor<'_>,
    known: Known,
    files: &mut dyn Files,
) -> Result<Template, Mistake> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    while let Some(c) = cursor.peek() {
        let start = cursor.at();
        if cursor.take("%%") {
            text.push('%');
        } else if cursor.take("%[") {
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
            }
            cursor.skip_space();
            let (expr, _) = expression(cursor, known, files)?;
            cursor.skip_space();
            if !cursor.take("]") {
                return Err(match cursor.is_at_end() {
                    true => Mistake::new(
                        start..start + 2,
                        "`%[` has no closing `]`",
                        "write `]` after the expression",
                    ),
                    false => Mistake::new(
                        cursor.next_part(),
                        "the expression should have ended here",
                        "write `]` after the expression; `%%` is a percent sign",
                    ),
                });
            }
            pieces.push(Piece::Expr(expr));
        } else {
            text.push(c);
            cursor.skip(c.len_utf8());
        }
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(Template { pieces })
}
