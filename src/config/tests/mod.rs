//! Tests of the whole room: its messages, that no key is forgotten, and that nothing panics.

mod binds;
mod connection_rules;
mod content_rules;
mod convert;
mod defaults;
mod error_pages;
mod files;
mod includes;
mod keys;
mod meaning;
mod messages;
mod round_trip;
mod rules;
mod schema;
mod tables;
mod written_lines;

use std::ffi::OsString;

use crate::config::include::Gatherer;
use crate::config::{Color, Diagnostics, Loaded, compiled};
use crate::plan::Plan;

/// The lines that every file needs, for tests of something else.
const BASE: &str = "
[frontend.web]
listen = \"127.0.0.1:8080\"
backend = \"app\"

[backend.app]
servers = [\"10.0.0.1:80\"]
";

fn load(text: &str) -> Result<Loaded, Diagnostics> {
    let environment = |name: &str| match name {
        "PORT" => Some(OsString::from("8080")),
        "TOKEN" => Some(OsString::from("s3cret")),
        _ => None,
    };
    compiled(Gatherer::new(&environment).text("evenkeel.toml", text))
}

#[track_caller]
fn plan(text: &str) -> Plan {
    match load(text) {
        Ok(loaded) => loaded.plan,
        Err(diagnostics) => {
            assert!(diagnostics.is_empty(), "{text}\n{diagnostics}");
            unreachable!("an error without a diagnostic")
        }
    }
}

/// The messages about `text`, which has at least one mistake.
#[track_caller]
fn errors(text: &str) -> String {
    match load(text) {
        Ok(loaded) => format!("no error; {} warnings", loaded.warnings.len()),
        Err(diagnostics) => diagnostics.render(Color::Never),
    }
}

/// The warnings about `text`, which has no mistakes.
#[track_caller]
fn warnings(text: &str) -> String {
    match load(text) {
        Ok(loaded) => loaded.warnings.render(Color::Never),
        Err(diagnostics) => format!("errors:\n{diagnostics}"),
    }
}
