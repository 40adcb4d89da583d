//! `set_method`: replaces the method.

use http::{Method, Request};

use crate::expr::Template;
use crate::plan::MOST_METHOD_BYTES;
use crate::proxy::rules::encode::Invalid;
use crate::proxy::rules::{Flow, Scope};

use super::{Act, Done, facts};

#[derive(Debug)]
pub(in crate::proxy::rules) struct SetMethod(pub(super) Template);

impl Act for SetMethod {
    fn on_request<B>(&self, request: &mut Request<B>, scope: &Scope<'_>) -> Done {
        let text = scope.text(&self.0, &facts(request, scope));
        let method = match Method::from_bytes(&text) {
            Ok(method) if text.len() <= MOST_METHOD_BYTES => method,
            _ => return Err(Invalid("a text that is no method")),
        };
        // What `admit` refuses of a client.
        if matches!(method, Method::CONNECT | Method::TRACE) {
            return Err(Invalid("the method CONNECT or TRACE"));
        }
        if request.uri().path() == "*" && method != Method::OPTIONS {
            return Err(Invalid("another method than OPTIONS for the target `*`"));
        }
        *request.method_mut() = method;
        Ok(Flow::Continue)
    }
}
