//! The parts that the workers and the control plane of one proxy share. They are made before any of
//! these runs.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::base::InWords;
use crate::base::rng::Rng;
use crate::config;
use crate::control::{CannotStart, Command, Parts, Source, Verified, assemble, verify};
use crate::net::{Descriptors, Dialer, Network};
use crate::observe::logging::LoggingHandle;
use crate::observe::{AccessLogHandle, LogWriter, ProcessMetrics, WorkerObserver};
use crate::proxy::frontend::Gate;
use crate::proxy::snapshot::Current;
use crate::proxy::worker::{Worker, WorkerCommand};

use super::Start;

/// Parts that workers and the control plane share.
pub(super) struct Pieces {
    current: Arc<Current>,
    pub(super) metrics: Arc<ProcessMetrics>,
    process_gate: Arc<Gate>,
    pub(super) access_log: AccessLogHandle,
    network: Network,
    descriptors: Arc<Descriptors>,
    limits: Limits,
    // The rest belongs to the control plane alone.
    source: Source,
    logging: Option<LoggingHandle>,
    verified: Verified,
}

/// The limits of a proxy.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) workers: usize,
    /// The most pipes of each worker.
    pub(super) pipes: usize,
    /// The most sockets of the process.
    pub(super) sockets: u64,
}

impl Pieces {
    /// The parts of the proxy that `start` describes, and the writers of its access logs.
    ///
    /// # Errors
    ///
    /// [`CannotStart`] when a certificate cannot be used, or the access log not be opened.
    pub(super) fn new(start: Start, limits: Limits) -> Result<(Self, Vec<LogWriter>), CannotStart> {
        let Start {
            source,
            loaded,
            logging,
            network,
        } = start;
        let (access_log, log_writers) = open_access_log(&loaded)?;
        let verified = verify(&loaded.plan, &loaded.warnings);
        let verified = verified.map_err(|found| CannotStart(found.to_string()))?;
        let mut generation_one = assemble(loaded.plan, limits.workers);
        verified.prepared.equip(&mut generation_one);
        let pieces = Self {
            current: Arc::new(Current::new(generation_one)),
            metrics: Arc::new(ProcessMetrics::new()),
            process_gate: Arc::new(Gate::new(u64::MAX)),
            access_log,
            network,
            descriptors: Arc::new(Descriptors::new(limits.sockets, limits.workers)),
            limits,
            source,
            logging,
            verified,
        };
        Ok((pieces, log_writers))
    }

    /// The worker at `index`, and the sender of its commands.
    pub(super) fn worker(
        &self,
        index: usize,
        rng: Rng,
    ) -> (mpsc::UnboundedSender<WorkerCommand>, Worker) {
        let (sender, commands) = mpsc::unbounded_channel();
        let worker = Worker {
            index,
            current: Arc::clone(&self.current),
            dialer: Dialer::new(self.network.clone(), Arc::clone(&self.descriptors), index),
            pipes: self.limits.pipes,
            observer: WorkerObserver::new(index, &self.access_log),
            metrics: Arc::clone(&self.metrics),
            rng,
            process_gate: Arc::clone(&self.process_gate),
            commands,
        };
        (sender, worker)
    }

    /// The parts of the control plane, and the sender of its commands. `workers` has the senders of the workers.
    pub(super) fn control(
        self,
        workers: Vec<mpsc::UnboundedSender<WorkerCommand>>,
        rng: Rng,
    ) -> (mpsc::UnboundedSender<Command>, Parts) {
        let (sender, commands) = mpsc::unbounded_channel();
        let parts = Parts {
            current: self.current,
            workers,
            network: self.network,
            rng,
            metrics: self.metrics,
            access_log: self.access_log,
            logging: self.logging,
            process_gate: self.process_gate,
            descriptors: self.descriptors,
            source: self.source,
            certs: self.verified.certs,
            commands,
            command_sender: sender.clone(),
        };
        (sender, parts)
    }
}

fn open_access_log(
    loaded: &config::Loaded,
) -> Result<(AccessLogHandle, Vec<LogWriter>), CannotStart> {
    let logs = &loaded.plan.log.access;
    AccessLogHandle::open(logs).map_err(|failed| {
        let at = &logs[failed.index].at;
        CannotStart(format!(
            "{at}: cannot open the access log: {}",
            InWords(&failed.error)
        ))
    })
}
