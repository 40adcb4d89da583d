//! Numbers: counted by each worker for itself, summed by a scrape.
//!
//! What an exchange touches is in [`shard`]s of our own, owned by the live state of a frontend or a
//! server ([`frontend`], [`server`]). What changes slowly and belongs to the process goes through
//! the `metrics` facade ([`process_wide`]). [`exposition`] renders both. [`names`] is the one table
//! of names.

pub(super) mod exposition;
pub(super) mod frontend;
pub(super) mod health;
mod kernel;
pub(super) mod names;
pub(super) mod process_wide;
pub(super) mod route;
pub(super) mod server;
pub(super) mod shard;
