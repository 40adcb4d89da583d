//! Lines that a target did not take.

use std::io;

/// Lines that could not be written, and why.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) lines: u64,
    pub(super) error: io::Error,
}

impl Lost {
    /// All lines that end in `bytes`.
    pub(super) fn all(bytes: &[u8], error: io::Error) -> Self {
        let lines = bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
        Self { lines, error }
    }
}
