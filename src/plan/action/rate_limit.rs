//! `rate_limit`: how many requests of one key may pass in a time.

use std::time::Duration;

use http::StatusCode;

use crate::base::{Name, Position};
use crate::plan::expr::Expr;

/// `rate_limit = { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct RateLimit {
    /// Its identity: the state of keys and the metrics belong to it.
    pub name: Name,
    /// Whose requests are counted together; where it is absent, the request passes.
    pub key: Expr,
    /// The rate that a key may keep up.
    pub rate: Frequency,
    /// How many requests may come at once.
    pub burst: u32,
    /// What becomes of a request over the limit.
    pub on_exceed: OnExceed,
    /// The status of a refusal.
    pub status: StatusCode,
    /// Whether a refusal has `Retry-After`.
    pub retry_after: bool,
    /// Whether answers have `RateLimit-Limit`, `-Remaining`, `-Reset` and `-Policy`.
    pub headers: bool,
    /// The most keys.
    pub size: usize,
    /// The bits of an IPv6 address that count.
    pub ipv6_mask: u8,
    /// Where it is written.
    pub at: Position,
}

/// So many requests in a period: `"3/10s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frequency {
    /// At least 1.
    pub requests: u32,
    /// Longer than 0.
    pub period: Duration,
}

/// What becomes of a request over the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnExceed {
    /// It is refused.
    #[default]
    Deny,
    /// It waits until it is within the limit, or is refused if that would take more than a period.
    Delay,
    /// It passes, and is counted and logged.
    DryRun,
}

impl RateLimit {
    /// The most keys, unless it is written.
    pub const USUAL_SIZE: usize = 100_000;

    /// The bits of an IPv6 address that count, unless it is written: a client has at least a network of
    /// this size.
    pub const USUAL_IPV6_MASK: u8 = 64;
}
