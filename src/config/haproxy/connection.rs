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
    "set-dst",
    "set-dst-port",
    "set-src",
    "set-src-port",
    "set-var",
    "silent-drop",
    "track-sc0",
    "track-sc1",
    "track-sc2",
    "unset-var",
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
    "set-fc-mark",
    "set-fc-tos",
    "set-mark",
    "set-tos",
    "set-var-fmt",
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

/// The name between the parentheses.
fn variable(action: &str) -> &str {
    let inside = action.split_once('(').map_or("", |(_, inside)| inside);
    let name = inside.strip_suffix(')').unwrap_or(inside);
    name.split(',').next().unwrap_or_default()
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
        name @ ("set-src" | "set-src-port" | "set-dst" | "set-dst-port") => {
            let value = rule::expression(&mut action, &[], verdicts)?;
            keys.set(&name.replace('-', "_"), value);
        }
        name if name.starts_with("set-var(") => {
            let variable = variable(name);
            let value = rule::expression(&mut action, &[], verdicts)?;
            keys.set("set_var", write::table(word.span, variable, value));
        }
        name if name.starts_with("unset-var(") => {
            let variable = write::text(word.span, variable(name));
            keys.set("unset_var", write::list(word.span, vec![variable]));
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
