//! The name of a backend, where something leads to it.

use std::fmt;

use crate::base::{Name, Position};

/// A backend by its name, with the place where it is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendReference {
    /// A backend of the plan has it.
    pub name: Name,
    /// Where it is written.
    pub at: Position,
}

impl BackendReference {
    /// To the backend `name`, as no file holds it.
    pub fn built_in(name: Name) -> Self {
        Self {
            name,
            at: Position::built_in(),
        }
    }
}

impl fmt::Display for BackendReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}
