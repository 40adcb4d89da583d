//! `return`: an answer in place of a server's.

use http::StatusCode;

use crate::base::Position;
use crate::plan::expr::Template;

use super::Field;

/// `return = { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Return {
    /// The status of the answer.
    pub status: StatusCode,
    /// The fields of the answer, with `Content-Type`.
    pub headers: Vec<Field>,
    /// The body of the answer.
    pub body: Template,
    /// Where the body is written, or the whole answer if it has none.
    pub body_at: Position,
}
