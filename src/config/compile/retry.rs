//! `retry` of a backend, and `attempts`, its short form.

use crate::config::diagnostic::Diagnostic;
use crate::config::keys::{MOST_ATTEMPTS, RETRY};
use crate::config::raw::{Entry, Kind};
use crate::config::report::Report;
use crate::config::section::Section;
use crate::plan::{Retry, RetryOn};

/// Compiles the retries of `section`; `entry` is the backend as written, without defaults.
pub(super) fn retry(section: &Section<'_>, entry: &Entry, report: &mut Report<'_>) -> Retry {
    let retry = written(section, entry, report);
    warn_of_idle(&retry, entry, report);
    retry
}

/// Warns of conditions in `entry` that have no effect.
fn warn_of_idle(retry: &Retry, entry: &Entry, report: &mut Report<'_>) {
    let is_always = |on: &RetryOn| matches!(on, RetryOn::Connect | RetryOn::Refused);
    if retry.attempts > 1 || retry.on.iter().all(is_always) {
        return;
    }
    let Kind::Table(own) = &entry.value.kind else {
        return;
    };
    if let Some(Kind::Table(own)) = own.get("retry").map(|own| &own.kind)
        && let Some(on) = own.get("on")
    {
        report.add(
            Diagnostic::warning(
                on.span,
                "`on` has no effect: with `attempts = 1` an exchange is tried once",
            )
            .help("write `attempts = 2` or more, or leave `on` out"),
        );
    }
}

fn written(section: &Section<'_>, entry: &Entry, report: &mut Report<'_>) -> Retry {
    let mut retry = Retry::default();
    let has_long = read_table(section, &mut retry, report);
    let Some(short) = section.setting("attempts") else {
        return retry;
    };
    let own = match &entry.value.kind {
        Kind::Table(table) => Some(table),
        _ => None,
    };
    let own = |key| own.and_then(|own| own.get(key));
    let own_short = own("attempts").is_some();
    let own_long = own("retry").is_some_and(|own| match &own.kind {
        Kind::Table(own) => own.get("attempts").is_some(),
        _ => false,
    });
    if own_short && own_long {
        report.error(
            short.span(),
            "`attempts` is written here and in `retry`",
            "leave it out here: `retry = { attempts = … }` says the same",
        );
        return retry;
    }
    // A value of the backend replaces the default, in either of the two forms.
    let number = short.number(1, MOST_ATTEMPTS, report);
    if let Some(number) = number
        && (!has_long || own_short)
    {
        retry.attempts = u32::try_from(number).unwrap_or(retry.attempts);
    }
    retry
}

/// Reads the table into `retry`, and returns whether it sets the number of attempts.
fn read_table(section: &Section<'_>, retry: &mut Retry, report: &mut Report<'_>) -> bool {
    if section.setting("retry").is_none() {
        return false;
    }
    let Some(table) = section.section("retry", &RETRY, report) else {
        return false;
    };
    RETRY.whole().read(&table, retry, report);
    table.setting("attempts").is_some()
}
