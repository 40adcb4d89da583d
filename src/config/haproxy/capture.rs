//! `capture request|response header`, `declare capture` and `capture cookie` (manual §4.2): values for the log.
//!
//! A capture has a place, which is its position among all lines of the proxy that make one, whatever their kind.

use crate::config::raw::Value;
use crate::config::source::Span;

use super::args::Args;
use super::lexer::{Line, Word};
use super::quantity;
use super::verdict::Verdicts;
use super::write::{self, Keys};

/// The most bytes of a value here.
const MOST_BYTES: i64 = 1024;

/// The variables that keep a captured cookie for the log.
pub(super) const OF_REQUEST: &str = "txn.captured_cookie";
/// That of the answer.
pub(super) const OF_RESPONSE: &str = "txn.captured_set_cookie";

/// The places of a proxy, in their order.
#[derive(Debug, Default)]
pub(super) struct Places<'l> {
    request: Vec<&'l Line>,
    response: Vec<&'l Line>,
    /// `capture cookie`.
    pub(super) cookie: Option<&'l Line>,
}

impl<'l> Places<'l> {
    /// Notes a `capture` or `declare capture` line, or a rule with `capture`.
    pub(super) fn note(&mut self, line: &'l Line, verdicts: &mut Verdicts) {
        let mut args = Args::after(line, 1);
        match line.keyword() {
            "http-request" if has_place(line) => self.request.push(line),
            "http-response" if has_place(line) => self.response.push(line),
            "http-request" | "http-response" => {}
            "capture" if args.takes("cookie") => self.cookie = Some(line),
            keyword => {
                if keyword == "declare" && !args.takes("capture") {
                    return verdicts.wrong(line.span, "`declare` has `capture` behind it", "");
                }
                match args.need("`request` or `response`", verdicts) {
                    Some(word) if word.text == "request" => self.request.push(line),
                    Some(word) if word.text == "response" => self.response.push(line),
                    Some(word) => {
                        verdicts.unknown("capture", word, ["request", "response", "cookie"])
                    }
                    None => {}
                }
            }
        }
    }

    fn of(&self, is_request: bool) -> &[&'l Line] {
        match is_request {
            true => &self.request,
            false => &self.response,
        }
    }

    /// Takes `len N` or `id N` of a rule with `capture`, whose value is `value`.
    pub(super) fn captured(
        &self,
        value: Value,
        is_request: bool,
        args: &mut Args<'_>,
        verdicts: &mut Verdicts,
    ) -> Option<Value> {
        let line = args.line();
        let places = self.of(is_request);
        let (id, len) = if args.takes("id") {
            let id = args.need("number", verdicts)?;
            let number = quantity::count(id, verdicts)?;
            let place = usize::try_from(number)
                .ok()
                .and_then(|index| places.get(index));
            // A backend uses the places of a frontend, which may be several.
            let len = place.and_then(|line| length_of(line, verdicts));
            (number, len.unwrap_or(MOST_BYTES))
        } else {
            let place = places.iter().position(|place| std::ptr::eq(*place, line));
            let id = place.and_then(|place| i64::try_from(place).ok());
            let Some(id) = id else {
                verdicts.wrong(line.span, "`capture` has no `len` and no `id`", "");
                return None;
            };
            (id, length(args, verdicts)?)
        };
        Some(capture(line.span, value, id, len))
    }
}

fn has_place(line: &Line) -> bool {
    let is_capture = line.words.get(1).is_some_and(|word| word.text == "capture");
    is_capture && line.words.iter().any(|word| word.text == "len")
}

/// `len N`, of which no more is kept than a place has here.
fn length(args: &mut Args<'_>, verdicts: &mut Verdicts) -> Option<i64> {
    if !args.takes("len") {
        verdicts.wrong(args.line().span, "a capture has a length: `len 64`", "");
        return None;
    }
    let word = args.need("length", verdicts)?;
    let number = quantity::count(word, verdicts)?;
    if number > MOST_BYTES {
        verdicts.approximated(word.span, "at most 1024 bytes of a value are kept");
    }
    Some(number.clamp(1, MOST_BYTES))
}

fn length_of(line: &Line, verdicts: &mut Verdicts) -> Option<i64> {
    let at = line.words.iter().position(|word| word.text == "len")?;
    quantity::count(line.words.get(at + 1)?, verdicts)
}

fn capture(span: Span, value: Value, id: i64, len: i64) -> Value {
    let mut keys = Keys::default();
    keys.set("value", value);
    keys.set("len", write::number(span, len));
    keys.set("id", write::number(span, id));
    keys.at(span)
}

/// The rules that fill the places which `capture` and `declare capture` make, before all others of their part.
pub(super) fn rules(places: &Places<'_>, is_request: bool, verdicts: &mut Verdicts) -> Vec<Value> {
    let mut rules = Vec::new();
    for (index, line) in places.of(is_request).iter().enumerate() {
        let Ok(id) = i64::try_from(index) else {
            break;
        };
        rules.extend(rule(line, id, is_request, verdicts));
    }
    if let Some(line) = places.cookie {
        rules.extend(cookie(line, is_request, verdicts));
    }
    rules
}

fn rule(line: &Line, id: i64, is_request: bool, verdicts: &mut Verdicts) -> Option<Value> {
    let (value, len) = match line.keyword() {
        "capture" => {
            // The last line of the field, as it is.
            let mut args = Args::after(line, 2);
            if !args.takes("header") {
                verdicts.wrong(
                    line.span,
                    "`capture` has `header` or `cookie` behind it",
                    "",
                );
                return None;
            }
            let name = args.need("name of a field", verdicts)?;
            let len = length(&mut args, verdicts)?;
            args.end(verdicts);
            let fetch = if is_request { "req.fhdr" } else { "res.fhdr" };
            (format!("{fetch}({},-1)", name.text), len)
        }
        "declare" => {
            let mut args = Args::after(line, 3);
            let len = length(&mut args, verdicts)?;
            args.end(verdicts);
            // A value that is always absent: empty in the line until a rule fills it, and absent in
            // expressions.
            ("str(-),b64dec".to_owned(), len)
        }
        // A rule at its own position.
        _ => return None,
    };
    let mut keys = on(line.span, is_request);
    keys.set(
        "capture",
        capture(line.span, write::text(line.span, value), id, len),
    );
    Some(keys.at(line.span))
}

/// `capture cookie NAME len N`: the first cookie whose name begins so, as `name=value`.
fn cookie(line: &Line, is_request: bool, verdicts: &mut Verdicts) -> Option<Value> {
    let mut args = Args::after(line, 2);
    let name: &Word = args.need("name", verdicts)?;
    let len = length(&mut args, verdicts)?;
    args.end(verdicts);
    let name = name.text.trim_end_matches('=');
    let (fetch, variable) = match is_request {
        true => ("req.cook", OF_REQUEST),
        false => ("res.cook", OF_RESPONSE),
    };
    let mut keys = on(line.span, is_request);
    keys.set(
        "when",
        write::text(line.span, format!("{fetch}({name}),length >= 0")),
    );
    // `name=` before the value, and then no more than `len` bytes.
    let value = format!("{fetch}({name}),regsub(^,{name}=),bytes(0,{len})");
    keys.set(
        "set_var",
        write::table(line.span, variable, write::text(line.span, value)),
    );
    Some(keys.at(line.span))
}

fn on(span: Span, is_request: bool) -> Keys {
    let mut keys = Keys::default();
    if !is_request {
        keys.set("on", write::text(span, "response"));
    }
    keys
}
