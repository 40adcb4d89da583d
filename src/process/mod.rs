//! The life of the program: the order of its start, and its end.
//!
//! [`Proxy`] is one whole proxy: its workers' threads, its control thread and its log thread. `run`
//! adds signals for the command line; tests and the demo may start several.

mod assembled;
mod limits;
mod signals;
mod threads;

pub use assembled::Assembled;
pub use signals::Signals;

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use tokio::sync::{mpsc, oneshot};

use crate::base::clock::{self, Duration};
use crate::base::rng::Rng;
use crate::base::tasks;
use crate::base::{InWords, ListenAddress};
use crate::config;
use crate::control::{CannotStart, Command, Parts, Source, assemble, verify};
use crate::net::{Descriptors, Dialer, Network};
use crate::observe::logging::LoggingHandle;
use crate::observe::{AccessLogHandle, LogWriter, ProcessMetrics, WorkerObserver, event};
use crate::plan::Plan;
use crate::proxy::frontend::Gate;
use crate::proxy::snapshot::Current;
use crate::proxy::worker::{Worker, WorkerCommand};

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
        let Start {
            source,
            loaded,
            logging,
            network,
        } = start;
        let files = enough_files(&loaded.plan)?;
        let workers = workers_of(&loaded.plan);
        let watch = loaded.watch.clone();
        let (access_log, writer) = open_access_log(&loaded)?;
        tasks::spawn_thread("access-log", move || writer.run()).map_err(no_thread)?;
        let verified = verify(&loaded.plan, &loaded.warnings).map_err(cannot_serve)?;
        let mut generation_one = assemble(loaded.plan, workers);
        verified.prepared.equip(&mut generation_one);
        let pieces = Pieces {
            current: Arc::new(Current::new(generation_one)),
            metrics: Arc::new(ProcessMetrics::new()),
            process_gate: Arc::new(Gate::new(u64::MAX)),
            access_log,
            network,
            pipes: limits::pipes_of_worker(files, workers),
            descriptors: Arc::new(Descriptors::new(
                limits::of_sockets(files, workers),
                workers,
            )),
        };

        let (ended_sender, ended) = mpsc::unbounded_channel();
        let mut commanders = Vec::new();
        for index in 0..workers {
            let (commands, worker) = pieces.worker(index, Rng::from_entropy());
            start_worker(worker, ended_sender.clone())?;
            commanders.push(commands);
        }
        let (control_commands, control_receiver) = mpsc::unbounded_channel();
        let parts = Parts {
            workers: commanders,
            logging,
            descriptors: Arc::clone(&pieces.descriptors),
            source,
            commands: control_receiver,
            command_sender: control_commands.clone(),
            rng: Rng::from_entropy(),
            certs: verified.certs,
            current: Arc::clone(&pieces.current),
            network: pieces.network.clone(),
            metrics: Arc::clone(&pieces.metrics),
            access_log: pieces.access_log.clone(),
            process_gate: Arc::clone(&pieces.process_gate),
        };
        let (stop_control, stopped) = oneshot::channel();
        let control = start_control(parts, watch, stopped)?;
        event::started(env!("CARGO_PKG_VERSION"), workers, 1);
        Ok(Self {
            commands: control_commands,
            ended,
            workers,
            aborted: 0,
            control: Some(control),
            stop_control: Some(stop_control),
            access_log: pieces.access_log,
            metrics: pieces.metrics,
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

/// Parts that workers and the control plane share.
struct Pieces {
    current: Arc<Current>,
    metrics: Arc<ProcessMetrics>,
    process_gate: Arc<Gate>,
    access_log: AccessLogHandle,
    network: Network,
    /// The most pipes of each worker.
    pipes: usize,
    descriptors: Arc<Descriptors>,
}

impl Pieces {
    fn worker(&self, index: usize, rng: Rng) -> (mpsc::UnboundedSender<WorkerCommand>, Worker) {
        let (sender, commands) = mpsc::unbounded_channel();
        let worker = Worker {
            index,
            current: Arc::clone(&self.current),
            dialer: Dialer::new(self.network.clone(), Arc::clone(&self.descriptors), index),
            pipes: self.pipes,
            observer: WorkerObserver::new(index, &self.access_log),
            metrics: Arc::clone(&self.metrics),
            rng,
            process_gate: Arc::clone(&self.process_gate),
            commands,
        };
        (sender, worker)
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

fn open_access_log(loaded: &config::Loaded) -> Result<(AccessLogHandle, LogWriter), CannotStart> {
    let log = &loaded.plan.log.access;
    AccessLogHandle::open(&log.to).map_err(|error| {
        let at = &log.at;
        CannotStart(format!(
            "{at}: cannot open the access log: {}",
            InWords(&error)
        ))
    })
}

fn cannot_serve(found: config::Diagnostics) -> CannotStart {
    CannotStart(found.to_string())
}
