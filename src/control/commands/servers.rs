//! `show servers state`, `show servers conn`, `show backend`, `get weight`.

use std::fmt::Write as _;

use crate::expr::{BackendFigures, ServerFigures, State as _};
use crate::proxy::snapshot::Snapshot;

use super::{Answer, Asked};

/// The first line of a state file, and the names of its columns (HAProxy's format version 1).
const STATE_HEAD: &str = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight \
     srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health \
     srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord \
     srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n";

const CONNECTIONS_HEAD: &str = "# bkname/svname bkid/svid addr port - purge_delay used_cur used_max need_est \
     unsafe_nb safe_nb idle_lim idle_cur idle_per_thr";

pub(super) fn show_state(asked: &Asked<'_>) -> Answer {
    let wanted = asked.argument(0).to_owned();
    Answer::of(move |snapshot| {
        of_servers(
            &snapshot,
            &wanted,
            STATE_HEAD,
            |backend, server, id, text| {
                let (addr, port) = split(&server.address);
                let is_up = server.is_up;
                // Running or stopped, and HAProxy's numbers for a check's status and result.
                let (status, result, health, check) = match (server.is_checked, is_up) {
                    (false, _) => (1, 0, 2, 0),
                    (true, true) => (6, 3, server.rise + server.fall - 1, 6),
                    (true, false) => (8, 2, 0, 6),
                };
                let _ = writeln!(
                    text,
                    "{} {} {id} {} {addr} {} 0 {} {} {} {status} {result} {health} {check} 0 0 0 - {port} - {} 0 - - 0",
                    backend.id,
                    backend.name,
                    server.name,
                    if is_up { 2 } else { 0 },
                    server.weight,
                    server.weight,
                    server.since_seconds,
                    u8::from(server.is_tls),
                );
            },
        )
    })
}

pub(super) fn show_connections(asked: &Asked<'_>) -> Answer {
    let wanted = asked.argument(0).to_owned();
    let workers = asked.state.workers.len();
    let head = format!("{CONNECTIONS_HEAD}[{workers}]\n");
    Answer::of(move |snapshot| {
        of_servers(&snapshot, &wanted, &head, |backend, server, id, text| {
            let (addr, port) = split(&server.address);
            let (name, used) = (&backend.name, server.in_flight);
            let _ = write!(
                text,
                "{name}/{} {}/{id} {addr} {port} - 5000 {used} {used} {used} 0 0 -1 0",
                server.name, backend.id,
            );
            for _ in 0..workers {
                text.push_str(" 0");
            }
            text.push('\n');
        })
    })
}

/// `head`, then a line for each server, of all backends or of the one with the name `wanted`.
fn of_servers(
    snapshot: &Snapshot,
    wanted: &str,
    head: &str,
    line: impl Fn(&BackendFigures, &ServerFigures, usize, &mut String),
) -> String {
    let figures = snapshot.figures();
    let mut text = head.to_owned();
    let mut is_found = wanted.is_empty();
    for backend in &figures.backends {
        if !wanted.is_empty() && backend.name != wanted {
            continue;
        }
        is_found = true;
        for (server, id) in backend.servers.iter().zip(1..) {
            line(backend, server, id, &mut text);
        }
    }
    match is_found {
        true => text,
        false => "Can't find backend.\n".to_owned(),
    }
}

/// Host and port of a server's address; a Unix socket has no port.
fn split(address: &str) -> (&str, &str) {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "0"));
    match port.bytes().all(|byte| byte.is_ascii_digit()) {
        true => (host.trim_start_matches('[').trim_end_matches(']'), port),
        false => (address, "0"),
    }
}

pub(super) fn show_backend(asked: &Asked<'_>) -> Answer {
    let mut text = "# name\n".to_owned();
    for backend in &asked.state.current.load().plan.backends {
        text.push_str(backend.name.as_str());
        text.push('\n');
    }
    Answer::Text(text)
}

pub(super) fn get_weight(asked: &Asked<'_>) -> Answer {
    let Some((backend, server)) = asked.argument(0).split_once('/') else {
        return Answer::text("Require 'backend/server'.\n");
    };
    let snapshot = asked.state.current.load();
    let mut backends = snapshot.backends.iter();
    let Some(backend) = backends.find(|known| known.plan.name.as_str() == backend) else {
        return Answer::text("No such backend.\n");
    };
    let set = backend.set();
    let mut servers = set.servers().iter();
    let found = servers.find(|known| known.name.as_str() == server);
    let weight = found.map(|server| server.weight());
    Answer::text(match weight {
        Some(weight) => format!("{weight} (initial {weight})\n"),
        None => "No such server.\n".to_owned(),
    })
}
