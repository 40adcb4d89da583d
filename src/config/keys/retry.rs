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

/// Answers that say of themselves that something is wrong.
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
            .means("What an idempotent request goes to another server after: words and statuses.")
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
            let message = format!("\"{}\" stands in `on` twice", word(condition));
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
    let words = || WORDS.iter().map(|(word, _)| *word);
    let is_secret = matches!(&item.value.kind, Kind::String(text) if text.is_secret);
    let also = ALSO.iter().find(|(word, _)| *word == text && !is_secret);
    let nearest = || suggest::nearest(&text, words()).filter(|_| !is_secret);
    let known = format!(
        "known are {} and statuses from 400 to 599",
        suggest::list(words())
    );
    let help = match (also, text.as_str()) {
        (Some((_, instead)), _) => format!("write `{instead}`; {known}"),
        (None, "none") => "write `on = []`".to_owned(),
        (None, _) => match nearest() {
            Some(word) => format!("write `\"{word}\"`; {known}"),
            None => known,
        },
    };
    item.wrong_with("a word or a status", help, report);
    None
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
