//! `wait_for_body`.

use std::time::Duration;

use crate::base::ByteSize;

/// `wait_for_body = { … }`: later rules can look at the body of the request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WaitForBody {
    /// How long the client may take.
    pub time: Duration,
    /// When so much has come, the rest is not waited for; `None`: all of it.
    pub at_least: Option<ByteSize>,
    /// The most that is waited for and kept.
    pub size: ByteSize,
}

impl WaitForBody {
    /// The bounds of `size`. The default is that of HAProxy.
    pub const SIZES: (ByteSize, ByteSize) = (ByteSize(1), ByteSize(1 << 20));

    /// With the time `time`, and the defaults.
    pub fn within(time: Duration) -> Self {
        Self {
            time,
            at_least: None,
            size: ByteSize(16 << 10),
        }
    }
}
