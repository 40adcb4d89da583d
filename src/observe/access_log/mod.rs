//! The access log: one JSON line an exchange, written off the hot path and in batches.
//!
//! A worker appends lines to its own buffer and hands it to the [`queue`] when it is full or a
//! tenth of a second old; one thread, the [`LogWriter`], takes the queued buffers and writes them
//! to the [`sink`]. The queue is bounded: when the sink stalls, lines are dropped and counted, and
//! traffic continues.
//!
//! Prior art: the log workers of Envoy (buffer a thread, one flusher) and of ztunnel, which left
//! `tracing-appender` for the same reason: one message a line costs more than the line.

#[cfg(test)]
mod fields;
mod line;
mod queue;
mod sink;
mod writer;

#[cfg(test)]
pub(super) use fields::FIELDS;
pub(super) use line::{Entry, Times, write_line};
pub(super) use queue::{Batch, Queue};
pub use writer::{AccessLogHandle, LogWriter};
