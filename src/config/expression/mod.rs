//! Expressions and conditions from text to [`crate::plan::expr`]: parsed, and every type checked.
//!
//! `compile` asks here for each value of a file that is one. What is wrong is a [`Mistake`] with the
//! stretch of the text that it is about, so that a message can point at the character. Pure text,
//! but for `@file`, which the caller reads.
//!
//! ```text
//! condition  = and *( "or" and )
//! and        = not *( "and" not )
//! not        = "not" not / "(" condition ")" / comparison
//! comparison = expression [ operator operand / [ "not" ] "in" list / "matches" string ]
//! operator   = "==" / "!=" / "<" / "<=" / ">" / ">=" / "starts_with" / "ends_with" / "contains"
//! operand    = string / integer / "true" / "false" / expression
//! list       = "[" value *( "," value ) "]" / "@file(" string ")"
//! expression = fetch [ "(" arguments ")" ] *( "," converter [ "(" arguments ")" ] )
//! ```

mod arguments;
mod condition;
mod cursor;
mod expr;
mod list;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod written;

use std::ops::Range;
use std::path::PathBuf;

use crate::plan::expr::{Condition, Phase};

use cursor::Cursor;

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// The stretch of the text that it is about, in bytes.
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

/// Where lists in files come from.
pub(super) trait Files {
    /// The path that `written` means, and the file's text.
    ///
    /// # Errors
    ///
    /// Why it cannot be read.
    fn read(&mut self, written: &str) -> Result<(PathBuf, String), String>;
}

/// The longest text of an expression or a condition, in bytes: whole programs are not written here,
/// and long lists have a file.
const LONGEST: usize = 16 << 10;

/// The condition that `text` is, at a place where everything is known that is known in `phase`.
///
/// # Errors
///
/// The first mistake.
pub(super) fn condition(
    text: &str,
    phase: Phase,
    files: &mut dyn Files,
) -> Result<Condition, Mistake> {
    if text.len() > LONGEST {
        let mut start = LONGEST;
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        return Err(too_long(start..text.len(), text.len()));
    }
    let mut cursor = Cursor::new(text);
    let condition = condition::whole(&mut cursor, phase, files)?;
    // What was accepted is accepted as it is written back, too: `check --show`.
    let written = condition.to_string().len();
    if written > LONGEST {
        return Err(too_long(0..text.len(), written));
    }
    Ok(condition)
}

/// `bytes`: of the condition, as written or as written back with spaces and quotes everywhere.
fn too_long(part: Range<usize>, bytes: usize) -> Mistake {
    Mistake::new(
        part,
        format!("a condition of {bytes} bytes is longer than {LONGEST}"),
        "put long lists into a file and write `in @file(\"…\")`",
    )
}
