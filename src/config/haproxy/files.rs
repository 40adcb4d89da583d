//! Paths in a file of HAProxy, which are not relative to that file.

use std::path::Path;

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
