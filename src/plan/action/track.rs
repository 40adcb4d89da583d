//! `track` and what changes a tracked entry.

use crate::plan::TableReference;
use crate::plan::expr::Expr;

/// `track = { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// The table.
    pub table: TableReference,
    /// The key of the entry.
    pub key: Expr,
    /// By which number expressions read the entry: 0 to [`LAST_COUNTER`].
    pub counter: u8,
}

/// The greatest number of a counter.
pub const LAST_COUNTER: u8 = 11;

/// `sc_inc_gpc = { … }`: an element of the counters of a tracked entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// The number by which the entry is tracked.
    pub counter: u8,
    /// Which of the counters, or of the tags.
    pub index: u8,
}

/// `sc_set_gpt = { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct SetTag {
    /// Which tag.
    pub element: Element,
    /// Its new value.
    pub value: Expr,
}
