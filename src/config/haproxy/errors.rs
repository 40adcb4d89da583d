//! What clients get in place of the usual text of an error: `errorfile`, `errorfiles`, `errorloc`, `http-error` and
//! `http-errors` sections (manual §3.9, §4.2).

use std::collections::BTreeMap;

use crate::config::raw::Value;
use crate::config::source::Span;

use super::answer::Reply;
use super::args::Args;
use super::error_files::{self, File};
use super::global::Global;
use super::lexer::Line;
use super::proxy::{Proxy, Side};
use super::quantity;
use super::verdict::Verdicts;
use super::write::{self, Keys};

/// `error_page` of a proxy; `None`: it has none. A frontend ends with the texts that HAProxy has itself.
pub(super) fn error_pages(
    proxy: &Proxy<'_>,
    global: &Global<'_>,
    verdicts: &mut Verdicts,
) -> Option<Value> {
    let span = proxy.name.span;
    // A later line for the same status takes the place of an earlier one.
    let mut pages: BTreeMap<i64, (Keys, Span)> = BTreeMap::new();
    for line in &proxy.errors {
        read_line(line, global, &mut pages, verdicts);
    }
    let mut list: Vec<Value> = Vec::new();
    for (status, (mut keys, span)) in pages {
        let status = match status {
            // A head that is too long is a bad request.
            400 => [400, 414, 431]
                .map(|status| write::number(span, status))
                .into(),
            status => vec![write::number(span, status)],
        };
        keys.set("status", write::list(span, status));
        list.push(keys.at(span));
    }
    if proxy.side != Side::Backend {
        list.push(write::table(span, "haproxy", write::switch(span, true)));
    }
    (!list.is_empty()).then(|| write::list(span, list))
}

fn read_line(
    line: &Line,
    global: &Global<'_>,
    pages: &mut BTreeMap<i64, (Keys, Span)>,
    verdicts: &mut Verdicts,
) -> Option<()> {
    let mut args = Args::after(line, 1);
    let page_of = |file: File, span: Span| match file {
        File::Whole(path) => page("errorfile", write::text(span, path)),
        File::Nothing => page("body", write::text(span, "")),
    };
    match line.keyword() {
        "errorfile" => {
            let status = of_error(&mut args, verdicts)?;
            let file = args.need("file", verdicts)?;
            let file_page = page_of(File::of(file, verdicts), file.span);
            pages.insert(status, (file_page, line.span));
        }
        "errorfiles" => {
            let name = args.need("name of an `http-errors` section", verdicts)?;
            let files = error_files::section(name, global, verdicts)?;
            let mut wanted = Vec::new();
            for word in args.by_ref() {
                wanted.push(quantity::count(word, verdicts)?);
            }
            for (status, file) in files {
                let is_wanted = wanted.is_empty() || wanted.contains(&status);
                if is_wanted && is_error(status, file.span, verdicts) {
                    let file_page = page_of(File::of(file, verdicts), file.span);
                    pages.insert(status, (file_page, line.span));
                }
            }
        }
        "http-error" => {
            let reply = Reply::read(args, 0, global, verdicts)?;
            let Some((status, span)) = reply.status else {
                verdicts.wrong(line.span, "`http-error` has no `status`", "");
                return None;
            };
            if !is_error(status, span, verdicts) {
                return None;
            }
            match reply.content.is_empty() {
                // The usual text.
                true => pages.remove(&status).map(|_| ()),
                false => {
                    pages.insert(status, (reply.content, line.span));
                    None
                }
            };
            return Some(());
        }
        keyword => {
            let status = of_error(&mut args, verdicts)?;
            let location = args.need("URL", verdicts)?;
            let mut elsewhere = page(
                "location",
                write::text(location.span, location.text.clone()),
            );
            if keyword == "errorloc303" {
                elsewhere.set("location_status", write::number(line.span, 303));
            }
            pages.insert(status, (elsewhere, line.span));
        }
    }
    args.end(verdicts);
    Some(())
}

fn page(key: &str, value: Value) -> Keys {
    let mut keys = Keys::default();
    keys.set(key, value);
    keys
}

/// The status at the beginning of `args`; `None`: no error has it, which is said.
fn of_error(args: &mut Args<'_>, verdicts: &mut Verdicts) -> Option<i64> {
    let word = args.need("status", verdicts)?;
    let status = quantity::count(word, verdicts)?;
    is_error(status, word.span, verdicts).then_some(status)
}

fn is_error(status: i64, span: Span, verdicts: &mut Verdicts) -> bool {
    match status {
        400..=599 => return true,
        200 => verdicts.approximated(span, "the answer of `monitor-uri` keeps its own text"),
        _ => verdicts.wrong(span, format!("no error has the status {status}"), ""),
    }
    false
}
