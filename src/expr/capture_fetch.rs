//! Fetches of what rules have captured.

use crate::plan::expr::Argument;

use super::facts::Facts;
use super::scratch::{Scratch, Value};
use super::variables::Captured;

/// What was captured at a place. Copied: a rule may capture while it is read.
pub(super) fn captured<'a>(
    of: Captured,
    arguments: &[Argument],
    facts: &Facts<'a>,
    scratch: &mut Scratch,
) -> Value<'a> {
    let Some(Argument::Int(index)) = arguments.first() else {
        return Value::Absent;
    };
    let index = usize::try_from(*index).unwrap_or(usize::MAX);
    let found = facts
        .variables
        .and_then(|variables| variables.captured(of, |captures| captures.get(index)?.clone()));
    match found.flatten() {
        Some(text) => scratch.write(|bytes| bytes.extend_from_slice(&text)),
        None => Value::Absent,
    }
}
