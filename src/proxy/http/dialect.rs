//! The form of our own answers: HTTP, or gRPC within it.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Version, header};

use crate::base::clock::Duration;
use crate::exchange::{Reason, RequestId};
use crate::proxy::reply::{LocalAnswer, grpc_reply, reply};
use crate::wire::grpc;

/// The protocol of a client above HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Http,
    Grpc,
}

impl Dialect {
    /// gRPC uses only HTTP/2 and POST.
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        let may_be_grpc = request.version() == Version::HTTP_2 && request.method() == Method::POST;
        let content_type = || request.headers().get(header::CONTENT_TYPE);
        if may_be_grpc && content_type().is_some_and(|kind| grpc::is_grpc(kind.as_bytes())) {
            Self::Grpc
        } else {
            Self::Http
        }
    }

    /// How long an exchange may take: `bound`, or the timeout of a gRPC call if that is shorter,
    /// because the client waits no longer.
    pub(super) fn bound(self, headers: &HeaderMap, bound: Option<Duration>) -> Option<Duration> {
        if self == Self::Http {
            return bound;
        }
        let timeout = headers.get("grpc-timeout");
        let timeout = timeout.and_then(|value| grpc::timeout(value.as_bytes()));
        match (timeout, bound) {
            (Some(timeout), Some(bound)) => Some(timeout.min(bound)),
            (timeout, bound) => timeout.or(bound),
        }
    }

    /// The answer with `reason`.
    pub(super) fn reply(self, reason: Reason, id: &RequestId) -> Response<Bytes> {
        match self {
            Self::Http => reply(reason, id),
            Self::Grpc => grpc_reply(reason, id),
        }
    }

    /// The answer of a rule.
    pub(super) fn answer(self, answer: LocalAnswer, id: &RequestId) -> Response<Bytes> {
        match self {
            Self::Http => answer.into_response(id),
            Self::Grpc => answer.into_grpc_response(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_a_post_of_http2_is_a_call_of_grpc() {
        let of = |version, method, kind: Option<&'static str>| {
            let mut request = Request::new(());
            *request.version_mut() = version;
            *request.method_mut() = method;
            let kind = kind.map(HeaderValue::from_static);
            request
                .headers_mut()
                .extend(kind.map(|kind| (header::CONTENT_TYPE, kind)));
            Dialect::of(&request)
        };
        let grpc = Some("application/grpc");
        assert_eq!(of(Version::HTTP_2, Method::POST, grpc), Dialect::Grpc);
        for (version, method, kind) in [
            (Version::HTTP_11, Method::POST, grpc),
            (Version::HTTP_2, Method::GET, grpc),
            (Version::HTTP_11, Method::GET, grpc),
            (Version::HTTP_2, Method::POST, Some("text/plain")),
            (Version::HTTP_2, Method::POST, None),
        ] {
            let case = format!("{version:?} {method} {kind:?}");
            assert_eq!(of(version, method, kind), Dialect::Http, "{case}");
        }
    }

    #[test]
    fn the_shorter_of_two_bounds_counts_and_one_alone_is_the_bound() {
        let seconds = |count| Some(Duration::from_secs(count));
        let bound = |dialect: Dialect, timeout: Option<&'static str>, bound| {
            let mut headers = HeaderMap::new();
            if let Some(timeout) = timeout {
                headers.insert("grpc-timeout", HeaderValue::from_static(timeout));
            }
            dialect.bound(&headers, bound)
        };
        for (timeout, exchange, counts) in [
            (Some("5S"), seconds(60), seconds(5)),
            (Some("60S"), seconds(5), seconds(5)),
            (Some("5S"), None, seconds(5)),
            (None, seconds(5), seconds(5)),
            (Some("no time"), seconds(5), seconds(5)),
            (None, None, None),
        ] {
            assert_eq!(
                bound(Dialect::Grpc, timeout, exchange),
                counts,
                "{timeout:?}"
            );
            assert_eq!(bound(Dialect::Http, timeout, exchange), exchange);
        }
    }
}
