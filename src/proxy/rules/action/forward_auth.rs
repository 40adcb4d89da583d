//! `forward_auth`: another server decides whether a request may continue.
//!
//! The rule makes the question; `http::outside` asks it. Prior art: nginx's `auth_request`, Traefik's
//! ForwardAuth, Envoy's `ext_authz` over HTTP.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header, request};

use crate::base::Name;
use crate::base::clock::Duration;
use crate::expr::Template;
use crate::plan::{self, WithoutAnswer};
use crate::proxy::rules::encode::{Invalid, field_value};
use crate::proxy::rules::{Flow, Outside, Scope};
use crate::wire::field_names::FieldNames;

use super::fields::remove_alike;
use super::{Act, Done};

/// Fields of the request that are about its connection or its body, which the question does not have.
const LEFT_OUT: [HeaderName; 15] = [
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::EXPECT,
    header::HOST,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::RANGE,
    header::IF_RANGE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

const FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

#[derive(Debug)]
pub(in crate::proxy::rules) struct ForwardAuth {
    backend: Name,
    path: Template,
    host: Option<HeaderValue>,
    send: Option<Box<[HeaderName]>>,
    copy: Arc<[HeaderName]>,
    /// The same.
    copied: FieldNames,
    timeout: Duration,
    without_answer: WithoutAnswer,
}

impl ForwardAuth {
    pub(super) fn compile(auth: &plan::ForwardAuth) -> Self {
        Self {
            backend: auth.backend.name.clone(),
            path: Template::compile(&auth.path),
            // The configuration has checked it.
            host: auth.host.as_deref().and_then(|host| host.parse().ok()),
            send: auth.send.as_deref().map(Into::into),
            copy: auth.copy.as_slice().into(),
            copied: auth.copy.iter().cloned().collect(),
            timeout: auth.timeout,
            without_answer: auth.without_answer,
        }
    }

    /// The head of the question about `request`.
    fn head<B>(&self, request: &Request<B>, scope: &Scope<'_>) -> Result<request::Parts, Invalid> {
        let facts = scope.of_request(request, request.uri().path(), &[]);
        let path = scope.text(&self.path, &facts);
        let is_path = path.first() == Some(&b'/');
        let target = Uri::try_from(path).ok().filter(|_| is_path);
        let target = target.ok_or(Invalid("a target without a path"))?;
        let mut headers = HeaderMap::new();
        for (name, value) in request.headers() {
            let is_sent = match &self.send {
                Some(names) => names.contains(name),
                None => !LEFT_OUT.contains(name),
            };
            if is_sent {
                headers.append(name.clone(), value.clone());
            }
        }
        let host = request.headers().get(header::HOST).cloned();
        let authority = request.uri().authority();
        let host = host.or_else(|| HeaderValue::from_str(authority?.as_str()).ok());
        let connection = &scope.connection;
        // In place of whatever the client sent.
        let said = [
            (
                FORWARDED_METHOD,
                Some(field_value(request.method().as_str().into())?),
            ),
            (
                FORWARDED_PROTO,
                Some(HeaderValue::from_static(match connection.tls {
                    Some(_) => "https",
                    None => "http",
                })),
            ),
            (FORWARDED_HOST, host.clone()),
            (
                FORWARDED_URI,
                request
                    .uri()
                    .path_and_query()
                    .and_then(|target| HeaderValue::from_str(target.as_str()).ok()),
            ),
            (
                FORWARDED_FOR,
                connection
                    .client
                    .ip()
                    .and_then(|ip| HeaderValue::from_str(&ip.to_string()).ok()),
            ),
            (header::HOST, self.host.clone().or(host)),
        ];
        for (name, value) in said {
            match value {
                Some(value) => headers.insert(name, value),
                None => headers.remove(name),
            };
        }
        let mut head = Request::new(()).into_parts().0;
        head.method = Method::GET;
        head.uri = target;
        head.headers = headers;
        Ok(head)
    }
}

impl Act for ForwardAuth {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        // Whatever the server says: nothing that it may set can be the client's.
        remove_alike(request.headers_mut(), &self.copied);
        let outside = Outside {
            backend: self.backend.clone(),
            head: self.head(request, scope)?,
            copy: Arc::clone(&self.copy),
            timeout: self.timeout,
            without_answer: self.without_answer,
        };
        Ok(Flow::Outside(0, Box::new(outside)))
    }
}
