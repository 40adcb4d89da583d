//! The schema accepts every file of `conf/`, and refuses unknown keys.

use std::path::Path;

use regex::Regex;
use serde_json::{Value, json};

use super::files::{conf, toml_files};
use super::keys::tables;
use crate::config::schema;

/// The first position at which `value` breaks `schema`, as far as our schema uses JSON Schema.
fn mistake(schema: &Value, value: &Value, at: &str) -> Option<String> {
    let broken = |why: &str| Some(format!("{at}: {why}: {value}"));
    for keyword in schema.as_object().expect("a schema").keys() {
        let known = [
            "$schema",
            "title",
            "description",
            "default",
            "type",
            "enum",
            "pattern",
            "minimum",
            "maximum",
            "items",
            "properties",
            "additionalProperties",
            "anyOf",
        ];
        assert!(
            known.contains(&keyword.as_str()),
            "{keyword} is not looked at"
        );
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let mistakes: Option<Vec<String>> = any.iter().map(|one| mistake(one, value, at)).collect();
        if let Some(mistakes) = mistakes {
            return Some(mistakes.join("; or "));
        }
    }
    let is_type = match schema["type"].as_str() {
        None => true,
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        Some(other) => unreachable!("{other} is no type"),
    };
    if !is_type {
        return broken("another type");
    }
    if schema["enum"]
        .as_array()
        .is_some_and(|words| !words.contains(value))
    {
        return broken("another word");
    }
    if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str())
        && !Regex::new(pattern).expect("a pattern").is_match(text)
    {
        return broken("another form");
    }
    let number = value.as_i64();
    let bound = |name: &str| schema[name].as_i64();
    if number.is_some_and(|number| {
        bound("minimum").is_some_and(|least| number < least)
            || bound("maximum").is_some_and(|most| number > most)
    }) {
        return broken("out of bounds");
    }
    let inner = |key: &str| format!("{at}.{key}");
    let items = value.as_array().into_iter().flatten();
    if schema["items"].is_object()
        && let Some(mistake) = items
            .filter_map(|item| mistake(&schema["items"], item, at))
            .next()
    {
        return Some(mistake);
    }
    let entries = value.as_object().into_iter().flatten();
    entries
        .filter_map(|(key, value)| match &schema["properties"][key] {
            Value::Null => match &schema["additionalProperties"] {
                Value::Bool(false) => Some(format!("{at}: no key: {key}")),
                Value::Null => None,
                other => mistake(other, value, &inner(key)),
            },
            known => mistake(known, value, &inner(key)),
        })
        .next()
}

fn checked(text: &str) -> Option<String> {
    let value: Value = toml::from_str(text).expect("TOML");
    mistake(&schema(), &value, "")
}

#[test]
fn every_file_of_conf_is_what_the_schema_says() {
    let mut files = toml_files(&conf());
    files.extend(toml_files(&conf().join("recipes")));
    files.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/full.toml"));
    for file in files {
        let text = std::fs::read_to_string(&file).expect("the file");
        assert_eq!(checked(&text), None, "{}", file.display());
    }
}

#[test]
fn unknown_keys_and_wrong_values_are_refused() {
    for text in [
        "colour = 1",
        "frontend.web.lisen = ':80'",
        "frontend.web.timeout.head = 10",
        "frontend.web.timeout.head = '10'",
        "frontend.web.limits.fields = 0",
        "frontend.web.http2.enabled = 'yes'",
        "frontend.web.header_case = 'UPPER'",
        "frontend.web.rule = [{ denny = 403 }]",
        "backend.app.servers = [{ adress = '10.0.0.1:80' }]",
        "backend.app.pool.max_requests = 'of'",
    ] {
        assert!(checked(text).is_some(), "{text}");
    }
}

#[test]
fn variables_and_words_are_values() {
    for text in [
        "process.workers = '${WORKERS}'",
        "process.workers = 'auto'",
        "frontend.web.timeout.head = '${HEAD:-5s}'",
        "frontend.web.timeout.tunnel = 'off'",
        "frontend.web.http2.enabled = '${H2}'",
        "backend.app.attempts = 2",
    ] {
        assert_eq!(checked(text), None, "{text}");
    }
}

#[test]
fn a_key_has_its_documentation_and_its_default() {
    let schema = schema();
    let timeout =
        &schema["properties"]["frontend"]["additionalProperties"]["properties"]["timeout"];
    let head = &timeout["properties"]["head"];
    assert_eq!(head["default"], json!("10s"));
    assert!(
        head["description"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    );
}

#[test]
fn every_table_is_in_it() {
    let text = schema().to_string();
    for (path, table) in tables() {
        for name in table.names() {
            assert!(text.contains(&format!("\"{name}\":")), "[{path}] {name}");
        }
    }
}
