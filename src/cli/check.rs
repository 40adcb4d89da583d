//! `evenkeel check`: whether a configuration is valid, and what is wrong with it.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use crate::config::{self, Color, Diagnostics};

use super::{CheckArguments, Format, INVALID};

/// Checks a file and says what was found.
pub(super) fn check(arguments: &CheckArguments) -> ExitCode {
    match config::load(&arguments.file) {
        Ok(loaded) => {
            match arguments.format {
                Format::Human => warn(&loaded.warnings),
                Format::Json if arguments.show => {}
                Format::Json => println!("{:#}", loaded.warnings.to_json()),
            }
            if arguments.show {
                print!("{}", config::show(&loaded.plan));
            } else if arguments.format == Format::Human {
                println!("{} is valid", arguments.file.display());
            }
            ExitCode::SUCCESS
        }
        Err(diagnostics) => {
            match arguments.format {
                Format::Human => complain(&diagnostics),
                Format::Json => println!("{:#}", diagnostics.to_json()),
            }
            ExitCode::from(INVALID)
        }
    }
}

/// Says what is wrong, to standard error.
pub(super) fn complain(diagnostics: &Diagnostics) {
    eprintln!("{}", diagnostics.render(color()));
    let count = diagnostics.iter().filter(|found| found.is_error()).count();
    let s = if count == 1 { "" } else { "s" };
    eprintln!("\n{count} mistake{s}; nothing was changed");
}

/// Says what is hardly meant so, to standard error.
pub(super) fn warn(warnings: &Diagnostics) {
    if !warnings.is_empty() {
        eprintln!("{}\n", warnings.render(color()));
    }
}

fn color() -> Color {
    if io::stderr().is_terminal() {
        Color::Always
    } else {
        Color::Never
    }
}
