//! Fields, as rules name and write them.

use http::HeaderName;

use crate::base::Position;
use crate::plan::expr::{Pattern, Template};
use crate::wire::field_names::plain_form;

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

/// A part of the names of fields.
#[derive(Clone, Debug, PartialEq)]
pub enum NamePart {
    /// `{ starts_with = "x-internal-" }`; in lower case.
    StartsWith(String),
    /// `{ ends_with = "-id" }`; in lower case.
    EndsWith(String),
    /// `{ contains = "debug" }`; in lower case.
    Contains(String),
    /// `{ matches = "^x-[0-9]+$" }`, on names in lower case.
    Matches(Pattern),
}

impl NamePart {
    /// Whether `name`, in lower case, has it. A name that some servers take for another (`x_internal_a`
    /// for `x-internal-a`) has what the other has.
    pub fn is_in(&self, name: &str) -> bool {
        self.is_in_spelling(name) || self.is_in_spelling(&plain_form(name))
    }

    fn is_in_spelling(&self, name: &str) -> bool {
        match self {
            Self::StartsWith(part) => name.starts_with(part.as_str()),
            Self::EndsWith(part) => name.ends_with(part.as_str()),
            Self::Contains(part) => name.contains(part.as_str()),
            Self::Matches(pattern) => pattern.regex().is_match(name.as_bytes()),
        }
    }
}

/// `del_header = [ … ]`: names, and parts of names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DelHeader {
    /// Sorted, without duplicates.
    pub names: Vec<FieldName>,
    /// In the order of the file.
    pub parts: Vec<NamePart>,
}
