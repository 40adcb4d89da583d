//! The JSON Schema of a configuration file, for editors that complete and check keys: `evenkeel schema`.
//!
//! It comes from the table of keys and accepts more than `check`: it does not cover rules about
//! several keys, nor the content of texts.
//!
//! JSON Schema, draft 2020-12.

use serde_json::{Map, Value, json};

use crate::config::keys::{About, Described, Shape, TOP};

/// A string with a variable, which may have any value.
const VARIABLE: &str = r"\$\{";
const DURATION: &str = r"^\s*([0-9.]+\s*(us|ms|s|m|h|d)\s*)+$";
const SIZE: &str = r"^\s*[0-9.]+\s*(B|kB|KiB|MB|MiB|GB|GiB)\s*$";

/// The schema.
pub fn schema() -> Value {
    let mut schema = table(&TOP);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("Configuration of Evenkeel");
    schema
}

fn table(table: &dyn Described) -> Value {
    let keys = table.about().into_iter();
    let properties: Map<String, Value> = keys
        .map(|about| (about.name.to_owned(), key(&about)))
        .collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn key(about: &About) -> Value {
    let mut schema = match about.words.as_slice() {
        [] => value(about.shape),
        words => any_of([value(about.shape), json!({ "enum": words })]),
    };
    schema["description"] = json!(about.means);
    // Texts and numbers are written as in JSON; other defaults are left out.
    let default = about.default.as_deref();
    if let Some(default) = default.and_then(|text| serde_json::from_str::<Value>(text).ok()) {
        schema["default"] = default;
    }
    schema
}

fn value(shape: Shape) -> Value {
    match shape {
        Shape::Text => json!({ "type": "string" }),
        Shape::Duration => json!({ "type": "string", "pattern": format!("{DURATION}|{VARIABLE}") }),
        Shape::Size => json!({ "type": "string", "pattern": format!("{SIZE}|{VARIABLE}") }),
        Shape::Number(least, most) => {
            let number = json!({ "type": "integer", "minimum": least, "maximum": most });
            any_of([number, variable()])
        }
        Shape::Switch => any_of([json!({ "type": "boolean" }), variable()]),
        Shape::Words(words) => any_of([json!({ "enum": words }), variable()]),
        Shape::List(item) => {
            let item = value(*item);
            any_of([item.clone(), json!({ "type": "array", "items": item })])
        }
        Shape::Table(keys) => table(keys),
        Shape::Named(item) => json!({ "type": "object", "additionalProperties": value(*item) }),
        Shape::AnyOf(shapes) => any_of(shapes.iter().map(|shape| value(*shape))),
    }
}

fn variable() -> Value {
    json!({ "type": "string", "pattern": VARIABLE })
}

fn any_of(schemas: impl IntoIterator<Item = Value>) -> Value {
    json!({ "anyOf": schemas.into_iter().collect::<Vec<_>>() })
}
