//! `show activity` and `show pools`: what HAProxy's developers look at. Here there is less of it.

use std::fmt::Write as _;

use crate::base::clock;
use crate::expr::State as _;

use super::{Answer, Asked};

/// As of the workers together: none has counters of its own for these.
pub(super) fn show(asked: &Asked<'_>) -> Answer {
    let workers = asked.state.workers.len();
    let now = clock::wall().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(0.0, |now| now.as_secs_f64());
    Answer::of(move |snapshot| {
        let figures = snapshot.figures();
        let accepted: u64 = figures.frontends.iter().map(|one| one.connections).sum();
        let requests: u64 = figures.frontends.iter().flat_map(|one| one.statuses).sum();
        format!(
            "thread_id: 1 (1..{workers})\ndate_now: {now:.6}\nstream_calls: {requests}\n\
             accepted: {accepted}\n"
        )
    })
}

/// There are no pools: the allocator has one for each size.
pub(super) fn show_pools(_: &Asked<'_>) -> Answer {
    let mut text = "Dumping pools usage. Use SIGQUIT to flush them.\n".to_owned();
    let _ = writeln!(
        text,
        "Total: 0 pools, 0 bytes allocated, 0 used (~0 by thread caches)."
    );
    Answer::Text(text)
}
