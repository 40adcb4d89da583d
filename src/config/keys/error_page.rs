//! `error_page` of a frontend or a backend.

use std::ops::RangeInclusive;

use crate::config::page::{fields, list, rows, string, strings, template};
use crate::plan::{ErrorPage, PageBody, PageJson};

use super::kind::Shape;
use super::{Keys, key};

/// What may be written for it: one table, or a list of them.
pub(super) const ERROR_PAGE_SHAPE: Shape = Shape::List(&Shape::Table(&ERROR_PAGE));

pub(in crate::config) static ERROR_PAGE: Keys<ErrorPage> = Keys {
    keys: &[
        key("status")
            .means("The statuses that it is for: 503, \"500-599\", or a list; else all.")
            .also("code statuses")
            .compiled(
                Shape::List(&Shape::AnyOf(&[Shape::Number(400, 599), Shape::Text])),
                |page| {
                    let ranges = page.statuses.as_ref()?.0.iter();
                    Some(list(ranges.map(shown_range)))
                },
            ),
        key("reason")
            .means("The reasons that it is for: \"backend.no_server\", \"queue.*\", or a list; else all.")
            .also("reasons")
            .compiled(Shape::List(&Shape::Text), |page| {
                (!page.reasons.is_empty()).then(|| strings(&page.reasons))
            }),
        key("content_type")
            .means("The field `content-type`; \"text/html; charset=utf-8\" unless it is written.")
            .also("type mime_type")
            .not_shown(Shape::Text),
        key("headers")
            .means("Other fields.")
            .compiled(Shape::Named(&Shape::Text), |page| {
                (!page.headers.is_empty()).then(|| fields(&page.headers))
            }),
        key("body")
            .means("The body.")
            .also("string lf_string text html")
            .compiled(Shape::Text, |page| match &page.body {
                PageBody::Template(body) => Some(template(body)),
                _ => None,
            }),
        key("file")
            .means("A file with the body, which is sent as it is.")
            .compiled(Shape::Text, |page| match &page.body {
                PageBody::File { path, .. } => Some(string(path)),
                _ => None,
            }),
        key("errorfile")
            .means("A file with a whole answer, head and body, as HAProxy reads it.")
            .also("http_file")
            .compiled(Shape::Text, |page| match &page.body {
                PageBody::ErrorFile { path, .. } => Some(string(path)),
                _ => None,
            }),
        key("location")
            .means("Where the client is sent in place of an error.")
            .also("errorloc errorloc302 url redirect")
            .compiled(Shape::Text, |page| match &page.body {
                PageBody::Elsewhere { location, .. } => Some(string(location)),
                _ => None,
            }),
        key("location_status")
            .means("302, or 303: the client asks there with GET.")
            .also("errorloc303")
            .compiled(Shape::Number(302, 303), |page| match &page.body {
                PageBody::Elsewhere { status, .. } => Some(status.as_u16().to_string()),
                _ => None,
            }),
        key("haproxy")
            .means("The text and the fields that HAProxy has for the status: true.")
            .compiled(Shape::Switch, |page| {
                (page.body == PageBody::HaProxy).then(|| true.to_string())
            }),
        key("json")
            .means("For clients that ask for JSON: true, or a body.")
            .compiled(Shape::AnyOf(&[Shape::Switch, Shape::Text]), |page| {
                match &page.json {
                    PageJson::Off => None,
                    PageJson::Problem => Some(true.to_string()),
                    PageJson::Template(json) => Some(template(json)),
                }
            }),
    ],
    hints: r#"
        hdr header: write `headers = { x-name = "value" }`
        lf_file template: write `body = "…"`, a template, or `file = "…"`, which is sent as it is
        when if: write `status` or `reason`, or a rule: `{ on = "after", when = "…", … }`
        path uri: write `location = "…"`, or the page as `body` or `file`
    "#,
    ..Keys::EMPTY
};

fn shown_range(range: &RangeInclusive<u16>) -> String {
    match range.start() == range.end() {
        true => range.start().to_string(),
        false => string(&format!("{}-{}", range.start(), range.end())),
    }
}

/// `pages`, each on a line of its own; `None`: there is none.
pub(super) fn shown(pages: &[ErrorPage]) -> Option<String> {
    let pages = pages.iter().map(|page| ERROR_PAGE.whole().inline(page));
    (pages.len() > 0).then(|| rows("    ", pages))
}
