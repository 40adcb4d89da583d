//! A value on cache lines of its own.
//!
//! A core that writes a value takes its whole cache line away from the other cores: values beside
//! it that they only read then cost them a miss each time. 128 bytes, because processors fetch
//! lines in pairs.

use std::ops::Deref;

/// A value that shares no cache line with another.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct CachePadded<T>(T);

impl<T> From<T> for CachePadded<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> Deref for CachePadded<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}
