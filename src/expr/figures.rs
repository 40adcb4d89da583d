//! The figures of frontends, backends and servers at one moment, for pages of statistics.

/// Answers by the first digit of their status, 1 to 5, and all others.
pub type Statuses = [u64; 6];

/// All of them, in the order of the plan.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// The frontends.
    pub frontends: Vec<FrontendFigures>,
    /// The backends.
    pub backends: Vec<BackendFigures>,
}

/// The figures of a frontend.
#[derive(Clone, Debug, Default)]
pub struct FrontendFigures {
    /// Its number among all frontends and backends.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Whether it passes on connections, and not requests.
    pub is_tcp: bool,
    /// Open client connections.
    pub open: u64,
    /// How many may be open.
    pub limit: u64,
    /// Accepted client connections.
    pub connections: u64,
    /// Bytes of request bodies and tunnels.
    pub bytes_in: u64,
    /// Bytes of response bodies and tunnels.
    pub bytes_out: u64,
    /// Requests that rules refused.
    pub denied: u64,
    /// Requests that could not be read, or must not be passed on.
    pub request_errors: u64,
    /// Requests that rules answered.
    pub intercepted: u64,
    /// Connections that rules refused.
    pub refused_connections: u64,
    /// Requests of the last second.
    pub request_rate: u64,
    /// Finished requests by status.
    pub statuses: Statuses,
    /// Bytes of bodies before compression.
    pub compression_input: u64,
    /// The same after it.
    pub compression_output: u64,
}

/// The figures of a backend.
#[derive(Clone, Debug, Default)]
pub struct BackendFigures {
    /// Its number among all frontends and backends.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Exchanges that wait for a slot.
    pub queued: u64,
    /// Exchanges that hold one.
    pub in_flight: u64,
    /// The present servers.
    pub servers: Vec<ServerFigures>,
}

/// The figures of a server.
#[derive(Clone, Debug, Default)]
pub struct ServerFigures {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub address: String,
    /// Exchanges that wait for it alone.
    pub queued: u64,
    /// Exchanges that hold a slot.
    pub in_flight: u64,
    /// How many may; `None`: any number.
    pub limit: Option<u64>,
    /// Attempts that it answered, by status.
    pub statuses: Statuses,
    /// Attempts without a connection.
    pub connect_errors: u64,
    /// Attempts that failed later.
    pub response_errors: u64,
    /// Whether it takes traffic.
    pub is_up: bool,
    /// Whether it is checked.
    pub is_checked: bool,
    /// Its weight.
    pub weight: u64,
    /// Whether it is used when no other is up.
    pub is_backup: bool,
    /// Checks that failed.
    pub failed_checks: u64,
    /// How often it went down.
    pub went_down: u64,
    /// Seconds in its present state.
    pub since_seconds: u64,
    /// Seconds that it was down.
    pub down_seconds: u64,
    /// Why it is in its state.
    pub reason: String,
    /// Connections that were opened.
    pub opened: u64,
    /// Attempts on a connection from the pool.
    pub reused: u64,
    /// Whether it is spoken to under TLS.
    pub is_tls: bool,
    /// Checks in a row after which it is up.
    pub rise: u64,
    /// Checks in a row after which it is down.
    pub fall: u64,
}
