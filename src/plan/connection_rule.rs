//! A rule for connections: an action before TLS and before the first request, and its condition.

use crate::base::Position;
use crate::plan::Track;
use crate::plan::expr::{Condition, Expr};

/// `[[frontend.NAME.connection_rule]]`. These rules run in the order of the file, once for each
/// connection.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionRule {
    /// Its condition; `None`: it always runs.
    pub when: Option<Condition>,
    /// Its action.
    pub action: ConnectionAction,
    /// Where it is written.
    pub at: Position,
    /// Where the value of the action is written.
    pub action_at: Position,
}

/// The action of a rule for connections.
#[derive(Clone, Debug, PartialEq)]
pub enum ConnectionAction {
    /// Serves the connection; no later rule runs.
    Accept,
    /// Resets the connection.
    Reject,
    /// Closes the connection so that the client does not notice.
    SilentDrop,
    /// Reads a PROXY header, which the peer must send.
    ExpectProxy,
    /// The client's address becomes this value.
    SetSrc(Expr),
    /// Tracks an entry of a table until the connection is closed.
    Track(Box<Track>),
}

impl ConnectionRule {
    /// Whether no later rule runs.
    pub fn ends_all(&self) -> bool {
        self.when.is_none() && self.action.ends()
    }
}

impl ConnectionAction {
    /// Its key in the format.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::SilentDrop => "silent_drop",
            Self::ExpectProxy => "expect_proxy",
            Self::SetSrc(_) => "set_src",
            Self::Track(_) => "track",
        }
    }

    /// Whether no later rule runs after it.
    pub fn ends(&self) -> bool {
        matches!(self, Self::Accept | Self::Reject | Self::SilentDrop)
    }

    /// Hands each of its expressions to `see`.
    pub fn each_expr(&self, see: &mut dyn FnMut(&Expr)) {
        match self {
            Self::SetSrc(value) => see(value),
            Self::Track(track) => see(&track.key),
            Self::Accept | Self::Reject | Self::SilentDrop | Self::ExpectProxy => {}
        }
    }
}
