//! `set_log_level = "silent"`: leaves the exchange out of the access log.

use http::Request;

use crate::proxy::rules::{Flow, Scope};

use super::{Act, Done};

/// The exchange is not logged: an extension of the request, until `http::pipeline` notes it.
#[derive(Clone, Copy)]
pub(crate) struct Unlogged;

#[derive(Debug)]
pub(in crate::proxy::rules) struct SetLogLevel;

impl Act for SetLogLevel {
    fn on_request<B>(&self, request: &mut Request<B>, _: &Scope<'_>) -> Done {
        request.extensions_mut().insert(Unlogged);
        Ok(Flow::Continue)
    }
}
