//! Files of keys and values, for the converter `map`.
//!
//! The format is HAProxy's (configuration manual, `map`): a line is a key, spaces or tabs, and the
//! value up to the end of the line. Empty lines and lines that begin with `#` are comments.

use std::ops::Range;
use std::sync::Arc;

use crate::plan::expr::{Argument, Map};

use super::{Files, Mistake};

/// Reads the map in the file `written`.
pub(super) fn read(
    written: &str,
    part: &Range<usize>,
    files: &mut dyn Files,
) -> Result<Argument, Mistake> {
    let (path, text) = files.read(written).map_err(|why| {
        let help = "a relative path begins at the directory of the file that it is written in";
        Mistake::new(part.clone(), format!("cannot read the map: {why}"), help)
    })?;
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((key, value)) = line.split_once([' ', '\t']) else {
            let at = format!("{}:{}", path.display(), index + 1);
            return Err(Mistake::new(
                part.clone(),
                format!("{at}: the line has a key and no value"),
                "write the key, a space and its value on each line",
            ));
        };
        entries.push((key.to_owned(), value.trim_start().to_owned()));
    }
    Ok(Argument::Map(Map {
        path,
        entries: Arc::new(entries),
    }))
}
