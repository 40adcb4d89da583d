//! `tcp-request inspect-delay` and `tcp-request content` (manual §4.2, §4.4).
//!
//! In TCP mode they are rules for content. In HTTP mode HAProxy evaluates them for each request, before all other
//! rules, and has read its head: they become rules for requests, and an `accept` the opposite condition of
//! those after it.

use crate::config::raw::Value;
use crate::plan::Mode;

use super::args::Args;
use super::context::{Context, On};
use super::lexer::Line;
use super::proxy::Proxy;
use super::quantity;
use super::rule;
use super::verdict::Verdicts;
use super::write::{self, Keys};

/// The actions that are known, for "did you mean".
const ACTIONS: &[&str] = &[
    "accept",
    "capture",
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

/// Sets the keys of a frontend in TCP mode.
pub(super) fn in_tcp(
    proxy: &Proxy<'_>,
    context: &Context<'_>,
    keys: &mut Keys,
    verdicts: &mut Verdicts,
) {
    let span = proxy.name.span;
    let rules = contents(proxy).filter_map(|line| rule_in_tcp(line, context, verdicts));
    let rules: Vec<Value> = rules.collect();
    let delay = delay(proxy, verdicts);
    let is_used = !rules.is_empty() || !proxy.use_backends.is_empty();
    if !rules.is_empty() {
        keys.set("content_rule", write::list(span, rules));
    }
    match delay {
        Some(delay) => keys.set("inspect_delay", delay),
        // Without it HAProxy looks at what is there.
        None if is_used => keys.set("inspect_delay", write::text(span, "0s")),
        None => {}
    }
}

/// The rules of a frontend in HTTP mode, which come before all others.
pub(super) fn in_http(
    proxy: &Proxy<'_>,
    context: &Context<'_>,
    verdicts: &mut Verdicts,
) -> Vec<Value> {
    // A request has come whole when they run: nothing is waited for.
    delay(proxy, verdicts);
    let mut rules = Vec::new();
    let mut accepted: Vec<String> = Vec::new();
    for line in contents(proxy) {
        let (mut action, condition) = Args::after(line, 2).until_condition();
        let Ok(condition) = context.acls.condition(condition, verdicts) else {
            continue;
        };
        if action.takes("accept") {
            action.end(verdicts);
            match condition {
                Some((condition, _)) => accepted.push(format!("not ({condition})")),
                // No later rule runs.
                None => break,
            }
            continue;
        }
        let mut keys = Keys::default();
        let own = condition.map(|(condition, _)| format!("({condition})"));
        let all: Vec<String> = own.into_iter().chain(accepted.iter().cloned()).collect();
        if !all.is_empty() {
            keys.set("when", write::text(line.span, all.join(" and ")));
        }
        if write(Mode::Http, action, context, &mut keys, verdicts).is_some() {
            rules.push(keys.at(line.span));
        }
    }
    rules
}

/// Reports the lines of a backend, which has no content before a request.
pub(super) fn in_backend(proxy: &Proxy<'_>, verdicts: &mut Verdicts) {
    for line in contents(proxy) {
        let instead = "write it in the frontend";
        verdicts.refused(line.span, "tcp-request content", instead);
    }
}

fn contents<'l>(proxy: &Proxy<'l>) -> impl Iterator<Item = &'l Line> {
    let lines = proxy.contents.iter().copied();
    lines.filter(|line| line.words.get(1).is_some_and(|word| word.text == "content"))
}

/// The time of the last `inspect-delay`.
fn delay(proxy: &Proxy<'_>, verdicts: &mut Verdicts) -> Option<Value> {
    let mut lines = proxy.contents.iter().rev();
    let line = lines.find(|line| {
        line.words
            .get(1)
            .is_some_and(|it| it.text == "inspect-delay")
    })?;
    let mut args = Args::after(line, 2);
    let time = args.need("time", verdicts)?;
    let written = quantity::time(time, verdicts)?;
    args.end(verdicts);
    Some(write::text(time.span, written))
}

fn rule_in_tcp(line: &Line, context: &Context<'_>, verdicts: &mut Verdicts) -> Option<Value> {
    let (mut action, condition) = Args::after(line, 2).until_condition();
    let mut keys = Keys::default();
    if let Some((condition, span)) = context.acls.condition(condition, verdicts).ok()? {
        keys.set("when", write::text(span, condition));
    }
    if action.takes("accept") {
        keys.set("accept", write::switch(line.span, true));
        action.end(verdicts);
    } else {
        write(Mode::Tcp, action, context, &mut keys, verdicts)?;
    }
    Some(keys.at(line.span))
}

/// Sets the key of an action. `None`: there is none, which is said.
fn write(
    mode: Mode,
    mut action: Args<'_>,
    context: &Context<'_>,
    keys: &mut Keys,
    verdicts: &mut Verdicts,
) -> Option<()> {
    let word = action.need("action", verdicts)?;
    let name = word.text.split('(').next().unwrap_or_default();
    let span = word.span;
    match name {
        "reject" | "silent-drop" => {
            keys.set(&name.replace('-', "_"), write::switch(span, true));
        }
        "capture" => {
            let value = action.need("expression", verdicts)?;
            let mut capture = Keys::default();
            capture.set("value", write::text(value.span, value.text.clone()));
            if action.takes("len") {
                let length = action.need("length", verdicts)?;
                let number = quantity::count(length, verdicts)?;
                capture.set("len", write::number(length.span, number));
            }
            keys.set("capture", capture.at(span));
        }
        "set-src" | "set-src-port" | "set-dst" | "set-dst-port" if mode == Mode::Tcp => {
            let value = action.need("expression", verdicts)?;
            let text = write::text(value.span, value.text.clone());
            keys.set(&name.replace('-', "_"), text);
        }
        "set-src" | "set-src-port" | "set-dst" | "set-dst-port" => {
            let instead = "write `tcp-request connection`: here it would be for each request";
            verdicts.refused(span, name, instead);
            return None;
        }
        "set-var" | "unset-var" | "track-sc0" | "track-sc1" | "track-sc2" => {
            return rule::write_action(On::Request, word, action, context, keys, verdicts);
        }
        _ if name.starts_with("lua.") || name == "use-service" || name == "send-spoe-group" => {
            verdicts.refused(span, name, "Evenkeel runs no code of its users");
            return None;
        }
        _ => {
            verdicts.unknown("action", word, ACTIONS.iter().copied());
            return None;
        }
    }
    action.end(verdicts);
    Some(())
}
