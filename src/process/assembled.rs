//! A proxy in parts, without threads of its own.

use tokio::sync::mpsc;

use crate::base::rng::Rng;
use crate::control::{CannotStart, Command, Parts};
use crate::observe::{AccessLogHandle, LogWriter};
use crate::proxy::worker::Worker;

use super::Start;
use super::pieces::{Limits, Pieces};

/// A proxy in parts that a single runtime can run: for simulations, and for tests that control the
/// time.
pub struct Assembled {
    /// The data plane.
    pub worker: Worker,
    /// The control plane's parts, for `Control::start`.
    pub control: Parts,
    /// Sends commands to it.
    pub commands: mpsc::UnboundedSender<Command>,
    /// Its access logs.
    pub access_log: AccessLogHandle,
    /// Write the access logs, each on a thread of its own.
    pub log_writers: Vec<LogWriter>,
}

impl Assembled {
    /// A proxy with one worker. `seed` decides all chance in it.
    ///
    /// # Errors
    ///
    /// [`CannotStart`] when a certificate cannot be used, or the access log not be opened.
    pub fn new(start: Start, seed: u64) -> Result<Self, CannotStart> {
        let limits = Limits {
            workers: 1,
            pipes: 1,
            sockets: u64::MAX,
        };
        let (pieces, log_writers) = Pieces::new(start, limits)?;
        let (workers, worker) = pieces.worker(0, Rng::seeded(seed));
        let access_log = pieces.access_log.clone();
        let (commands, control) = pieces.control(vec![workers], Rng::seeded(seed.wrapping_add(1)));
        Ok(Self {
            worker,
            control,
            commands,
            access_log,
            log_writers,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::tasks;
    use crate::config;
    use crate::control::Source;
    use crate::net::Network;
    use crate::proxy::worker::Died;

    #[test]
    fn a_worker_whose_control_plane_has_died_dies_too() {
        let text = "[frontend.web]\nlisten = \"127.0.0.1:0\"\nbackend = \"app\"\n\
                    [backend.app]\nservers = [\"10.0.0.1:80\"]";
        let loaded = config::load_text("test.toml", text).expect("a valid configuration");
        let start = Start {
            source: Source::Text {
                name: "test.toml".to_owned(),
                text: text.to_owned(),
            },
            loaded,
            logging: None,
            network: Network::System,
        };
        let assembled = Assembled::new(start, 1);
        let Assembled {
            worker, control, ..
        } = assembled.expect("it names no files");
        drop(control);
        let runtime = tasks::local_runtime().expect("a runtime");
        assert_eq!(runtime.block_on(worker.run()), Err(Died::Abandoned));
    }
}
