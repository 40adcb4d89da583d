//! Everything as it is now, for people and scripts: `GET /status`.

use std::time::UNIX_EPOCH;

use serde_json::{Map, Value, json};

use crate::base::clock::Duration;

use crate::control::State;
use crate::observe::{ServerState, rfc3339};
use crate::plan;
use crate::proxy::backend::{Backend, Server};

use super::answer::why_not_ready;

/// So many certificates are shown: there may be tens of thousands.
const NEXT_TO_EXPIRE: usize = 100;

/// The state of the whole process.
pub(super) fn status(state: &State) -> Value {
    let snapshot = state.current.load();
    let frontends: Map<String, Value> = snapshot
        .frontends
        .iter()
        .map(|frontend| {
            let listen = state.listeners.borrow().of_frontend(&frontend.live.name);
            let listen: Vec<String> = listen.iter().map(ToString::to_string).collect();
            let shown = json!({
                "listen": listen,
                "connections": frontend.live.gate.open(),
            });
            (frontend.live.name.to_string(), shown)
        })
        .collect();
    let backends: Map<String, Value> = snapshot
        .backends
        .iter()
        .map(|backend| (backend.plan.name.to_string(), backend_status(backend)))
        .collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "generation": snapshot.generation,
        "ready": why_not_ready(state).is_none(),
        "why_not_ready": why_not_ready(state),
        "last_reload_failure": *state.last_failure.borrow(),
        "connections": state.process_gate.open(),
        "certificates": certificates(state),
        "frontends": frontends,
        "backends": backends,
    })
}

/// How many certificates there are, the next to expire, and the files that cannot be used.
fn certificates(state: &State) -> Value {
    let known = state.certificates.borrow();
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

fn backend_status(backend: &Backend) -> Value {
    let servers: Map<String, Value> = backend
        .plan
        .servers
        .iter()
        .zip(&backend.servers)
        .map(|(plan, server)| (plan.name.to_string(), server_status(plan, server)))
        .collect();
    json!({
        "queued": backend.queued(),
        "servers": servers,
    })
}

fn server_status(plan: &plan::Server, server: &Server) -> Value {
    let note = server.note();
    json!({
        "state": ServerState::from(server.health()).code(),
        "since": rfc3339(note.since),
        "reason": note.reason,
        "in_flight": server.in_flight(),
        "address": server.address.to_string(),
        "weight": plan.weight,
        "backup": plan.backup,
    })
}
