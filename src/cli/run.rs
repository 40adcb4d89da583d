//! `evenkeel run`: the proxy itself.

use std::path::Path;
use std::process::ExitCode;

use crate::config::{self, Loaded};
use crate::control::{CannotStart, Source};
use crate::observe::logging;
use crate::process::{Ending, Proxy, Signals, Start};

use super::check::{complain, warn};
use super::{CANNOT_START, DIED, INVALID};

/// Runs with the configuration at `path` until a signal ends it.
pub(super) fn run(path: &Path) -> ExitCode {
    match config::load(path) {
        Ok(loaded) => {
            warn(&loaded.warnings);
            start(path, loaded)
        }
        Err(diagnostics) => {
            complain(&diagnostics);
            ExitCode::from(INVALID)
        }
    }
}

fn start(path: &Path, loaded: Loaded) -> ExitCode {
    let log = &loaded.plan.log;
    let start = Start {
        source: Source::File(path.to_owned()),
        // Only fails when somebody else in this process writes events already.
        logging: logging::start(log.level, log.format).ok(),
        loaded,
    };
    ended(until_signal(start))
}

fn until_signal(start: Start) -> Result<Ending, CannotStart> {
    let signals = Signals::catch().map_err(|error| CannotStart(error.to_string()))?;
    let proxy = Proxy::start(start)?;
    Ok(signals.run(proxy, std::future::pending()))
}

/// The exit code for how a proxy ended, after saying why it did not begin.
pub(super) fn ended(outcome: Result<Ending, CannotStart>) -> ExitCode {
    match outcome {
        Ok(Ending::Told) => ExitCode::SUCCESS,
        Ok(Ending::WorkerDied) => ExitCode::from(DIED),
        Err(why) => {
            let why = why.to_string();
            let between = if why.contains('\n') { "\n" } else { " " };
            eprintln!("evenkeel cannot start:{between}{why}");
            ExitCode::from(CANNOT_START)
        }
    }
}
