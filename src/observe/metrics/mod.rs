//! Metrics: counted by each worker for itself, summed by a scrape.
//!
//! The metrics of exchanges are in shards of our own, owned by the live state of a frontend
//! ([`frontend`]), a route or a server (`exchange`). Metrics of the process, which change seldom,
//! go through the `metrics` facade ([`process_wide`]). [`exposition`] renders both. [`names`] is
//! the one table of names.

pub(super) mod exposition;
pub(super) mod frontend;
pub(super) mod health;
mod kernel;
pub(super) mod names;
pub(super) mod process_wide;
