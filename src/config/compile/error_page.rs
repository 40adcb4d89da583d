//! `error_page` of a frontend or a backend: the content of our own answers.

use http::{StatusCode, header};

use crate::base::Position;
use crate::config::compile::rule::{fields, sort_by_name};
use crate::config::compile::status::status;
use crate::config::compile::{errorfile, expression, files};
use crate::config::keys;
use crate::config::report::Report;
use crate::config::section::Section;
use crate::config::setting::Setting;
use crate::config::suggest;
use crate::exchange::Reason;
use crate::plan::expr::{Known, Piece, Template};
use crate::plan::{ErrorPage, Field, PageBody, PageJson, StatusSet};

/// The type of a page that writes none.
const USUAL_TYPE: &str = "text/html; charset=utf-8";

/// The error pages of `section`, in file order.
pub(super) fn error_pages(section: &Section<'_>, report: &mut Report<'_>) -> Vec<ErrorPage> {
    let Some(setting) = section.setting("error_page") else {
        return Vec::new();
    };
    let title = format!("[[{}.error_page]]", section.title.trim_matches(['[', ']']));
    let items = setting.list().into_iter();
    let pages = items.filter_map(|item| error_page(item, title.clone(), report));
    pages.collect()
}

fn error_page(item: Setting<'_>, title: String, report: &mut Report<'_>) -> Option<ErrorPage> {
    let section = Section::open(&keys::ERROR_PAGE, title, item, report)?;
    let statuses = match section.setting("status") {
        Some(setting) => statuses(setting, report).map(Some),
        None => Some(None),
    };
    let reasons = match section.setting("reason") {
        Some(setting) => reasons(setting, report),
        None => Some(Vec::new()),
    };
    let json = match section.setting("json") {
        Some(setting) => json(setting, report),
        None => Some(PageJson::Off),
    };
    let (body, at) = body(&section, report)?;
    if let Some(setting) = section.setting("location_status")
        && !matches!(body, PageBody::Elsewhere { .. })
    {
        let message = "`location_status` is that of a `location`, and this page has none";
        report.error(setting.span(), message, "leave it out");
        return None;
    }
    let headers = headers(&section, &body, report);
    let page = ErrorPage {
        statuses: statuses?,
        reasons: reasons?,
        headers: headers?,
        body,
        json: json?,
        at,
    };
    if page.body == PageBody::Usual && page.json == PageJson::Off && page.headers.is_empty() {
        if !section.has_unknown() {
            report.error(
                section.span,
                "this error page has no content",
                "write one of `body`, `file`, `errorfile`, `location`, `haproxy` and `json`",
            );
        }
        return None;
    }
    Some(page)
}

fn statuses(setting: Setting<'_>, report: &mut Report<'_>) -> Option<StatusSet> {
    let items = setting.list();
    if items.is_empty() {
        let help = "leave it out for all statuses, or write `status = [404, \"500-599\"]`";
        report.error(setting.span(), "the list `status` is empty", help);
        return None;
    }
    let example = "a status (`503`) or a range of them (`\"500-599\"`)";
    let ranges = items
        .iter()
        .map(|item| status(*item, 400..=599, example, report));
    // All mistakes are reported.
    let ranges: Vec<_> = ranges.collect();
    ranges.into_iter().collect::<Option<_>>().map(StatusSet)
}

fn reasons(setting: Setting<'_>, report: &mut Report<'_>) -> Option<Vec<String>> {
    let items = setting.list();
    if items.is_empty() {
        let help = "leave it out for all reasons, or write `reason = [\"backend.no_server\", \"queue.*\"]`";
        report.error(setting.span(), "the list `reason` is empty", help);
        return None;
    }
    let reasons: Vec<_> = items.iter().map(|item| reason(*item, report)).collect();
    reasons.into_iter().collect()
}

/// The code of a reason, or the beginning of some.
fn reason(setting: Setting<'_>, report: &mut Report<'_>) -> Option<String> {
    let text = setting.text(report)?;
    let written = &text.value;
    // Those with the content of a rule keep it.
    let answered = || {
        Reason::ALL
            .iter()
            .filter(|reason| reason.status().is_some())
    };
    let is_known = match written.strip_suffix('*') {
        Some(beginning) => {
            beginning.ends_with('.')
                && answered().any(|reason| reason.code().starts_with(beginning))
        }
        None => answered().any(|reason| reason.code() == written),
    };
    if is_known {
        return Some(written.clone());
    }
    let is_cut = Reason::ALL.iter().any(|reason| reason.code() == written);
    let (message, help) = if is_cut {
        (
            format!("`{}` has no answer: the connection is cut", text.shown()),
            "leave it out".to_owned(),
        )
    } else {
        let near = suggest::nearest(written, answered().map(|reason| reason.code()));
        let help = match near.filter(|_| !text.is_secret) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write a code such as \"backend.no_server\", or the beginning of some: \"queue.*\"; conf/reference/reasons.md has all".to_owned(),
        };
        (format!("{:?} is not a reason", text.shown()), help)
    };
    report.error(setting.span(), message, help);
    None
}

fn json(setting: Setting<'_>, report: &mut Report<'_>) -> Option<PageJson> {
    match setting.as_switch() {
        Some(true) => Some(PageJson::Problem),
        Some(false) => Some(PageJson::Off),
        None => expression::template(setting, Known::Response, report).map(PageJson::Template),
    }
}

/// The body, and where it is written.
fn body(section: &Section<'_>, report: &mut Report<'_>) -> Option<(PageBody, Position)> {
    let written = ["body", "file", "errorfile", "location", "haproxy"];
    let mut written = written.iter().filter_map(|key| section.setting(key));
    let Some(setting) = written.next() else {
        return Some((PageBody::Usual, report.position(section.span)));
    };
    if let Some(second) = written.next() {
        let message = format!("`{}` and `{}` exclude each other", setting.key, second.key);
        report.error(second.span(), message, "leave one of them out");
        return None;
    }
    let at = report.position(setting.span());
    let body = match setting.key {
        "location" => elsewhere(setting, section, report)?,
        "haproxy" => match setting.boolean(report)? {
            true => PageBody::HaProxy,
            false => PageBody::Usual,
        },
        "body" => PageBody::Template(expression::template(setting, Known::Response, report)?),
        "file" => {
            let path = &setting.text(report)?.value;
            let content = files::content(setting, path, report)?;
            PageBody::File {
                path: path.clone(),
                content: content.into(),
            }
        }
        _ => {
            let path = &setting.text(report)?.value;
            let answer = errorfile::read(setting, path, report)?;
            let path = path.clone();
            PageBody::ErrorFile { path, answer }
        }
    };
    Some((body, at))
}

/// `location` with `location_status`.
fn elsewhere(
    setting: Setting<'_>,
    section: &Section<'_>,
    report: &mut Report<'_>,
) -> Option<PageBody> {
    let location = setting.text(report)?.value.clone();
    if location.is_empty() || location.bytes().any(|byte| !byte.is_ascii_graphic()) {
        let help = "write a URL without spaces: \"https://www.example.com/sorry\"";
        report.error(setting.span(), "this is not a location", help);
        return None;
    }
    let status = match section.setting("location_status") {
        Some(setting) => status_of_location(setting.number(302, 303, report)?),
        None => StatusCode::FOUND,
    };
    Some(PageBody::Elsewhere { status, location })
}

fn status_of_location(number: i64) -> StatusCode {
    match number {
        303 => StatusCode::SEE_OTHER,
        _ => StatusCode::FOUND,
    }
}

/// The fields, `Content-Type` among them.
fn headers(section: &Section<'_>, body: &PageBody, report: &mut Report<'_>) -> Option<Vec<Field>> {
    let mut headers = match section.setting("headers") {
        Some(setting) => fields(setting, Known::Response, report)?,
        None => Vec::new(),
    };
    let has_type = headers
        .iter()
        .any(|field| field.name == header::CONTENT_TYPE);
    let written = section.setting("content_type");
    let wrong = match (written, body) {
        (Some(_), _) if has_type => Some((
            "this page has the field `content-type` twice",
            "`content_type` is that field, too; keep one of them",
        )),
        (Some(_), PageBody::ErrorFile { .. }) => Some((
            "an `errorfile` has its own `content-type`",
            "leave it out, or write the field in the file",
        )),
        (Some(_), PageBody::Usual | PageBody::Elsewhere { .. } | PageBody::HaProxy) => Some((
            "`content_type` is that of a `body` or a `file`, and this page has none",
            "leave it out: the usual text is `text/plain`, and JSON has a type of its own",
        )),
        _ => None,
    };
    if let (Some(setting), Some((message, help))) = (written, wrong) {
        report.error(setting.span(), message, help);
        return None;
    }
    let (value, at) = match (written, body) {
        (Some(setting), _) => (
            expression::template(setting, Known::Response, report)?,
            report.position(setting.span()),
        ),
        (None, PageBody::Template(_) | PageBody::File { .. }) if !has_type => {
            let pieces = vec![Piece::Text(USUAL_TYPE.to_owned())];
            (Template { pieces }, report.position(section.span))
        }
        (None, _) => return Some(headers),
    };
    headers.push(Field {
        name: header::CONTENT_TYPE,
        value,
        at,
    });
    sort_by_name(&mut headers);
    Some(headers)
}
