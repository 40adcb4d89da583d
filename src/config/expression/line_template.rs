//! Templates of log lines, in HAProxy's notation: text, `%ci`, `%{+Q}r`, and `%{+Q}o` for the flags of
//! all that follow.
//!
//! Apart from `%[expression]` they have nothing in common with other templates, in which `%` is an ordinary
//! character.

use crate::config::suggest;
use crate::plan::expr::{Expr, Known};
use crate::plan::log::{Flags, LineTemplate, NOT_HERE, Piece, Variable};

use super::cursor::Cursor;
use super::expr::expression;
use super::{Files, Mistake};

/// The variable that stands for the flags of all variables after it.
const OPTIONS: &str = "o";

/// Parses all of the text as one template.
pub(super) fn whole(
    cursor: &mut Cursor<'_>,
    files: &mut dyn Files,
) -> Result<LineTemplate, Mistake> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut flags_of_all = Flags::default();
    while let Some(c) = cursor.peek() {
        let start = cursor.at();
        cursor.skip(c.len_utf8());
        match c {
            ' ' if pieces.last() == Some(&Piece::Space) => {}
            ' ' => pieces.push(Piece::Space),
            '%' if cursor.take("%") => add_text(&mut pieces, '%'),
            '%' => {
                let flags = flags(cursor, flags_of_all)?;
                if cursor.take("[") {
                    pieces.push(Piece::Expr(in_brackets(cursor, start, files)?, flags));
                    continue;
                }
                match variable(cursor, start)? {
                    Some(variable) => pieces.push(Piece::Variable(variable, flags)),
                    None => flags_of_all = flags,
                }
            }
            c if c.is_control() => {
                return Err(Mistake::new(
                    start..cursor.at(),
                    "a line cannot have a control character",
                    "leave it out: a line ends by itself",
                ));
            }
            c => add_text(&mut pieces, c),
        }
    }
    if pieces.is_empty() {
        let help = "write a template such as \"%ci %r %ST\"";
        return Err(Mistake::new(0..0, "the template is empty", help));
    }
    Ok(LineTemplate {
        pieces,
        names: None,
    })
}

fn add_text(pieces: &mut Vec<Piece>, c: char) {
    match pieces.last_mut() {
        Some(Piece::Text(text)) => text.push(c),
        _ => pieces.push(Piece::Text(c.to_string())),
    }
}

/// The flags `{+Q,-E}` at the cursor, which change `flags`.
pub(super) fn flags(cursor: &mut Cursor<'_>, mut flags: Flags) -> Result<Flags, Mistake> {
    let start = cursor.at();
    if !cursor.take("{") {
        return Ok(flags);
    }
    let mut is_set = true;
    loop {
        let at = cursor.at();
        let Some(c) = cursor.peek() else {
            return Err(Mistake::new(
                start..at,
                "the flags have no closing `}`",
                "write `}` after the flags, and then the variable: `%{+Q}r`",
            ));
        };
        cursor.skip(c.len_utf8());
        match c {
            '}' => return Ok(flags),
            '+' => is_set = true,
            '-' => is_set = false,
            'Q' => flags.quote = is_set,
            'E' => flags.escape = is_set,
            'X' => flags.hexadecimal = is_set,
            ',' | ' ' => {}
            'j' | 'c' => {
                return Err(Mistake::new(
                    at..cursor.at(),
                    "an encoding is chosen for the whole line",
                    "begin the template with `%{+json}o`, and give each value a name: `%(client)ci`",
                ));
            }
            _ => {
                return Err(Mistake::new(
                    at..cursor.at(),
                    "no such flag",
                    "the flags are `+Q` (quotes), `+E` (a backslash before `\"`, `\\` and `]`) and `+X` \
                     (hexadecimal)",
                ));
            }
        }
    }
}

/// The expression at the cursor, up to its `]`. `start` is the position of its `%`.
pub(super) fn in_brackets(
    cursor: &mut Cursor<'_>,
    start: usize,
    files: &mut dyn Files,
) -> Result<Expr, Mistake> {
    cursor.skip_space();
    let (expr, _) = expression(cursor, Known::Log, files)?;
    cursor.skip_space();
    match cursor.take("]") {
        true => Ok(expr),
        false if cursor.is_at_end() => Err(Mistake::new(
            start..cursor.at(),
            "`%[` has no closing `]`",
            "write `]` after the expression",
        )),
        false => Err(Mistake::new(
            cursor.next_part(),
            "the expression should have ended here",
            "write `]` after the expression",
        )),
    }
}

/// The variable at the cursor; `None`: `%o`. `start` is the position of its `%`.
pub(super) fn variable(cursor: &mut Cursor<'_>, start: usize) -> Result<Option<Variable>, Mistake> {
    let rest = cursor.rest();
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric());
    let name = &rest[..end.unwrap_or(rest.len())];
    cursor.skip(name.len());
    let part = start..cursor.at().max(start + 1);
    if name == OPTIONS {
        return Ok(None);
    }
    if let Some(variable) = Variable::named(name) {
        return Ok(Some(variable));
    }
    if name.is_empty() {
        return Err(Mistake::new(
            part,
            "no variable follows the `%`",
            "write a variable such as `%ci`; `%%` is a percent sign",
        ));
    }
    if let Some((_, why)) = NOT_HERE.iter().find(|(known, _)| *known == name) {
        let message = format!("`%{name}` of HAProxy does not exist here");
        return Err(Mistake::new(part, message, format!("leave it out: {why}")));
    }
    let message = format!("there is no variable `%{name}`");
    let all = || Variable::ALL.iter().map(|variable| variable.name());
    // Short names: each is near to all others.
    let near = suggest::nearest(name, all()).filter(|near| near.len() > 2);
    let help = match near {
        Some(near) => format!("did you mean `%{near}`?"),
        None => "conf/reference/log-formats.md has all variables".to_owned(),
    };
    Err(Mistake::new(part, message, help))
}
