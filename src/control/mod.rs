//! The control plane: it makes all decisions and carries no traffic.
//!
//! It lives on a thread of its own, with its own runtime. The data plane never calls it: it reads
//! the decisions from the snapshot and from the live state of the servers.
//!
//! [`Control`] is the whole run of that thread as one future. [`Command`]s come from signals, from
//! the watcher of files and from tests; requests of the admin listener are answered inside it.

mod admin;
mod assemble;
mod cannot_listen;
mod certs;
mod changes;
mod commands;
mod health;
mod health_events;
mod listeners;
mod membership;
mod moves;
mod own_listeners;
mod publish;
mod reload;
mod verify;
mod watch;
mod workers;

pub use assemble::assemble;
pub use certs::Certs;
pub use changes::Changes;
pub use membership::{CannotChange, ServersChange};
pub use reload::{Applied, Refused, Source};
pub use verify::{Verified, verify};

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

use crate::base::ListenAddress;
use crate::base::clock::{self, Duration, Instant};
use crate::base::rng::Rng;
use crate::base::tasks;
use crate::net::{Descriptors, Network};
use crate::observe::logging::LoggingHandle;
use crate::observe::{AccessLogHandle, ProcessMetrics, event};
use crate::proxy::frontend::Gate;
use crate::proxy::snapshot::Current;
use crate::proxy::worker::WorkerCommand;

use health::Checker;
use listeners::Listeners;
use membership::Membership;
use own_listeners::OwnListeners;
use watch::Watcher;

/// How often the metrics' recorder is cleaned up, and lost lines of the access log are looked for.
const UPKEEP: Duration = Duration::from_secs(5);

/// How often certificates that expire soon are looked for.
const REMIND_EVERY: Duration = Duration::from_secs(60 * 60);

/// The parts of the control plane.
pub struct Parts {
    /// What runs now.
    pub current: Arc<Current>,
    /// One for each worker.
    pub workers: Vec<UnboundedSender<WorkerCommand>>,
    /// For health checks and new listeners.
    pub network: Network,
    /// For the ticks of health checks.
    pub rng: Rng,
    /// Metrics of the process.
    pub metrics: Arc<ProcessMetrics>,
    /// The access log.
    pub access_log: AccessLogHandle,
    /// The log of events; `None`: the caller has set it up.
    pub logging: Option<LoggingHandle>,
    /// Counts client connections of the process.
    pub process_gate: Arc<Gate>,
    /// Counts connections to servers, and decides how many client connections there may be.
    pub descriptors: Arc<Descriptors>,
    /// The source of the configuration.
    pub source: Source,
    /// The certificates for handshakes.
    pub certs: Certs,
    /// Commands from outside.
    pub commands: UnboundedReceiver<Command>,
    /// For commands from inside.
    pub command_sender: UnboundedSender<Command>,
}

/// A command to the control plane.
pub enum Command {
    /// Read the configuration again.
    Reload,
    /// A file of the configuration may have changed.
    FilesTouched,
    /// A file with a certificate may have changed.
    CertificatesTouched,
    /// Open log files anew.
    ReopenLogs,
    /// Change the servers of the backend of this name without a reload.
    ChangeServers(
        String,
        ServersChange,
        oneshot::Sender<Result<(), CannotChange>>,
    ),
    /// Return where a frontend listens; empty: there is none of that name.
    WhereIs(String, oneshot::Sender<Vec<ListenAddress>>),
    /// Return where the admin listener is.
    WhereIsAdmin(oneshot::Sender<Option<ListenAddress>>),
    /// Drain and end; the text is the cause.
    Drain(String),
    /// End now.
    Abort,
}

/// Why the program cannot start.
#[derive(Debug)]
pub struct CannotStart(pub String);

/// The control plane, ready to run.
pub struct Control {
    state: Rc<State>,
    commands: UnboundedReceiver<Command>,
    watcher: RefCell<Option<Watcher>>,
    certificate_watcher: RefCell<Option<Watcher>>,
}

/// What the control thread's tasks share.
struct State {
    current: Arc<Current>,
    workers: Vec<UnboundedSender<WorkerCommand>>,
    network: Network,
    checker: Checker,
    /// Written by `publish`.
    membership: RefCell<Membership>,
    metrics: Arc<ProcessMetrics>,
    access_log: AccessLogHandle,
    logging: Option<LoggingHandle>,
    process_gate: Arc<Gate>,
    descriptors: Arc<Descriptors>,
    listeners: RefCell<Listeners>,
    own_listeners: RefCell<OwnListeners>,
    source: Source,
    /// Locked while its files are read or the TLS of frontends and backends is replaced;
    /// `reloading` is locked first.
    certs: tokio::sync::Mutex<Certs>,
    /// The facts about certificates of the last look.
    certificates: RefCell<Arc<certs::Overview>>,
    /// Locked by the reload or renewal in progress: only it lets `publish` swap snapshots.
    reloading: tokio::sync::Mutex<reload::Loaded>,
    /// Why the last reload failed, if it did.
    last_failure: RefCell<Option<String>>,
    is_draining: Cell<bool>,
    started: Instant,
    command_sender: UnboundedSender<Command>,
}

impl Control {
    /// Binds the addresses of the running snapshot, and starts checking its servers.
    ///
    /// # Errors
    ///
    /// [`CannotStart`] if an address cannot be bound.
    pub async fn start(parts: Parts, watch: crate::config::Watch) -> Result<Self, CannotStart> {
        let events = health_events::HealthEvents {
            metrics: Arc::clone(&parts.metrics),
        };
        let checker = Checker::new(parts.network.clone(), parts.rng, Box::new(events));
        let state = Rc::new(State {
            current: parts.current,
            workers: parts.workers,
            network: parts.network,
            checker,
            membership: RefCell::default(),
            metrics: parts.metrics,
            access_log: parts.access_log,
            logging: parts.logging,
            process_gate: parts.process_gate,
            descriptors: parts.descriptors,
            listeners: RefCell::default(),
            own_listeners: RefCell::default(),
            source: parts.source,
            certs: tokio::sync::Mutex::new(parts.certs),
            certificates: RefCell::default(),
            reloading: tokio::sync::Mutex::new(reload::Loaded::of(watch)),
            last_failure: RefCell::new(None),
            is_draining: Cell::new(false),
            started: clock::now(),
            command_sender: parts.command_sender,
        });
        reload::begin(&state).await?;
        Ok(Self {
            state,
            commands: parts.commands,
            watcher: RefCell::new(None),
            certificate_watcher: RefCell::new(None),
        })
    }

    /// Runs until all senders of commands are gone.
    pub async fn run(mut self) {
        let checker = self.state.checker.clone();
        tasks::spawn_local(async move {
            checker.run().await;
        });
        self.rewatch().await;
        let mut next_upkeep = clock::now() + UPKEEP;
        let mut next_reminder = clock::now() + REMIND_EVERY;
        loop {
            tokio::select! {
                // Fixed order, no chance: a simulated run must repeat under its seed.
                biased;
                command = self.commands.recv() => match command {
                    Some(command) => self.run_command(command).await,
                    None => return,
                },
                () = clock::sleep_until(next_upkeep) => {
                    next_upkeep = clock::now() + UPKEEP;
                    self.state.metrics.upkeep();
                    self.state.access_log.warn_of_dropped(clock::now());
                }
                () = clock::sleep_until(next_reminder) => {
                    next_reminder = clock::now() + REMIND_EVERY;
                    certs::remind(&self.state);
                }
            }
        }
    }

    async fn run_command(&mut self, command: Command) {
        let state = &self.state;
        match command {
            Command::Reload => {
                // The result is in the log; no caller waits for it.
                let _ = reload::reload(state).await;
                // A new certificate must not wait for the watcher when a reload is requested.
                certs::look(state).await;
                self.rewatch().await;
            }
            Command::FilesTouched => {
                if reload::have_files_changed(state).await {
                    // The result is in the log; no caller waits for it.
                    let _ = reload::reload(state).await;
                }
                self.rewatch().await;
            }
            Command::CertificatesTouched => {
                certs::look(state).await;
                self.rewatch().await;
            }
            Command::ReopenLogs => state.access_log.reopen(),
            Command::ChangeServers(backend, change, answer) => {
                let _ = answer.send(publish::servers(state, &backend, change));
            }
            Command::WhereIs(name, answer) => {
                let _ = answer.send(state.listeners.borrow().of_frontend(&name));
            }
            Command::WhereIsAdmin(answer) => {
                let _ = answer.send(state.own_listeners.borrow().admin_addr());
            }
            Command::Drain(why) => {
                if !state.is_draining.replace(true) {
                    tasks::spawn_local(drain(Rc::clone(state), why));
                }
            }
            Command::Abort => workers::send_to_all(&state.workers, || WorkerCommand::Abort),
        }
    }

    /// Watches the files of the present configuration.
    async fn rewatch(&self) {
        self.rewatch_certificates().await;
        let plan = Arc::clone(&self.state.current.load().plan);
        let is_file = matches!(self.state.source, Source::File(..));
        if !(is_file && plan.reload.watch) {
            *self.watcher.borrow_mut() = None;
            return;
        }
        let watch = self.state.reloading.lock().await.watch().clone();
        let mut watcher = self.watcher.borrow_mut();
        watcher
            .get_or_insert_with(|| {
                Watcher::new(self.state.command_sender.clone(), || Command::FilesTouched)
            })
            .watch(&watch);
    }

    /// Watches the directories of certificates, also if the configuration's own files are not
    /// watched: a renewed certificate that is not used is an outage at a date.
    async fn rewatch_certificates(&self) {
        let directories = certs::directories(&self.state).await;
        let mut watcher = self.certificate_watcher.borrow_mut();
        if directories.is_empty() {
            *watcher = None;
            return;
        }
        watcher
            .get_or_insert_with(|| {
                Watcher::new(self.state.command_sender.clone(), || {
                    Command::CertificatesTouched
                })
            })
            .watch_directories(&directories);
    }
}

/// The end: readiness fails, then listeners close and connections end with their exchanges, then
/// the rest is aborted.
async fn drain(state: Rc<State>, why: String) {
    let shutdown = state.current.load().plan.shutdown.clone();
    event::draining(&why, shutdown.grace, shutdown.timeout);
    clock::sleep(shutdown.grace).await;
    workers::send_to_all(&state.workers, || WorkerCommand::Drain);
    clock::sleep(shutdown.timeout).await;
    workers::send_to_all(&state.workers, || WorkerCommand::Abort);
}

impl std::fmt::Display for CannotStart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CannotStart {}
