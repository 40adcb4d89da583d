//! Stick tables: what happens to a key, such as a client's address, is counted.
//!
//! `control` makes the [`Tables`] of a configuration and carries each table over to the next one by
//! its name and the type of its keys. Rules of the data plane track entries ([`Tracked`]), and
//! expressions read them. No I/O; the time is a parameter, except where an exchange reads the clock.
//!
//! Names and semantics are HAProxy's (configuration manual, section 11).

mod key;
mod layout;
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

pub use table::Table;
pub use tracked::{Since, Tracked};

/// All tables of a configuration.
#[derive(Debug, Default)]
pub struct Tables(Box<[(Name, Arc<Table>)]>);

impl Tables {
    /// These tables.
    pub fn of(tables: impl Iterator<Item = (Name, Arc<Table>)>) -> Self {
        let mut tables: Vec<_> = tables.collect();
        tables.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Self(tables.into())
    }

    /// The table with this name.
    pub fn get(&self, name: &Name) -> Option<&Arc<Table>> {
        let found = self.0.binary_search_by(|(known, _)| known.cmp(name));
        found.ok().map(|index| &self.0[index].1)
    }

    /// All tables, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &Arc<Table>)> {
        self.0.iter().map(|(name, table)| (name, table))
    }
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
