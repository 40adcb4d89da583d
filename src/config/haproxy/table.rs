//! `stick-table` lines (manual §11.1).

use crate::config::raw::Value;

use super::args::Args;
use super::quantity;
use super::verdict::Verdicts;
use super::write::{self, Keys};

/// `[table.NAME]` of a line.
pub(super) fn table(mut args: Args<'_>, verdicts: &mut Verdicts) -> Option<Value> {
    let span = args.line().span;
    let mut keys = Keys::default();
    let mut store = Vec::new();
    while let Some(word) = args.next() {
        match &*word.text {
            "type" => {
                let kind = args.need("type", verdicts)?;
                let mut name = match &*kind.text {
                    "ip" => "ipv4".to_owned(),
                    "ipv6" => "ip".to_owned(),
                    other => other.to_owned(),
                };
                if matches!(&*name, "string" | "binary") {
                    let length = match args.takes("len") {
                        true => quantity::count(args.need("length", verdicts)?, verdicts)?,
                        false => 32,
                    };
                    name = format!("{name}({length})");
                }
                keys.set("key", write::text(kind.span, name));
            }
            "size" => {
                let size = args.need("size", verdicts)?;
                let number = quantity::size(size, verdicts)?;
                keys.set("size", write::number(size.span, number));
            }
            "expire" => {
                let time = args.need("time", verdicts)?;
                if let Some(written) = quantity::time(time, verdicts) {
                    keys.set("expire", write::text(time.span, written));
                }
            }
            "store" => {
                let data = args.need("data", verdicts)?;
                let mut depth = 0;
                let is_end = |c: char| {
                    depth += i32::from(c == '(') - i32::from(c == ')');
                    c == ',' && depth == 0
                };
                for item in data.text.split(is_end).filter(|item| !item.is_empty()) {
                    store.push(write::text(data.span, item));
                }
            }
            "nopurge" => keys.set("nopurge", write::switch(word.span, true)),
            "peers" => {
                args.need("name", verdicts)?;
                verdicts.approximated(word.span, "the table is not shared with other machines");
            }
            "srvkey" | "write-to" | "brates-factor" => {
                args.need("value", verdicts)?;
                verdicts.without_effect(word.span, "the table is not shared with other machines");
            }
            "recv-only" => verdicts.without_effect(word.span, "the table is not shared"),
            _ => {
                let known = [
                    "type", "size", "expire", "store", "nopurge", "peers", "srvkey", "write-to",
                ];
                verdicts.unknown("word of `stick-table`", word, known);
                return None;
            }
        }
    }
    if !keys.has("expire") {
        keys.set("expire", write::text(span, "off"));
    }
    keys.set("store", write::list(span, store));
    Some(keys.at(span))
}
