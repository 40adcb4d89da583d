//! `deny`, `tarpit`, `return` and `redirect` of rules, and the options of an answer (manual §4.3).

use crate::config::source::Span;

use super::args::Args;
use super::context::{Context, On};
use super::error_files::{self, File};
use super::global::Global;
use super::lexer::Word;
use super::template::{plain, template, template_of};
use super::verdict::Verdicts;
use super::write::{self, Keys};
use super::{files, quantity};

/// The options of an answer.
#[derive(Default)]
pub(super) struct Reply {
    /// With the word that it is written as.
    pub(super) status: Option<(i64, Span)>,
    /// `body`, `file`, `errorfile`, `content_type` and `headers`.
    pub(super) content: Keys,
    /// Whether the usual text is asked for.
    pub(super) is_default: bool,
}

const OPTIONS: &[&str] = &[
    "content-type",
    "default-errorfiles",
    "deny_status",
    "errorfile",
    "errorfiles",
    "file",
    "hdr",
    "lf-file",
    "lf-string",
    "status",
    "string",
];

impl Reply {
    /// Reads all that is left of `args`. `usual`: the status if none is written.
    pub(super) fn read(
        mut args: Args<'_>,
        usual: i64,
        global: &Global<'_>,
        verdicts: &mut Verdicts,
    ) -> Option<Self> {
        let mut reply = Self::default();
        let content = &mut reply.content;
        let mut headers = Keys::default();
        let mut whole = None;
        let line = args.line().span;
        while let Some(option) = args.next() {
            match &*option.text {
                "deny_status" | "status" => {
                    let word = args.need("status", verdicts)?;
                    reply.status = Some((quantity::count(word, verdicts)?, word.span));
                }
                "content-type" => {
                    let word = args.need("type", verdicts)?;
                    content.set("content_type", write::text(word.span, plain(&word.text)));
                }
                "string" => {
                    let word = args.need("text", verdicts)?;
                    content.set("body", write::text(word.span, plain(&word.text)));
                }
                "lf-string" => {
                    let word = args.need("text", verdicts)?;
                    let body = template(word, verdicts)?;
                    content.set("body", write::text(word.span, body));
                }
                "file" => {
                    let word = args.need("file", verdicts)?;
                    let path = files::absolute(&word.text, None);
                    content.set("file", write::text(word.span, path));
                }
                "lf-file" => {
                    let word = args.need("file", verdicts)?;
                    let text = files::text(word, verdicts)?;
                    let body = template_of(&text, word.span, verdicts)?;
                    content.set("body", write::text(word.span, body));
                }
                "errorfile" => {
                    let word = args.need("file", verdicts)?;
                    whole = Some((word, false));
                }
                "errorfiles" => {
                    let word = args.need("name of an `http-errors` section", verdicts)?;
                    whole = Some((word, true));
                }
                "hdr" => {
                    let field = args.need("name of a field", verdicts)?;
                    let value = args.need("value", verdicts)?;
                    let text = template(value, verdicts)?;
                    let name = field.text.to_ascii_lowercase();
                    headers.set(&name, write::text(value.span, text));
                }
                "default-errorfiles" => reply.is_default = true,
                _ => {
                    verdicts.unknown("option", option, OPTIONS.iter().copied());
                    return None;
                }
            }
        }
        if !headers.is_empty() {
            reply.content.set("headers", headers.at(line));
        }
        if let Some((word, is_section)) = whole {
            let status = reply.status.map_or(usual, |(status, _)| status);
            reply.content = Keys::default();
            match error_files::file_of(word, is_section, status, global, verdicts)? {
                Some(File::Whole(path)) => {
                    reply.content.set("errorfile", write::text(word.span, path));
                }
                Some(File::Nothing) => reply.content.set("body", write::text(word.span, "")),
                None => reply.is_default = true,
            }
        }
        Some(reply)
    }
}

/// `deny`, `tarpit` and `return`, with their options.
pub(super) fn answer(
    on: On,
    word: &Word,
    args: Args<'_>,
    context: &Context<'_>,
    keys: &mut Keys,
    verdicts: &mut Verdicts,
) -> Option<()> {
    let span = word.span;
    let name = word.text.as_str();
    let usual = match (name, on) {
        ("return", _) => 200,
        ("tarpit", _) => 500,
        (_, On::Request) => 403,
        _ => 502,
    };
    let reply = Reply::read(args, usual, context.global, verdicts)?;
    let (status, status_span) = reply.status.unwrap_or((usual, span));
    let mut inner = reply.content;
    let mut name = name;
    if name == "return" && reply.is_default && inner.is_empty() {
        // The text of an error belongs to refusals here.
        if status < 400 {
            verdicts.refused(
                span,
                "default-errorfiles",
                "write a status from 400 on, or a `string`",
            );
            return None;
        }
        name = "deny";
    }
    if inner.is_empty() && name == "deny" {
        keys.set("deny", write::number(status_span, status));
        return Some(());
    }
    inner.set("status", write::number(status_span, status));
    if name == "tarpit" {
        let time = context.tarpit.clone().unwrap_or_else(|| {
            verdicts.approximated(
                span,
                "without `timeout tarpit` the client waits 10 s, and not for ever",
            );
            "10s".to_owned()
        });
        inner.set("time", write::text(span, time));
    }
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
            "ignore-empty" => inner.set("ignore_empty", write::switch(option.span, true)),
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
