//! Fields, as rules name and write them.

use http::HeaderName;

use crate::base::Position;
use crate::plan::expr::Template;

/// A field with the value from a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// As it is sent.
    pub name: HeaderName,
    /// Its value.
    pub value: Template,
    /// Where it is written.
    pub at: Position,
}

/// The name of a field.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldName {
    /// The name.
    pub name: HeaderName,
    /// Where it is written.
    pub at: Position,
}
