//! `http-request`, `http-response`, `http-after-response` and `redirect` as rules (manual §4.3, `redirect` in §4.2).

use crate::config::raw::Value;
use crate::config::source::Span;

use super::args::Args;
use super::context::{Context, On};
use super::lexer::Word;
use super::template::template;
use super::verdict::Verdicts;
use super::write::{self, Keys};
use super::{answer, quantity, userlist};

/// The actions that are known, for "did you mean".
pub(super) const ACTIONS: &[&str] = &[
    "add-header",
    "allow",
    "auth",
    "capture",
    "del-header",
    "deny",
    "early-hint",
    "normalize-uri",
    "pause",
    "redirect",
    "reject",
    "replace-header",
    "replace-path",
    "replace-pathq",
    "replace-uri",
    "replace-value",
    "return",
    "sc-inc-gpc",
    "sc-inc-gpc0",
    "sc-inc-gpc1",
    "sc-set-gpt",
    "sc-set-gpt0",
    "set-header",
    "set-log-level",
    "set-method",
    "set-path",
    "set-pathq",
    "set-query",
    "set-status",
    "set-timeout",
    "set-uri",
    "set-var",
    "set-var-fmt",
    "silent-drop",
    "tarpit",
    "track-sc0",
    "track-sc1",
    "track-sc2",
    "unset-var",
    "use-service",
    "wait-for-body",
];

/// Those that Evenkeel does not read yet.
pub(super) const REFUSED: &[&str] = &["set-var-fmt"];

/// The rule of a line whose action is next in `args`, after a rule that it needs.
pub(super) fn rule(
    on: On,
    args: Args<'_>,
    context: &Context<'_>,
    verdicts: &mut Verdicts,
) -> Option<Vec<Value>> {
    let span = args.line().span;
    let (mut action, condition) = args.until_condition();
    let word = action.need("action", verdicts)?;
    let mut keys = Keys::default();
    let on_word = match on {
        On::Request => None,
        On::Response => Some("response"),
        On::After => Some("after"),
    };
    if let Some(on) = on_word {
        keys.set("on", write::text(word.span, on));
    }
    let condition = context.acls.condition(condition, verdicts).ok()?;
    let mut rules = Vec::new();
    let mut when = None;
    if let Some((condition, span)) = condition {
        let (condition, verifies) = userlist::asked(condition, span, context.global, verdicts)?;
        if !context.has_verified.get() {
            context.has_verified.set(verifies.is_some());
            rules.extend(verifies);
        }
        when = Some((condition, span));
    }
    // An `allow` before it may have ended the rules of this part.
    if let Some(variable) = allowed_by(on, context) {
        let others = when.map_or(String::new(), |(condition, _)| {
            format!(" and ({condition})")
        });
        when = Some((format!("not var({variable}){others}"), word.span));
    }
    if let Some((condition, span)) = when {
        keys.set("when", write::text(span, condition));
    }
    write_action(on, word, action, context, &mut keys, verdicts)?;
    rules.push(keys.at(span));
    Some(rules)
}

/// The variable that says that `allow` has ended the rules of this part; `None`: there was none.
fn allowed_by(on: On, context: &Context<'_>) -> Option<String> {
    (context.allowed.get() == Some(on)).then(|| variable_of_allow(on, context.table))
}

fn variable_of_allow(on: On, proxy: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let proxy: String = proxy.chars().map(plain).collect();
    let part = match on {
        On::Request => "request",
        On::Response => "response",
        On::After => "after",
    };
    format!("txn.allowed_{part}_{proxy}")
}

/// An expression: its words, of which those after the first may be converters that stand alone. It ends at one of
/// `ends`.
pub(super) fn expression(
    args: &mut Args<'_>,
    ends: &[&str],
    verdicts: &mut Verdicts,
) -> Option<Value> {
    let line = args.line();
    let words = args.rest();
    let is_end = |word: &Word| ends.contains(&&*word.text);
    let end = words.iter().position(is_end).unwrap_or(words.len());
    let (own, rest) = words.split_at(end);
    let span = Args::of(own, line).span();
    if own.is_empty() {
        args.need("expression", verdicts)?;
    }
    let mut text = String::new();
    for word in own.iter().map(|word| &*word.text) {
        if !text.is_empty() && !text.ends_with(',') && !word.starts_with(',') {
            text.push(',');
        }
        text.push_str(word);
    }
    *args = Args::of(rest, line);
    Some(write::text(span, text))
}

/// The table of `track-scN`, whose key is next in `args`. `table`: the proxy's own.
pub(super) fn track(
    name: &str,
    span: Span,
    args: &mut Args<'_>,
    table: &str,
    verdicts: &mut Verdicts,
) -> Option<Value> {
    let mut inner = Keys::default();
    inner.set("key", expression(args, &["table"], verdicts)?);
    let table = match args.takes("table") {
        true => args.need("table", verdicts)?.text.clone(),
        false => table.to_owned(),
    };
    inner.set("table", write::text(span, table));
    let counter = i64::from(name.as_bytes()[name.len() - 1] - b'0');
    inner.set("counter", write::number(span, counter));
    Some(inner.at(span))
}

/// Sets the key of the action `word`, whose arguments are next in `args`. `None`: there is none, which is said.
pub(super) fn write_action(
    on: On,
    word: &Word,
    mut args: Args<'_>,
    context: &Context<'_>,
    keys: &mut Keys,
    verdicts: &mut Verdicts,
) -> Option<()> {
    // `set-var(txn.a)`: the argument belongs to the name.
    let (name, argument) = match word.text.split_once('(') {
        Some((name, rest)) => (name, Some(rest.strip_suffix(')').unwrap_or(rest))),
        None => (word.text.as_str(), None),
    };
    let span = word.span;
    match name {
        "deny" | "tarpit" | "return" => {
            return answer::answer(on, word, args, context, keys, verdicts);
        }
        "redirect" => return answer::redirect(args, keys, verdicts),
        "set-header" | "add-header" => {
            let field = args.need("name of a field", verdicts)?;
            let value = args.need("value", verdicts)?;
            let value_text = template(value, verdicts)?;
            let value = write::text(value.span, value_text);
            keys.set(
                &name.replace('-', "_"),
                write::table(span, &field.text.to_ascii_lowercase(), value),
            );
        }
        "del-header" => {
            let field = args.need("name of a field", verdicts)?;
            let value = match args.takes("-m") {
                false => write::text(field.span, field.text.to_ascii_lowercase()),
                true => {
                    let how = args.need("way to match", verdicts)?;
                    let key = match &*how.text {
                        "str" => None,
                        "beg" => Some("starts_with"),
                        "end" => Some("ends_with"),
                        "sub" => Some("contains"),
                        "reg" => Some("matches"),
                        _ => {
                            verdicts.unknown(
                                "way to match",
                                how,
                                ["str", "beg", "end", "sub", "reg"],
                            );
                            return None;
                        }
                    };
                    let text = write::text(field.span, field.text.clone());
                    match key {
                        Some(key) => write::table(field.span, key, text),
                        None => text,
                    }
                }
            };
            keys.set("del_header", write::list(span, vec![value]));
        }
        "replace-header" | "replace-value" => {
            let field = args.need("name of a field", verdicts)?;
            let (pattern, with) = (
                args.need("regular expression", verdicts)?,
                args.need("replacement", verdicts)?,
            );
            let mut inner = Keys::default();
            inner.set(
                "name",
                write::text(field.span, field.text.to_ascii_lowercase()),
            );
            inner.set("match", write::text(pattern.span, pattern.text.clone()));
            inner.set("with", write::text(with.span, template(with, verdicts)?));
            keys.set(&name.replace('-', "_"), inner.at(span));
        }
        "replace-path" | "replace-pathq" | "replace-uri" => {
            let (pattern, with) = (
                args.need("regular expression", verdicts)?,
                args.need("replacement", verdicts)?,
            );
            let key = match name {
                "replace-uri" => {
                    verdicts.approximated(
                        span,
                        "the path and the query are replaced; a host before them is neither matched nor replaced",
                    );
                    "replace_pathq"
                }
                "replace-path" => "replace_path",
                _ => "replace_pathq",
            };
            let mut inner = Keys::default();
            inner.set("match", write::text(pattern.span, pattern.text.clone()));
            inner.set("with", write::text(with.span, template(with, verdicts)?));
            keys.set(key, inner.at(span));
        }
        "set-path" | "set-pathq" | "set-query" | "set-uri" | "set-method" => {
            let value = args.need("value", verdicts)?;
            let text = template(value, verdicts)?;
            keys.set(&name.replace('-', "_"), write::text(value.span, text));
        }
        "set-status" => {
            let status = args.need("status", verdicts)?;
            let number = quantity::count(status, verdicts)?;
            keys.set("set_status", write::number(status.span, number));
            if args.takes("reason") {
                let reason = args.need("reason", verdicts)?;
                verdicts.approximated(
                    reason.span,
                    "the reason phrase is the usual one of the status",
                );
            }
        }
        "set-log-level" => {
            let level = args.need("level", verdicts)?;
            keys.set("set_log_level", write::text(level.span, level.text.clone()));
        }
        "set-var" | "set-var-fmt" => {
            let variable = argument.unwrap_or_default();
            let variable = variable.split(',').next().unwrap_or_default();
            let value = match name {
                "set-var" => expression(&mut args, &[], verdicts)?,
                _ => {
                    verdicts.refused(
                        span,
                        "set-var-fmt",
                        "write `set-var` with `concat` converters",
                    );
                    return None;
                }
            };
            keys.set("set_var", write::table(span, variable, value));
        }
        "unset-var" => {
            let variable = write::text(span, argument.unwrap_or_default());
            keys.set("unset_var", write::list(span, vec![variable]));
        }
        "wait-for-body" => {
            let mut inner = Keys::default();
            while let Some(option) = args.next() {
                match &*option.text {
                    "time" => {
                        let time = args.need("time", verdicts)?;
                        let written = quantity::time(time, verdicts)?;
                        inner.set("time", write::text(time.span, written));
                    }
                    "at-least" => {
                        let size = args.need("size", verdicts)?;
                        // HAProxy waits for its buffer at most.
                        let number = quantity::size(size, verdicts)?.clamp(1, 16 << 10);
                        inner.set("at_least", write::text(size.span, format!("{number}B")));
                    }
                    _ => {
                        verdicts.unknown("option", option, ["time", "at-least"]);
                        return None;
                    }
                }
            }
            if !inner.has("time") {
                verdicts.wrong(span, "`wait-for-body` has no `time`", "write `time 10s`");
                return None;
            }
            keys.set("wait_for_body", inner.at(span));
        }
        "pause" => {
            let time = args.need("time", verdicts)?;
            let written = quantity::time(time, verdicts)?;
            keys.set("pause", write::text(time.span, written));
        }
        "early-hint" => {
            let field = args.need("name of a field", verdicts)?;
            let value = args.need("value", verdicts)?;
            let text = template(value, verdicts)?;
            let value = write::text(value.span, text);
            keys.set(
                "early_hint",
                write::table(span, &field.text.to_ascii_lowercase(), value),
            );
        }
        "set-timeout" => {
            let kind = args.need("timeout", verdicts)?;
            let time = args.need("time", verdicts)?;
            let names: &[&str] = match &*kind.text {
                "connect" => &["connect"],
                "queue" => &["queue"],
                "server" => &["response", "body"],
                "tunnel" => &["tunnel"],
                "client" => {
                    verdicts.refused(kind.span, "set-timeout client", "write `timeout client`");
                    return None;
                }
                _ => {
                    let known = ["client", "connect", "queue", "server", "tunnel"];
                    verdicts.unknown("timeout", kind, known);
                    return None;
                }
            };
            if !time.text.starts_with(|c: char| c.is_ascii_digit()) {
                verdicts.refused(time.span, "a time made by an expression", "write the time");
                return None;
            }
            let text = quantity::time(time, verdicts)?;
            let mut inner = Keys::default();
            for name in names {
                inner.set(name, write::text(time.span, text.clone()));
            }
            keys.set("set_timeout", inner.at(span));
        }
        "normalize-uri"
            if args
                .peek()
                .is_some_and(|word| word.starts_with("fragment-")) =>
        {
            args.need("normalizer", verdicts)?;
            verdicts.without_effect(span, "a fragment is removed from each target");
            return None;
        }
        "normalize-uri" => {
            let normalizer = args.need("normalizer", verdicts)?;
            let mut name = normalizer.text.clone();
            for (flag, ending) in [("full", "-full"), ("strict", "-strict")] {
                if args.takes(flag) {
                    name.push_str(ending);
                }
            }
            let name = write::text(normalizer.span, name);
            keys.set("normalize_uri", write::list(span, vec![name]));
        }
        "track-sc0" | "track-sc1" | "track-sc2" => {
            let track = track(name, span, &mut args, context.table, verdicts)?;
            keys.set("track", track);
        }
        "sc-inc-gpc0" | "sc-inc-gpc1" | "sc-inc-gpc" => {
            let (index, counter) = match (name, argument.unwrap_or_default().split_once(',')) {
                ("sc-inc-gpc0", _) => ("0", argument.unwrap_or("0")),
                ("sc-inc-gpc1", _) => ("1", argument.unwrap_or("0")),
                (_, Some((index, counter))) => (index, counter),
                (_, None) => ("0", "0"),
            };
            let number = |text: &str| write::number(span, text.trim().parse().unwrap_or(-1));
            let mut inner = Keys::default();
            inner.set("counter", number(counter));
            inner.set("index", number(index));
            keys.set("sc_inc_gpc", inner.at(span));
        }
        "sc-set-gpt0" | "sc-set-gpt" => {
            let (index, counter) = match (name, argument.unwrap_or_default().split_once(',')) {
                ("sc-set-gpt", Some((index, counter))) => (index, counter),
                _ => ("0", argument.unwrap_or("0")),
            };
            let number = |text: &str| write::number(span, text.trim().parse().unwrap_or(-1));
            let value = args.need("value", verdicts)?;
            let mut inner = Keys::default();
            inner.set("counter", number(counter));
            inner.set("index", number(index));
            inner.set(
                "value",
                match value.text.parse() {
                    Ok(number) => write::number(value.span, number),
                    Err(_) => write::text(value.span, value.text.clone()),
                },
            );
            keys.set("sc_set_gpt", inner.at(span));
        }
        "allow" => {
            let variable = variable_of_allow(on, context.table);
            let value = write::text(span, "bool(true)");
            keys.set("set_var", write::table(span, &variable, value));
            context.allowed.set(Some(on));
        }
        "auth" if on == On::Request => {
            userlist::challenge(span, &mut args, context.table, keys, verdicts)?;
        }
        "capture" if on != On::After => {
            let value = expression(&mut args, &["len", "id"], verdicts)?;
            let is_request = on == On::Request;
            let places = context.places;
            keys.set(
                "capture",
                places.captured(value, is_request, &mut args, verdicts)?,
            );
        }
        "reject" | "silent-drop" if on == On::Request => {
            keys.set(&name.replace('-', "_"), write::switch(span, true));
        }
        "reject" | "silent-drop" | "auth" | "capture" => {
            verdicts.refused(span, name, "write `deny`: an answer cannot be dropped here");
            return None;
        }
        "use-service" if args.takes("prometheus-exporter") => {
            let mut inner = Keys::default();
            // The condition of the rule says which path.
            inner.set("path", write::text(span, "/"));
            inner.set("format", write::text(span, "prometheus"));
            keys.set("stats", inner.at(span));
        }
        _ if REFUSED.contains(&name) => {
            verdicts.refused(span, name, "leave the line out, or keep HAProxy for this");
            return None;
        }
        _ => {
            if name.starts_with("lua.") || name == "use-service" {
                verdicts.refused(span, name, "Evenkeel runs no code of its users");
            } else {
                verdicts.unknown("action", word, ACTIONS.iter().copied());
            }
            return None;
        }
    }
    args.end(verdicts);
    Some(())
}
