//! The figures of a snapshot's frontends, backends and servers.

use std::path::Path;

use crate::base::{Position, clock};
use crate::exchange::Reason;
use crate::expr::{BackendFigures, Figures, FrontendFigures, ServerFigures, Statuses};
use crate::observe::{CheckResult, ConnectionRefusal};
use crate::plan::{Mode, Plan};
use crate::proxy::backend::{Backend, Server};

use super::{Frontend, Snapshot};

/// Reads all counters: some microseconds for each frontend and each server.
pub(super) fn figures(snapshot: &Snapshot) -> Figures {
    let plan = &snapshot.plan;
    let numbers = Numbers::of(plan);
    let frontends = snapshot.frontends.iter().zip(&plan.frontends);
    let frontends = frontends.map(|(frontend, plan)| FrontendFigures {
        id: numbers.of_position(&plan.at),
        is_tcp: plan.mode == Mode::Tcp,
        ..of_frontend(frontend)
    });
    let backends = snapshot.backends.iter();
    let backends = backends.map(|backend| BackendFigures {
        id: numbers.of_position(&backend.plan.at),
        ..of_backend(backend)
    });
    Figures {
        frontends: frontends.collect(),
        backends: backends.collect(),
    }
}

/// The numbers of frontends and backends, in the order in which they are written. What is made from one
/// `listen` has one number. Tables have numbers, too: HAProxy's are in backends.
struct Numbers<'p> {
    /// Sorted, without duplicates.
    places: Vec<Place<'p>>,
    first: u64,
}

/// Where a frontend or a backend is written.
type Place<'p> = (&'p Path, u32, u32);

impl<'p> Numbers<'p> {
    fn of(plan: &'p Plan) -> Self {
        let frontends = plan.frontends.iter().map(|one| place(&one.at));
        let backends = plan.backends.iter().map(|one| place(&one.at));
        let tables = plan.tables.iter().map(|one| place(&one.at));
        let mut places: Vec<Place<'p>> = frontends.chain(backends).chain(tables).collect();
        places.sort_unstable();
        places.dedup();
        Self {
            places,
            // As HAProxy: its frontend for commands takes a number, without appearing anywhere.
            first: 1 + u64::from(!plan.command_sockets.is_empty()),
        }
    }

    fn of_position(&self, at: &Position) -> u64 {
        let index = self.places.binary_search(&place(at)).unwrap_or(0);
        self.first + index as u64
    }
}

fn place(at: &Position) -> Place<'_> {
    (&at.file, at.line, at.column)
}

fn of_frontend(frontend: &Frontend) -> FrontendFigures {
    let live = &frontend.live;
    let metrics = &live.metrics;
    let replies = |is_meant: &dyn Fn(Reason) -> bool| {
        let reasons = Reason::ALL.iter().filter(|reason| is_meant(**reason));
        reasons.map(|reason| metrics.replies(*reason)).sum()
    };
    let is_refusal = |reason| {
        matches!(
            reason,
            Reason::RuleDenied
                | Reason::RuleTarpitted
                | Reason::RuleRejected
                | Reason::RuleDropped
                | Reason::RuleRateLimited
        )
    };
    let mut statuses = Statuses::default();
    metrics.each_status(|status, count| statuses[class(status)] += count);
    FrontendFigures {
        id: 0,
        name: live.name.to_string(),
        is_tcp: false,
        open: live.gate.open(),
        limit: live.gate.limit(),
        connections: metrics.connections(),
        bytes_in: metrics.body_bytes_in(),
        bytes_out: metrics.body_bytes_out(),
        denied: replies(&is_refusal),
        request_errors: replies(&|reason| reason.code().starts_with("request.")),
        intercepted: replies(&|reason| reason.code().starts_with("rule.") && !is_refusal(reason)),
        refused_connections: ConnectionRefusal::ALL
            .iter()
            .map(|why| metrics.connection_refusals(*why))
            .sum(),
        request_rate: live.requests.events(),
        statuses,
        compression_input: metrics.compression_input(),
        compression_output: metrics.compression_output(),
    }
}

fn of_backend(backend: &Backend) -> BackendFigures {
    let set = backend.set();
    let servers = set.servers().iter().map(|server| {
        let health = backend.plan.health.as_ref();
        let is_checked = health.is_some();
        ServerFigures {
            rise: health.map_or(0, |health| health.rise.into()),
            fall: health.map_or(0, |health| health.fall.into()),
            is_tls: backend.plan.tls_of(&server.own).is_some(),
            queued: backend.queued_at(server) as u64,
            is_checked,
            ..of_server(server)
        }
    });
    BackendFigures {
        id: 0,
        name: backend.plan.name.to_string(),
        queued: backend.queued() as u64,
        in_flight: backend.in_flight() as u64,
        servers: servers.collect(),
    }
}

fn of_server(server: &Server) -> ServerFigures {
    let metrics = &server.metrics;
    let mut statuses = Statuses::default();
    metrics.each_status(|status, count| statuses[class(status)] += count);
    let faults = |is_meant: &dyn Fn(&str) -> bool| {
        let reasons = Reason::ALL.iter().filter(|reason| is_meant(reason.code()));
        reasons.map(|reason| metrics.faults(*reason)).sum()
    };
    let is_connect = |code: &str| code.starts_with("server.connect");
    let (down, went_down) = server.health_metrics.downtime(clock::now());
    let note = server.note();
    let since = clock::wall().duration_since(note.since);
    ServerFigures {
        name: server.name.to_string(),
        address: server.address.to_string(),
        queued: 0,
        in_flight: server.in_flight().into(),
        limit: server.limit().map(u64::from),
        statuses,
        connect_errors: faults(&is_connect),
        response_errors: faults(&|code| !is_connect(code)),
        is_up: server.is_usable(),
        is_checked: false,
        weight: server.weight().into(),
        is_backup: server.is_backup(),
        failed_checks: server.health_metrics.checks(CheckResult::Failed),
        went_down,
        since_seconds: since.map_or(0, |since| since.as_secs()),
        down_seconds: down.as_secs(),
        reason: note.reason,
        opened: metrics.connect().count(),
        reused: metrics.reuses(),
        is_tls: false,
        rise: 0,
        fall: 0,
    }
}

/// The index of a status among [`Statuses`].
fn class(status: u16) -> usize {
    match status {
        100..=599 => usize::from(status / 100) - 1,
        _ => 5,
    }
}
