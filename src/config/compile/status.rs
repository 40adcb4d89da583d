//! Statuses of answers: one, a range, or a list of them.

use std::ops::RangeInclusive;

use crate::config::raw::Kind;
use crate::config::report::Report;
use crate::config::setting::Setting;

/// The status or range of statuses `setting`, which is within `allowed`; `example` is one for messages.
pub(super) fn status(
    setting: Setting<'_>,
    allowed: RangeInclusive<u16>,
    example: &str,
    report: &mut Report<'_>,
) -> Option<RangeInclusive<u16>> {
    let found = match &setting.value.kind {
        Kind::Integer(number) => u16::try_from(*number).ok().map(|status| status..=status),
        Kind::String(text) => status_range(&text.value),
        _ => None,
    };
    let found = found.filter(|range| {
        allowed.contains(range.start()) && allowed.contains(range.end()) && !range.is_empty()
    });
    if found.is_none() {
        let help = match &setting.value.kind {
            Kind::String(text) if !text.is_secret => instead_of_status(&text.value),
            _ => None,
        };
        let (from, to) = (allowed.start(), allowed.end());
        let expected = format!("{example} from {from} to {to}");
        setting.wrong_with(
            &expected,
            help.unwrap_or_else(|| format!("write {expected}")),
            report,
        );
    }
    found
}

/// `"2xx"`, and several statuses in one string.
fn instead_of_status(text: &str) -> Option<String> {
    let items: Vec<&str> = text
        .split([',', ' ', '|'])
        .filter(|item| !item.is_empty())
        .collect();
    let ranges: Option<Vec<String>> = items
        .iter()
        .map(|item| {
            let class = item.to_ascii_lowercase();
            match class.strip_suffix("xx") {
                Some(digit @ ("1" | "2" | "3" | "4" | "5")) => {
                    Some(format!("\"{digit}00-{digit}99\""))
                }
                _ => status_range(item)
                    .filter(|range| !range.is_empty())
                    .map(|_| format!("\"{item}\"")),
            }
        })
        .collect();
    match ranges?.as_slice() {
        [] => None,
        [one] => Some(format!("write `status = {one}`")),
        many => Some(format!("write `status = [{}]`", many.join(", "))),
    }
}

fn status_range(text: &str) -> Option<RangeInclusive<u16>> {
    let number = |text: &str| {
        let is_plain = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_plain.then(|| text.parse().ok()).flatten()
    };
    match text.split_once('-') {
        Some((from, to)) => Some(number(from.trim())?..=number(to.trim())?),
        None => number(text.trim()).map(|status| status..=status),
    }
}
