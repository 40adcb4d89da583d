//! The one table of metric names, with their types and labels.
//!
//! `exposition` and `process_wide` take names only from here; `conf/reference/metrics.md` is
//! written from it. A released name stays.

/// One family of series.
#[derive(Debug)]
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) unit: Unit,
    /// In the order in which they are written.
    pub(crate) labels: &'static [&'static str],
    pub(crate) help: &'static str,
}

/// The type of a family, in Prometheus's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// The unit of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A number of things, or a state.
    Count,
    Seconds,
    Bytes,
}

impl Kind {
    /// As in a `# TYPE` line.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

macro_rules! metrics {
    ($($name:ident = $text:literal, $kind:ident, $unit:ident, [$($label:literal),*], $help:literal;)+) => {
        $(pub(crate) static $name: Metric = Metric {
            name: $text,
            kind: Kind::$kind,
            unit: Unit::$unit,
            labels: &[$($label),*],
            help: $help,
        };)+

        /// All of them, in the order of the reference page.
        #[cfg(test)]
        pub(crate) static ALL: &[&Metric] = &[$(&$name),+];
    };
}

metrics! {
    FRONTEND_REQUESTS = "evenkeel_frontend_requests_total", Counter, Count, ["frontend", "status"],
        "Finished exchanges by the status that the client got; 499: the client left before it got one. Streams that were refused (`request.heads.too_large`) have no status: `evenkeel_replies_total` alone counts them.";
    FRONTEND_DURATION = "evenkeel_frontend_request_duration_seconds", Histogram, Seconds, ["frontend"],
        "Time from the first byte of a request head to the last byte of its response, without tunnels.";
    FRONTEND_CONNECTIONS = "evenkeel_frontend_connections_total", Counter, Count, ["frontend"],
        "Accepted client connections.";
    FRONTEND_OPEN_CONNECTIONS = "evenkeel_frontend_open_connections", Gauge, Count, ["frontend"],
        "Open client connections.";
    FRONTEND_OPEN_TUNNELS = "evenkeel_frontend_open_tunnels", Gauge, Count, ["frontend"],
        "Open tunnels: upgraded connections and streams, and connections in TCP mode.";
    FRONTEND_PARKED_CONNECTIONS = "evenkeel_frontend_parked_connections", Gauge, Count, ["frontend"],
        "Open client connections that are idle and hold no buffers.";
    FRONTEND_ACCEPT_PAUSES = "evenkeel_frontend_accept_pauses_total", Counter, Count, ["frontend", "cause"],
        "How often accepting paused, by cause: the frontend's limit, the process's limit, or no free file descriptor.";
    FRONTEND_PROXY_FAULTS = "evenkeel_frontend_proxy_protocol_failures_total", Counter, Count, ["frontend", "cause"],
        "Connections that were closed because they did not begin with a valid PROXY header, by cause.";
    FRONTEND_CONNECTION_REFUSALS = "evenkeel_frontend_connections_refused_total", Counter, Count, ["frontend", "cause"],
        "Connections that were closed before they were served, by cause.";
    FRONTEND_REQUEST_BYTES = "evenkeel_frontend_request_body_bytes_total", Counter, Bytes, ["frontend"],
        "Bytes received in request bodies and tunnels.";
    FRONTEND_RESPONSE_BYTES = "evenkeel_frontend_response_body_bytes_total", Counter, Bytes, ["frontend"],
        "Bytes sent in response bodies and tunnels.";
    FRONTEND_COMPRESSION_INPUT = "evenkeel_frontend_compression_input_bytes_total", Counter, Bytes, ["frontend"],
        "Bytes of response bodies before they were compressed.";
    FRONTEND_COMPRESSION_OUTPUT = "evenkeel_frontend_compression_output_bytes_total", Counter, Bytes, ["frontend"],
        "Bytes of the same bodies after that, as far as they were sent.";
    TLS_HANDSHAKES = "evenkeel_tls_handshakes_total", Counter, Count, ["frontend", "version", "resumed"],
        "Successful TLS handshakes with clients, by TLS version and whether a session was resumed.";
    TLS_HANDSHAKE_FAILURES = "evenkeel_tls_handshake_failures_total", Counter, Count, ["frontend", "reason"],
        "Failed TLS handshakes with clients, by reason.";
    REPLIES = "evenkeel_replies_total", Counter, Count, ["frontend", "reason"],
        "Exchanges that Evenkeel answered itself or that ended early, by reason.";
    ROUTE_REQUESTS = "evenkeel_route_requests_total", Counter, Count, ["frontend", "route"],
        "Finished exchanges of the route, by its name, or its number if it has none; in TCP mode connections.";
    BACKEND_QUEUE = "evenkeel_backend_queue_length", Gauge, Count, ["backend"],
        "Exchanges that wait for a slot, at any server or at one that a rule has chosen.";
    SERVER_QUEUE = "evenkeel_server_queue_length", Gauge, Count, ["backend", "server"],
        "Exchanges that wait for a slot at this server alone, because a rule has chosen it (`use_server`).";
    SERVER_REQUESTS = "evenkeel_server_requests_total", Counter, Count, ["backend", "server", "status"],
        "Attempts that the server answered, by its status; attempts without an answer are attempt faults.";
    SERVER_RESPONSE = "evenkeel_server_response_seconds", Histogram, Seconds, ["backend", "server"],
        "Time from a connection being ready to the response head.";
    SERVER_CONNECT = "evenkeel_server_connect_seconds", Histogram, Seconds, ["backend", "server"],
        "Time to open a connection to the server.";
    SERVER_CONNECTIONS_OPENED = "evenkeel_server_connections_opened_total", Counter, Count, ["backend", "server"],
        "Connections opened for an attempt.";
    SERVER_CONNECTIONS_REUSED = "evenkeel_server_connections_reused_total", Counter, Count, ["backend", "server"],
        "Attempts that were sent on an idle connection from the pool.";
    ATTEMPT_FAULTS = "evenkeel_attempt_faults_total", Counter, Count, ["backend", "server", "reason"],
        "Failed attempts by reason, also those after which another attempt succeeded.";
    ATTEMPTS_ABANDONED = "evenkeel_attempts_abandoned_total", Counter, Count, ["backend", "server", "cause"],
        "Attempts that ended early for no fault of the server, by cause: client (it left, or its request ended in an error), or cancelled.";
    SERVER_IN_FLIGHT = "evenkeel_server_in_flight", Gauge, Count, ["backend", "server"],
        "Exchanges that hold a slot at the server.";
    SERVER_UP = "evenkeel_server_up", Gauge, Count, ["backend", "server"],
        "1 if the server gets traffic, else 0.";
    SERVER_STATE_SECONDS = "evenkeel_server_state_seconds_total", Counter, Seconds, ["backend", "server", "state"],
        "Time that the server was up, down, or not yet checked (checking).";
    SERVER_TRANSITIONS = "evenkeel_server_transitions_total", Counter, Count, ["backend", "server", "to"],
        "Changes from up to down and from down to up; the first check does not count.";
    HEALTH_CHECKS = "evenkeel_health_checks_total", Counter, Count, ["backend", "server", "result"],
        "Finished active checks, by result.";
    TABLE_ENTRIES = "evenkeel_table_entries", Gauge, Count, ["table"],
        "Entries of the table.";
    TABLE_BYTES = "evenkeel_table_bytes", Gauge, Bytes, ["table"],
        "Memory that the entries of the table occupy.";
    TABLE_EVICTIONS = "evenkeel_table_evictions_total", Counter, Count, ["table"],
        "Entries that were removed before their time to make room for others.";
    TABLE_REFUSALS = "evenkeel_table_refusals_total", Counter, Count, ["table"],
        "Keys that were not taken in, because the table was full and no entry could be removed.";
    RATE_LIMIT_REQUESTS = "evenkeel_rate_limit_requests_total", Counter, Count, ["limit", "outcome"],
        "Requests over the rate limit, by outcome: denied, delayed, or dry_run: they passed.";
    RATE_LIMIT_KEYS = "evenkeel_rate_limit_keys", Gauge, Count, ["limit"],
        "Keys that the rate limit remembers.";
    RATE_LIMIT_EVICTIONS = "evenkeel_rate_limit_evictions_total", Counter, Count, ["limit"],
        "Keys that were forgotten before their time to make room for others.";
    PROCESS_SERVER_CONNECTIONS = "evenkeel_server_connections_open", Gauge, Count, [],
        "Server connections that are open, in all backends, busy and idle.";
    PROCESS_SERVER_CONNECTIONS_LIMIT = "evenkeel_server_connections_limit", Gauge, Count, [],
        "Server connections that may be open: what the open-file limit allows beside max_connections and a reserve.";
    PROCESS_SERVER_CONNECTIONS_CLOSED = "evenkeel_server_connections_closed_for_room_total", Counter, Count, [],
        "Idle server connections that were closed, and exchanges with a stalled client that were aborted, because another exchange needed a file descriptor.";
    SERVERS = "evenkeel_servers", Gauge, Count, ["state"],
        "Servers of all backends, by state.";
    SERVERS_TRANSITIONS = "evenkeel_servers_transitions_total", Counter, Count, ["to"],
        "Changes of all servers from up to down and from down to up; the first check does not count.";
    CERTIFICATE_EXPIRY = "evenkeel_certificate_expiry_timestamp_seconds", Gauge, Seconds, ["name"],
        "When the certificate for that name expires, since unix epoch in seconds; the earliest if there are several.";
    CERTIFICATES_BROKEN = "evenkeel_certificates_broken", Gauge, Count, [],
        "Files and directories of certificates and CAs that cannot be used in their present state; their last usable state is in use.";
    CERTIFICATE_FILES = "evenkeel_certificate_files_total", Counter, Count, ["result"],
        "Changed files of certificates and CAs that were read, by result: renewed or broken.";
    CONFIG_GENERATION = "evenkeel_config_generation", Gauge, Count, [],
        "Generation of the running configuration.";
    CONFIG_RELOADS = "evenkeel_config_reloads_total", Counter, Count, ["result"],
        "Reloads by result: applied, unchanged or failed.";
    EXCHANGES_CUT = "evenkeel_exchanges_cut_total", Counter, Count, [],
        "Exchanges that were aborted because they were still open after shutdown.timeout.";
    PANICS = "evenkeel_panics_total", Counter, Count, [],
        "Panics (bugs in Evenkeel) that were caught; each ended one exchange or one connection to the admin listener.";
    ACCESS_LOG_DROPPED = "evenkeel_access_log_dropped_total", Counter, Count, [],
        "Access log lines that were dropped because the log's target was too slow or failed.";
    BUILD_INFO = "evenkeel_build_info", Gauge, Count, ["version", "commit", "rustc"],
        "Always 1; the labels have the version.";
    PROCESS_CPU = "process_cpu_seconds_total", Counter, Seconds, [],
        "Total user and system CPU time spent in seconds.";
    PROCESS_RESIDENT = "process_resident_memory_bytes", Gauge, Bytes, [],
        "Resident memory size in bytes.";
    PROCESS_VIRTUAL = "process_virtual_memory_bytes", Gauge, Bytes, [],
        "Virtual memory size in bytes.";
    PROCESS_OPEN_FDS = "process_open_fds", Gauge, Count, [],
        "Number of open file descriptors.";
    PROCESS_MAX_FDS = "process_max_fds", Gauge, Count, [],
        "Maximum number of open file descriptors.";
    PROCESS_START = "process_start_time_seconds", Gauge, Seconds, [],
        "Start time of the process since unix epoch in seconds.";
    PROCESS_THREADS = "process_threads", Gauge, Count, [],
        "Number of threads of the process.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_say_type_and_unit_as_prometheus_wants_it() {
        for metric in ALL {
            let name = metric.name;
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            assert!(name.bytes().all(is_plain), "{name}");
            let same = ALL.iter().filter(|other| other.name == name);
            assert_eq!(same.count(), 1, "{name}");
            assert_eq!(
                metric.kind == Kind::Counter,
                name.ends_with("_total"),
                "{name}"
            );
            let stem = name.trim_end_matches("_total");
            assert_eq!(
                metric.unit == Unit::Seconds,
                stem.ends_with("_seconds"),
                "{name}"
            );
            assert_eq!(
                metric.unit == Unit::Bytes,
                stem.ends_with("_bytes"),
                "{name}"
            );
            assert!(metric.help.ends_with('.'), "{name}");
        }
    }
}
