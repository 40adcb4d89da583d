//! Processor time at the edges of a measured window: the proxy's, and that of all other processes.

use std::io;
use std::time::Duration;

use crate::procfs::{cpu_time, machine_time};

/// Processor time used so far.
#[derive(Clone, Copy, Default)]
pub(crate) struct Usage {
    proxy: Duration,
    others: Duration,
}

impl Usage {
    /// What `proxy` has used, and what all but it, `origins` and this process have.
    pub(crate) fn now(proxy: &[u32], origins: &[u32]) -> io::Result<Self> {
        let proxy = cpu_time(proxy)?;
        let ours = proxy + cpu_time(origins)? + cpu_time(&[std::process::id()])?;
        let others = machine_time()?.saturating_sub(ours);
        Ok(Self { proxy, others })
    }

    /// What was used since `earlier`: by the proxy, and by the others.
    pub(crate) fn since(self, earlier: Self) -> (Duration, Duration) {
        (
            self.proxy.saturating_sub(earlier.proxy),
            self.others.saturating_sub(earlier.others),
        )
    }
}
