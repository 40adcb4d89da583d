//! `evenkeel schema`: the JSON Schema of configuration files.

use std::process::ExitCode;

use crate::config;

use super::check::say;

/// Prints the schema.
pub(super) fn schema() -> ExitCode {
    say(&format!("{:#}\n", config::schema()));
    ExitCode::SUCCESS
}
