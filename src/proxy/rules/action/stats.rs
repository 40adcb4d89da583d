//! `stats`: the present figures as a page, as CSV and JSON with HAProxy's columns, or as its metrics.
//!
//! They are read and written on the worker, some microseconds for each server.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};

use crate::exchange::Reason;
use crate::observe::statistics::{self, rows};
use crate::plan::{self, StatsFormat};
use crate::proxy::reply::LocalAnswer;
use crate::proxy::rules::{Flow, Scope};

use super::{Act, Done};

#[derive(Debug)]
pub(in crate::proxy::rules) struct Stats(pub(super) plan::Stats);

impl Act for Stats {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        let target = request.uri().path_and_query();
        let target = target.map_or("", |target| target.as_str());
        let Some(options) = target.strip_prefix(&*self.0.path) else {
            return Ok(Flow::Continue);
        };
        let Some(state) = scope.connection.state else {
            return Ok(Flow::Continue);
        };
        let rows = rows(&state.figures(), &self.0.scope);
        // As HAProxy: anywhere behind the path.
        let asks = |option: &str| options.contains(option);
        let (kind, text) = match self.0.format {
            StatsFormat::Prometheus => (
                "text/plain; version=0.0.4; charset=utf-8",
                statistics::write_prometheus(&rows),
            ),
            StatsFormat::Page if asks(";csv") => ("text/plain", statistics::write_csv(&rows)),
            StatsFormat::Page if asks(";json") => {
                ("application/json", statistics::write_json(&rows))
            }
            StatsFormat::Page => {
                let refresh = self.0.refresh.filter(|_| !asks(";norefresh"));
                (
                    "text/html; charset=utf-8",
                    statistics::write_page(&rows, &self.0, refresh),
                )
            }
        };
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        // The page has no script, and is in no frame.
        let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(policy),
        );
        let body = Bytes::from(text);
        let answer = LocalAnswer::own(Reason::RuleReturned, StatusCode::OK, headers, body);
        Ok(Flow::Answer(Box::new(answer)))
    }
}
