//! Reads the right side of a comparison: a literal or an expression whose type can be compared with
//! the left side.

use std::ops::Range;

use crate::base::quote::beginning;
use crate::plan::expr::{Comparison, Expr, Known, Literal, Operand, Type};

use super::cursor::Cursor;
use super::expr::{casts, expression, noun};
use super::list::network;
use super::{Files, Mistake};

/// Reads the right side of a comparison.
pub(super) struct RightSide<'r, 't> {
    pub(super) cursor: &'r mut Cursor<'t>,
    pub(super) known: Known,
    pub(super) files: &'r mut dyn Files,
    /// The left side of the comparison.
    pub(super) left: &'r Expr,
    pub(super) left_part: &'r Range<usize>,
}

impl RightSide<'_, '_> {
    /// Reads the right operand of `comparison` and checks its type against the left side.
    /// `operator` is the text range of the operator.
    pub(super) fn read(
        mut self,
        comparison: Comparison,
        operator: Range<usize>,
    ) -> Result<Operand, Mistake> {
        let left = self.left;
        let sign = comparison.as_str();
        let yields = left.compares_as();
        let is_equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        if !is_equality {
            let is_possible = match yields {
                Type::Bool | Type::Ip => false,
                Type::Int => comparison.is_by_order(),
                Type::Text | Type::Bytes | Type::Any => true,
            };
            if !is_possible {
                return Err(wrong_operator(left, sign, operator));
            }
        }
        // `<` and `>` compare numbers, so a text operand is read as a number.
        let wanted = match comparison.is_by_order() {
            true => Type::Int,
            false if yields == Type::Any && !is_equality => Type::Text,
            false => yields,
        };
        if let Some(literal) = self.literal(sign, wanted)? {
            return Ok(Operand::Literal(literal));
        }
        if self.cursor.is_at_end() {
            return Err(Mistake::new(
                operator,
                format!("no value follows `{sign}`"),
                format!("write what `{left}` is compared with"),
            ));
        }
        if self.cursor.peek() == Some('[') {
            return Err(not_a_list(self.cursor, sign));
        }
        self.right_expression(wanted)
    }

    /// Reads a literal (text, number, `true` or `false`) of the type `wanted`. `None`: no literal
    /// comes next.
    fn literal(&mut self, sign: &str, wanted: Type) -> Result<Option<Literal>, Mistake> {
        let left = self.left;
        let start = self.cursor.at();
        let wrong = |part: Range<usize>, help: String| {
            Mistake::new(
                part,
                format!("`{left} {sign}` needs {} on its right side", noun(wanted)),
                help,
            )
        };
        if let Some((text, part)) = self.cursor.string()? {
            return match wanted {
                Type::Text | Type::Bytes | Type::Any => Ok(Some(Literal::Text(text))),
                Type::Ip => Ok(Some(Literal::Network(network(&text, part)?))),
                Type::Int => Err(wrong(part, "write a number without quotes".to_owned())),
                Type::Bool => Err(wrong(part, format!("write `{left}` or `not {left}`"))),
            };
        }
        if let Some((number, part)) = self.cursor.integer()? {
            return match wanted {
                Type::Int | Type::Any => Ok(Some(Literal::Int(number))),
                Type::Text | Type::Bytes => {
                    Err(wrong(part, format!("write it in quotes: `\"{number}\"`")))
                }
                Type::Ip => Err(wrong(part, "write an address in quotes".to_owned())),
                Type::Bool => Err(wrong(part, format!("write `{left}` or `not {left}`"))),
            };
        }
        for (word, value) in [("true", true), ("false", false)] {
            if self.cursor.take_word(word) {
                return match wanted {
                    Type::Bool | Type::Any => Ok(Some(Literal::Bool(value))),
                    Type::Text => Err(wrong(
                        start..self.cursor.at(),
                        format!("write it in quotes: `\"{word}\"`"),
                    )),
                    _ => Err(wrong(
                        start..self.cursor.at(),
                        format!("leave `{word}` out"),
                    )),
                };
            }
        }
        Ok(None)
    }

    /// Reads an expression whose value can be cast to `wanted`, or to whose type `left` can be
    /// cast.
    fn right_expression(&mut self, wanted: Type) -> Result<Operand, Mistake> {
        let left = self.left;
        let yields = left.compares_as();
        let (bare, bare_part) = self.cursor.bare();
        let (right, part) = expression(self.cursor, self.known, self.files)
            .map_err(|mistake| not_in_quotes(bare, bare_part, wanted, mistake))?;
        let is_comparable = |wanted| casts(right.compares_as(), wanted) && casts(yields, wanted);
        let is_cast = wanted == Type::Any && casts(yields, right.compares_as());
        if !is_comparable(wanted) && !is_cast {
            return Err(Mistake::new(
                self.left_part.start..part.end,
                format!(
                    "`{left}` yields {}, `{right}` yields {}: they cannot be compared",
                    noun(yields),
                    noun(right.compares_as())
                ),
                "compare values of one type",
            ));
        }
        Ok(Operand::Expr(right))
    }
}

/// The mistake of an operator that does not work with the type of `left`.
pub(super) fn wrong_operator(left: &Expr, sign: &str, part: Range<usize>) -> Mistake {
    let help = match left.compares_as() {
        Type::Bool => format!("write `{left}` or `not {left}`"),
        Type::Ip => "write `==` or `in` for addresses and networks".to_owned(),
        Type::Int => "write `==`, `<`, `>` or `in` for numbers".to_owned(),
        Type::Text | Type::Bytes | Type::Any => {
            "write `==`, `starts_with`, `contains`, `matches` or `in` for texts".to_owned()
        }
    };
    Mistake::new(
        part,
        format!(
            "`{sign}` does not work with {}, which `{left}` yields",
            noun(left.compares_as())
        ),
        help,
    )
}

/// The mistake of a list after `sign`, which compares with one value.
pub(super) fn not_a_list(cursor: &Cursor<'_>, sign: &str) -> Mistake {
    let help = match sign {
        "==" => "write `in` instead",
        "!=" => "write `not in` instead",
        _ => "write one number",
    };
    let message = format!("`{sign}` compares with one value, and this is a list");
    Mistake::new(cursor.next_part(), message, help)
}

/// The mistake of `bare`, which is no expression, where a value of the type `wanted` is wanted.
fn not_in_quotes(bare: &str, part: Range<usize>, wanted: Type, mistake: Mistake) -> Mistake {
    let kind = match wanted {
        Type::Text => "a text",
        Type::Ip => "an address",
        _ => return mistake,
    };
    // `path == lower(x)`, `method == $method`: an expression with a mistake.
    let is_expression = bare.contains('(') || bare.starts_with(['$', '{', '-']);
    if bare.is_empty() || is_expression || mistake.part.start != part.start {
        return mistake;
    }
    let text = beginning(bare);
    let message = match mistake.part == part {
        true => mistake.message,
        false => format!("`{text}` is not in quotes"),
    };
    let help = format!("write {kind} in quotes: `{:?}`", &*text);
    Mistake::new(part, message, help)
}
