//! Rules that answer: status, head and body, or the target of a redirect.

use http::{HeaderName, StatusCode, header};

use crate::config::compile::{errorfile, expression, files};
use crate::config::keys;
use crate::config::raw;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::plan::expr::{Known, Template};
use crate::plan::{
    Closing, Field, Monitor, Redirect, RedirectCookie, RedirectTo, Reply, ReplyBody, Tarpit,
};

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

/// `reject = true` and `silent_drop = true`.
pub(super) fn closing(
    setting: Setting<'_>,
    closing: Closing,
    report: &mut Report<'_>,
) -> Option<Closing> {
    if setting.boolean(report)? {
        return Some(closing);
    }
    let message = format!("`{} = false` does nothing", setting.key);
    report.error(setting.span(), message, "leave the rule out");
    None
}

/// `return = { … }`.
pub(super) fn returned(rule: &Section<'_>, known: Known, report: &mut Report<'_>) -> Option<Reply> {
    let section = rule.section("return", &keys::REPLY, report)?;
    reply(&section, "return", 200..=599, StatusCode::OK, known, report)
}

/// `deny = 403`, `deny = true` or `deny = { … }`.
pub(super) fn denied(
    rule: &Section<'_>,
    setting: Setting<'_>,
    known: Known,
    report: &mut Report<'_>,
) -> Option<Reply> {
    let (range, default) = (400..=599, StatusCode::FORBIDDEN);
    if let raw::Kind::Table(_) = &setting.value.kind {
        let section = rule.section("deny", &keys::REPLY, report)?;
        return reply(&section, "deny", range, default, known, report);
    }
    let status = status(setting, range, default, report)?;
    Some(Reply::of(status, report.position(setting.span())))
}

/// The table of an answer; `key` is its own.
fn reply(
    section: &Section<'_>,
    key: &str,
    range: std::ops::RangeInclusive<i64>,
    default: StatusCode,
    known: Known,
    report: &mut Report<'_>,
) -> Option<Reply> {
    let status = match section.setting("status") {
        Some(setting) => status(setting, range, default, report),
        None => Some(default),
    };
    let body = body(section, known, report);
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
                format!("`{key}` has the field `content-type` twice"),
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
    let written = ["body", "file", "errorfile"];
    let written = written.iter().find_map(|key| section.setting(key));
    let body_at = written.map_or(section.span, |setting| setting.span());
    Some(Reply {
        status,
        headers,
        body,
        body_at: report.position(body_at),
    })
}

fn body(section: &Section<'_>, known: Known, report: &mut Report<'_>) -> Option<ReplyBody> {
    if let Some(setting) = section.setting("errorfile") {
        let others = ["body", "file", "content_type", "headers"];
        let mut others = others.iter().filter_map(|key| section.setting(key));
        if let Some(other) = others.next() {
            let message = format!("`errorfile` and `{}` exclude each other", other.key);
            report.error(other.span(), message, "leave one of them out");
            return None;
        }
        let path = &setting.text(report)?.value;
        let answer = errorfile::read(setting, path, report)?;
        let path = path.clone();
        return Some(ReplyBody::ErrorFile { path, answer });
    }
    match (section.setting("body"), section.setting("file")) {
        (None, None) => Some(ReplyBody::Usual),
        (Some(body), None) => {
            let body = expression::template(body, known, report)?;
            // An empty text is a body, too: that of `deny` is not the usual one then.
            Some(ReplyBody::Template(body))
        }
        (None, Some(file)) => {
            let path = &file.text(report)?.value;
            let content = files::content(file, path, report)?;
            Some(ReplyBody::File {
                path: path.clone(),
                content: content.into(),
            })
        }
        (Some(_), Some(file)) => {
            let message = "`body` and `file` exclude each other";
            report.error(file.span(), message, "leave one of them out");
            None
        }
    }
}

/// `tarpit = "10s"` or `tarpit = { … }`.
pub(super) fn tarpit(
    rule: &Section<'_>,
    setting: Setting<'_>,
    known: Known,
    report: &mut Report<'_>,
) -> Option<Tarpit> {
    let default = StatusCode::INTERNAL_SERVER_ERROR;
    let raw::Kind::Table(_) = &setting.value.kind else {
        let time = setting.positive_duration(report)?;
        return Some(Tarpit {
            time,
            reply: Reply::of(default, report.position(setting.span())),
        });
    };
    let section = rule.section("tarpit", &keys::TARPIT, report)?;
    let reply = reply(&section, "tarpit", 400..=599, default, known, report);
    let Some(time) = section.setting("time") else {
        if section.lacks("time") {
            let help = "write `tarpit = { time = \"10s\", status = 500 }`";
            report.error(section.span, "`tarpit` has no `time`", help);
        }
        return None;
    };
    Some(Tarpit {
        time: time.positive_duration(report)?,
        reply: reply?,
    })
}

/// `monitor = "/healthz"` or `monitor = { … }`.
pub(super) fn monitor(
    rule: &Section<'_>,
    setting: Setting<'_>,
    known: Known,
    report: &mut Report<'_>,
) -> Option<Monitor> {
    let (path, fail) = match &setting.value.kind {
        raw::Kind::Table(_) => {
            let section = rule.section("monitor", &keys::MONITOR, report)?;
            let Some(path) = section.setting("path") else {
                if section.lacks("path") {
                    let help = "write `monitor = { path = \"/healthz\", fail = \"…\" }`";
                    report.error(section.span, "`monitor` has no `path`", help);
                }
                return None;
            };
            let fail = match section.setting("fail") {
                Some(setting) => Some(expression::condition(setting, known, report)?),
                None => None,
            };
            (path, fail)
        }
        _ => (setting, None),
    };
    let text = path.text(report)?;
    if !text.value.starts_with('/') {
        let help = "write one path, such as \"/healthz\"";
        report.error(path.span(), "a path begins with `/`", help);
        return None;
    }
    Some(Monitor {
        path: text.value.clone(),
        fail,
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
    let mut redirect = Redirect {
        status: status?,
        to,
        drop_query: false,
        append_slash: false,
        keep_query: false,
        ignore_empty: false,
        cookie: cookie(&section, report)?,
    };
    keys::REDIRECT.whole().read(&section, &mut redirect, report);
    is_consistent(&section, &redirect, report).then_some(redirect)
}

/// Reports keys of a redirect that mean nothing together.
fn is_consistent(section: &Section<'_>, redirect: &Redirect, report: &mut Report<'_>) -> bool {
    let is_location = matches!(redirect.to, RedirectTo::Location(_));
    let (key, message, help) = if redirect.drop_query && is_location {
        (
            "drop_query",
            "`drop_query` means nothing with a `location`",
            "leave it out: a location has no query of the request",
        )
    } else if redirect.append_slash && !redirect.drop_query {
        (
            "append_slash",
            "`append_slash` needs `drop_query`: the `/` would be in the query",
            "write `drop_query = true` too",
        )
    } else if redirect.keep_query && !is_location {
        (
            "keep_query",
            "`keep_query` is for a `location`",
            "leave it out: a prefix and a scheme keep the query",
        )
    } else {
        return true;
    };
    let span = section
        .setting(key)
        .map_or(section.span, |setting| setting.span());
    report.error(span, message, help);
    false
}

/// The cookie of a redirect; `None`: it is wrong.
fn cookie(section: &Section<'_>, report: &mut Report<'_>) -> Option<Option<RedirectCookie>> {
    let (setting, is_set) = match (
        section.setting("set_cookie"),
        section.setting("clear_cookie"),
    ) {
        (None, None) => return Some(None),
        (Some(set), None) => (set, true),
        (None, Some(clear)) => (clear, false),
        (Some(_), Some(clear)) => {
            let message = "`set_cookie` and `clear_cookie` exclude each other";
            report.error(clear.span(), message, "leave one of them out");
            return None;
        }
    };
    let text = &setting.text(report)?.value;
    // RFC 6265 §4.1.1: the name is a token, the value has no control character, space, comma or `;`.
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let is_value = |byte: u8| byte.is_ascii_graphic() && !b",;\\\"".contains(&byte);
    if HeaderName::from_bytes(name.as_bytes()).is_err() || !value.bytes().all(is_value) {
        let message = format!("`{} = {text:?}` is not a cookie", setting.key);
        let help = "write \"name=value\", without `;`, `,` and spaces";
        report.error(setting.span(), message, help);
        return None;
    }
    Some(Some(match is_set {
        true => RedirectCookie::Set(text.clone()),
        false => RedirectCookie::Clear(text.clone()),
    }))
}
