//! `track`: an entry of a table in which an exchange is counted.

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
