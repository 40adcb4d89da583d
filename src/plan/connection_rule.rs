//! A rule for connections, or for the first bytes of them: an action before the first request, and its
//! condition.

use crate::base::Position;
use crate::plan::expr::{Condition, Expr, Variable};
use crate::plan::{BackendReference, Capture, Track};

/// `[[frontend.NAME.connection_rule]]` and `[[frontend.NAME.content_rule]]`. These rules run in the order of the file, once for
/// each connection: the former before TLS, the latter on the first bytes.
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
    /// The client's port becomes this value.
    SetSrcPort(Expr),
    /// The address that the client connected to becomes this value.
    SetDst(Expr),
    /// The port that the client connected to becomes this value.
    SetDstPort(Expr),
    /// Tracks an entry of a table until the connection is closed.
    Track(Box<Track>),
    /// Gives variables the values of expressions.
    SetVar(Vec<(Variable, Expr)>),
    /// Removes variables.
    UnsetVar(Vec<Variable>),
    /// Keeps a value for the log, in TCP mode.
    Capture(Box<Capture>),
    /// Serves the connection by this backend, in TCP mode; no later rule runs.
    UseBackend(BackendReference),
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
            Self::SetSrcPort(_) => "set_src_port",
            Self::SetDst(_) => "set_dst",
            Self::SetDstPort(_) => "set_dst_port",
            Self::Track(_) => "track",
            Self::SetVar(_) => "set_var",
            Self::UnsetVar(_) => "unset_var",
            Self::Capture(_) => "capture",
            Self::UseBackend(_) => "use_backend",
        }
    }

    /// Whether no later rule runs after it.
    pub fn ends(&self) -> bool {
        matches!(
            self,
            Self::Accept | Self::Reject | Self::SilentDrop | Self::UseBackend(_)
        )
    }

    /// Hands each of its expressions to `see`.
    pub fn each_expr(&self, see: &mut dyn FnMut(&Expr)) {
        match self {
            Self::SetSrc(value)
            | Self::SetSrcPort(value)
            | Self::SetDst(value)
            | Self::SetDstPort(value) => see(value),
            Self::Track(track) => see(&track.key),
            Self::SetVar(variables) => variables.iter().for_each(|(_, expr)| see(expr)),
            Self::Capture(capture) => see(&capture.value),
            Self::Accept
            | Self::Reject
            | Self::SilentDrop
            | Self::ExpectProxy
            | Self::UnsetVar(_)
            | Self::UseBackend(_) => {}
        }
    }

    /// The variables that it sets.
    pub fn sets(&self) -> impl Iterator<Item = &Variable> {
        let variables: &[_] = match self {
            Self::SetVar(variables) => variables,
            _ => &[],
        };
        variables.iter().map(|(variable, _)| variable)
    }
}
