//! The facts of one exchange, as the formats of lines see them.

use std::net::SocketAddr;
use std::time::SystemTime;

use http::HeaderMap;

use crate::base::Peer;
use crate::base::clock::Duration;
use crate::exchange::{
    Attempt, AttemptIndex, AttemptList, ClientTls, Load, LoggedRequest, Reason, RequestId, Step,
    Termination,
};
use crate::expr::{ConnectionFacts, Facts, ResponseFacts, Scratch, Tables, Tracked, Variables};
use crate::net;
use crate::plan::log::LogAs;

/// The content of a line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    /// When the head was complete.
    pub(crate) wall: SystemTime,
    pub(crate) frontend: Option<&'a str>,
    pub(crate) route: Option<&'a str>,
    pub(crate) backend: Option<&'a str>,
    pub(crate) server: Option<&'a str>,
    pub(crate) client: Peer,
    /// Where the client connected to; `None`: no IP address.
    pub(crate) local: Option<SocketAddr>,
    /// `None`: without TLS.
    pub(crate) tls: Option<&'a ClientTls>,
    /// `None`: nothing of a request was read.
    pub(crate) request: Option<&'a LoggedRequest>,
    /// The name that a TLS client asked for whose connection is passed on.
    pub(crate) sni: Option<&'a str>,
    /// Whether it is a connection in TCP mode.
    pub(crate) is_tcp: bool,
    /// `None`: a connection in TCP mode, or a stream that was refused.
    pub(crate) status: Option<u16>,
    pub(crate) reason: Option<Reason>,
    pub(crate) log_as: LogAs,
    pub(crate) id: Option<&'a RequestId>,
    pub(crate) generation: u64,
    pub(crate) attempts: &'a AttemptList,
    /// The attempt whose outcome is in the line.
    pub(crate) decisive: Option<AttemptIndex>,
    pub(crate) body_bytes_in: u64,
    pub(crate) body_bytes_out: u64,
    pub(crate) times: Times,
    /// Open connections; only if a format has them.
    pub(crate) open: OpenConnections,
    pub(crate) load: Load,
}

/// The time of each step; `None`: not reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// To receive the head.
    pub(crate) head: Option<Duration>,
    /// To wait for a slot.
    pub(crate) queue: Option<Duration>,
    /// To open a connection; none for one from the pool.
    pub(crate) connect: Option<Duration>,
    /// To get the response head.
    pub(crate) response: Option<Duration>,
    /// From the first byte of the request to the last of the response.
    pub(crate) total: Duration,
}

/// Evaluates the expressions of a log about one exchange.
#[derive(Debug)]
pub(crate) struct Evaluation<'a> {
    pub(crate) facts: Facts<'a>,
    pub(crate) scratch: &'a mut Scratch,
}

/// What rules have left of an exchange for its log lines; `None`: no rule ran.
#[derive(Clone, Copy, Debug, Default)]
pub struct LeftByRules<'a> {
    /// The variables of the exchange.
    pub of_exchange: Option<&'a Variables>,
    /// The variables of the client's connection.
    pub of_connection: Option<&'a Variables>,
    /// The entries of tables that it tracks.
    pub tracked: Option<&'a dyn Tracked>,
    /// The tables of the configuration.
    pub tables: Option<&'a dyn Tables>,
}

/// Stands for facts that an exchange does not have.
#[derive(Debug)]
pub(crate) struct Blank {
    id: RequestId,
    headers: HeaderMap,
}

impl Default for Blank {
    fn default() -> Self {
        Self {
            id: RequestId::made(0),
            headers: HeaderMap::new(),
        }
    }
}

/// How many client connections are open.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenConnections {
    /// Of all frontends.
    pub of_process: u64,
    /// Of the frontend.
    pub of_frontend: u64,
}

impl<'a> Entry<'a> {
    /// The facts for expressions: all but the heads, which are not kept.
    pub(crate) fn facts(&self, left: LeftByRules<'a>, blank: &'a Blank) -> Facts<'a> {
        Facts {
            id: self.id.unwrap_or(&blank.id),
            connection: ConnectionFacts {
                client: self.client,
                local: self.local,
                tls: self.tls,
                frontend: self.frontend.unwrap_or_default(),
                variables: left.of_connection,
                tables: left.tables,
                state: None,
                proxy_fields: None,
                content: None,
                is_local: net::is_local,
            },
            request: None,
            backend: self.backend,
            response: self.status.map(|status| ResponseFacts {
                status,
                headers: &blank.headers,
                server: self.server,
                reason: self.reason,
            }),
            variables: left.of_exchange,
            tracked: left.tracked,
        }
    }

    /// The attempt whose outcome is in the line.
    pub(super) fn attempt(&self) -> Option<&Attempt> {
        self.attempts.get(self.decisive?)
    }

    /// When the request began.
    pub(super) fn began(&self) -> SystemTime {
        let head = self.times.head.unwrap_or_default();
        self.wall.checked_sub(head).unwrap_or(self.wall)
    }

    /// When it was over.
    pub(super) fn ended(&self) -> SystemTime {
        let began = self.began();
        began.checked_add(self.times.total).unwrap_or(began)
    }

    /// How often another attempt was made.
    pub(super) fn retries(&self) -> usize {
        self.attempts.len().saturating_sub(1)
    }

    /// Whether an attempt was made at another server than that of the line.
    pub(super) fn has_changed_server(&self) -> bool {
        let mut others = self.attempts.others(self.decisive);
        others.any(|other| Some(other.server.name.as_str()) != self.server)
    }

    /// The termination state in two letters.
    pub(super) fn termination(&self) -> [u8; 2] {
        match self.reason {
            None => *b"--",
            Some(reason) => Termination::of(reason).letters(self.step()),
        }
    }

    /// The step that it had reached when it ended.
    fn step(&self) -> Step {
        match self.attempt() {
            Some(attempt) if attempt.response.is_some() => Step::Data,
            // There is no head of a response to wait for.
            Some(attempt) if attempt.is_connected && self.is_tcp => Step::Data,
            Some(attempt) if attempt.is_connected => Step::Headers,
            Some(_) => Step::Connect,
            None if self.backend.is_some() => Step::Queue,
            None => Step::Request,
        }
    }
}
