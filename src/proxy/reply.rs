//! Turns faults into answers; nothing else does.
//!
//! The client gets the status, the stable reason and the id under which the log has the rest: no
//! address, path or version of ours.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use crate::base::clock::Duration;
use crate::exchange::{Reason, RequestId};
use crate::wire::grpc;

/// `Retry-After` for a backend without servers, in seconds: about as long as a check needs to see a
/// server recover.
const RETRY_AFTER_SECONDS: &str = "2";

/// An answer that a rule gives in place of a server's.
#[derive(Debug)]
pub struct LocalAnswer {
    /// For the log and the metrics.
    pub reason: Reason,
    status: StatusCode,
    /// For the field `Retry-After` of a refusal.
    retry_after: Option<Duration>,
    /// Whether the exchange is left out of the access log.
    pub is_unlogged: bool,
    headers: HeaderMap,
    /// `None`: the content of [`reply`] for `reason`, with its fields.
    body: Option<Bytes>,
}

impl LocalAnswer {
    /// The answer for `reason`; `None`: with the status of the reason.
    pub fn refusal(reason: Reason, status: Option<StatusCode>) -> Self {
        Self {
            reason,
            status: status.unwrap_or(status_of(reason)),
            retry_after: None,
            is_unlogged: false,
            headers: HeaderMap::new(),
            body: None,
        }
    }

    /// The same with these fields too, in place of those that it has.
    pub fn with_headers(self, headers: HeaderMap) -> Self {
        Self { headers, ..self }
    }

    /// Whether its content is the usual one for its reason.
    pub fn has_usual_body(&self) -> bool {
        self.body.is_none()
    }

    /// The same, left out of the access log.
    pub fn unlogged(self) -> Self {
        Self {
            is_unlogged: true,
            ..self
        }
    }

    /// The same refusal, which says when to come again.
    pub fn retry_after(self, time: Option<Duration>) -> Self {
        Self {
            retry_after: time,
            ..self
        }
    }

    /// An answer of the rule's own.
    pub fn own(reason: Reason, status: StatusCode, headers: HeaderMap, body: Bytes) -> Self {
        Self {
            reason,
            status,
            retry_after: None,
            is_unlogged: false,
            headers,
            body: Some(body),
        }
    }

    /// The response to the request with the id `id`.
    pub fn into_response(self, id: &RequestId) -> Response<Bytes> {
        let Some(body) = self.body else {
            let mut response = reply_with(self.status, self.reason, id);
            replace_fields(response.headers_mut(), self.headers);
            if let Some(time) = self.retry_after {
                // Whole seconds (RFC 9110 §10.2.3), and never too early.
                let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
                let headers = response.headers_mut();
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
            }
            return response;
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }

    /// The same for a gRPC client; a rule's own content stays as it is.
    pub fn into_grpc_response(self, id: &RequestId) -> Response<Bytes> {
        if self.body.is_some() {
            return self.into_response(id);
        }
        let mut response = grpc_reply_with(self.status, self.reason, id);
        let mut headers = self.headers;
        // What makes it an answer of gRPC stays.
        headers.remove(header::CONTENT_TYPE);
        replace_fields(response.headers_mut(), headers);
        response
    }
}

/// Gives `headers` the fields `new`, in place of their own lines.
fn replace_fields(headers: &mut HeaderMap, new: HeaderMap) {
    for (name, value) in &new {
        headers.insert(name.clone(), value.clone());
    }
}

fn status_of(reason: Reason) -> StatusCode {
    reason.status().unwrap_or(StatusCode::BAD_GATEWAY)
}

/// The answer for `reason`.
///
/// A reason without a status (the response had already begun) is answered 502: here it was found
/// before the response began.
pub(crate) fn reply(reason: Reason, id: &RequestId) -> Response<Bytes> {
    reply_with(status_of(reason), reason, id)
}

fn reply_with(status: StatusCode, reason: Reason, id: &RequestId) -> Response<Bytes> {
    let id = str::from_utf8(id.as_bytes()).unwrap_or_default();
    let text = format!(
        "{} {}\n\nreason: {}\nrequest: {id}\n",
        status.as_str(),
        status.canonical_reason().unwrap_or("Client Left"),
        reason.code(),
    );
    let mut response = Response::new(Bytes::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match reason {
        Reason::BackendNoServer => {
            let seconds = HeaderValue::from_static(RETRY_AFTER_SECONDS);
            headers.insert(header::RETRY_AFTER, seconds);
        }
        Reason::RequestMethodRefused => {
            // RFC 9110 §15.5.6 requires the field; only the server knows the methods of a resource.
            let methods = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
            headers.insert(header::ALLOW, methods);
        }
        _ => {}
    }
    response
}

/// The same for a gRPC client, which understands little of an HTTP status: no message, and the
/// trailers are fields of the head ("Trailers-Only" of gRPC's `PROTOCOL-HTTP2.md`).
pub(crate) fn grpc_reply(reason: Reason, id: &RequestId) -> Response<Bytes> {
    grpc_reply_with(status_of(reason), reason, id)
}

fn grpc_reply_with(status: StatusCode, reason: Reason, id: &RequestId) -> Response<Bytes> {
    let code = match reason {
        Reason::ExchangeTimeout => grpc::Code::DeadlineExceeded,
        _ => grpc::Code::of(status),
    };
    let id = str::from_utf8(id.as_bytes()).unwrap_or_default();
    let text = format!("{} (request {id})", reason.code());
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    headers.insert("grpc-status", code.value());
    headers.insert("grpc-message", grpc::message(&text));
    response
}

/// Whether the body of an answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReplyBody {
    /// It is.
    Sent,
    /// Only the head: the request was HEAD.
    Omitted,
}

/// An answer as bytes, for a request that could not be parsed. Closes the connection.
pub(crate) fn raw_reply(response: &Response<Bytes>, now: SystemTime, body: ReplyBody) -> Vec<u8> {
    let mut bytes = format!(
        "HTTP/1.1 {} {}\r\nconnection: close\r\ncontent-length: {}\r\ndate: {}\r\n",
        response.status().as_str(),
        response.status().canonical_reason().unwrap_or_default(),
        response.body().len(),
        httpdate::fmt_http_date(now),
    )
    .into_bytes();
    for (name, value) in response.headers() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    if body == ReplyBody::Sent {
        bytes.extend_from_slice(response.body());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_names_its_reason_and_the_request() {
        let response = reply(Reason::ServerConnectRefused, &RequestId::made(1));
        assert_eq!(response.status(), 503);
        let text = String::from_utf8(response.body().to_vec()).expect("text");
        assert_eq!(
            text,
            "503 Service Unavailable\n\nreason: server.connect.refused\nrequest: 0000000000000001\n"
        );
    }

    #[test]
    fn an_answer_in_grpc_is_a_status_of_grpc() {
        let answer = |reason| grpc_reply(reason, &RequestId::made(1));
        let response = answer(Reason::ServerConnectRefused);
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["grpc-status"], "14");
        assert_eq!(
            response.headers()["grpc-message"],
            "server.connect.refused (request 0000000000000001)"
        );
        assert!(response.body().is_empty());
        assert_eq!(
            answer(Reason::ExchangeTimeout).headers()["grpc-status"],
            "4"
        );
        assert_eq!(answer(Reason::RouteNone).headers()["grpc-status"], "12");
    }

    #[test]
    fn a_raw_answer_is_a_whole_http_message() {
        let bytes = raw_reply(
            &reply(Reason::RequestHeadTimeout, &RequestId::made(1)),
            SystemTime::UNIX_EPOCH,
            ReplyBody::Sent,
        );
        let text = String::from_utf8(bytes).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n"));
        let length = format!("content-length: {}\r\n", body.len());
        assert!(head.contains(&length), "{head}");
        assert!(
            head.contains("date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"),
            "{head}"
        );
    }

    #[test]
    fn fields_that_a_status_requires_are_sent() {
        let id = RequestId::made(1);
        let no_server = reply(Reason::BackendNoServer, &id);
        assert!(no_server.headers().contains_key(header::RETRY_AFTER));
        let refused = reply(Reason::RequestMethodRefused, &id);
        assert!(refused.headers().contains_key(header::ALLOW));
    }
}
