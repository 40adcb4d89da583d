//! `tcp-request connection` and `tcp-request session` as rules for connections (manual §4.2).
//!
//! Both run before the first request; those of the session after the others, and here before the TLS handshake, too.

use crate::config::raw::Value;

use super::args::Args;
use super::proxy::Proxy;
use super::rule;
use super::verdict::Verdicts;
use super::write::{self, Keys};

/// The actions that are known, for "did you mean".
const ACTIONS: &[&str] = &[
    "accept",
    "expect-proxy",
    "reject",
    "set-src",
    "silent-drop",
    "track-sc0",
    "track-sc1",
    "track-sc2",
];

/// Those that Evenkeel has no rule for before the first request.
const REFUSED: &[&str] = &[
    "expect-netscaler-cip",
    "sc-add-gpc",
    "sc-inc-gpc",
    "sc-inc-gpc0",
    "sc-inc-gpc1",
    "sc-set-gpt",
    "sc-set-gpt0",
    "set-dst",
    "set-dst-port",
    "set-fc-mark",
    "set-fc-tos",
    "set-mark",
    "set-src-port",
    "set-tos",
    "set-var",
    "set-var-fmt",
    "unset-var",
];

/// `connection_rule` of a frontend: the rules of connections, then those of sessions.
pub(super) fn rules(proxy: &Proxy<'_>, verdicts: &mut Verdicts) -> Vec<Value> {
    let mut rules = Vec::new();
    for stage in ["connection", "session"] {
        for line in &proxy.connections {
            let mut args = Args::after(line, 1);
            if args.takes(stage) {
                rules.extend(connection_rule(args, &proxy.name.text, proxy, verdicts));
            }
        }
    }
    rules
}

fn connection_rule(
    args: Args<'_>,
    table: &str,
    proxy: &Proxy<'_>,
    verdicts: &mut Verdicts,
) -> Option<Value> {
    let span = args.line().span;
    let (mut action, condition) = args.until_condition();
    let word = action.need("action", verdicts)?;
    let mut keys = Keys::default();
    if let Some((condition, span)) = proxy.acls.condition(condition, verdicts).ok()? {
        keys.set("when", write::text(span, condition));
    }
    match &*word.text {
        name @ ("accept" | "reject" | "silent-drop") => {
            keys.set(&name.replace('-', "_"), write::switch(word.span, true));
        }
        "expect-proxy" => {
            if !action.takes("layer4") {
                verdicts.wrong(word.span, "`expect-proxy` has `layer4` behind it", "");
                return None;
            }
            keys.set("expect_proxy", write::switch(word.span, true));
        }
        "set-src" => {
            let value = rule::expression(&mut action, &[], verdicts)?;
            keys.set("set_src", value);
        }
        name @ ("track-sc0" | "track-sc1" | "track-sc2") => {
            let track = rule::track(name, word.span, &mut action, table, verdicts)?;
            keys.set("track", track);
        }
        name => {
            let name = name.split('(').next().unwrap_or_default();
            match REFUSED.contains(&name) {
                true => verdicts.refused(
                    word.span,
                    name,
                    "write it as an `http-request` rule, which runs with the first request",
                ),
                false => verdicts.unknown("action", word, ACTIONS.iter().copied()),
            }
            return None;
        }
    }
    action.end(verdicts);
    Some(keys.at(span))
}
