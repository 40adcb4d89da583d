//! Replacements by regular expression, in fields and in the target.

use crate::plan::expr::{Pattern, Template};

use super::FieldName;

/// `{ match = "…", with = "…" }`. A text that matches becomes `with`; the rest of the text is not kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Replace {
    /// Searched in the text.
    pub pattern: Pattern,
    /// `\0` to `\9` in its literal texts are the match and its groups.
    pub with: Template,
}

/// `replace_header = { … }` and `replace_value = { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplaceField {
    /// The field.
    pub field: FieldName,
    /// The replacement of each of its values.
    pub replace: Replace,
}
