//! `evenkeel run`: the proxy itself.

use std::path::Path;
use std::process::ExitCode;

use crate::config::{self, Loaded};
use crate::control::Source;
use crate::observe::logging;
use crate::process::{Ending, Proxy, Start, run_until_signal};

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
    let outcome = Proxy::start(start).map(|proxy| run_until_signal(proxy, std::future::pending()));
    match outcome {
        Ok(Ok(Ending::Told)) => ExitCode::SUCCESS,
        Ok(Ok(Ending::WorkerDied)) => ExitCode::from(DIED),
        Ok(Err(error)) => cannot_start(&error),
        Err(error) => cannot_start(&error),
    }
}

fn cannot_start(why: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("evenkeel cannot start: {why}");
    ExitCode::from(CANNOT_START)
}
