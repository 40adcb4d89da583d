//! Refuses a client without a certificate: `client_certificate` of a route.

use http::Request;

use crate::exchange::Reason;
use crate::proxy::rules::{Flow, Scope};

use super::{Act, Done, refusal};

#[derive(Debug)]
pub(in crate::proxy::rules) struct RequireCertificate;

impl Act for RequireCertificate {
    fn on_request<B>(&self, _: &mut Request<B>, scope: &Scope<'_>) -> Done {
        let tls = scope.connection.tls;
        match tls.is_none_or(|tls| tls.certificate.is_none()) {
            true => refusal(Reason::RouteCertificate),
            false => Ok(Flow::Continue),
        }
    }
}
