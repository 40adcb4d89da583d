//! The names of variables, which rules set and expressions read.

use std::fmt;

/// A variable with its scope: `txn.tenant`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Variable {
    /// How long it lives.
    pub scope: Scope,
    /// Letters, digits, `_` and `.`.
    pub name: String,
}

/// How long a variable lives (HAProxy's configuration manual, section 2.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// As long as the client's connection.
    Session,
    /// As long as the exchange.
    Transaction,
    /// Until the request was sent.
    Request,
    /// From the response's head on.
    Response,
}

impl Scope {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Self); 4] = [
        ("sess", Self::Session),
        ("txn", Self::Transaction),
        ("req", Self::Request),
        ("res", Self::Response),
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Session => "sess",
            Self::Transaction => "txn",
            Self::Request => "req",
            Self::Response => "res",
        }
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.scope.name(), self.name)
    }
}
