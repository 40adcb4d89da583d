//! The content of our own answers: `error_page` of a frontend or a backend, compiled.
//!
//! `http` asks for it when it has made an answer with the usual text. An answer of a rule with a body of
//! its own, and one for a gRPC client, stays as it is.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use crate::exchange::Reason;
use crate::expr::{Facts, ResponseFacts, Scratch, Template};
use crate::plan::{self, PageBody, PageJson, StatusSet};

use super::encode::field_value;
use super::haproxy_text;

/// The error pages of a frontend or a backend, in their order.
#[derive(Debug)]
pub struct ErrorPages(Box<[Page]>);

#[derive(Debug)]
struct Page {
    /// `None`: all.
    statuses: Option<StatusSet>,
    /// By the index of the reason; `None`: all.
    reasons: Option<Box<[bool]>>,
    fields: Box<[(HeaderName, Template)]>,
    body: Body,
    json: Json,
}

#[derive(Debug)]
enum Body {
    Usual,
    Template(Template),
    Content(Bytes),
    Whole(StatusCode, Box<[(HeaderName, HeaderValue)]>, Bytes),
    HaProxy,
}

#[derive(Debug)]
enum Json {
    Off,
    Problem,
    Template(Template),
}

/// What an error page is made from, besides the answer that it replaces.
pub(crate) struct PageFacts<'a> {
    /// Why the answer is ours.
    pub(crate) reason: Reason,
    /// Whether the client asks for JSON.
    pub(crate) asks_for_json: bool,
    /// The exchange, without a response.
    pub(crate) facts: Facts<'a>,
    /// The scratch of the worker.
    pub(crate) scratch: &'a RefCell<Scratch>,
}

impl ErrorPages {
    /// The compiled form of `pages`; `None` if there is none.
    pub fn compile(pages: &[plan::ErrorPage]) -> Option<Arc<Self>> {
        let compiled = pages.iter().map(Page::compile);
        (!pages.is_empty()).then(|| Arc::new(Self(compiled.collect())))
    }

    /// Gives `answer` the content of the first of these pages that is for it; `false`: there is none.
    pub(crate) fn dress(&self, answer: &mut Response<Bytes>, about: &PageFacts<'_>) -> bool {
        let mut pages = self.0.iter();
        let page = pages.find(|page| page.is_for(about.reason, answer.status()));
        if let Some(page) = page {
            *answer = page.dress(std::mem::take(answer), about);
        }
        page.is_some()
    }
}

impl Page {
    fn compile(page: &plan::ErrorPage) -> Self {
        let fields = page.headers.iter();
        let fields = fields.map(|field| (field.name.clone(), Template::compile(&field.value)));
        Self {
            statuses: page.statuses.clone(),
            reasons: (!page.reasons.is_empty()).then(|| {
                let all = Reason::ALL.iter();
                all.map(|reason| is_one_of(*reason, &page.reasons))
                    .collect()
            }),
            fields: fields.collect(),
            body: match &page.body {
                PageBody::Usual => Body::Usual,
                PageBody::Template(body) => Body::Template(Template::compile(body)),
                PageBody::File { content, .. } => Body::Content(Bytes::from_owner(content.clone())),
                PageBody::ErrorFile { answer, .. } => Body::Whole(
                    answer.status,
                    answer.headers.as_slice().into(),
                    Bytes::from_owner(answer.body.clone()),
                ),
                PageBody::Elsewhere { status, location } => {
                    let value = HeaderValue::from_str(location)
                        .expect("the configuration has checked the location");
                    let no_cache = HeaderValue::from_static("no-cache");
                    let fields = [(header::CACHE_CONTROL, no_cache), (header::LOCATION, value)];
                    Body::Whole(*status, Box::new(fields), Bytes::new())
                }
                PageBody::HaProxy => Body::HaProxy,
            },
            json: match &page.json {
                PageJson::Off => Json::Off,
                PageJson::Problem => Json::Problem,
                PageJson::Template(json) => Json::Template(Template::compile(json)),
            },
        }
    }

    fn is_for(&self, reason: Reason, status: StatusCode) -> bool {
        let is_status = self.statuses.as_ref();
        let is_reason = self.reasons.as_ref();
        is_status.is_none_or(|statuses| statuses.contains(status.as_u16()))
            && is_reason.is_none_or(|reasons| reasons[reason.index()])
    }

    fn dress(&self, answer: Response<Bytes>, about: &PageFacts<'_>) -> Response<Bytes> {
        let (mut head, usual) = answer.into_parts();
        let own = head.headers.clone();
        let facts = Facts {
            response: Some(ResponseFacts {
                status: head.status.as_u16(),
                headers: &own,
                server: None,
                reason: Some(about.reason),
            }),
            ..about.facts
        };
        let text = |template: &Template| template.render(&facts, &mut about.scratch.borrow_mut());
        for (name, template) in &self.fields {
            // An invalid value is left out, as with rules for every answer.
            if let Ok(value) = field_value(text(template)) {
                head.headers.insert(name.clone(), value);
            }
        }
        if !matches!(self.json, Json::Off) {
            head.headers
                .append(header::VARY, HeaderValue::from_static("accept"));
        }
        let (json, kind) = match &self.json {
            Json::Problem if about.asks_for_json => {
                (problem(head.status, about), "application/problem+json")
            }
            Json::Template(json) if about.asks_for_json => (text(json), "application/json"),
            _ => {
                let body = match &self.body {
                    Body::Usual => usual,
                    Body::Template(body) => Bytes::from(text(body)),
                    Body::Content(body) => body.clone(),
                    Body::Whole(status, fields, body) => {
                        head.status = *status;
                        put_whole(&mut head.headers, fields);
                        body.clone()
                    }
                    Body::HaProxy => {
                        // That of a rule stays.
                        if about.reason == Reason::BackendNoServer {
                            head.headers.remove(header::RETRY_AFTER);
                        }
                        haproxy_text::put(&mut head, usual)
                    }
                };
                return Response::from_parts(head, body);
            }
        };
        let kind = HeaderValue::from_static(kind);
        head.headers.insert(header::CONTENT_TYPE, kind);
        Response::from_parts(head, Bytes::from(json))
    }
}

/// Gives `headers` the fields of a whole answer, in place of ours about the content.
fn put_whole(headers: &mut HeaderMap, fields: &[(HeaderName, HeaderValue)]) {
    for name in [header::CONTENT_TYPE, header::CACHE_CONTROL] {
        headers.remove(name);
    }
    for (name, value) in fields {
        headers.append(name.clone(), value.clone());
    }
}

/// Whether `reason` is one of `codes`, of which some are beginnings with `.*`.
fn is_one_of(reason: Reason, codes: &[String]) -> bool {
    codes.iter().any(|code| match code.strip_suffix('*') {
        Some(beginning) => reason.code().starts_with(beginning),
        None => reason.code() == code,
    })
}

/// A problem document (RFC 9457 §3).
fn problem(status: StatusCode, about: &PageFacts<'_>) -> Vec<u8> {
    let title = status.canonical_reason().unwrap_or("Error");
    let id = String::from_utf8_lossy(about.facts.id.as_bytes());
    // A client may have chosen its id: it is visible ASCII, also `"` and `\`.
    let id = id.replace('\\', "\\\\").replace('"', "\\\"");
    format!(
        "{{\"type\":\"about:blank\",\"title\":\"{title}\",\"status\":{},\"reason\":\"{}\",\"request\":\"{id}\"}}\n",
        status.as_u16(),
        about.reason.code(),
    )
    .into_bytes()
}
