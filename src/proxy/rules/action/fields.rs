//! Fields with templates, for the actions that write some.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::expr::Template;
use crate::plan;

pub(super) fn templates(fields: &[plan::Field]) -> Box<[(HeaderName, Template)]> {
    let fields = fields.iter();
    fields
        .map(|field| (field.name.clone(), Template::compile(&field.value)))
        .collect()
}

/// Sets the field `name` to this one value. Without a value it is removed: a rule replaces the old
/// value in any case.
pub(super) fn set(headers: &mut HeaderMap, name: &HeaderName, value: Option<HeaderValue>) {
    match value {
        Some(value) => drop(headers.insert(name.clone(), value)),
        None => drop(headers.remove(name)),
    }
}
