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

impl ServerReference {
    /// The server that `text` names, as `app/s1`; the server's name may have a `/` itself. `None`: it
    /// names none.
    pub fn parse(text: &str, at: &Position) -> Option<Self> {
        let (backend, name) = text.split_once('/')?;
        Some(Self {
            backend: BackendReference {
                name: Name::new(backend).ok()?,
                at: at.clone(),
            },
            name: Name::new(name).ok()?,
        })
    }
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
