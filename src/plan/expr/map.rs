//! Files of keys and values for the converter `map`.

use std::path::PathBuf;
use std::sync::Arc;

/// A file of keys and values, as it was when the configuration was loaded.
#[derive(Clone, Debug)]
pub struct Map {
    /// The path of the file.
    pub path: PathBuf,
    /// In the order of the file. Of equal keys the first counts.
    pub entries: Arc<Vec<(String, String)>>,
}

impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
            && (Arc::ptr_eq(&self.entries, &other.entries) || self.entries == other.entries)
    }
}
