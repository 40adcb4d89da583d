//! A value on cache lines of its own.
//!
//! A core that writes a value takes its whole cache line away from the others: what they only read
//! beside it costs them a miss each time. 128 bytes, since processors of today fetch lines in pairs.

use std::ops::Deref;

/// A value that shares its cache line with nothing.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct CachePadded<T>(T);

impl<T> Deref for CachePadded<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}
