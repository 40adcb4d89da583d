//! `tarpit` and `monitor`.

use std::time::Duration;

use crate::plan::expr::Condition;

use super::Reply;

/// `tarpit = { … }`: a refusal that the client waits for.
#[derive(Clone, Debug, PartialEq)]
pub struct Tarpit {
    /// How long it waits.
    pub time: Duration,
    /// The answer that it then gets.
    pub reply: Reply,
}

/// `monitor = { … }`: the answer for a load balancer before us.
#[derive(Clone, Debug, PartialEq)]
pub struct Monitor {
    /// The path that is answered.
    pub path: String,
    /// While it holds, the answer is 503; `None`: it is 200 in any case.
    pub fail: Option<Condition>,
}

/// How a rule closes the connection of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// With a reset: `reject`.
    Reset,
    /// So that the client does not notice: `silent_drop`.
    Silent,
}
