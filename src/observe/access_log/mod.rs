//! The access logs: a line for each exchange, written off the hot path and in batches.
//!
//! For each target, a worker appends lines to a buffer of its own and hands it to the target's
//! [`queue`] when it is full or a tenth of a second old; one thread for each target, a
//! [`LogWriter`], takes the queued buffers and writes them to the [`sink`]. Queues are bounded: when
//! a sink stalls, its lines are dropped and counted, and traffic and the other targets continue.
//!
//! Prior art: the log workers of Envoy (buffer a thread, one flusher) and of ztunnel, which left
//! `tracing-appender` for the same reason: one message a line costs more than the line.

mod ecs;
mod entry;
#[cfg(test)]
mod fields;
mod handle;
mod json_template;
mod line;
mod logs;
mod lost;
mod masked;
mod output;
mod queue;
mod server;
mod sink;
mod syslog;
mod template;
mod values;
mod writer;

pub(super) use entry::{Blank, Entry, Evaluation, Times};
pub use entry::{LeftByRules, OpenConnections};
#[cfg(test)]
pub(super) use fields::FIELDS;
pub use handle::{AccessLogHandle, PreparedLogs};
pub use logs::CannotOpen;
pub(super) use logs::{Logs, Target};
pub(super) use queue::Batch;
pub use writer::LogWriter;
