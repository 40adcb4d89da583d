//! `evenkeel check`: whether a configuration is valid, and what is wrong with it.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::config::{self, Color, Diagnostics, Loaded, Options};
use crate::control::verify;

use super::{CheckArguments, Format, INVALID};

/// Checks a file and prints the result.
pub(super) fn check(arguments: &CheckArguments) -> ExitCode {
    match load_and_verify(arguments.file.path(), &arguments.file.options()) {
        Ok(loaded) => {
            match arguments.format {
                Format::Human => warn(&loaded.warnings),
                Format::Json if arguments.show => {}
                Format::Json => say(&format!("{:#}\n", loaded.warnings.to_json())),
            }
            if arguments.show {
                say(&config::show(&loaded.plan));
            } else if arguments.format == Format::Human {
                say(&format!("{} is valid\n", arguments.file.path().display()));
            }
            ExitCode::SUCCESS
        }
        Err(diagnostics) => {
            match arguments.format {
                Format::Human => complain(&diagnostics),
                Format::Json => say(&format!("{:#}\n", diagnostics.to_json())),
            }
            ExitCode::from(INVALID)
        }
    }
}

/// The configuration, if its files have valid content.
pub(super) fn load_and_verify(path: &Path, options: &Options) -> Result<Loaded, Diagnostics> {
    let mut loaded = config::load_with(path, options)?;
    let verified = verify(&loaded.plan, &loaded.warnings)?;
    for warning in &verified.warnings {
        loaded.warnings.push(warning.clone());
    }
    Ok(loaded)
}

/// Prints the mistakes to standard error.
pub(super) fn complain(diagnostics: &Diagnostics) {
    eprintln!("{}", diagnostics.render(color()));
    let count = diagnostics.iter().filter(|found| found.is_error()).count();
    let s = if count == 1 { "" } else { "s" };
    eprintln!("\n{count} mistake{s}");
}

/// Prints the warnings to standard error.
pub(super) fn warn(warnings: &Diagnostics) {
    if !warnings.is_empty() {
        eprintln!("{}\n", warnings.render(color()));
    }
}

/// Prints to standard output. A reader that closes it early (`| head`) is no fault.
pub(super) fn say(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

pub(super) fn color() -> Color {
    if io::stderr().is_terminal() {
        Color::Always
    } else {
        Color::Never
    }
}
