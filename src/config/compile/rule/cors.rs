//! `cors` and `security_headers` of a rule.

use std::time::Duration;

use http::{HeaderName, Method};

use crate::config::compile::pattern::{self, patterns};
use crate::config::keys;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::plan::{AllowedFields, Cors, Origin, Origins, SecurityHeaders};

/// Long enough to spare most preflights; Chromium keeps none longer than two hours.
const MAX_AGE: Duration = Duration::from_mins(10);

/// Pages may use these without asking (Fetch standard, "CORS-safelisted method").
const SAFE_METHODS: [Method; 3] = [Method::GET, Method::HEAD, Method::POST];

pub(super) fn cors(rule: &Section<'_>, report: &mut Report<'_>) -> Option<Cors> {
    let section = rule.section("cors", &keys::CORS, report)?;
    let origins = patterns(&section, "origins", origin, report);
    if section.lacks("origins") {
        report.error(
            section.span,
            "this `cors` allows no origin",
            "write `origins = [\"https://app.example.com\"]`",
        );
    }
    let methods = patterns(&section, "methods", pattern::method, report);
    let headers = patterns(&section, "headers", field_or_any, report);
    let expose = patterns(&section, "expose", field, report);
    let mut cors = Cors {
        // One `None` stands for all.
        origins: match origins.into_iter().collect::<Option<Vec<_>>>() {
            Some(listed) => Origins::Listed(listed),
            None => Origins::Any,
        },
        methods: match section.setting("methods") {
            Some(_) => methods,
            None => SAFE_METHODS.to_vec(),
        },
        headers: match headers.into_iter().collect::<Option<Vec<_>>>() {
            Some(listed) => AllowedFields::Listed(listed),
            None => AllowedFields::Any,
        },
        expose,
        credentials: false,
        max_age: MAX_AGE,
        at: report.position(section.span),
    };
    keys::CORS.whole().read(&section, &mut cors, report);
    let setting = section.setting("origins")?;
    if cors.credentials && cors.origins == Origins::Any {
        report.error(
            setting.span(),
            "every page of the internet could read answers with the cookies of its visitor",
            "list the origins, or leave `credentials` out",
        );
        return None;
    }
    Some(cors)
}

/// An origin; `None`: every one.
fn origin(text: &str) -> Result<Option<Origin>, pattern::Refusal> {
    if text == "*" {
        return Ok(None);
    }
    Origin::parse(text).map(Some).ok_or_else(|| {
        (
            "is not an origin: it needs a scheme and a host, and has no path".to_owned(),
            "write `\"https://app.example.com\"`, `\"https://*.example.com\"` or `\"*\"`"
                .to_owned(),
        )
    })
}

fn field(text: &str) -> Result<HeaderName, pattern::Refusal> {
    HeaderName::from_bytes(text.as_bytes()).map_err(|_| {
        (
            "is not a valid field name".to_owned(),
            "field names have letters, digits and `-`".to_owned(),
        )
    })
}

/// The name of a field; `None`: every one.
fn field_or_any(text: &str) -> Result<Option<HeaderName>, pattern::Refusal> {
    match text {
        "*" => Ok(None),
        _ => field(text).map(Some),
    }
}

/// `true`, or a table.
pub(super) fn security_headers(
    rule: &Section<'_>,
    report: &mut Report<'_>,
) -> Option<SecurityHeaders> {
    let mut fields = SecurityHeaders::default();
    let setting = rule.setting("security_headers")?;
    if setting.as_switch() == Some(true) {
        return Some(fields);
    }
    let section = rule.section("security_headers", &keys::SECURITY_HEADERS, report)?;
    let whole = keys::SECURITY_HEADERS.whole();
    whole.read(&section, &mut fields, report);
    Some(fields)
}
