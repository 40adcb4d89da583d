//! Tables, as expressions see them. The tables themselves are in [`crate::tables`].

use std::fmt;

use crate::base::Name;
use crate::plan::Reading;

use super::scratch::{Scratch, Value};

/// The live tables of a configuration.
pub trait Tables: fmt::Debug {
    /// Reads the entry of `table` with this key; 0 if there is none. `None`: there is no such table,
    /// the value cannot be one of its keys, or it does not keep that.
    fn read(
        &self,
        table: &Name,
        key: Value<'_>,
        scratch: &mut Scratch,
        reading: Reading,
        element: usize,
    ) -> Option<u64>;

    /// The entries of `table`, and how many more it has room for.
    fn used(&self, table: &Name) -> Option<(u64, u64)>;
}

/// The entries that an exchange tracks.
pub trait Tracked: fmt::Debug {
    /// Reads the entry that is tracked as `counter`, or the one with the same key in `table`, 0 if
    /// there is none. `None`: nothing is tracked, or the table does not keep that.
    fn read(
        &self,
        counter: u8,
        table: Option<&Name>,
        reading: Reading,
        element: usize,
    ) -> Option<u64>;
}
