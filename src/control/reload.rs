//! A configuration change: load, bind new addresses, assemble, swap, release the rest.
//!
//! Any failure before the swap changes nothing, not even the generation. Reloads are serialised,
//! and each caller gets the result of its own.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use crate::base::InWords;
use crate::base::Name;
use crate::base::{FoldSet, regular_file, tasks};
use crate::config::{self, Color, Diagnostic, Diagnostics, Watch};
use crate::observe::{PreparedLogs, ReloadResult, event};
use crate::plan::Plan;
use crate::proxy::snapshot::Snapshot;

use super::assemble::assemble_next;
use super::cannot_listen::CannotListen;
use super::certs;
use super::changes::Changes;
use super::listeners;
use super::publish;
use super::{CannotStart, State};

/// The connections that the usual limit of 1024 open files (`ulimit -n`) leaves. With less, the
/// limit was probably forgotten.
const FEW_CONNECTIONS: u64 = 400;

/// The most bytes of a file that are compared for changes: no file that is read is larger.
const MOST_BYTES: u64 = 64 << 20;

/// The source of the configuration.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file and what it includes.
    File(PathBuf, config::Options),
    /// A text in memory; it never changes.
    Text {
        /// Its name in messages.
        name: String,
        /// The configuration.
        text: String,
    },
}

/// A successful reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The generation of the configuration that runs now.
    pub generation: u64,
    /// Empty if the files mean what already ran.
    pub changes: Changes,
    /// Warnings, for programs: a list, as `check --format json` prints it.
    pub warnings: serde_json::Value,
}

/// A reload that changed nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// For people: every mistake with its line.
    pub text: String,
    /// For programs.
    pub json: serde_json::Value,
}

/// The configuration that was loaded last.
pub(super) struct Loaded {
    watch: Watch,
    fingerprint: u64,
}

impl Loaded {
    pub(super) fn of(watch: Watch) -> Self {
        let fingerprint = fingerprint(&watch);
        Self { watch, fingerprint }
    }

    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }
}

impl Source {
    /// Loads the present configuration.
    ///
    /// # Errors
    ///
    /// Every mistake in it.
    pub fn load(&self) -> Result<config::Loaded, Diagnostics> {
        match self {
            Self::File(path, options) => config::load_with(path, options),
            Self::Text { name, text } => config::load_text(name, text),
        }
    }
}

/// Puts the first configuration, which the snapshot already has, to work.
pub(super) async fn begin(state: &Rc<State>) -> Result<(), CannotStart> {
    let snapshot = state.current.load();
    let plan = &snapshot.plan;
    let cannot_start = |faults: Vec<CannotListen>| cannot_start(&faults);
    let prepared = listeners::prepare(state, plan)
        .await
        .map_err(cannot_start)?;
    prepared.listen().map_err(cannot_start)?;
    certs::begin(state, &mut *state.certs.lock().await, plan);
    set_limits(state, &snapshot);
    publish::first(state);
    listeners::apply(state, prepared, &snapshot);
    Ok(())
}

/// Reads the configuration and makes it run.
pub(super) async fn reload(state: &Rc<State>) -> Result<Applied, Refused> {
    let mut loaded = state.reloading.lock().await;
    let before = state.current.load();
    let outcome = attempt(state, &before, &mut loaded).await;
    match &outcome {
        Ok(applied) if applied.changes.is_empty() => {
            event::reload_unchanged(applied.generation);
            state.metrics.reloaded(ReloadResult::Unchanged);
        }
        Ok(applied) => {
            event::reload_applied(applied.generation, &applied.changes);
            state.metrics.reloaded(ReloadResult::Applied);
        }
        Err(refused) => {
            event::reload_failed(before.generation, &refused.text);
            state.metrics.reloaded(ReloadResult::Failed);
        }
    }
    let failure = outcome.as_ref().err().map(|refused| refused.text.clone());
    *state.last_failure.borrow_mut() = failure;
    outcome
}

async fn attempt(
    state: &Rc<State>,
    before: &Arc<Snapshot>,
    loaded: &mut Loaded,
) -> Result<Applied, Refused> {
    let source = state.source.clone();
    let watched = loaded.watch.clone();
    // Reading and checking may take a while, and health checks must not wait for it.
    let reading = tasks::spawn_blocking(move || {
        // Taken before the files are read: a later save is then noticed as a change.
        let fingerprint = fingerprint(&watched);
        (source.load(), fingerprint)
    });
    let (outcome, fingerprint) = reading.await.map_err(|_| {
        Refused::because(&"a bug in evenkeel: the thread that read the configuration panicked")
    })?;
    loaded.fingerprint = fingerprint;
    let config::Loaded {
        plan,
        warnings,
        watch,
    } = outcome.map_err(|diagnostics| Refused::of(&diagnostics))?;
    if watch != loaded.watch {
        *loaded = Loaded::of(watch);
    }
    let plan = Arc::new(plan.in_order_of(&before.plan));
    let mut certs = state.certs.lock().await;
    let equipment = certs::prepare(&mut certs, &plan, before)
        .await
        .map_err(|error| Refused::because(&error))?;
    let warnings = verdict(warnings, &equipment.diagnostics)?;
    let mut changes = Changes::between(&before.plan, &plan);
    changes.renewed(equipment.renewed(&plan, before));
    if plan == before.plan {
        certs::take_up(state, &mut certs, before, &equipment);
        return Ok(Applied {
            generation: state.current.load().generation,
            changes,
            warnings: warnings.to_json(),
        });
    }
    let prepared = listeners::prepare(state, &plan)
        .await
        .map_err(|faults| Refused::of_listening(&faults))?;
    let logs = prepare_logs(state, &plan)?;
    prepared
        .listen()
        .map_err(|faults| Refused::of_listening(&faults))?;
    // From here on nothing fails.
    state.access_log.replace(logs);
    let mut snapshot = assemble_next(
        Arc::unwrap_or_clone(plan),
        before,
        &state.membership.borrow(),
        state.workers.len(),
    );
    equipment.equip(&mut snapshot);
    let generation = snapshot.generation;
    let names = snapshot.plan.frontends.iter().map(|one| &one.name);
    let stay: FoldSet<&Name> = names.collect();
    for frontend in &before.frontends {
        if !stay.contains(&frontend.live.name) {
            frontend.live.remove();
        }
    }
    certs::settled(state, &mut certs, &snapshot.plan);
    set_limits(state, &snapshot);
    let snapshot = publish::snapshot(state, snapshot);
    listeners::apply(state, prepared, &snapshot);
    Ok(Applied {
        generation,
        changes,
        warnings: warnings.to_json(),
    })
}

/// Opens the access logs of `plan`, and starts the writers of new targets.
fn prepare_logs(state: &State, plan: &Plan) -> Result<PreparedLogs, Refused> {
    let logs = &plan.log.access;
    let cannot = |index: usize, error: &std::io::Error| {
        let mut diagnostics = Diagnostics::default();
        let message = format!("cannot open the access log: {}", InWords(error));
        diagnostics.push(Diagnostic::at(&logs[index].at, message, ""));
        Refused::of(&diagnostics)
    };
    let prepared = state.access_log.prepare(logs);
    let (prepared, writers) = prepared.map_err(|failed| cannot(failed.index, &failed.error))?;
    for writer in writers {
        let started = tasks::spawn_thread("access-log", move || writer.run());
        started.map_err(|error| cannot(0, &error))?;
    }
    Ok(prepared)
}

/// `warnings` with the findings in files, unless there is an error among them.
fn verdict(mut warnings: Diagnostics, found: &[Diagnostic]) -> Result<Diagnostics, Refused> {
    let mut errors = warnings.empty_over_same_text();
    for diagnostic in found {
        errors.push(diagnostic.clone());
        warnings.push(diagnostic.clone());
    }
    if errors.has_errors() {
        return Err(Refused::of(&errors));
    }
    Ok(warnings)
}

/// Applies the bounds for clients of `snapshot`, which runs next, and its log settings.
fn set_limits(state: &State, snapshot: &Snapshot) {
    let plan = &snapshot.plan;
    share_descriptors(state, plan);
    for (frontend, plan) in snapshot.frontends.iter().zip(&plan.frontends) {
        let limit = plan.max_connections.unwrap_or(u64::MAX);
        frontend.live.gate.set_limit(limit);
        for (tls, plan) in frontend.tls.iter().zip(&plan.tls) {
            tls.handshakes.set_limit(plan.max_handshakes);
        }
    }
    if let Some(logging) = &state.logging {
        logging.set_level(plan.log.level);
        logging.set_format(plan.log.format);
    }
}

/// Shares the descriptors out between listening sockets, clients and servers.
fn share_descriptors(state: &State, plan: &Plan) {
    let frontends = plan.frontends.iter().map(|frontend| frontend.binds.len());
    let listening = frontends.sum::<usize>() * state.workers.len();
    let wanted = plan.process.max_connections;
    let clients = state.descriptors.share_out(listening as u64, wanted);
    let before = state.process_gate.set_limit(clients);
    if before != clients {
        let servers = state.descriptors.limit();
        match wanted {
            Some(wanted) if wanted > clients => {
                event::max_connections_lowered(wanted, clients, servers);
            }
            None if clients + servers < FEW_CONNECTIONS => {
                event::descriptors_few(clients, servers);
            }
            _ => {}
        }
    }
}

/// Whether a file of the configuration has other content than when it was read.
pub(super) async fn have_files_changed(state: &State) -> bool {
    let loaded = state.reloading.lock().await;
    let watch = loaded.watch.clone();
    let now = tasks::spawn_blocking(move || fingerprint(&watch)).await;
    now.is_ok_and(|now| now != loaded.fingerprint)
}

/// The content of all watched files, as one number: whether they were touched, replaced or linked
/// anew does not matter.
fn fingerprint(watch: &Watch) -> u64 {
    let mut hasher = DefaultHasher::new();
    for file in &watch.files {
        file.hash(&mut hasher);
        content(file).hash(&mut hasher);
    }
    for pattern in &watch.globs {
        let found = glob::glob(pattern).into_iter().flatten().flatten();
        for file in found {
            file.hash(&mut hasher);
            content(&file).hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// `None`: it cannot be read.
fn content(file: &Path) -> Option<Vec<u8>> {
    regular_file::read(file, MOST_BYTES).ok()
}

fn cannot_start(faults: &[CannotListen]) -> CannotStart {
    let lines: Vec<String> = faults.iter().map(CannotListen::to_string).collect();
    CannotStart(lines.join("\n"))
}

impl Refused {
    fn of(diagnostics: &Diagnostics) -> Self {
        Self {
            text: diagnostics.render(Color::Never),
            json: diagnostics.to_json(),
        }
    }

    fn of_listening(faults: &[CannotListen]) -> Self {
        let mut diagnostics = Diagnostics::default();
        for fault in faults {
            diagnostics.push(Diagnostic::at(fault.at(), fault.message(), fault.help()));
        }
        Self::of(&diagnostics)
    }

    fn because(error: &dyn std::fmt::Display) -> Self {
        let message = error.to_string();
        Self {
            json: serde_json::json!([{"severity": "error", "message": message}]),
            text: message,
        }
    }
}
