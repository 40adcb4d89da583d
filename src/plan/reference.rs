//! References to backends, servers, frontends and tables.

use std::fmt;

use crate::base::{Name, Position};

/// The name of a backend, and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendReference {
    /// A backend of the plan has this name.
    pub name: Name,
    /// Where it is written.
    pub at: Position,
}

/// The name of a table, and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableReference {
    /// A table of the plan has this name.
    pub name: Name,
    /// Where it is written, or the expression that it is in.
    pub at: Position,
}

/// The name of a frontend, and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontendReference {
    /// A frontend of the plan has this name.
    pub name: Name,
    /// Where it is written, or the expression that it is in.
    pub at: Position,
}

/// The name of a server with that of its backend: `app/s1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerReference {
    /// A backend of the plan has this name.
    pub backend: BackendReference,
    /// A server of the backend has this name.
    pub name: Name,
}

impl BackendReference {
    /// A reference to the backend `name` that is in no file.
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
