//! `evenkeel convert`: a file of HAProxy in our words.

use std::process::ExitCode;

use crate::config::{self, Options};

use super::check::{complain, say, warn};
use super::{ConvertArguments, INVALID};

/// Prints the file, and what it loses on standard error.
pub(super) fn convert(arguments: &ConvertArguments) -> ExitCode {
    let options = Options {
        accept_loss: arguments.accept_loss,
        ..Options::default()
    };
    match config::convert(&arguments.file, &options) {
        Ok(converted) => {
            warn(&converted.losses);
            say(&converted.text);
            ExitCode::SUCCESS
        }
        Err(diagnostics) => {
            complain(&diagnostics);
            ExitCode::from(INVALID)
        }
    }
}
