//! Counts and logs the results of health checks.

use std::sync::Arc;

use crate::control::health::{Change, Checked, Observer, Verdict};
use crate::observe::{CheckResult, ProcessMetrics, event};
use crate::proxy::backend::Health;

/// Passes the results of health checks to `observe`.
pub(super) struct HealthEvents {
    /// Counts changes of all servers.
    pub(super) metrics: Arc<ProcessMetrics>,
}

impl Observer for HealthEvents {
    fn checked(&self, check: &Checked<'_>) {
        let result = match check.verdict {
            Verdict::Passed => CheckResult::Passed,
            Verdict::Failed => CheckResult::Failed,
            Verdict::Unclear => CheckResult::Unclear,
        };
        check.live.health_metrics.checked(result);
        if check.verdict != Verdict::Passed {
            event::check_failed(check.backend, check.server, &check.reason);
        }
    }

    fn changed(&self, change: &Change<'_>) {
        if change.from != Health::Checking {
            self.metrics.server_changed(change.to.into());
        }
        if change.to == Health::Up {
            event::server_up(
                change.backend,
                change.server,
                change.checks,
                change.up,
                change.total,
            );
        } else {
            let left = event::Left {
                up: change.up,
                unchecked: change.unchecked,
                total: change.total,
            };
            event::server_down(
                change.backend,
                change.server,
                &change.reason,
                change.checks,
                left,
            );
        }
    }
}
