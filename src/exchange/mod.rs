//! What each room stamps on an exchange: who asked for what, which route, backend and server, how
//! long each step took, why it ended as it did.
//!
//! Plain facts. The rooms of the data plane write them as they happen; `observe` turns them into a
//! log line and numbers when the exchange is over. Nothing here decides.
//!
//! What it took and tried an exchange holds by its name and its counters, so that no fact needs the
//! configuration that it ran under. The counters themselves are `observe`'s to write and to read.

mod attempt;
mod attempts;
mod client_tls;
mod counters;
mod fault;
mod logged;
mod outcome;
mod reason;
mod record;
mod route;

pub use attempt::{Attempt, ServerMetrics, TriedServer};
pub use attempts::{AttemptIndex, AttemptList, Attempts};
pub use client_tls::{ClientCertificate, ClientTls};
pub use fault::{Cause, Fault, Http2InWords};
pub use logged::{LoggedField, LoggedRequest, LoggedText, RequestTexts};
pub use outcome::{Outcome, Verdict};
pub use reason::{Reason, Retry, Side};
pub use record::{FirstBytes, Opening, Record, RequestId};
pub use route::{RouteMetrics, TakenRoute};

pub(crate) use counters::{
    Appeared, BOUNDS_US, Counter, Histogram, HistogramSum, Level, ReasonCounters, Shards,
    StatusCounters, each_status,
};
