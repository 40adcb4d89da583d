//! `retry` of a backend.

use http::StatusCode;

use crate::config::page::{list, string};
use crate::config::raw::Kind;
use crate::config::report::Report;
use crate::config::setting::Setting;
use crate::config::suggest;
use crate::plan::{Retry, RetryOn};

use super::kind::Shape;
use super::{Keys, key};

pub(in crate::config) const MOST_ATTEMPTS: i64 = 10;

/// Statuses that mean an error.
const STATUSES: std::ops::RangeInclusive<u16> = 400..=599;

const WORDS: [(&str, RetryOn); 5] = [
    ("connect", RetryOn::Connect),
    ("empty", RetryOn::Empty),
    ("refused", RetryOn::Refused),
    ("timeout", RetryOn::Timeout),
    ("malformed", RetryOn::Malformed),
];

/// Words of other programs, each with what to write here.
const ALSO: [(&str, &str); 17] = [
    ("conn-failure", "\"connect\""),
    ("connect-failure", "\"connect\""),
    ("error", "\"connect\", \"empty\""),
    ("empty-response", "\"empty\""),
    ("reset", "\"empty\""),
    ("reset-before-request", "\"connect\""),
    ("junk-response", "\"malformed\""),
    ("invalid_header", "\"malformed\""),
    ("response-timeout", "\"timeout\""),
    ("refused-stream", "\"refused\""),
    ("5xx", "\"500\", \"502\", \"503\", \"504\""),
    ("gateway-error", "\"502\", \"503\", \"504\""),
    ("http_500", "\"500\""),
    ("http_502", "\"502\""),
    ("http_503", "\"503\""),
    ("http_504", "\"504\""),
    (
        "all-retryable-errors",
        "\"connect\", \"empty\", \"refused\", \"timeout\", \"malformed\", \"500\", \"502\", \"503\", \"504\"",
    ),
];

pub(in crate::config) static RETRY: Keys<Retry> = Keys {
    keys: &[
        key("on")
            .means("What an idempotent request goes to another server after; \"connect\" and \"refused\" always hold.")
            .also("retry_on conditions when")
            .own(
                Shape::List(&Shape::AnyOf(&[
                    Shape::Words(&["connect", "empty", "refused", "timeout", "malformed"]),
                    Shape::Text,
                    Shape::Number(400, 599),
                ])),
                |_, setting, retry, report| retry.on = conditions(setting, report),
                |retry| Some(list(retry.on.iter().map(|on| string(&word(*on))))),
            ),
        key("attempts")
            .means("Attempts of one exchange, the first included, each at another server.")
            .also("max max_attempts tries count num_retries")
            .number(1, MOST_ATTEMPTS, |retry| &mut retry.attempts),
    ],
    hints: r#"
        retries: write `attempts`: the first try counts too, so `retries 3` is `attempts = 4`
        per_try_timeout timeout: an attempt has the `timeout` of the backend: `connect` and `response`
        methods non_idempotent: leave it out: only idempotent methods are sent twice (RFC 9110 §9.2.2)
        body_limit: leave it out: a request with a body of up to 16 KiB is sent again
        budget backoff: budgets and waits between attempts do not exist yet: another server is tried at once
        redispatch: leave it out: each attempt goes to another server
    "#,
    default: Some(Retry::default),
    ..Keys::EMPTY
};

fn conditions(setting: Setting<'_>, report: &mut Report<'_>) -> Vec<RetryOn> {
    let mut on = Vec::new();
    for item in setting.list() {
        let Some(condition) = condition(item, report) else {
            continue;
        };
        if on.contains(&condition) {
            let message = format!("\"{}\" is twice in `on`", word(condition));
            report.error(item.span(), message, "leave it out here");
        } else {
            on.push(condition);
        }
    }
    on
}

fn condition(item: Setting<'_>, report: &mut Report<'_>) -> Option<RetryOn> {
    let text = match &item.value.kind {
        Kind::String(text) => text.value.clone(),
        Kind::Integer(number) => number.to_string(),
        _ => String::new(),
    };
    if let Some((_, on)) = WORDS.iter().find(|(word, _)| *word == text) {
        return Some(*on);
    }
    let status = StatusCode::from_bytes(text.as_bytes()).ok();
    if let Some(status) = status.filter(|status| STATUSES.contains(&status.as_u16())) {
        return Some(RetryOn::Status(status));
    }
    let (message, help) = match &item.value.kind {
        Kind::String(written) if written.is_as_written() => (
            format!("`on` does not know {}", written.quoted()),
            instead_of(&text),
        ),
        Kind::Integer(_) => (format!("`on` does not know {text}"), instead_of(&text)),
        kind => {
            let help = match kind {
                Kind::Boolean(false) => NO_RETRIES.to_owned(),
                _ => known(),
            };
            item.wrong_with("a word or a status", help, report);
            return None;
        }
    };
    report.error(item.span(), message, help);
    None
}

const NO_RETRIES: &str = "write `attempts = 1`: an exchange is then tried once";

fn known() -> String {
    let words = suggest::list(WORDS.iter().map(|(word, _)| *word));
    format!("known are {words} and statuses from 400 to 599")
}

/// What to write instead of `text`, which is no condition.
fn instead_of(text: &str) -> String {
    let known = known();
    if matches!(text, "none" | "off" | "false" | "never") {
        return NO_RETRIES.to_owned();
    }
    if text.parse::<u64>().is_ok() {
        return "statuses are from 400 to 599".to_owned();
    }
    if let Some((_, instead)) = ALSO.iter().find(|(word, _)| *word == text) {
        let note = match text {
            "5xx" => "there are no ranges: ",
            _ => "",
        };
        return format!("{note}write `{instead}`; {known}");
    }
    if text.contains([',', ' ']) {
        let items = text.split([',', ' ']).filter(|item| !item.is_empty());
        let items: Vec<String> = items.map(|item| format!("{item:?}")).collect();
        return format!("write a list: `on = [{}]`", items.join(", "));
    }
    if let Some(statuses) = range(text) {
        let statuses = statuses.map(|status| format!("\"{status}\""));
        let statuses = statuses.collect::<Vec<String>>().join(", ");
        return format!("there are no ranges: write each status: `on = [{statuses}]`");
    }
    match suggest::nearest(text, WORDS.iter().map(|(word, _)| *word)) {
        Some(word) => format!("write `\"{word}\"`; {known}"),
        None => known,
    }
}

/// The statuses of `502-504`; `None` for a range that is long or has none.
fn range(text: &str) -> Option<std::ops::RangeInclusive<u16>> {
    const LONGEST: u16 = 12;
    let (first, last) = text.split_once('-')?;
    let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
    let is_short = first <= last && last - first < LONGEST;
    let are_statuses = STATUSES.contains(&first) && STATUSES.contains(&last);
    (is_short && are_statuses).then_some(first..=last)
}

/// As it is written.
fn word(on: RetryOn) -> String {
    let mut words = WORDS.iter().filter(|(_, of)| *of == on);
    match (words.next(), on) {
        (Some((word, _)), _) => (*word).to_owned(),
        (None, RetryOn::Status(status)) => status.as_str().to_owned(),
        (None, _) => String::new(),
    }
}
