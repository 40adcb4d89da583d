//! Parses expressions and conditions into [`crate::plan::expr`], and checks every type.
//!
//! `compile` calls this for each value that is an expression. A [`Mistake`] has the range of the
//! text that it is about, so that a message can point at the character. No I/O, except `@file`,
//! which the caller reads.
//!
//! ```text
//! condition  = and *( "or" and )
//! and        = not *( "and" not )
//! not        = "not" not / "(" condition ")" / comparison
//! comparison = expression [ operator operand / texts / "found" / [ "not" ] "in" [ "-i" ] list ]
//!            / the name of a predefined condition
//! operator   = "==" / "!=" / "<" / "<=" / ">" / ">=" / "starts_with" / "ends_with" / "contains"
//! operand    = [ "-i" ] string / integer / "true" / "false" / expression
//! texts      = matching [ "-i" ] ( string / list )
//! matching   = "starts_with" / "ends_with" / "contains" / "has_dir" / "has_domain" / "matches"
//! list       = "[" value *( "," value ) "]" / "@file(" string ")" / "@map(" string ")"
//! expression = fetch [ "(" arguments ")" ] *( "," converter [ "(" arguments ")" ] )
//! template   = *( text / "%%" / "%[" expression "]" )
//! line       = *( text / "%%" / "%" [ "{" flags "}" ] ( name / "[" expression "]" ) )
//! ```

mod arguments;
mod condition;
mod cursor;
mod elsewhere;
mod expr;
mod head;
mod json_template;
mod line_template;
mod lines;
mod list;
mod map;
mod matching;
mod predefined;
#[cfg(test)]
mod reference;
mod right_side;
mod signature_keys;
mod template;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod written;

use std::fmt::Display;
use std::ops::Range;
use std::path::PathBuf;

use crate::base::Position;
use crate::plan::expr::{Condition, Expr, Known, Template, Variable};
use crate::plan::log::LineTemplate;

use cursor::Cursor;
pub(super) use expr::noun;

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// The range of the text that it is about, in bytes.
    pub(super) part: Range<usize>,
    /// What is wrong.
    pub(super) message: String,
    /// What to write instead.
    pub(super) help: String,
}

impl Mistake {
    fn new(part: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            part,
            message: message.into(),
            help: help.into(),
        }
    }
}

/// Reads the files of lists.
pub(super) trait Files {
    /// The full path of `written`, and the file's text.
    ///
    /// # Errors
    ///
    /// The reason that it cannot be read.
    fn read(&mut self, written: &str) -> Result<(PathBuf, String), String>;
}

/// The most bytes of an expression or a condition: programs do not belong here, and long lists
/// belong in a file.
const LONGEST: usize = 16 << 10;

/// Parses `text`, written at `at`, as a condition, where `known` is known.
///
/// # Errors
///
/// The first mistake.
pub(super) fn condition(
    text: &str,
    at: &Position,
    known: Known,
    files: &mut dyn Files,
) -> Result<Condition, Mistake> {
    let help = "put long lists into a file and write `in @file(\"…\")`";
    check_length(text, "condition", help)?;
    let condition = condition::whole(&mut Cursor::new(text, at), known, files)?;
    check_written(text, &condition, "condition", help)?;
    Ok(condition)
}

/// Parses all of `text`, written at `at`, as an expression, where `known` is known.
///
/// # Errors
///
/// The first mistake.
pub(super) fn expression(
    text: &str,
    at: &Position,
    known: Known,
    files: &mut dyn Files,
) -> Result<Expr, Mistake> {
    let help = "write a shorter one";
    check_length(text, "expression", help)?;
    let mut cursor = Cursor::new(text, at);
    cursor.skip_space();
    let (expr, _) = expr::expression(&mut cursor, known, files)?;
    cursor.skip_space();
    if !cursor.is_at_end() {
        return Err(Mistake::new(
            cursor.next_part(),
            "the expression should have ended here",
            "write one fetch with its converters, such as `req.hdr(host),lower`",
        ));
    }
    check_written(text, &expr, "expression", help)?;
    Ok(expr)
}

/// Parses `text`, written at `at`, as a template, where `known` is known.
///
/// # Errors
///
/// The first mistake.
pub(super) fn template(
    text: &str,
    at: &Position,
    known: Known,
    files: &mut dyn Files,
) -> Result<Template, Mistake> {
    let help = "write a shorter one";
    check_length(text, "template", help)?;
    let template = template::whole(&mut Cursor::new(text, at), known, files)?;
    check_written(text, &template, "template", help)?;
    Ok(template)
}

/// Parses `text`, written at `at`, as the template of a log line.
///
/// # Errors
///
/// The first mistake.
pub(super) fn line_template(
    text: &str,
    at: &Position,
    files: &mut dyn Files,
) -> Result<LineTemplate, Mistake> {
    let help = "write a shorter one";
    check_length(text, "template", help)?;
    let mut cursor = Cursor::new(text, at);
    let template = match json_template::begins(&mut cursor) {
        true => json_template::rest(&mut cursor, files)?,
        false => line_template::whole(&mut cursor, files)?,
    };
    check_written(text, &template, "template", help)?;
    Ok(template)
}

/// Parses `text` as the name of a variable that a rule sets where `known` is known.
///
/// # Errors
///
/// `text` is no name, or the variable could never be read.
pub(super) fn variable(text: &str, known: Known) -> Result<Variable, Mistake> {
    let variable = arguments::parse_variable(text, 0..text.len())?;
    expr::check_scope(variable.scope, known, 0..text.len())?;
    Ok(variable)
}

fn check_length(text: &str, kind: &str, help: &str) -> Result<(), Mistake> {
    if text.len() <= LONGEST {
        return Ok(());
    }
    let mut start = LONGEST;
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    Err(too_long(start..text.len(), text.len(), kind, help))
}

/// Checks that the text of `check --show`, with spaces and quotes everywhere, is accepted too.
fn check_written(
    text: &str,
    accepted: &impl Display,
    kind: &str,
    help: &str,
) -> Result<(), Mistake> {
    let written = accepted.to_string().len();
    match written > LONGEST {
        true => Err(too_long(0..text.len(), written, kind, help)),
        false => Ok(()),
    }
}

fn too_long(part: Range<usize>, bytes: usize, kind: &str, help: &str) -> Mistake {
    let message = format!("a {kind} of {bytes} bytes is longer than {LONGEST}");
    Mistake::new(part, message, help)
}
