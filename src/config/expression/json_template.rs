//! Templates of log lines that are JSON objects: `%{+json}o %(client)ci %(status:sint)ST %(tenant)[var(txn.t)]`.
//!
//! HAProxy's notation (configuration manual 3.0, 8.2.6). A value without a name would not be written there,
//! and neither would text between values: here both are mistakes.

use std::ops::Range;

use crate::plan::expr::Type;
use crate::plan::log::{Flags, JsonType, LineTemplate, Piece};

use super::cursor::Cursor;
use super::line_template::{flags, in_brackets, variable};
use super::{Files, Mistake};

/// Takes the beginning of such a template.
pub(super) fn begins(cursor: &mut Cursor<'_>) -> bool {
    // Otherwise a space at the beginning is a part of the line.
    let mut ahead = cursor.clone();
    ahead.skip_space();
    let begins = ahead.take("%{+json}o");
    if begins {
        *cursor = ahead;
    }
    begins
}

/// Parses what follows it.
pub(super) fn rest(
    cursor: &mut Cursor<'_>,
    files: &mut dyn Files,
) -> Result<LineTemplate, Mistake> {
    let mut pieces = Vec::new();
    let mut names: Vec<(String, JsonType)> = Vec::new();
    loop {
        cursor.skip_space();
        let start = cursor.at();
        if cursor.is_at_end() {
            break;
        }
        if !cursor.take("%") {
            return Err(Mistake::new(
                cursor.next_part(),
                "text between the values of JSON is not written",
                "leave it out",
            ));
        }
        let (name, written, part) = name(cursor, start)?;
        if names.iter().any(|(known, _)| *known == name) {
            let message = format!("the name `{name}` is written twice");
            return Err(Mistake::new(part, message, "write another one"));
        }
        let flags = flags(cursor, Flags::default())?;
        let (piece, usual) = if cursor.take("[") {
            let expr = in_brackets(cursor, start, files)?;
            let usual = match expr.yields() {
                Type::Int => JsonType::Number,
                Type::Bool => JsonType::Bool,
                _ => JsonType::Text,
            };
            (Piece::Expr(expr, flags), usual)
        } else {
            let Some(variable) = variable(cursor, start)? else {
                return Err(Mistake::new(
                    start..cursor.at(),
                    "`%o` is no value",
                    "leave it out: in JSON it stands at the beginning alone",
                ));
            };
            let usual = match variable.is_number() && !flags.hexadecimal {
                true => JsonType::Number,
                false => JsonType::Text,
            };
            (Piece::Variable(variable, flags), usual)
        };
        pieces.push(piece);
        names.push((name, written.unwrap_or(usual)));
    }
    if pieces.is_empty() {
        let help = "write values with names: \"%{+json}o %(client)ci %(status)ST\"";
        return Err(Mistake::new(0..0, "the template is empty", help));
    }
    Ok(LineTemplate {
        pieces,
        names: Some(names),
    })
}

/// The name and the type at the cursor, and where they are written.
fn name(
    cursor: &mut Cursor<'_>,
    start: usize,
) -> Result<(String, Option<JsonType>, Range<usize>), Mistake> {
    let usage =
        "write it before the variable: `%(status:sint)ST`; types are `str`, `sint` and `bool`";
    let open = cursor.at();
    if !cursor.take("(") {
        let part = start..open.max(start + 1);
        return Err(Mistake::new(part, "a value of JSON needs a name", usage));
    }
    let rest = cursor.rest();
    let Some(end) = rest.find(')') else {
        return Err(Mistake::new(
            open..open + 1,
            "the name has no closing `)`",
            usage,
        ));
    };
    let written = &rest[..end];
    cursor.skip(end + 1);
    let part = open..cursor.at();
    let (name, kind) = match written.split_once(':') {
        Some((name, kind)) => (name, Some(kind)),
        None => (written, None),
    };
    if name.is_empty() || name.chars().any(|c| c.is_control() || c == '(') {
        return Err(Mistake::new(part, "a value of JSON needs a name", usage));
    }
    match kind.map(|kind| (kind, JsonType::named(kind))) {
        None => Ok((name.to_owned(), None, part)),
        Some((_, Some(kind))) => Ok((name.to_owned(), Some(kind), part)),
        Some((kind, None)) => {
            let message = format!("`{kind}` is no type of a value in JSON");
            Err(Mistake::new(part, message, usage))
        }
    }
}
