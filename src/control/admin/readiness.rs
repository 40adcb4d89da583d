//! Readiness: whether this process may get traffic, and why not.

use std::collections::HashSet;

use crate::base::Name;
use crate::control::State;
use crate::control::health::FirstRound;
use crate::proxy::backend::Health;

/// How many servers without traffic an answer names.
const NAMED_SERVERS: usize = 3;

/// Why this process is not ready; `None`: it is.
pub(super) fn why_not_ready(state: &State) -> Option<String> {
    if state.is_draining.get() {
        return Some("draining".to_owned());
    }
    match state.checker.first_round() {
        FirstRound::Over => needed_backend_without_server(state),
        FirstRound::NotBegun => Some("starting".to_owned()),
        FirstRound::Waiting(1) => Some("1 server waits for its first check".to_owned()),
        FirstRound::Waiting(count) => Some(format!("{count} servers wait for their first check")),
    }
}

/// The first backend of `[admin] ready_needs` without a server that takes traffic, and why.
fn needed_backend_without_server(state: &State) -> Option<String> {
    let snapshot = state.current.load();
    let needs = &snapshot.plan.admin.as_ref()?.ready_needs;
    if needs.is_empty() {
        return None;
    }
    let needs: HashSet<&Name> = needs.iter().map(|needed| &needed.name).collect();
    let backend = snapshot
        .backends
        .iter()
        .find(|one| needs.contains(&one.plan.name) && one.available() == 0)?;
    let set = backend.set();
    let servers = set.servers().iter();
    let mut states: Vec<String> = servers
        .take(NAMED_SERVERS)
        .map(|server| match server.health() {
            Health::Up => format!("{} has weight 0", server.name),
            Health::Checking => format!("{} waits for its first check", server.name),
            Health::Down => format!("{} is down: {}", server.name, server.note().reason),
        })
        .collect();
    match set.servers().len().saturating_sub(NAMED_SERVERS) {
        0 => {}
        more => states.push(format!("and {more} more")),
    }
    Some(format!(
        "no server of backend {} takes traffic ({})",
        backend.plan.name,
        states.join("; ")
    ))
}
