//! What connections to servers are opened and used with.

use crate::base::Address;
use crate::plan::{self, HeaderCase, Protocol};
use crate::wire::h1::HeadLimits;
use http::uri::Scheme;

use super::server_pools::ServerPools;
use super::transport::Transport;

/// How much of a request body waits in a stream of HTTP/2 for its turn on the connection.
const SEND_AHEAD_BYTES: usize = 64 << 10;

/// Streams that were given up here, and for how long frames of theirs are expected and not taken
/// amiss. One that is forgotten costs an answer to each such frame, no more.
const GIVEN_UP: usize = 1000;

/// The most that a connection's window can be (RFC 9113 §6.9.1).
const WIDEST_WINDOW: u64 = (1 << 31) - 1;

/// Stands for the number of streams that a server allows while it has not said one. No server can
/// say it: it does not fit into 32 bits.
pub(super) const NOT_SAID: usize = usize::MAX - 1;

/// What connections are opened and used with.
#[derive(Clone)]
pub struct Settings {
    pub(super) http2: ::h2::client::Builder,
    /// Streams on one connection, whatever the server allows.
    pub(super) max_streams: usize,
    pub(super) transport: Transport,
    pub(super) plan: OfConnections,
}

/// What of a plan connections depend on: those opened under equal ones are alike.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OfConnections {
    pub(super) protocol: Protocol,
    pub(super) limits: plan::BackendLimits,
    http2: plan::BackendHttp2,
    send_proxy: Option<plan::SendProxy>,
    header_case: HeaderCase,
    record_case: bool,
}

impl Settings {
    /// The settings of a backend. `record_case` keeps the case of the field names of responses.
    pub fn new(backend: &plan::Backend, transport: Transport, record_case: bool) -> Self {
        Self {
            http2: http2_builder(backend),
            transport,
            max_streams: backend.http2.max_streams as usize,
            plan: OfConnections {
                protocol: backend.protocol,
                limits: backend.limits.clone(),
                http2: backend.http2.clone(),
                send_proxy: backend.send_proxy.clone(),
                header_case: backend.header_case,
                record_case,
            },
        }
    }

    /// The same for servers whose connections are protected by `transport`.
    pub fn with(&self, transport: Transport) -> Self {
        Self {
            transport,
            ..self.clone()
        }
    }

    /// How connections are protected.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Whether connections opened with `other` can be used as if opened with these.
    pub fn are_like(&self, other: &Self) -> bool {
        self.transport.is_like(&other.transport) && self.plan == other.plan
    }

    /// The scheme of requests, as HTTP/2 says it.
    pub fn scheme(&self) -> Scheme {
        self.transport.scheme()
    }

    /// Whether the server is asked what it wants to speak.
    pub(super) fn asks_server(&self) -> bool {
        matches!(self.transport, Transport::Tls(_))
    }

    /// The pools of connections to a server that is called `name` and listens at `address`.
    pub fn pools(&self, name: &str, address: &Address) -> ServerPools {
        match &self.transport {
            Transport::Tls(tls) => {
                let name = tls.name_of(None, name, address);
                if tls.asks_by_host() {
                    ServerPools::by_host(name)
                } else {
                    ServerPools::by_name(name)
                }
            }
            // None is kept where none can be opened.
            Transport::Clear | Transport::Unusable => ServerPools::clear(),
        }
    }

    /// What the head of an answer by HTTP/1 may have.
    pub(super) fn head_limits(&self) -> HeadLimits {
        HeadLimits {
            bytes: self.plan.limits.head.0 as usize,
            fields: self.plan.limits.fields,
        }
    }

    /// Whether the field names of responses are kept as they came.
    pub(super) fn keeps_names(&self) -> bool {
        self.plan.record_case
    }

    /// How servers are sent field names by HTTP/1.
    pub(super) fn header_case(&self) -> HeaderCase {
        self.plan.header_case
    }

    /// Fields that a response may have.
    pub fn max_fields(&self) -> usize {
        self.plan.limits.fields
    }
}

/// The connection's window has room for all of its streams' windows: however many clients do not
/// take what comes for them, the others' streams go on. That is also the most that a connection can
/// hold in memory.
fn http2_builder(backend: &plan::Backend) -> ::h2::client::Builder {
    let plan = &backend.http2;
    let window = plan.stream_window.0.min(WIDEST_WINDOW);
    let connection_window = (window * u64::from(plan.max_streams)).min(WIDEST_WINDOW);
    let mut builder = ::h2::client::Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(window as u32)
        .initial_connection_window_size(connection_window as u32)
        .initial_max_send_streams(NOT_SAID)
        .max_header_list_size(backend.limits.head.0 as u32)
        .max_send_buffer_size(SEND_AHEAD_BYTES)
        .max_concurrent_reset_streams(GIVEN_UP)
        // Clients that go away make many, and none is the server's fault.
        .max_local_error_reset_streams(None);
    builder
}
