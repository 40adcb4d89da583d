//! Prometheus's own checker on our metrics. `.ci/scrape` has a real Prometheus scrape them.

use crate::case::{Case, case};
use crate::need::PROMTOOL;
use crate::rig::lively;

pub(crate) fn cases() -> Vec<Case> {
    vec![case!(
        promtool_finds_nothing_wrong_with_the_metrics,
        PROMTOOL
    )]
}

fn promtool_finds_nothing_wrong_with_the_metrics() {
    let (_origin, proxy) = lively();
    let output = PROMTOOL.feed(&["check", "metrics"], &proxy.metrics());
    let said = String::from_utf8_lossy(&output.stderr);
    let said = format!("{}{said}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success() && said.is_empty(), "{said}");
}
