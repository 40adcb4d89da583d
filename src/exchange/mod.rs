//! The facts of an exchange: the client, the request, the route, the backend and the server, how
//! long each step took, and why it ended as it did.
//!
//! Plain facts. The rooms of the data plane write them as they happen; `observe` turns them into a
//! log line and numbers when the exchange is over. Nothing here decides.
//!
//! An exchange holds its route and servers by their names and counters, so that no fact keeps the
//! configuration alive. Only `observe` writes and reads the counters.

mod attempt;
mod attempts;
mod client_tls;
mod counters;
mod fault;
mod logged;
mod outcome;
mod proxy_fields;
mod reason;
mod record;
mod route;
mod termination;

pub use attempt::{Attempt, ServerMetrics, TriedServer};
pub use attempts::{AttemptIndex, AttemptList, Attempts};
pub use client_tls::{ClientCertificate, ClientTls};
pub use fault::{Cause, Fault, Http2InWords};
pub use logged::{LoggedField, LoggedRequest, LoggedText, RequestTexts};
pub use outcome::{Outcome, Verdict};
pub use proxy_fields::ProxyFields;
pub use reason::{Reason, Retry, Side};
pub use record::{FirstBytes, Load, Opening, Record, RequestId};
pub use route::{RouteMetrics, TakenRoute};
pub use termination::{Step, Termination};

pub(crate) use counters::{
    Appeared, BOUNDS_US, Counter, Histogram, HistogramSum, Level, ReasonCounters, Shards,
    StatusCounters, each_status,
};
