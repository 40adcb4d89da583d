//! What TLS says of a client, held against what the client asks for, and passed on to servers.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::exchange::{ClientTls, Reason};
use crate::plan::{self, ClientFields};

/// Whether a connection that was opened for one name may ask for `host`.
///
/// Only where names have rules of their own: what was asked of the client in the handshake may be
/// less than `host` asks of its clients. Where both names have the same rules, one connection serves
/// for both, as HTTP/2 wants it (RFC 9113 §9.1.1).
pub(super) fn check_host(
    plan: &plan::Frontend,
    tls: Option<&ClientTls>,
    host: &str,
) -> Result<(), Reason> {
    let (Some(plan), Some(tls)) = (&plan.tls, tls) else {
        return Ok(());
    };
    let asked_for = tls.server_name.as_deref();
    if plan.names.is_empty() || asked_for == Some(host) {
        return Ok(());
    }
    let (_, opened_for) = plan.rules_of(asked_for);
    let (_, wanted) = plan.rules_of(Some(host));
    if opened_for == wanted {
        return Ok(());
    }
    Err(Reason::RequestHostMisdirected)
}

/// Whether the client has shown what `route` wants to see.
pub(super) fn check_certificate(
    route: &plan::Route,
    tls: Option<&ClientTls>,
) -> Result<(), Reason> {
    let is_shown = tls.is_some_and(|tls| tls.certificate.is_some());
    match route.client_certificate {
        plan::ClientCertificate::Required if !is_shown => Err(Reason::RouteCertificate),
        _ => Ok(()),
    }
}

/// Takes off what the client wrote in the fields that tell servers about certificates, those of all
/// frontends. Before a route is looked for: no client chooses one by them.
pub(super) fn remove_certificate_fields(headers: &mut HeaderMap, all: &[HeaderName]) {
    for name in all {
        headers.remove(name);
    }
}

/// Tells the server about the certificate that the client showed.
pub(super) fn say_certificate(
    headers: &mut HeaderMap,
    fields: &ClientFields,
    tls: Option<&ClientTls>,
) {
    let Some(certificate) = tls.and_then(|tls| tls.certificate.as_ref()) else {
        return;
    };
    for (name, value) in [
        (&fields.subject, &certificate.subject),
        (&fields.sans, &certificate.sans),
        (&fields.serial, &certificate.serial),
        (&fields.fingerprint, &certificate.fingerprint),
    ] {
        // It is ASCII without controls, made so where it was read; what is not must not go out.
        if let (Some(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            headers.insert(name.clone(), value);
        }
    }
}
