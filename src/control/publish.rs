//! Replaces the snapshot, and changes the servers of its backends: only this file does either. (A
//! backend also refreshes its set when the health of a server changes: see `Backend::refresh`.)
//!
//! `reload`, `certs` and [`Command::ChangeServers`](super::Command) decide what runs next. This
//! file puts it in place and notifies health checks, waiting exchanges and workers. There is no
//! `await` here, so two changes never mix; and errors can occur only before the first change.

use std::sync::Arc;

use crate::plan;
use crate::proxy::backend::{Backend, ServerSet};
use crate::proxy::snapshot::Snapshot;
use crate::proxy::worker::WorkerCommand;

use super::State;
use super::assemble::servers_of;
use super::membership::{CannotChange, Membership, ServersChange};
use super::workers::send_to_all;

/// Adapts everything to the snapshot of the process start.
pub(super) fn first(state: &State) {
    follow(state, &state.current.load());
}

/// Makes `snapshot` the current one, and returns the shared snapshot.
pub(super) fn snapshot(state: &State, snapshot: Snapshot) -> Arc<Snapshot> {
    state.current.swap(snapshot);
    let snapshot = state.current.load();
    follow(state, &snapshot);
    snapshot
}

/// Changes servers of a backend without a reload.
///
/// # Errors
///
/// [`CannotChange`]; nothing has changed then.
pub(super) fn servers(
    state: &State,
    backend: &str,
    change: ServersChange,
) -> Result<(), CannotChange> {
    let snapshot = state.current.load();
    let mut backends = snapshot.plan.backends.iter().zip(&snapshot.backends);
    let found = backends.find(|(plan, _)| plan.name.as_str() == backend);
    let (plan, backend) = found.ok_or(CannotChange::NoBackend)?;
    let mut membership = state.membership.borrow_mut();
    membership.change(plan, change)?;
    if let Some(before) = change_set(plan, backend, &membership, state.workers.len()) {
        state.checker.follow(backend, &before);
        send_to_all(&state.workers, || WorkerCommand::RenewServers);
    }
    Ok(())
}

/// Adapts everything that depends on the snapshot to `snapshot`, which is now the current one.
fn follow(state: &State, snapshot: &Arc<Snapshot>) {
    let mut membership = state.membership.borrow_mut();
    membership.retain(&snapshot.plan);
    change_sets(snapshot, &membership, state.workers.len());
    for plan in &snapshot.plan.tables {
        if let Some(table) = snapshot.tables.get(&plan.name) {
            table.adapt(plan);
        }
    }
    state.checker.reconcile(&snapshot.backends);
    for backend in &snapshot.backends {
        backend.look_again();
    }
    state.metrics.runs_generation(snapshot.generation);
    send_to_all(&state.workers, || {
        WorkerCommand::Renew(Arc::clone(snapshot))
    });
}

/// Gives each backend of `snapshot` the servers of its plan and of `membership`.
pub(super) fn change_sets(snapshot: &Snapshot, membership: &Membership, workers: usize) {
    for (plan, backend) in snapshot.plan.backends.iter().zip(&snapshot.backends) {
        change_set(plan, backend, membership, workers);
    }
}

/// Gives `backend` the servers of `plan` and `membership`. Returns the replaced set; `None`:
/// nothing has changed.
fn change_set(
    plan: &plan::Backend,
    backend: &Backend,
    membership: &Membership,
    workers: usize,
) -> Option<Arc<ServerSet>> {
    let wanted = membership.desired(plan);
    let before = backend.set();
    if before.is(&wanted) {
        return None;
    }
    backend.change(servers_of(plan, &wanted, before.servers(), workers));
    Some(before)
}
