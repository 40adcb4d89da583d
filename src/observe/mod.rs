//! Writes the access log, metrics and events: the only room that does.
//!
//! The data plane writes facts on an exchange and passes it once, when it is over, to its worker's
//! [`WorkerObserver`]. `control` writes what changes slowly ([`HealthMetrics`], [`ProcessMetrics`],
//! `event`) and renders a [`Scrape`]. `process` runs the [`LogWriter`]'s thread and starts
//! [`logging`].
//!
//! There are no globals except the subscriber that `logging::start` installs for the whole process:
//! two proxies in one test process count and log apart.

mod access_log;
mod calendar;
pub(crate) mod event;
#[cfg(test)]
mod fixture;
mod json;
#[cfg(test)]
mod log_formats;
pub mod logging;
mod metrics;
#[cfg(test)]
mod reference;
pub(crate) mod statistics;
mod worker;

pub use access_log::{
    AccessLogHandle, CannotOpen, LeftByRules, LogWriter, OpenConnections, PreparedLogs,
};
pub use calendar::{haproxy_date, rfc3339};
pub use metrics::exposition::{
    BackendRow, CertificateRow, FrontendRow, QueueAppeared, RateLimitRow, RouteRow, Scrape,
    ServerConnections, ServerRow, TableRow,
};
pub use metrics::frontend::{
    ConnectionRefusal, FrontendMetrics, Handshake, HandshakeFailure, NoHeader, Parked, PauseCause,
};
pub use metrics::health::{CheckResult, HealthMetrics, ServerState};
pub use metrics::process_wide::{CertificateResult, ProcessMetrics, ReloadResult};
pub use worker::{AttemptCounter, Refusal, WorkerObserver};
