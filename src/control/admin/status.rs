//! The present state of everything, for people and scripts: `GET /status`.
//!
//! The text of ten thousands of servers takes a while, and health checks must not wait for it: the
//! state of the control thread is read first, and the rest is done on a blocking thread.

use std::time::UNIX_EPOCH;

use serde_json::{Map, Value, json};

use crate::base::clock::{self, Duration};
use crate::base::tasks;
use crate::control::State;
use crate::control::certs::Overview;
use crate::observe::{ServerState, rfc3339};
use crate::proxy::backend::{Backend, Server};
use crate::proxy::snapshot::Snapshot;

use super::readiness::why_not_ready;

/// Only so many certificates are shown, of perhaps tens of thousands.
const NEXT_TO_EXPIRE: usize = 100;

/// The state of the whole process, as text.
///
/// # Errors
///
/// There was a panic, a defect.
pub(super) async fn status(state: &State) -> Result<String, tasks::JoinError> {
    let (snapshot, certificates) = (state.current.load(), state.certificates.borrow().clone());
    let mut status = of_control(state, &snapshot);
    let whole = tasks::spawn_blocking(move || {
        let backends = snapshot.backends.iter();
        let backends: Map<String, Value> = backends
            .map(|backend| (backend.plan.name.to_string(), backend_status(backend)))
            .collect();
        status["certificates"] = of_certificates(&certificates);
        status["backends"] = backends.into();
        status["tables"] = of_tables(&snapshot);
        status["rate_limits"] = of_rate_limits(&snapshot);
        format!("{status:#}\n")
    });
    whole.await
}

/// The state that only the control thread has.
fn of_control(state: &State, snapshot: &Snapshot) -> Value {
    let listeners = state.listeners.borrow();
    let by_frontend = listeners.by_frontend();
    let frontends: Map<String, Value> = snapshot
        .frontends
        .iter()
        .map(|frontend| {
            let listen = by_frontend.get(&frontend.live.name);
            let listen = listen.into_iter().flatten().map(ToString::to_string);
            let listen: Vec<String> = listen.collect();
            let shown = json!({
                "listen": listen,
                "connections": frontend.live.gate.open(),
            });
            (frontend.live.name.to_string(), shown)
        })
        .collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "generation": snapshot.generation,
        "ready": why_not_ready(state).is_none(),
        "why_not_ready": why_not_ready(state),
        "last_reload_failure": *state.last_failure.borrow(),
        "connections": state.process_gate.open(),
        "frontends": frontends,
    })
}

/// The number of certificates, the next ones to expire, and files that cannot be used.
fn of_certificates(known: &Overview) -> Value {
    let mut expiries: Vec<_> = known.expiries.iter().collect();
    expiries.sort_by_key(|(_, expires)| **expires);
    let next: Vec<Value> = expiries
        .into_iter()
        .take(NEXT_TO_EXPIRE)
        .map(|(name, &expires)| {
            let expires = UNIX_EPOCH + Duration::from_secs(expires.max(0).unsigned_abs());
            json!({ "name": name, "expires": rfc3339(expires) })
        })
        .collect();
    let broken: Vec<Value> = known
        .broken
        .iter()
        .map(|(path, why)| json!({ "file": path.display().to_string(), "why": why }))
        .collect();
    json!({
        "names": known.expiries.len(),
        "next_to_expire": next,
        "broken": broken,
    })
}

fn of_tables(snapshot: &Snapshot) -> Value {
    let now = clock::now();
    let tables = snapshot.tables.tables().iter().map(|(name, table)| {
        let shown = json!({
            "entries": table.used(now),
            "size": table.size(),
            "bytes": table.bytes(),
            "evictions": table.evicted(),
            "refusals": table.refused(),
        });
        (name.to_string(), shown)
    });
    Value::Object(tables.collect())
}

fn of_rate_limits(snapshot: &Snapshot) -> Value {
    let limits = snapshot.tables.limits().iter().map(|(name, limit)| {
        let over: Map<String, Value> = limit
            .over()
            .into_iter()
            .map(|(outcome, count)| (outcome.to_owned(), count.into()))
            .collect();
        let shown = json!({
            "keys": limit.used(),
            "evictions": limit.evicted(),
            "over": over,
        });
        (name.to_string(), shown)
    });
    Value::Object(limits.collect())
}

fn backend_status(backend: &Backend) -> Value {
    let servers: Map<String, Value> = backend
        .set()
        .servers()
        .iter()
        .map(|server| {
            let queued = backend.queued_at(server);
            (server.name.to_string(), server_status(server, queued))
        })
        .collect();
    json!({
        "queued": backend.queued(),
        "servers": servers,
    })
}

fn server_status(server: &Server, queued: usize) -> Value {
    let note = server.note();
    json!({
        "state": ServerState::from(server.health()).code(),
        "since": rfc3339(note.since),
        "reason": note.reason,
        "in_flight": server.in_flight(),
        "queued": queued,
        "failures_in_a_row": server.failures_in_a_row(),
        "address": server.address.to_string(),
        "weight": server.weight(),
        "backup": server.is_backup(),
    })
}
