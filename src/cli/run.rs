//! `evenkeel run`: the proxy itself.

use std::path::Path;
use std::process::ExitCode;

use crate::base::InWords;
use crate::config::{self, Loaded, Options};
use crate::control::{CannotStart, Source};
use crate::net::Network;
use crate::observe::logging;
use crate::process::{Convention, Ending, Proxy, Signals, Start, enough_files};

use super::check::{complain, warn};
use super::{CANNOT_START, DIED, INVALID};

/// Runs with the configuration at `path` until a signal ends it.
pub(super) fn run(path: &Path, options: &Options) -> ExitCode {
    match config::load_with(path, options) {
        Ok(loaded) => {
            warn(&loaded.warnings);
            start(path, options, loaded)
        }
        Err(diagnostics) => {
            complain(&diagnostics);
            ExitCode::from(INVALID)
        }
    }
}

fn start(path: &Path, options: &Options, loaded: Loaded) -> ExitCode {
    let log = &loaded.plan.log;
    let start = Start {
        source: Source::File(path.to_owned(), options.clone()),
        // Fails only if logging was set up before.
        logging: logging::start(log.level, log.format).ok(),
        loaded,
        network: Network::System,
    };
    ended(until_signal(start))
}

fn until_signal(start: Start) -> Result<Ending, CannotStart> {
    // First: catching signals needs descriptors, too.
    enough_files(&start.loaded.plan)?;
    let signals = Signals::catch(Convention::Ours)
        .map_err(|error| CannotStart(format!("cannot wait for signals: {}", InWords(&error))))?;
    let proxy = Proxy::start(start)?;
    Ok(signals.run(proxy, std::future::pending()))
}

/// The exit code for the end of a proxy; prints why it did not start.
pub(super) fn ended(outcome: Result<Ending, CannotStart>) -> ExitCode {
    match outcome {
        Ok(Ending::Told | Ending::Signal(_)) => ExitCode::SUCCESS,
        Ok(Ending::WorkerDied) => ExitCode::from(DIED),
        Err(why) => {
            let why = why.to_string();
            let between = if why.contains('\n') { "\n" } else { " " };
            eprintln!("evenkeel cannot start:{between}{why}");
            ExitCode::from(CANNOT_START)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::SocketAddr;
    use std::panic::resume_unwind;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    use super::*;
    use crate::base::clock::{self, Duration};
    use crate::base::tasks;
    use crate::net::{Io, OtherListener, OtherNetwork, Pending};
    use crate::plan::{LogFormat, LogLevel};

    const CONFIG: &str = "[process]\nworkers = 1\n[admin]\nlisten = \"127.0.0.1:9900\"\n\
                          [frontend.web]\nlisten = \"127.0.0.1:80\"\nbackend = \"app\"\n\
                          [backend.app]\nservers = [\"10.0.0.1:80\"]";

    /// A network on which accepting at port 80 is a defect.
    struct Defective;

    struct Listening(SocketAddr);

    impl OtherNetwork for Defective {
        fn bind(&self, addr: SocketAddr) -> Pending<'_, io::Result<Box<dyn OtherListener>>> {
            Box::pin(async move { Ok(Box::new(Listening(addr)) as Box<dyn OtherListener>) })
        }

        fn connect(&self, _: SocketAddr) -> Pending<'_, io::Result<Box<dyn Io>>> {
            Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
        }
    }

    impl OtherListener for Listening {
        fn local_addr(&self) -> io::Result<SocketAddr> {
            Ok(self.0)
        }

        fn poll_accept(&self, _: &mut Context<'_>) -> Poll<io::Result<(Box<dyn Io>, SocketAddr)>> {
            if self.0.port() == 80 {
                resume_unwind(Box::new("a defect"));
            }
            Poll::Pending
        }
    }

    #[test]
    fn a_worker_that_dies_ends_the_program_with_a_code_of_its_own_and_says_so() {
        let source = Source::Text {
            name: "test.toml".to_owned(),
            text: CONFIG.to_owned(),
        };
        let start = Start {
            loaded: source.load().expect("a valid configuration"),
            source,
            logging: None,
            network: Network::Other(Arc::new(Defective)),
        };
        let mut proxy = Proxy::start(start).expect("nothing is taken on this network");
        let mut outcome = None;
        let said = logging::captured(LogLevel::Info, LogFormat::Human, || {
            let runtime = tasks::runtime().expect("a runtime");
            let ended = async { clock::within(Duration::from_secs(20), proxy.ended()).await };
            outcome = runtime.block_on(ended).ok();
        });
        proxy.close();
        let outcome = outcome.expect("it ends by itself");
        let code = ended(Ok(outcome));
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(70)));
        let line = "worker 0 died: an accept loop panicked; the process is ending";
        assert!(said.contains(line), "{said}");
    }
}
