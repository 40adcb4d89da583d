//! Rules that answer: status, head and body, or the target of a redirect.

use http::{StatusCode, header};

use crate::config::compile::expression;
use crate::config::keys;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::plan::expr::{Known, Template};
use crate::plan::{Field, Redirect, RedirectTo, Return};

use super::values::{fields, sort_by_name};

/// A status, or `true` for `default`.
pub(super) fn status(
    setting: Setting<'_>,
    range: std::ops::RangeInclusive<i64>,
    default: StatusCode,
    report: &mut Report<'_>,
) -> Option<StatusCode> {
    if setting.as_switch() == Some(true) {
        return Some(default);
    }
    let number = setting.number(*range.start(), *range.end(), report)?;
    StatusCode::from_u16(u16::try_from(number).ok()?).ok()
}

pub(super) fn returned(
    rule: &Section<'_>,
    known: Known,
    report: &mut Report<'_>,
) -> Option<Return> {
    let section = rule.section("return", &keys::RETURN, report)?;
    let status = match section.setting("status") {
        Some(setting) => status(setting, 200..=599, StatusCode::OK, report),
        None => Some(StatusCode::OK),
    };
    let body = match section.setting("body") {
        Some(setting) => expression::template(setting, known, report),
        None => Some(Template::default()),
    };
    let mut headers = match section.setting("headers") {
        Some(setting) => fields(setting, known, report)?,
        None => Vec::new(),
    };
    if let Some(setting) = section.setting("content_type") {
        let value = expression::template(setting, known, report)?;
        if headers
            .iter()
            .any(|field| field.name == header::CONTENT_TYPE)
        {
            report.error(
                setting.span(),
                "`return` has the field `content-type` twice",
                "`content_type` is that field, too; keep one of them",
            );
            return None;
        }
        headers.push(Field {
            name: header::CONTENT_TYPE,
            value,
            at: report.position(setting.span()),
        });
        sort_by_name(&mut headers);
    }
    let (status, body) = (status?, body?);
    let body_at = match section.setting("body") {
        Some(setting) => report.position(setting.span()),
        None => report.position(section.span),
    };
    Some(Return {
        status,
        headers,
        body,
        body_at,
    })
}

/// Makes the target of a redirect from its template.
type Kind = fn(Template) -> RedirectTo;

pub(super) fn redirect(
    rule: &Section<'_>,
    known: Known,
    report: &mut Report<'_>,
) -> Option<Redirect> {
    const STATUSES: [i64; 5] = [301, 302, 303, 307, 308];
    let section = rule.section("redirect", &keys::REDIRECT, report)?;
    let status = match section.setting("status") {
        None => Some(StatusCode::FOUND),
        Some(setting) => match setting.as_integer() {
            Some(number) if STATUSES.contains(&number) => u16::try_from(number)
                .ok()
                .and_then(|number| StatusCode::from_u16(number).ok()),
            _ => {
                setting.wrong_with(
                    "301, 302, 303, 307 or 308",
                    "write 301 (permanent) or 302 (for now), 308 or 307 where the method must stay",
                    report,
                );
                None
            }
        },
    };
    let kinds: [(&str, Kind); 3] = [
        ("location", RedirectTo::Location),
        ("prefix", RedirectTo::Prefix),
        ("scheme", RedirectTo::Scheme),
    ];
    let mut written = kinds
        .into_iter()
        .filter_map(|(key, kind)| Some((section.setting(key)?, kind)));
    let usage = "write `redirect = { scheme = \"https\" }`, `{ location = \"/new\" }` or `{ prefix = \"https://b.example\" }`";
    let Some((setting, kind)) = written.next() else {
        if kinds.iter().all(|(key, _)| section.lacks(key)) {
            report.error(section.span, "this redirect leads nowhere", usage);
        }
        return None;
    };
    if let Some((second, _)) = written.next() {
        let message = format!("`{}` and `{}` exclude each other", setting.key, second.key);
        report.error(second.span(), message, usage);
        return None;
    }
    let to = kind(expression::template(setting, known, report)?);
    Some(Redirect {
        status: status?,
        to,
    })
}
