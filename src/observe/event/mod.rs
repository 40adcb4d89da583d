//! State changes, each a named function: the log of the process on standard error.
//!
//! `error`: someone must act; `warn`: someone should know; `info`: the life of the process;
//! `debug`: the life of an exchange, and ordinary network noise. Each event has a code in its field
//! `event`, for machines; for people everything is in the message.
//!
//! Called once, by the code that changes the state.

mod servers;

use std::fmt::Display;
use std::path::Path;

use tracing::{debug, error, info, warn};

use crate::base::clock::Duration;
use crate::base::units::show_duration;
use crate::base::{ListenAddress, Peer, Position};
use crate::exchange::{Fault, RequestId};
use crate::observe::{ConnectionRefusal, HandshakeFailure, NoHeader, PauseCause};
use crate::plan::LogTarget;

pub(crate) use servers::{
    Left, check_failed, server_down, server_not_believed, server_not_understood,
    server_tls_renewed, server_up,
};

/// The program is up: listeners are bound and workers run.
pub(crate) fn started(version: &str, workers: usize, generation: u64) {
    let s = plural(workers as u64);
    info!(
        event = "process.started",
        version, workers, generation, "evenkeel {version} is running with {workers} worker{s}"
    );
}

/// A frontend takes connections on `addr`.
pub(crate) fn listener_bound(frontend: &str, addr: &ListenAddress) {
    info!(event = "listener.bound", frontend, %addr, "{frontend} listens on {addr}");
}

/// A worker cannot accept on a socket that is bound.
pub(crate) fn listener_failed(frontend: &str, why: &dyn Display) {
    error!(
        event = "listener.failed",
        frontend, "a worker cannot accept for {frontend}: {why}"
    );
}

/// A request is over a rate limit that is only tried out.
pub(crate) fn rate_limit_tried(id: &RequestId, limit: &str) {
    debug!(
        event = "rate_limit.dry_run",
        request = %String::from_utf8_lossy(id.as_bytes()),
        limit, "the rate limit {limit} would refuse this request"
    );
}

/// A frontend takes no more connections on `addr`.
pub(crate) fn listener_closed(frontend: &str, addr: &ListenAddress) {
    info!(event = "listener.closed", frontend, %addr, "{frontend} no longer listens on {addr}");
}

/// `owner` listens on all addresses, and this host has no IPv6.
pub(crate) fn ipv6_missing(owner: &str, addr: &ListenAddress, why: &dyn Display) {
    warn!(
        event = "listener.no_ipv6",
        owner, %addr, "{owner} listens on IPv4 only: cannot listen on {addr}: {why}"
    );
}

/// The file of a Unix socket keeps its old permissions.
pub(crate) fn mode_not_changed(addr: &ListenAddress, why: &dyn Display) {
    warn!(
        event = "listener.mode_failed",
        %addr, "{addr} keeps its old permissions: {why}"
    );
}

/// Metrics, probes and the API are answered on `addr`.
pub(crate) fn admin_bound(addr: &ListenAddress) {
    let scheme = if addr.ip().is_some() { "http://" } else { "" };
    info!(event = "admin.bound", %addr, "metrics and status are at {scheme}{addr}");
}

/// HAProxy's commands are taken at `addr`.
pub(crate) fn command_socket_bound(addr: &ListenAddress) {
    info!(event = "command_socket.bound", %addr, "HAProxy's commands are taken at {addr}");
}

/// The admin listener cannot start although its address is bound.
pub(crate) fn admin_failed(addr: &ListenAddress, why: &dyn Display) {
    error!(event = "admin.failed", %addr, "the admin listener at {addr} does not work: {why}");
}

/// A defect of ours ended the admin listener's wait for connections; it begins again.
pub(crate) fn admin_panicked() {
    error!(
        event = "admin.panicked",
        "the admin listener panicked (a bug in evenkeel) and accepts connections again"
    );
}

/// A new configuration runs; `changes` lists the differences.
pub(crate) fn reload_applied(generation: u64, changes: &dyn Display) {
    info!(
        event = "reload.applied",
        generation, "configuration {generation} runs: {changes}"
    );
}

/// The configuration was read again and is the running one.
pub(crate) fn reload_unchanged(generation: u64) {
    info!(
        event = "reload.unchanged",
        generation, "configuration {generation} stays: the files describe what already runs"
    );
}

/// The configuration cannot be used, and the running one stays; `why` has all diagnostics, as plain
/// text.
pub(crate) fn reload_failed(generation: u64, why: &dyn Display) {
    error!(
        event = "reload.failed",
        generation, "configuration {generation} stays: the new one has mistakes:\n{why}"
    );
}

/// A frontend has stopped accepting for a while.
pub(crate) fn accept_paused(frontend: &str, cause: PauseCause) {
    let why = match cause {
        PauseCause::FrontendLimit => "its max_connections is reached",
        PauseCause::ProcessLimit => "max_connections of the process is reached",
        PauseCause::Descriptors => "no file descriptor is free",
    };
    let cause = cause.code();
    warn!(
        event = "accept.paused",
        frontend, cause, "{frontend} has paused accepting connections: {why}"
    );
}

/// A frontend accepts again.
pub(crate) fn accept_resumed(frontend: &str) {
    info!(
        event = "accept.resumed",
        frontend, "{frontend} accepts connections again"
    );
}

/// No file descriptor was free for a connection that a client wants to open.
pub(crate) fn out_of_descriptors(frontend: &str) {
    warn!(
        event = "process.out_of_descriptors",
        frontend,
        "{frontend} cannot accept a connection: no file descriptor is free; raise the open-file limit (ulimit -n)"
    );
}

/// An exchange was answered 503 because no descriptor was free for a server connection.
pub(crate) fn no_descriptor_for_server() {
    warn!(
        event = "process.server_connections_full",
        "no file descriptor is free for another server connection: requests are answered 503 (proxy.descriptors); raise the open-file limit (ulimit -n)"
    );
}

/// `max_connections` is more than the limit of open files allows.
pub(crate) fn max_connections_lowered(wanted: u64, connections: u64, servers: u64) {
    warn!(
        event = "process.descriptor_limit_low",
        wanted,
        connections,
        servers,
        "max_connections is {wanted}, but the open-file limit allows {connections} client connections beside {servers} server connections: the limit is {connections} now; raise the open-file limit (ulimit -n) or lower max_connections"
    );
}

/// The limit of open files allows few connections.
pub(crate) fn descriptors_few(connections: u64, servers: u64) {
    let s = plural(connections);
    warn!(
        event = "process.descriptors_few",
        connections,
        servers,
        "the open-file limit allows {connections} client connection{s} and {servers} server connections at a time; raise the limit (ulimit -n)"
    );
}

/// A TLS handshake with a client failed.
pub(crate) fn handshake_failed(
    frontend: &str,
    addr: &ListenAddress,
    client: Peer,
    reason: HandshakeFailure,
    why: &dyn Display,
) {
    let reason = reason.code();
    debug!(
        event = "tls.handshake_failed",
        frontend, %addr, %client, reason,
        "TLS handshake of {client} with {frontend} at {addr} failed ({reason}): {why}"
    );
}

/// A certificate file, or a directory of them, has new content, which holds from now on: a new or
/// renewed certificate, or a removed file that is not needed.
pub(crate) fn certificate_renewed(path: &Path) {
    let path = path.display();
    info!(event = "certificate.renewed", %path, "{path} has changed and is now in use");
}

/// Files of a directory were removed, and with them the last certificate for `names`.
pub(crate) fn certificate_gone(path: &Path, names: &str) {
    let path = path.display();
    warn!(
        event = "certificate.gone",
        %path, names, "files were deleted from {path}: there is no certificate any more for {names}"
    );
}

/// A file with a certificate, or with authorities, cannot be used; if there was a usable one
/// before, that stays in use.
pub(crate) fn certificate_broken(path: &Path, why: &dyn Display) {
    let path = path.display();
    error!(event = "certificate.broken", %path, %why, "{path} cannot be used, its last usable state stays in use: {why}");
}

/// The same happened to so many more files.
pub(crate) fn more_certificates(files: u64) {
    let s = plural(files);
    info!(
        event = "certificate.more",
        files, "and {files} more file{s}"
    );
}

/// A certificate expires in `days` whole days; below 0, it has.
pub(crate) fn certificate_expires(path: &Path, days: i64) {
    let path = path.display();
    if days < 0 {
        error!(event = "certificate.expired", %path, days, "the certificate in {path} has expired");
    } else {
        let s = plural(days.unsigned_abs());
        warn!(
            event = "certificate.expires",
            %path, days, "the certificate in {path} expires in {days} day{s}"
        );
    }
}

/// A client's connection ended in a way that is in no exchange.
pub(crate) fn connection_failed(frontend: &str, client: Peer, why: &dyn Display) {
    debug!(
        event = "connection.failed",
        frontend, %client, "a connection of {client} to {frontend} ended: {why}"
    );
}

/// A connection of `peer` did not begin with a valid PROXY header, and was closed.
pub(crate) fn proxy_header_failed(frontend: &str, addr: &ListenAddress, peer: Peer, why: NoHeader) {
    debug!(
        event = "proxy_protocol.failed",
        frontend,
        %addr,
        %peer,
        reason = why.code(),
        "a connection of {peer} to {frontend} at {addr} was closed: {why}"
    );
}

/// A connection of `client` was closed before it was served.
pub(crate) fn connection_refused(frontend: &str, client: Peer, why: ConnectionRefusal) {
    debug!(
        event = "connection.refused",
        frontend,
        %client,
        reason = why.code(),
        "a connection of {client} to {frontend} was closed: {}", why.code()
    );
}

/// The cause below the reason of a failed exchange or attempt, for the log alone.
pub(crate) fn exchange_failed(id: &RequestId, fault: &Fault) {
    let id = String::from_utf8_lossy(id.as_bytes());
    debug!(event = "exchange.failed", request_id = %id, "exchange {id} failed: {fault}");
}

/// A rule wrote an invalid value: its request fails, or the value is left out of an answer.
pub(crate) fn rule_failed(id: &RequestId, key: &str, at: &Position, what: &str) {
    let id = String::from_utf8_lossy(id.as_bytes());
    warn!(
        event = "rule.failed",
        request_id = %id,
        rule = key,
        %at,
        "the rule `{key}` at {at} wrote {what} in the exchange {id}; more of it is not logged for 10 seconds"
    );
}

/// A defect of ours ended an exchange; all else continues.
pub(crate) fn exchange_panicked(id: &RequestId, what: &str) {
    let id = String::from_utf8_lossy(id.as_bytes());
    error!(
        event = "exchange.panicked",
        request_id = %id,
        "exchange {id} panicked (a bug in evenkeel) and was aborted: {what}"
    );
}

/// A worker has ended without a command; the process cannot continue.
pub(crate) fn worker_died(worker: usize, why: &dyn Display) {
    error!(
        event = "worker.died",
        worker, "worker {worker} died: {why}; the process is ending"
    );
}

/// The drain has begun: readiness fails, and after `grace` listeners close.
pub(crate) fn draining(signal: &str, grace: Duration, timeout: Duration) {
    let when = match grace {
        Duration::ZERO => "now".to_owned(),
        grace => format!("in {}", show_duration(grace)),
    };
    let timeout = show_duration(timeout);
    info!(
        event = "process.draining",
        signal, "{signal}: listeners close {when}; open exchanges then have {timeout} to finish"
    );
}

/// Open exchanges were cut: the time to drain was over, or a second signal came.
pub(crate) fn exchanges_cut(exchanges: u64) {
    let s = plural(exchanges);
    warn!(
        event = "process.exchanges_cut",
        exchanges, "{exchanges} open exchange{s} aborted at the end of the process"
    );
}

/// The program ends.
pub(crate) fn stopped() {
    info!(event = "process.stopped", "stopped");
}

/// Lines cannot be written to the access log's target.
pub(crate) fn access_log_fails(target: &LogTarget, why: &dyn Display) {
    let target = named(target);
    error!(
        event = "access_log.fails",
        target_name = target,
        "access log: cannot write to {target}: {why}; until that works again, lines are lost"
    );
}

/// Lines are written again, after `lost` of them were lost. Over a network more of them may be: those on
/// their way when the connection broke, or that no server received, are counted as written.
pub(crate) fn access_log_writes_again(target: &LogTarget, lost: u64) {
    let at_least = match target {
        LogTarget::Udp(_) | LogTarget::Tcp(_) => "at least ",
        _ => "",
    };
    let target = named(target);
    let s = plural(lost);
    info!(
        event = "access_log.writes_again",
        target_name = target,
        lost,
        "access log: writing to {target} works again; {at_least}{lost} line{s} lost"
    );
}

/// The access log's file has another name now, and cannot be opened under its own.
pub(crate) fn access_log_not_reopened(target: &LogTarget, why: &dyn Display) {
    let target = named(target);
    error!(
        event = "access_log.not_reopened",
        target_name = target,
        "access log: cannot reopen {target}: {why}; lines still go to the old file"
    );
}

/// Lines were dropped since the last such event.
pub(crate) fn access_log_dropped(target: &LogTarget, lines: u64) {
    let target = named(target);
    let s = plural(lines);
    warn!(
        event = "access_log.dropped",
        target_name = target,
        lines,
        "access log: {lines} line{s} dropped: {target} is too slow"
    );
}

fn named(target: &LogTarget) -> String {
    match target {
        LogTarget::Off => "nowhere".to_owned(),
        LogTarget::Stdout => "standard output".to_owned(),
        LogTarget::Stderr => "standard error".to_owned(),
        other => other.to_string(),
    }
}

fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::logging::captured;
    use crate::plan::{LogFormat, LogLevel};

    fn said(work: impl FnOnce()) -> String {
        captured(LogLevel::Debug, LogFormat::Human, work)
    }

    #[test]
    fn a_shortage_of_descriptors_is_reported_in_a_sentence() {
        let text = said(|| out_of_descriptors("web"));
        let expected = "WARN  web cannot accept a connection: no file descriptor is free; \
                        raise the open-file limit (ulimit -n)\n";
        assert!(text.ends_with(expected), "{text}");
    }

    #[test]
    fn draining_says_how_long_it_may_take() {
        let seconds = Duration::from_secs;
        let text = said(|| draining("SIGTERM", Duration::ZERO, seconds(30)));
        let expected = "SIGTERM: listeners close now; open exchanges then have 30s to finish\n";
        assert!(text.ends_with(expected), "{text}");
        let text = said(|| draining("SIGTERM", seconds(5), seconds(30)));
        assert!(text.contains("listeners close in 5s;"), "{text}");
    }

    #[test]
    fn a_rule_that_writes_what_no_request_has_is_named() {
        let id = RequestId::made(1);
        let at = Position::built_in();
        let text = said(|| rule_failed(&id, "set_path", &at, "a target with a control character"));
        let expected = "the rule `set_path` at <built in>:1:1 wrote a target with a control character \
                        in the exchange 0000000000000001";
        assert!(text.contains("WARN"), "{text}");
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn ordinary_network_noise_is_debug() {
        let client = Peer::Ip(std::net::SocketAddr::from(([10, 0, 0, 9], 4711)));
        let noise = || {
            connection_failed("web", client, &"reset");
            let addr = std::net::SocketAddr::from(([10, 0, 0, 1], 443)).into();
            handshake_failed("web", &addr, client, HandshakeFailure::NotTls, &"HTTP");
            check_failed("app", "a", &"connection refused");
            let id = RequestId::made(1);
            exchange_failed(&id, &Fault::new(crate::exchange::Reason::ClientLeft));
        };
        assert_eq!(captured(LogLevel::Info, LogFormat::Human, noise), "");
        assert_eq!(said(noise).lines().count(), 4);
    }
}
