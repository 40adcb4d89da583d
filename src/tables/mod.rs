//! Stick tables: what happens to a key, such as a client's address, is counted. And rate limits, which
//! are tables with one number for each key.
//!
//! `control` makes the [`Tables`] of a configuration and carries each table over to the next one by
//! its name and the type of its keys. Rules of the data plane track entries ([`Tracked`]), and
//! expressions read them. No I/O; the time is a parameter, except where an exchange reads the clock.
//!
//! Names and semantics are HAProxy's (configuration manual, section 11).

mod key;
mod layout;
mod limiter;
mod listing;
mod per_second;
mod rate;
mod shard;
mod table;
#[cfg(test)]
mod tests;
mod tracked;

use std::sync::Arc;

use crate::base::Name;
use crate::base::clock;
use crate::expr::{self, Scratch, Value};
use crate::plan::Reading;

pub use limiter::{Limiter, Standing, Verdict};
pub use listing::Listed;
pub use per_second::PerSecond;
pub use table::Table;
pub use tracked::{Since, Tracked};

/// All tables of a configuration, and its rate limits.
#[derive(Debug, Default)]
pub struct Tables {
    /// By name.
    tables: Box<[(Name, Arc<Table>)]>,
    /// By name.
    limits: Box<[(Name, Arc<Limiter>)]>,
}

impl Tables {
    /// These tables and rate limits.
    pub fn of(
        tables: impl Iterator<Item = (Name, Arc<Table>)>,
        limits: impl Iterator<Item = (Name, Arc<Limiter>)>,
    ) -> Self {
        Self {
            tables: sorted(tables),
            limits: sorted(limits),
        }
    }

    /// The table with this name.
    pub fn get(&self, name: &Name) -> Option<&Arc<Table>> {
        found(&self.tables, name)
    }

    /// The rate limit with this name.
    pub fn limit(&self, name: &Name) -> Option<&Arc<Limiter>> {
        found(&self.limits, name)
    }

    /// All tables, by name.
    pub fn tables(&self) -> &[(Name, Arc<Table>)] {
        &self.tables
    }

    /// All rate limits, by name.
    pub fn limits(&self) -> &[(Name, Arc<Limiter>)] {
        &self.limits
    }
}

fn sorted<T>(named: impl Iterator<Item = (Name, T)>) -> Box<[(Name, T)]> {
    let mut named: Vec<_> = named.collect();
    named.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    named.into()
}

fn found<'t, T>(named: &'t [(Name, T)], name: &Name) -> Option<&'t T> {
    let found = named.binary_search_by(|(known, _)| known.cmp(name));
    found.ok().map(|index| &named[index].1)
}

impl expr::Tables for Tables {
    fn read(
        &self,
        table: &Name,
        key: Value<'_>,
        scratch: &mut Scratch,
        reading: Reading,
        element: usize,
    ) -> Option<u64> {
        let table = self.get(table)?;
        let key = table.key_of(key, scratch)?;
        table.read(key.bytes(), reading, element, clock::now())
    }

    fn used(&self, table: &Name) -> Option<(u64, u64)> {
        let table = self.get(table)?;
        let used = table.used(clock::now());
        Some((used as u64, table.size().saturating_sub(used) as u64))
    }
}
