//! `capture`: keeps a value for the log.

use crate::plan::expr::Expr;

/// `capture = { value = "…", len = 64 }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Capture {
    /// What is kept.
    pub value: Expr,
    /// The most bytes of it.
    pub len: u32,
    /// Its place among those of the request, or of the response: 0 to [`LAST_CAPTURE`].
    pub id: u8,
    /// How many places the rules of its list use.
    pub places: u8,
}

/// The last place.
pub const LAST_CAPTURE: u8 = 31;
/// The most bytes of one value: what one exchange keeps is bounded.
pub const MOST_CAPTURED_BYTES: u32 = 1024;
/// The same for a rule that writes none.
pub const USUAL_CAPTURED_BYTES: u32 = 128;
