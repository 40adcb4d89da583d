//! `stats`: the present figures of frontends, backends and servers, as an answer.

use std::time::Duration;

/// `stats = { … }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// What the path of a request, with its query, must begin with.
    pub path: String,
    /// What is answered.
    pub format: StatsFormat,
    /// How often a browser asks again; `None`: it does not.
    pub refresh: Option<Duration>,
    /// Whether the version of Evenkeel is left out of the page.
    pub hide_version: bool,
    /// What the page says of this machine, or of its purpose.
    pub title: Option<String>,
    /// The names of the frontends and backends that are shown. Empty: all.
    pub scope: Vec<String>,
}

/// What `stats` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatsFormat {
    /// A page for people; CSV behind `;csv`, and JSON behind `;json`, as HAProxy has them.
    Page,
    /// Metrics with HAProxy's names, for Prometheus.
    Prometheus,
}
