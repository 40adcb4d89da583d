//! Where in the configuration a value was written, so that a fault found later can point there.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

/// A file with line and column (both from 1). Two positions are always equal: moving a value within
/// the file is not a change of the plan.
#[derive(Clone)]
pub struct Position {
    /// The file, as the user named it.
    pub file: Arc<Path>,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

/// The file of values that are in no file.
const BUILT_IN: &str = "<built in>";

impl Position {
    /// The position of values that are in no file: defaults and tests.
    pub fn built_in() -> Self {
        Self {
            file: Path::new(BUILT_IN).into(),
            line: 1,
            column: 1,
        }
    }

    /// Whether the value is in no file.
    pub fn is_built_in(&self) -> bool {
        &*self.file == Path::new(BUILT_IN)
    }
}

impl PartialEq for Position {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Position {}

impl Hash for Position {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
