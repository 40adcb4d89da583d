//! `http-request`, `http-response`, `http-after-response` and `redirect` as rules (manual §4.3, `redirect` in §4.2).

use crate::config::raw::Value;
use crate::config::source::Span;

use super::acl::Acls;
use super::args::Args;
use super::lexer::Word;
use super::template::{plain, template};
use super::verdict::Verdicts;
use super::write::{self, Keys};
use super::{files, quantity};

/// Where a rule runs, as `on` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    Request,
    Response,
    After,
}

/// What a proxy's rules need to know of it.
pub(super) struct Context<'a> {
    pub(super) acls: &'a Acls,
    /// The time of `timeout tarpit`, else that of `timeout connect`.
    pub(super) tarpit: Option<String>,
    /// The proxy's own table.
    pub(super) table: &'a str,
}

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
    "set-uri",
    "set-var",
    "set-var-fmt",
    "silent-drop",
    "tarpit",
    "track-sc0",
    "track-sc1",
    "track-sc2",
    "unset-var",
];

/// Those that Evenkeel does not read yet.
pub(super) const REFUSED: &[&str] = &[
    "allow",
    "auth",
    "capture",
    "reject",
    "set-var-fmt",
    "silent-drop",
];

/// The rule of a line whose action is next in `args`.
pub(super) fn rule(
    on: On,
    args: Args<'_>,
    context: &Context<'_>,
    verdicts: &mut Verdicts,
) -> Option<Value> {
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
    if let Some((condition, span)) = context.acls.condition(condition, verdicts).ok()? {
        keys.set("when", write::text(span, condition));
    }
    write_action(on, word, action, context, &mut keys, verdicts)?;
    Some(keys.at(span))
}

/// Sets the key of the action `word`, whose arguments are next in `args`. `None`: there is none, which is said.
fn write_action(
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
        "deny" | "tarpit" | "return" => return answer(on, word, args, context, keys, verdicts),
        "redirect" => return redirect(args, keys, verdicts),
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
                "set-var" => {
                    let words: Vec<&str> = args.rest().iter().map(|word| &*word.text).collect();
                    if words.is_empty() {
                        args.need("expression", verdicts)?;
                    }
                    // Converters may stand alone, after their expression.
                    let mut text = String::new();
                    for word in words {
                        if !text.is_empty() && !text.ends_with(',') && !word.starts_with(',') {
                            text.push(',');
                        }
                        text.push_str(word);
                    }
                    let value = write::text(args.span(), text);
                    args = Args::of(&[], args.line());
                    value
                }
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
            let key = args.need("key", verdicts)?;
            let mut inner = Keys::default();
            inner.set("key", write::text(key.span, key.text.clone()));
            let table = match args.takes("table") {
                true => args.need("table", verdicts)?.text.clone(),
                false => context.table.to_owned(),
            };
            inner.set("table", write::text(span, table));
            let counter = i64::from(name.as_bytes()[name.len() - 1] - b'0');
            inner.set("counter", write::number(span, counter));
            keys.set("track", inner.at(span));
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
            verdicts.refused(
                span,
                "allow",
                "write the opposite as the condition of the rules after it",
            );
            return None;
        }
        _ if REFUSED.contains(&name) => {
            verdicts.refused(span, name, "leave the line out, or keep HAProxy for this");
            return None;
        }
        _ => {
            if name.starts_with("lua.") || name == "use-service" {
                verdicts.refused(
                    span,
                    name,
                    match args.peek() {
                        Some("prometheus-exporter") => {
                            "metrics are at `/metrics` of the admin listener"
                        }
                        _ => "Evenkeel runs no code of its users",
                    },
                );
            } else {
                verdicts.unknown("action", word, ACTIONS.iter().copied());
            }
            return None;
        }
    }
    args.end(verdicts);
    Some(())
}

/// `deny`, `tarpit` and `return`, with their options.
fn answer(
    on: On,
    word: &Word,
    mut args: Args<'_>,
    context: &Context<'_>,
    keys: &mut Keys,
    verdicts: &mut Verdicts,
) -> Option<()> {
    let span = word.span;
    let name = word.text.as_str();
    let mut inner = Keys::default();
    let mut headers = Keys::default();
    let mut status = None;
    while let Some(option) = args.next() {
        match &*option.text {
            "deny_status" | "status" => {
                let word = args.need("status", verdicts)?;
                status = Some(write::number(word.span, quantity::count(word, verdicts)?));
            }
            "content-type" => {
                let word = args.need("type", verdicts)?;
                inner.set("content_type", write::text(word.span, word.text.clone()));
            }
            "string" => {
                let word = args.need("text", verdicts)?;
                inner.set("body", write::text(word.span, plain(&word.text)));
            }
            "lf-string" => {
                let word = args.need("text", verdicts)?;
                let body = template(word, verdicts)?;
                inner.set("body", write::text(word.span, body));
            }
            "file" => {
                let word = args.need("file", verdicts)?;
                inner.set(
                    "file",
                    write::text(word.span, files::absolute(&word.text, None)),
                );
            }
            "hdr" => {
                let field = args.need("name of a field", verdicts)?;
                let value = args.need("value", verdicts)?;
                let text = template(value, verdicts)?;
                headers.set(
                    &field.text.to_ascii_lowercase(),
                    write::text(value.span, text),
                );
            }
            "default-errorfiles" => {
                verdicts.approximated(option.span, "the body is Evenkeel's own");
            }
            "errorfile" | "errorfiles" | "lf-file" => {
                verdicts.refused(
                    option.span,
                    &option.text,
                    "write the body as a `file` or a `string`",
                );
                return None;
            }
            _ => {
                let known = [
                    "deny_status",
                    "status",
                    "content-type",
                    "string",
                    "lf-string",
                    "file",
                    "hdr",
                    "default-errorfiles",
                    "errorfile",
                    "errorfiles",
                    "lf-file",
                ];
                verdicts.unknown("option", option, known);
                return None;
            }
        }
    }
    if !headers.is_empty() {
        inner.set("headers", headers.at(span));
    }
    let usual = match (name, on) {
        ("return", _) => 200,
        ("tarpit", _) => 500,
        (_, On::Request) => 403,
        _ => 502,
    };
    let status = status.unwrap_or_else(|| write::number(span, usual));
    if name == "tarpit" {
        let time = context.tarpit.clone().unwrap_or_else(|| {
            verdicts.approximated(
                span,
                "without `timeout tarpit` the client waits 10 s, and not for ever",
            );
            "10s".to_owned()
        });
        if !inner.is_empty() {
            verdicts.approximated(span, "a tarpit has the usual body");
        }
        let mut tarpit = Keys::default();
        tarpit.set("time", write::text(span, time));
        tarpit.set("status", status);
        keys.set("tarpit", tarpit.at(span));
        return Some(());
    }
    if inner.is_empty() && name == "deny" {
        keys.set("deny", status);
        return Some(());
    }
    inner.set("status", status);
    keys.set(name, inner.at(span));
    Some(())
}

/// What follows `redirect`.
pub(super) fn redirect(mut args: Args<'_>, keys: &mut Keys, verdicts: &mut Verdicts) -> Option<()> {
    let span: Span = args.line().span;
    let mut inner = Keys::default();
    while let Some(option) = args.next() {
        match &*option.text {
            to @ ("location" | "prefix" | "scheme") => {
                let word = args.need("value", verdicts)?;
                let value = template(word, verdicts)?;
                // A prefix of "/" is the same URL.
                let value = match (to, value.as_str()) {
                    ("prefix", "/") => String::new(),
                    _ => value,
                };
                inner.set(to, write::text(word.span, value));
            }
            "code" => {
                let word = args.need("status", verdicts)?;
                let code = quantity::count(word, verdicts)?;
                inner.set("status", write::number(word.span, code));
            }
            "drop-query" => inner.set("drop_query", write::switch(option.span, true)),
            "append-slash" => inner.set("append_slash", write::switch(option.span, true)),
            "keep-query" => inner.set("keep_query", write::switch(option.span, true)),
            key @ ("set-cookie" | "clear-cookie") => {
                let word = args.need("cookie", verdicts)?;
                inner.set(
                    &key.replace('-', "_"),
                    write::text(word.span, word.text.clone()),
                );
            }
            "ignore-empty" => {
                verdicts.refused(
                    option.span,
                    "ignore-empty",
                    "write the condition that the value exists",
                );
                return None;
            }
            _ => {
                let known = [
                    "location",
                    "prefix",
                    "scheme",
                    "code",
                    "drop-query",
                    "append-slash",
                    "keep-query",
                    "set-cookie",
                    "clear-cookie",
                    "ignore-empty",
                ];
                verdicts.unknown("option", option, known);
                return None;
            }
        }
    }
    keys.set("redirect", inner.at(span));
    Some(())
}
