//! The files of a directory of certificates.

use std::fs;
use std::path::{Path, PathBuf};

use crate::base::InWords;

use super::load::Fault;

/// The files in a directory that hold certificates: those that end in `.pem`, `.crt` or `.cer` and
/// are not hidden. A file with only a key belongs to another file.
pub(super) fn list(directory: &Path) -> Result<Vec<PathBuf>, Fault> {
    let cannot = |error: std::io::Error| Fault {
        message: format!("cannot list {}: {}", directory.display(), InWords(&error)),
        help: "",
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        let has_ending = ["pem", "crt", "cer"].iter().any(|known| ending == *known);
        if !name.starts_with('.') && has_ending && path.is_file() && !is_lone_key(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn is_lone_key(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    let name = name.to_string_lossy();
    name == "privkey.pem" || name.ends_with(".key.pem") || name.ends_with("-key.pem")
}

/// The fault of a directory that has lost all its certificates.
pub(super) fn emptied(directory: &Path) -> Fault {
    Fault {
        message: format!("{} has no certificates any more", directory.display()),
        help: "its last certificates stay in use; only files that end in `.pem`, `.crt` or `.cer` are \
               read from a directory",
    }
}
