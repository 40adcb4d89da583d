//! The key of rules that answer with figures, and its table.

use crate::config::keys::kind::Shape;
use crate::config::keys::words::Words;
use crate::config::keys::{Key, Keys, key};
use crate::config::page::{string, strings};
use crate::plan::{Action, Rule, Stats, StatsFormat};

use super::REQUEST;

/// The table of `stats`.
pub(in crate::config) static STATS_TABLE: Keys<Stats> = Keys {
    keys: &[
        key("path")
            .means("What the path of a request, with its query, must begin with.")
            .also("uri")
            .compiled(Shape::Text, |stats| Some(string(&stats.path))),
        key("format")
            .means("\"page\", or \"prometheus\": metrics with HAProxy's names.")
            .word(StatsFormat::words, |stats| &mut stats.format),
        key("refresh")
            .means("How often a browser asks again.")
            .duration_or_off(|stats| &mut stats.refresh),
        key("hide_version")
            .means("Whether the page does not have Evenkeel's version.")
            .switch(|stats| &mut stats.hide_version),
        key("title")
            .means("What the page says of this machine, or of its purpose.")
            .also("node description show_node show_desc")
            .compiled(Shape::Text, |stats| stats.title.as_deref().map(string)),
        key("scope")
            .means("The names of the frontends and backends that are shown; else all.")
            .compiled(Shape::List(&Shape::Text), |stats| {
                (!stats.scope.is_empty()).then(|| strings(&stats.scope))
            }),
    ],
    ..Keys::EMPTY
};

impl Words for StatsFormat {
    const WORDS: &'static [(&'static str, Self)] =
        &[("page", Self::Page), ("prometheus", Self::Prometheus)];
}

pub(super) const STATS: Key<Rule> = key("stats")
    .means("Answer with the present figures of frontends, backends and servers.")
    .also("statistics stats_uri")
    .action(
        REQUEST,
        &[(
            "stats = { path, format, refresh, hide_version, title, scope }",
            "Answers requests whose path begins so with a page of figures, with `;csv` or `;json` behind the path, or with metrics: see below. Reason `rule.returned`.",
        )],
    )
    .compiled(Shape::Table(&STATS_TABLE), |rule| match &rule.action {
        Action::Stats(stats) => Some(STATS_TABLE.whole().inline(stats)),
        _ => None,
    });
