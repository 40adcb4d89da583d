//! The text of one scrape: the Prometheus exposition format 0.0.4.
//!
//! `control` passes a row for each present frontend, backend and server; the series of a removed
//! one end with its row. All samples of a family are together, under one `HELP` and one `TYPE`.
//! Series that never counted anything are left out: statuses, reasons, histograms, and of servers
//! and backends all but `up`, because there may be ten thousands without traffic. A series that was
//! shown once is shown until its row is removed.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

mod family;
mod rows;
#[cfg(test)]
mod tests;

use crate::base::TlsKeys;
use crate::base::clock::Instant;
use crate::exchange::{Reason, Verdict};
use crate::observe::AccessLogHandle;
use crate::observe::metrics::frontend::{
    ConnectionRefusal, Handshake, HandshakeFailure, NoHeader, PauseCause,
};
use crate::observe::metrics::health::{CheckResult, ServerState};
use crate::observe::metrics::kernel::ProcessFacts;
use crate::observe::metrics::names;
use crate::observe::metrics::process_wide::ProcessMetrics;
use family::{Family, Seconds, family, single};

pub use rows::{
    BackendRow, CertificateRow, FrontendRow, QueueAppeared, RateLimitRow, RouteRow,
    ServerConnections, ServerRow, TableRow,
};

/// The data of one scrape.
#[derive(Clone, Copy, Debug)]
pub struct Scrape<'a> {
    /// The metrics of the process.
    pub process: &'a ProcessMetrics,
    /// Counts the lost lines.
    pub access_log: &'a AccessLogHandle,
    /// In the order of the plan.
    pub frontends: &'a [FrontendRow<'a>],
    /// In the order of the plan.
    pub routes: &'a [RouteRow<'a>],
    /// In the order of the plan.
    pub backends: &'a [BackendRow<'a>],
    /// In the order of the plan.
    pub servers: &'a [ServerRow<'a>],
    /// By name.
    pub tables: &'a [TableRow<'a>],
    /// By name.
    pub rate_limits: &'a [RateLimitRow<'a>],
    /// By name.
    pub certificates: &'a [CertificateRow<'a>],
    /// Files and directories that cannot be used at present.
    pub certificates_broken: u64,
    /// The connections of all backends.
    pub server_connections: ServerConnections,
    /// The end of the present state's time of each server.
    pub now: Instant,
}

impl Scrape<'_> {
    /// The text. Its content type is `text/plain; version=0.0.4; charset=utf-8`.
    ///
    /// Reads a few files of `/proc` and takes some microseconds for each server with traffic: for a
    /// thread that may block.
    pub fn render(&self) -> String {
        let mut text = self.process.render(self.access_log.dropped());
        process_facts(&mut text, &ProcessFacts::read());
        frontends(&mut text, self.frontends);
        routes(&mut text, self.routes);
        handshakes(&mut text, self.frontends);
        tables(&mut text, self.tables);
        rate_limits(&mut text, self.rate_limits);
        certificates(&mut text, self);
        server_connections(&mut text, &self.server_connections);
        backends(&mut text, self.backends);
        servers(&mut text, self.servers);
        health(&mut text, self.servers, self.now);
        text
    }
}

fn process_facts(text: &mut String, facts: &ProcessFacts) {
    single(text, &names::PROCESS_CPU, facts.cpu_seconds);
    single(text, &names::PROCESS_RESIDENT, facts.resident_bytes);
    single(text, &names::PROCESS_VIRTUAL, facts.virtual_bytes);
    single(text, &names::PROCESS_OPEN_FDS, facts.open_fds);
    single(text, &names::PROCESS_MAX_FDS, facts.max_fds);
    single(text, &names::PROCESS_START, facts.start_seconds);
    single(text, &names::PROCESS_THREADS, facts.threads);
}

fn server_connections(text: &mut String, connections: &ServerConnections) {
    let ServerConnections {
        open,
        limit,
        closed_for_room,
    } = *connections;
    single(text, &names::PROCESS_SERVER_CONNECTIONS, Some(open));
    single(text, &names::PROCESS_SERVER_CONNECTIONS_LIMIT, Some(limit));
    single(
        text,
        &names::PROCESS_SERVER_CONNECTIONS_CLOSED,
        Some(closed_for_room),
    );
}

fn frontends(text: &mut String, rows: &[FrontendRow<'_>]) {
    family(text, &names::FRONTEND_REQUESTS, rows, |family, row| {
        row.metrics
            .each_status(|status, count| family.sample_with(&status, count));
    });
    family(text, &names::FRONTEND_DURATION, rows, |family, row| {
        family.histogram(&row.metrics.duration());
    });
    family(text, &names::REPLIES, rows, |family, row| {
        for reason in Reason::ALL {
            family.unless_zero(reason.code(), row.metrics.replies(*reason));
        }
    });
    family(text, &names::FRONTEND_CONNECTIONS, rows, |family, row| {
        family.sample(row.metrics.connections());
    });
    family(
        text,
        &names::FRONTEND_OPEN_CONNECTIONS,
        rows,
        |family, row| {
            family.sample(row.open_connections);
        },
    );
    family(text, &names::FRONTEND_OPEN_TUNNELS, rows, |family, row| {
        family.sample(row.open_tunnels);
    });
    family(
        text,
        &names::FRONTEND_PARKED_CONNECTIONS,
        rows,
        |family, row| {
            family.sample(row.metrics.parked_connections());
        },
    );
    family(text, &names::FRONTEND_PROXY_FAULTS, rows, |family, row| {
        for cause in NoHeader::ALL {
            family.unless_zero(cause.code(), row.metrics.headers(cause));
        }
    });
    let refusals = &names::FRONTEND_CONNECTION_REFUSALS;
    family(text, refusals, rows, |family, row| {
        for cause in ConnectionRefusal::ALL {
            family.unless_zero(cause.code(), row.metrics.connection_refusals(cause));
        }
    });
    family(text, &names::FRONTEND_ACCEPT_PAUSES, rows, |family, row| {
        for cause in PauseCause::ALL {
            family.unless_zero(cause.code(), row.metrics.pauses(cause));
        }
    });
    family(text, &names::FRONTEND_REQUEST_BYTES, rows, |family, row| {
        family.sample(row.metrics.body_bytes_in());
    });
    family(
        text,
        &names::FRONTEND_RESPONSE_BYTES,
        rows,
        |family, row| {
            family.sample(row.metrics.body_bytes_out());
        },
    );
    let compression = &names::FRONTEND_COMPRESSION_INPUT;
    family(text, compression, rows, |family, row| {
        family.sample(row.metrics.compression_input());
    });
    let compression = &names::FRONTEND_COMPRESSION_OUTPUT;
    family(text, compression, rows, |family, row| {
        family.sample(row.metrics.compression_output());
    });
}

/// Routes that no exchange has taken are left out: there may be tens of thousands.
fn routes(text: &mut String, rows: &[RouteRow<'_>]) {
    family(text, &names::ROUTE_REQUESTS, rows, |family, row| {
        let requests = row.metrics.requests();
        if requests > 0 {
            family.sample(requests);
        }
    });
}

fn handshakes(text: &mut String, rows: &[FrontendRow<'_>]) {
    family(text, &names::TLS_HANDSHAKES, rows, |family, row| {
        for handshake in Handshake::ALL {
            let count = row.metrics.handshakes(handshake);
            if count > 0 {
                let resumed = handshake.keys == TlsKeys::Resumed;
                family.sample_with_two(&handshake.version.code(), &resumed, count);
            }
        }
    });
    family(text, &names::TLS_HANDSHAKE_FAILURES, rows, |family, row| {
        for failure in HandshakeFailure::ALL {
            family.unless_zero(failure.code(), row.metrics.handshake_failures(failure));
        }
    });
}

fn tables(text: &mut String, rows: &[TableRow<'_>]) {
    family(text, &names::TABLE_ENTRIES, rows, |family, row| {
        family.sample(row.entries);
    });
    family(text, &names::TABLE_BYTES, rows, |family, row| {
        family.sample(row.bytes);
    });
    family(text, &names::TABLE_EVICTIONS, rows, |family, row| {
        family.sample(row.evictions);
    });
    family(text, &names::TABLE_REFUSALS, rows, |family, row| {
        family.sample(row.refusals);
    });
}

fn rate_limits(text: &mut String, rows: &[RateLimitRow<'_>]) {
    family(text, &names::RATE_LIMIT_REQUESTS, rows, |family, row| {
        for (outcome, count) in row.over {
            family.sample_with(&outcome, count);
        }
    });
    family(text, &names::RATE_LIMIT_KEYS, rows, |family, row| {
        family.sample(row.keys);
    });
    family(text, &names::RATE_LIMIT_EVICTIONS, rows, |family, row| {
        family.sample(row.evictions);
    });
}

fn certificates(text: &mut String, scrape: &Scrape<'_>) {
    let rows = scrape.certificates;
    family(text, &names::CERTIFICATE_EXPIRY, rows, |family, row| {
        family.sample(row.expires);
    });
    if !rows.is_empty() || scrape.certificates_broken > 0 {
        let broken = Some(scrape.certificates_broken);
        single(text, &names::CERTIFICATES_BROKEN, broken);
    }
}

fn backends(text: &mut String, rows: &[BackendRow<'_>]) {
    let is_shown = |row: &&BackendRow<'_>| row.queue_has_appeared.0.or(row.queued > 0);
    let shown: Vec<_> = rows.iter().filter(is_shown).collect();
    family(text, &names::BACKEND_QUEUE, &shown, |family, row| {
        family.sample(row.queued);
    });
}

fn servers(text: &mut String, rows: &[ServerRow<'_>]) {
    family(text, &names::SERVER_UP, rows, |family, row| {
        family.sample(u8::from(row.state == ServerState::Up));
    });
    states(text, rows);
    let is_queued_at = |row: &&ServerRow<'_>| row.metrics.queue_is_shown(row.queued);
    let waited_for: Vec<_> = rows.iter().filter(is_queued_at).collect();
    family(text, &names::SERVER_QUEUE, &waited_for, |family, row| {
        family.sample(row.queued);
    });
    let is_shown = |row: &&ServerRow<'_>| row.metrics.is_shown(row.in_flight);
    let rows: &[_] = &rows.iter().filter(is_shown).collect::<Vec<_>>();
    family(text, &names::SERVER_IN_FLIGHT, rows, |family, row| {
        family.sample(row.in_flight);
    });
    family(text, &names::SERVER_REQUESTS, rows, |family, row| {
        row.metrics
            .each_status(|status, count| family.sample_with(&status, count));
    });
    family(text, &names::SERVER_RESPONSE, rows, |family, row| {
        family.histogram(&row.metrics.response());
    });
    family(text, &names::SERVER_CONNECT, rows, |family, row| {
        family.histogram(&row.metrics.connect());
    });
    family(
        text,
        &names::SERVER_CONNECTIONS_OPENED,
        rows,
        |family, row| {
            family.sample(row.metrics.connect().count());
        },
    );
    family(
        text,
        &names::SERVER_CONNECTIONS_REUSED,
        rows,
        |family, row| {
            family.sample(row.metrics.reuses());
        },
    );
    family(text, &names::ATTEMPT_FAULTS, rows, |family, row| {
        for reason in Reason::ALL {
            family.unless_zero(reason.code(), row.metrics.faults(*reason));
        }
    });
    family(text, &names::ATTEMPTS_ABANDONED, rows, |family, row| {
        for (verdict, cause) in Verdict::ABANDONED {
            family.unless_zero(cause, row.metrics.abandoned(verdict));
        }
    });
}

/// How many servers are in each state.
fn states(text: &mut String, rows: &[ServerRow<'_>]) {
    let mut family = Family::new(text, &names::SERVERS);
    for state in ServerState::ALL {
        let of_state = rows.iter().filter(|row| row.state == state).count();
        family.sample_with(&state.code(), of_state);
    }
}

fn health(text: &mut String, rows: &[ServerRow<'_>], now: Instant) {
    let with_checks = rows.iter().filter(|row| row.health.has_checks());
    let with_checks: Vec<_> = with_checks.collect();
    family(text, &names::HEALTH_CHECKS, &with_checks, |family, row| {
        for result in CheckResult::ALL {
            family.unless_zero(result.code(), row.health.checks(result));
        }
    });
    let have_been_down = rows.iter().filter(|row| row.health.has_been_down());
    let rows: &[_] = &have_been_down.collect::<Vec<_>>();
    family(text, &names::SERVER_STATE_SECONDS, rows, |family, row| {
        let sum = row.health.sum(now);
        for state in ServerState::ALL {
            let seconds = Seconds(sum.spent[state as usize].as_nanos() as u64);
            family.sample_with(&state.code(), seconds);
        }
    });
    family(text, &names::SERVER_TRANSITIONS, rows, |family, row| {
        let sum = row.health.sum(now);
        family.sample_with(&"up", sum.to_up);
        family.sample_with(&"down", sum.to_down);
    });
}
