//! The lines of a list or a map in a file.
//!
//! Editors write a byte order mark before the first line and CR before the line end: neither belongs to a
//! value. Other control characters are mistakes: a key with one would never match, and a value with one would
//! fail each request that a rule writes it into.

use std::ops::Range;
use std::path::Path;

use super::Mistake;

/// Calls `see` with each line that is neither empty nor a comment, without the space around it. A mistake
/// of `see` is a message and what to write instead.
///
/// # Errors
///
/// The first mistake, with `path`, the number of its line, and the place `part`.
pub(super) fn each(
    (path, text): (&Path, &str),
    part: &Range<usize>,
    mut see: impl FnMut(&str) -> Result<(), (String, String)>,
) -> Result<(), Mistake> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let seen = match line.contains(|c: char| c.is_control() && c != '\t') {
            true => Err((
                "the line has a control character".to_owned(),
                "write each value on a line of its own, as text".to_owned(),
            )),
            false => see(line),
        };
        seen.map_err(|(message, help)| {
            let at = format!("{}:{}: {message}", path.display(), index + 1);
            Mistake::new(part.clone(), at, help)
        })?;
    }
    Ok(())
}
