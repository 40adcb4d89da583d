//! The settings of connections to servers.

use crate::plan::{self, HeaderCase, Protocol};
use crate::wire::h1::HeadLimits;
use http::uri::Scheme;

use super::transport::Transport;

/// How many bytes of a request body may wait in an HTTP/2 stream for the connection.
const SEND_AHEAD_BYTES: usize = 64 << 10;

/// How many reset streams h2 remembers, to ignore their late frames. A forgotten one only costs an
/// answer to each such frame.
const GIVEN_UP: usize = 1000;

/// The largest window of a connection (RFC 9113 §6.9.1).
const WIDEST_WINDOW: u64 = (1 << 31) - 1;

/// Stands for the server's limit of streams before it has sent one. No server can send it: it does
/// not fit into 32 bits.
pub(super) const NO_SETTING: usize = usize::MAX - 1;

/// The settings of connections.
#[derive(Clone)]
pub struct Settings {
    pub(super) http2: ::h2::client::Builder,
    /// The most streams on one connection, whatever the server allows.
    pub(super) max_streams: usize,
    pub(super) transport: Transport,
    pub(super) plan: OfConnections,
}

/// The parts of a plan that connections depend on: connections that were opened under equal ones
/// are alike.
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

    /// The scheme of requests, for HTTP/2.
    pub fn scheme(&self) -> Scheme {
        self.transport.scheme()
    }

    /// Whether the server chooses the protocol (ALPN).
    pub(super) fn asks_server(&self) -> bool {
        matches!(self.transport, Transport::Tls(_))
    }

    /// The bounds of the head of an HTTP/1 answer.
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

    /// The case of field names to HTTP/1 servers.
    pub(super) fn header_case(&self) -> HeaderCase {
        self.plan.header_case
    }

    /// The most fields of a response.
    pub fn max_fields(&self) -> usize {
        self.plan.limits.fields
    }
}

/// The connection's window has room for all of its streams' windows: however many clients do not
/// read their answers, the other streams continue. That is also the most that a connection can hold
/// in memory.
fn http2_builder(backend: &plan::Backend) -> ::h2::client::Builder {
    let plan = &backend.http2;
    let window = plan.stream_window.0.min(WIDEST_WINDOW);
    let connection_window = (window * u64::from(plan.max_streams)).min(WIDEST_WINDOW);
    let mut builder = ::h2::client::Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(window as u32)
        .initial_connection_window_size(connection_window as u32)
        .initial_max_send_streams(NO_SETTING)
        .max_header_list_size(backend.limits.head.0 as u32)
        .max_send_buffer_size(SEND_AHEAD_BYTES)
        .max_concurrent_reset_streams(GIVEN_UP)
        // Clients that leave cause many of them, and none is the server's fault.
        .max_local_error_reset_streams(None);
    builder
}
