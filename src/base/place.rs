//! Where in the configuration a value was written, so that a fault found later can point there.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

/// A file with line and column (both from 1). Two places are always equal: moving a value within
/// the file is not a change of the plan.
#[derive(Clone)]
pub struct Place {
    /// The file, as the user named it.
    pub file: Arc<Path>,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

impl Place {
    /// A place for values that no file holds: defaults and tests.
    pub fn nowhere() -> Self {
        Self {
            file: Path::new("<built in>").into(),
            line: 1,
            column: 1,
        }
    }
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Place {}

impl Hash for Place {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
