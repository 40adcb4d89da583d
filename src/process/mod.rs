//! The life of the program: the order of its start, and its end.
//!
//! [`Proxy`] is one whole proxy: its workers' threads, its control thread and its log thread. `run`
//! adds signals for the command line; tests and the demo may start several.

mod assembled;
mod limits;
mod pieces;
mod signals;
mod threads;

pub use assembled::Assembled;
pub use signals::{Convention, Signals};

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use tokio::sync::{mpsc, oneshot};

use crate::base::ListenAddress;
use crate::base::clock::{self, Duration};
use crate::base::rng::Rng;
use crate::base::tasks;
use crate::config;
use crate::control::{CannotStart, Command, Source};
use crate::net::Network;
use crate::observe::logging::LoggingHandle;
use crate::observe::{AccessLogHandle, ProcessMetrics, event};
use crate::plan::Plan;

use pieces::{Limits, Pieces};
use threads::{WorkerEnd, no_thread, start_control, start_worker};

/// The longest wait for the access log at the end: a sink that stalls must not block the end.
const LOG_TIMEOUT: Duration = Duration::from_secs(2);

/// A running proxy.
pub struct Proxy {
    commands: mpsc::UnboundedSender<Command>,
    /// A message from each worker that has ended.
    ended: mpsc::UnboundedReceiver<WorkerEnd>,
    /// The workers that have not ended.
    workers: usize,
    /// Connections that workers had to abort when they ended.
    aborted: usize,
    control: Option<thread::JoinHandle<()>>,
    stop_control: Option<oneshot::Sender<()>>,
    access_log: AccessLogHandle,
    metrics: Arc<ProcessMetrics>,
}

/// How a proxy ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By a command.
    Told,
    /// At once, by the signal of this number: HAProxy's convention.
    Signal(u8),
    /// A worker died.
    WorkerDied,
}

/// The parameters of a start.
pub struct Start {
    /// The source of the configuration for reloads.
    pub source: Source,
    /// The configuration as loaded the first time.
    pub loaded: config::Loaded,
    /// The log of events; `None`: the caller has set it up.
    pub logging: Option<LoggingHandle>,
    /// The source of sockets.
    pub network: Network,
}

impl Proxy {
    /// Starts a proxy. When this returns, its addresses are bound and connections are accepted.
    ///
    /// # Errors
    ///
    /// [`CannotStart`]; then nothing is left running.
    pub fn start(start: Start) -> Result<Self, CannotStart> {
        let files = enough_files(&start.loaded.plan)?;
        let workers = workers_of(&start.loaded.plan);
        let watch = start.loaded.watch.clone();
        let limits = Limits {
            workers,
            pipes: limits::pipes_of_worker(files, workers),
            sockets: limits::of_sockets(files, workers),
        };
        let (pieces, writers) = Pieces::new(start, limits)?;
        for writer in writers {
            tasks::spawn_thread("access-log", move || writer.run()).map_err(no_thread)?;
        }

        let (ended_sender, ended) = mpsc::unbounded_channel();
        let mut commanders = Vec::new();
        for index in 0..workers {
            let (commands, worker) = pieces.worker(index, Rng::from_entropy());
            start_worker(worker, ended_sender.clone())?;
            commanders.push(commands);
        }
        let (access_log, metrics) = (pieces.access_log.clone(), Arc::clone(&pieces.metrics));
        let (commands, parts) = pieces.control(commanders, Rng::from_entropy());
        let (stop_control, stopped) = oneshot::channel();
        let control = start_control(parts, watch, stopped)?;
        event::started(env!("CARGO_PKG_VERSION"), workers, 1);
        Ok(Self {
            commands,
            ended,
            workers,
            aborted: 0,
            control: Some(control),
            stop_control: Some(stop_control),
            access_log,
            metrics,
        })
    }

    /// The sender of commands.
    pub fn commands(&self) -> mpsc::UnboundedSender<Command> {
        self.commands.clone()
    }

    /// The IP addresses that frontend `name` listens on; empty if there is no such frontend.
    pub async fn addresses(&self, name: &str) -> Vec<SocketAddr> {
        let (answer, asked) = oneshot::channel();
        let _ = self
            .commands
            .send(Command::WhereIs(name.to_owned(), answer));
        let addresses = asked.await.unwrap_or_default();
        addresses.iter().filter_map(ListenAddress::ip).collect()
    }

    /// The IP address of the admin listener, if it has one.
    pub async fn admin_address(&self) -> Option<SocketAddr> {
        let (answer, asked) = oneshot::channel();
        let _ = self.commands.send(Command::WhereIsAdmin(answer));
        asked
            .await
            .ok()
            .flatten()
            .as_ref()
            .and_then(ListenAddress::ip)
    }

    /// Begins the drain: see `[shutdown]`.
    pub fn drain(&self, why: &str) {
        let _ = self.commands.send(Command::Drain(why.to_owned()));
    }

    /// Cuts all open exchanges and tunnels.
    pub fn break_off(&self) {
        let _ = self.commands.send(Command::Abort);
    }

    /// Waits until it has ended.
    ///
    /// # Cancel safety
    ///
    /// May be called again.
    pub async fn ended(&mut self) -> Ending {
        let mut ending = Ending::Told;
        while self.workers > 0 {
            match self.ended.recv().await {
                Some(WorkerEnd::Told { aborted }) => self.aborted += aborted,
                Some(WorkerEnd::Died { worker, why }) => {
                    event::worker_died(worker, &why);
                    return Ending::WorkerDied;
                }
                None => ending = Ending::WorkerDied,
            }
            self.workers -= 1;
        }
        let aborted = std::mem::take(&mut self.aborted) as u64;
        if aborted > 0 {
            self.metrics.cut(aborted);
            event::exchanges_cut(aborted);
        }
        ending
    }

    /// Releases everything: open exchanges are aborted, and the log is written.
    pub fn close(mut self) {
        self.break_off();
        if let Some(stop) = self.stop_control.take() {
            let _ = stop.send(());
        }
        if let Some(control) = self.control.take() {
            // Its result does not matter any more.
            let _ = control.join();
        }
        self.access_log.close(LOG_TIMEOUT);
        self.access_log.warn_of_dropped(clock::now());
        event::stopped();
    }
}

/// Raises the limit of open files as far as possible, and returns it.
///
/// # Errors
///
/// [`CannotStart`]: too few for `plan`. Otherwise whatever needs a descriptor would fail later,
/// without this cause.
pub fn enough_files(plan: &Plan) -> Result<u64, CannotStart> {
    let files = limits::raise_open_files();
    let listeners = plan.frontends.iter().map(|frontend| frontend.binds.len());
    let listeners = listeners.sum();
    limits::check_open_files(files, workers_of(plan), listeners)
        .map_err(|too_few| CannotStart(too_few.to_string()))?;
    Ok(files)
}

fn workers_of(plan: &Plan) -> usize {
    let workers = plan.process.workers;
    workers.map_or_else(limits::cores, usize::from)
}
