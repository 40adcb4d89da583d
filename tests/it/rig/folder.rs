//! A folder of one test, removed at its end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// An empty folder.
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes one.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("it-{}-{number}", process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("the target folder can be written to");
        Self { path }
    }

    /// The path of `name` in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file in place.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("a folder of our own");
        path
    }

    /// Writes a file as editors do: a new one, renamed over the old one.
    pub(crate) fn replace(&self, name: &str, text: &str) {
        let new = self.write(&format!(".{name}.new"), text);
        fs::rename(new, self.path(name)).expect("a folder of our own");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays in the target directory does no harm.
        let _ = fs::remove_dir_all(&self.path);
    }
}
