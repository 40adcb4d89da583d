//! Paths in a file of HAProxy, which are not relative to that file.

use std::path::Path;

use crate::config::source;

use super::lexer::Word;
use super::verdict::Verdicts;

/// The path as HAProxy reads it: a relative one begins at `base`, if there is one, and else at the directory in which
/// the program was started.
pub(super) fn absolute(path: &str, base: Option<&str>) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    let below = base.map_or_else(|| path.into(), |base| Path::new(base).join(path));
    // Without a current directory the path stays relative, and opening it says so.
    let absolute = std::path::absolute(&below).unwrap_or(below);
    absolute.to_string_lossy().into_owned()
}

/// The most bytes of a file that is read as a template.
const MOST_BYTES: u64 = 1 << 20;

/// The text of the file that `word` names, which is read once.
pub(super) fn text(word: &Word, verdicts: &mut Verdicts) -> Option<String> {
    let path = absolute(&word.text, None);
    let content = source::read_bytes(Path::new(&path), MOST_BYTES);
    let text = content
        .map_err(|error| error.to_string())
        .and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()));
    match text {
        Ok(text) => Some(text),
        Err(error) => {
            verdicts.wrong(word.span, format!("cannot read {path}: {error}"), "");
            None
        }
    }
}
