//! `rate_limit = { key = "…", rate = "…" }`.

use http::StatusCode;

use crate::base::Name;
use crate::base::units::parse_duration;
use crate::config::compile::expression;
use crate::config::compile::name::name_of;
use crate::config::keys;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::plan::expr::Known;
use crate::plan::{Frequency, OnExceed, RateLimit};

use super::answer::status;

const EXAMPLE: &str = "write `rate_limit = { key = \"src\", rate = \"100/10s\" }`";

/// Compiles `rate_limit` of `rule`, which is the rule number `position` with it in its list, counted
/// from 0.
pub(super) fn rate_limit(
    rule: &Section<'_>,
    position: usize,
    known: Known,
    report: &mut Report<'_>,
) -> Option<RateLimit> {
    let section = rule.section("rate_limit", &keys::RATE_LIMIT, report)?;
    for key in ["key", "rate"] {
        if section.lacks(key) {
            let message = format!("`rate_limit` has no `{key}`");
            report.error(section.span, message, EXAMPLE);
        }
    }
    let key = section
        .setting("key")
        .and_then(|setting| expression::expr(setting, known, report));
    let rate = section
        .setting("rate")
        .and_then(|setting| frequency(setting, report));
    let name = match section.setting("name") {
        Some(setting) => {
            let text = setting.text(report)?;
            name_of(text, "rate limit", setting.span(), report)
        }
        None => own_name(rule, position, report),
    };
    let code = match section.setting("status") {
        Some(setting) => status(setting, 400..=599, StatusCode::TOO_MANY_REQUESTS, report),
        None => Some(StatusCode::TOO_MANY_REQUESTS),
    };
    let at = report.position(section.span);
    let mut limit = RateLimit {
        name: name?,
        key: key?,
        rate: rate?,
        burst: rate?.requests,
        on_exceed: OnExceed::Deny,
        status: code?,
        retry_after: true,
        headers: false,
        size: RateLimit::USUAL_SIZE,
        ipv6_mask: RateLimit::USUAL_IPV6_MASK,
        at,
    };
    keys::RATE_LIMIT.whole().read(&section, &mut limit, report);
    Some(limit)
}

/// The name where none is written: `frontend.web.1` for the first one of `[[frontend.web.rule]]`.
fn own_name(rule: &Section<'_>, position: usize, report: &mut Report<'_>) -> Option<Name> {
    let owner = rule.title.trim_matches(['[', ']']).strip_suffix(".rule");
    let name = owner.and_then(|owner| Name::new(&format!("{owner}.{}", position + 1)).ok());
    if name.is_none() {
        let message = "a rate limit of a route needs a `name`";
        let help = "write `name = \"login\"`, for example: its counts and its metrics belong to it";
        report.error(rule.span, message, help);
    }
    name
}

/// `"3/10s"`: so many requests in a period.
fn frequency(setting: Setting<'_>, report: &mut Report<'_>) -> Option<Frequency> {
    let text = setting.text(report)?;
    let parsed = text.value.split_once('/').and_then(|(requests, period)| {
        let requests = requests
            .trim()
            .parse()
            .ok()
            .filter(|requests| *requests > 0)?;
        let period = match period.trim() {
            "s" => "1s",
            "m" | "min" => "1m",
            "h" => "1h",
            period => period,
        };
        let period = parse_duration(period)
            .ok()
            .filter(|period| !period.is_zero())?;
        Some(Frequency { requests, period })
    });
    if parsed.is_none() {
        let message = format!("`rate = {:?}` is not a rate", text.shown());
        let help = "write requests and a period: \"3/10s\", \"100/1s\"";
        report.error(setting.span(), message, help);
    }
    parsed
}
